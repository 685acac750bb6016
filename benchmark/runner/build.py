"""Compiles the runner: `python build.py [--to FOLDER] [TARGET...]`.

If ANDROID_NDK_HOME is set, that Android NDK is used for phones. Without an NDK, the runner is
compiled with the headers of musl, using only what has the same layout in bionic, Android's C
library (`src/platform.h`), starts in `src/bionic/crt.c`, and is linked with stub libraries that
only have the symbols below.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.zig import (
    build_all,
    compile_in,
    compiled_to,
    compiler,
    fingerprint_of,
    link_stub,
    musl_headers,
)

VERSION = "1.0.0"
HERE = Path(__file__).resolve().parent
NAME = "seaformer-runner"
TITLE = "the runner"
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

BIONIC = {
    "libc.so": """
        __errno __libc_init alarm atoi calloc chdir clock_gettime clock_nanosleep close closedir
        dup2 execv fcntl fork free getpid getppid getrusage lseek malloc memchr memcmp memcpy
        memmove memset mmap open opendir pipe poll posix_memalign prctl read readdir realloc
        sched_getaffinity sched_getcpu sched_setaffinity setenv setitimer signal snprintf strchr
        strcmp strcpy strcspn strdup strerror strlen strncmp strrchr strspn strstr strtod strtoll
        unlink vsnprintf waitpid write _exit
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


def argmax_folder() -> Path:
    """Return the folder of argmax.c, in the source tree or in the installed package."""
    for package in (HERE.parents[1] / "seaformer", HERE.parents[1]):
        folder = package / "imaging" / "upsampling"
        if (folder / "argmax.c").is_file():
            return folder
    raise SeaformerError(
        f"imaging/upsampling/argmax.c was not found near {HERE}. Reinstall seaformer."
    )


def fingerprint() -> str:
    """Return a hash of everything that the runner is built from."""
    upsampling = argmax_folder()
    sources = sorted(path for path in (HERE / "src").rglob("*") if path.is_file())
    return fingerprint_of(
        Path(__file__), [upsampling / "argmax.c", upsampling / "argmax.h", *sources]
    )


def build(target: str, to: Path) -> None:
    """Compile the runner for a row of `TARGETS` into the file `to`.

    The fingerprint of its sources is written next to it.

    Raises:
        SeaformerError: there is no compiler, or compiling fails.
    """
    with compiled_to(to, FINGERPRINT, fingerprint()) as folder:
        upsampling = argmax_folder()
        sources = [*sorted((HERE / "src").glob("*.c")), upsampling / "argmax.c"]
        clang, linking = _compiler(target, folder)
        settings = [
            f'-DVERSION="{VERSION}"',
            f'-DTARGET="{target}"',
            # The assembler searches files embedded by probe.c in the include folders.
            f"-I{HERE / 'src'}",
            f"-I{upsampling.parent}",
        ]
        command = [*clang, *FLAGS, *settings, *map(str, sources), *linking, "-o", to.name]
        compile_in(folder, command, TITLE)


def _compiler(target: str, folder: Path) -> tuple[list[str], list[str]]:
    """Return the compiler command, and its arguments after the sources."""
    triple, flags = TARGETS[target]
    if target == "android-arm64" and (ndk := os.environ.get(NDK_VARIABLE)):
        name = f"aarch64-linux-android{ANDROID_API}-clang"
        found = sorted(Path(ndk).glob(f"toolchains/llvm/prebuilt/*/bin/{name}"))
        if not found:
            raise SeaformerError(
                f"{NDK_VARIABLE} is '{ndk}', which has no {name}. Set it to the folder of an "
                "Android NDK, or unset it to build without one."
            )
        return [str(found[0])], [*flags, "-ldl", "-lm"]
    zig = compiler(TITLE, triple)
    if target != "android-arm64":
        return zig, list(flags)
    stubs = [link_stub(zig, name, symbols.split(), folder) for name, symbols in BIONIC.items()]
    crt = str(HERE / "src" / "bionic" / "crt.c")
    without = ["-nostdlib", "-DBIONIC_WITHOUT_NDK", *musl_headers(triple)]
    start = "-Wl,--dynamic-linker=/system/bin/linker64"
    return [*zig, *without], [crt, *stubs, start, *flags]


if __name__ == "__main__":
    build_all("Compile the runner of seaformer-benchmark.", TARGETS, build, HERE / "bin" / NAME)
