"""Compiles the runner: `python build.py [--to FOLDER] [TARGET...]`.

Only uses the standard library, because it runs before the package is installed. The compiler is
clang from the package `ziglang`, for all targets on every computer; its output is reproducible. If
ANDROID_NDK_HOME is set, that Android NDK is used for phones.

Zig does not support bionic, Android's C library. Without an NDK, the runner is compiled with the
headers of musl, using only what has the same layout in both (`src/platform.h`), starts in
`src/bionic/crt.c`, and is linked with stub libraries that only have the symbols below.
"""

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

VERSION = "1.0.0"
ZIG = "0.15.2"
HERE = Path(__file__).resolve().parent
NAME = "seaformer-runner"
FINGERPRINT = f"{NAME}.sha256"
"""File next to each runner with the fingerprint of its sources."""

NDK_VARIABLE = "ANDROID_NDK_HOME"
ANDROID_API = 24

FLAGS = (
    "-std=c99",
    "-D_GNU_SOURCE",
    "-O3",
    "-ffp-contract=off",  # otherwise argmax.c may resolve near ties differently from argmax.py
    "-fno-stack-protector",
    "-fvisibility=hidden",
    "-fPIE",
    "-g0",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pie",
    "-s",
    "-Wl,--build-id=none",
)

MAX_ERROR_BYTES = 2**20
"""Limit in bytes for a compiler's messages, above which it is killed."""

BIONIC = {
    "libc.so": """
        __errno __libc_init alarm atoi calloc chdir clock_gettime close closedir dup2 fcntl free
        getpid getrusage lseek malloc memchr memcmp memcpy memmove memset open opendir
        posix_memalign read readdir realloc sched_getaffinity sched_getcpu sched_setaffinity
        setenv setitimer signal snprintf strchr strcmp strcpy strcspn strdup strerror strlen strrchr
        strspn strstr strtod strtoll unlink vsnprintf write _exit
    """,
    "libdl.so": "dlerror dlopen dlsym",
}


TARGETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # Android 15 phones may have pages of 16 KB.
    "android-arm64": ("aarch64-linux-musl", ("-Wl,-z,max-page-size=16384",)),
    "linux-arm64": ("aarch64-linux-gnu.2.17", ("-ldl", "-lm")),
    "linux-x86_64": ("x86_64-linux-gnu.2.17", ("-ldl", "-lm")),
}
"""Target of a runner -> zig's target, with the oldest supported version of the C library, and
further flags."""


class BuildError(Exception):
    """The runner cannot be built; the message says why and what to do."""


def argmax_folder() -> Path:
    """Return the folder of argmax.c, in the source tree or in the installed package."""
    for package in (HERE.parents[1] / "seaformer", HERE.parents[1]):
        folder = package / "imaging" / "upsampling"
        if (folder / "argmax.c").is_file():
            return folder
    raise BuildError(f"imaging/upsampling/argmax.c was not found near {HERE}. Reinstall seaformer.")


def inputs() -> list[Path]:
    """Return all source files of the runner, and this file."""
    upsampling = argmax_folder()
    sources = sorted(path for path in (HERE / "src").rglob("*") if path.is_file())
    return [Path(__file__), upsampling / "argmax.c", upsampling / "argmax.h", *sources]


def fingerprint() -> str:
    """Return a hash of all source files of the runner."""
    digest = hashlib.sha256()
    for path in inputs():
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build(target: str, to: Path) -> None:
    """Compile the runner for a row of `TARGETS` into the file `to`.

    The fingerprint of its sources is written next to it. Raises BuildError if there is no compiler
    or compiling fails.
    """
    with tempfile.TemporaryDirectory(prefix="seaformer-runner-") as name:
        folder = Path(name)
        upsampling = argmax_folder()
        sources = [*sorted((HERE / "src").glob("*.c")), upsampling / "argmax.c"]
        compiler, linking = _compiler(target, folder)
        settings = [
            f'-DVERSION="{VERSION}"',
            f'-DTARGET="{target}"',
            # The assembler searches files embedded by probe.c in the include folders.
            f"-I{HERE / 'src'}",
            f"-I{upsampling.parent}",
        ]
        command = [*compiler, *FLAGS, *settings, *map(str, sources), *linking, "-o", NAME]
        _run(command, folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        # First to a temporary name: another process may be running or reading the old one.
        beside = to.with_name(f".{to.name}-{os.getpid()}")
        beside.write_bytes((folder / NAME).read_bytes())
        beside.chmod(0o755)
        beside.replace(to)
        to.with_name(FINGERPRINT).write_text(f"{fingerprint()}\n", encoding="ascii")


def _compiler(target: str, folder: Path) -> tuple[list[str], list[str]]:
    """Return the compiler command, and its arguments after the sources."""
    triple, flags = TARGETS[target]
    if target == "android-arm64" and (ndk := os.environ.get(NDK_VARIABLE)):
        name = f"aarch64-linux-android{ANDROID_API}-clang"
        found = sorted(Path(ndk).glob(f"toolchains/llvm/prebuilt/*/bin/{name}"))
        if not found:
            raise BuildError(
                f"{NDK_VARIABLE} is '{ndk}', which has no {name}. Set it to the folder of an "
                "Android NDK, or unset it to build without one."
            )
        return [str(found[0])], [*flags, "-ldl", "-lm"]
    package = importlib.util.find_spec("ziglang")
    installed = version("ziglang") if package else None
    if package is None or package.origin is None or installed != ZIG:
        raise BuildError(
            f"compiling the runner needs the package ziglang {ZIG}; installed is {installed}. "
            f"Install it: pip install ziglang=={ZIG}."
        )
    zig = [sys.executable, "-P", "-m", "ziglang", "cc", "-target", triple]
    if target != "android-arm64":
        return zig, list(flags)
    include = Path(package.origin).with_name("lib") / "libc" / "include"
    headers = [f"-isystem{include / name}" for name in ("aarch64-linux-musl", "generic-musl")]
    stubs = [_stub(zig, name, symbols.split(), folder) for name, symbols in BIONIC.items()]
    crt = str(HERE / "src" / "bionic" / "crt.c")
    without = ["-nostdlib", "-DBIONIC_WITHOUT_NDK", *headers]
    start = "-Wl,--dynamic-linker=/system/bin/linker64"
    return [*zig, *without], [crt, *stubs, start, *flags]


def _stub(zig: list[str], name: str, symbols: list[str], folder: Path) -> str:
    """Build a stub library that only has the symbols of functions."""
    source = folder / f"{name}.s"
    source.write_text(
        "".join(f".globl {s}\n.type {s}, %function\n{s}: ret\n" for s in symbols), encoding="ascii"
    )
    _run([*zig, "-nostdlib", "-shared", f"-Wl,-soname,{name}", source.name, "-o", name], folder)
    return name


def _run(command: list[str], folder: Path) -> None:
    environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": str(folder / "cache")}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read(MAX_ERROR_BYTES)
        if len(errors) == MAX_ERROR_BYTES:
            process.kill()
    if process.returncode != 0:
        text = " ".join(errors.decode("utf-8", "replace").split())
        raise BuildError(f"the runner cannot be compiled: {text[:2000]}")


def main() -> None:
    """Build the given targets, or all, into FOLDER/TARGET/."""
    parser = argparse.ArgumentParser(description="Compile the runner of seaformer-benchmark.")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    parser.add_argument("--to", type=Path, default=HERE / "bin", metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        for target in arguments.targets or TARGETS:
            build(target, arguments.to.resolve() / target / NAME)
    except BuildError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
