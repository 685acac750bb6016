"""Compiles the C mask computation for Android apps: `python jni_library.py [--to FOLDER] [ABI...]`.

Uses only the standard library, as it runs before the package is installed. The compiler is the
clang in the package `ziglang`; its output for the same sources is identical on every computer. Zig
does not ship bionic, Android's C library, so the library is linked against a stub that declares
only the two functions it uses.
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

ZIG = "0.15.2"
NAME = "libseaformer_upsampling.so"
FINGERPRINT = f"{NAME}.sha256"
"""File beside each library with the hash of its sources."""

HERE = Path(__file__).resolve().parent
UPSAMPLING = HERE.parent / "imaging" / "upsampling"

ABIS: Mapping[str, str] = {
    "arm64-v8a": "aarch64-linux-musl",
    "x86_64": "x86_64-linux-musl",  # emulators and Chromebooks
}
"""Android ABI -> zig target, which provides the headers."""

FLAGS = (
    "-std=c99",
    "-O3",
    "-ffp-contract=off",  # else argmax.c may resolve near ties differently from argmax.py
    "-fno-stack-protector",
    "-fvisibility=hidden",
    "-fPIC",
    "-g0",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostdlib",
    "-shared",
    "-s",
    "-Wl,--build-id=none",
    "-Wl,-z,max-page-size=16384",  # Android 15 phones may have pages of 16 KB
    f"-Wl,-soname,{NAME}",
)

LIBC = "".join(f".globl {f}\n.type {f}, %function\n{f}: ret\n" for f in ("memcpy", "memset"))

TIME_LIMIT_S = 600


class BuildError(Exception):
    """The library cannot be built; the message gives the reason and the remedy."""


def app_sources() -> Path:
    """Return the folder of the app's sources, in the installed package or in a checkout.

    Raises:
        BuildError: they are missing.
    """
    for folder in (HERE / "sources", HERE.parents[1] / "android_demo"):
        if (folder / "library").is_dir():
            return folder
    raise BuildError(f"the sources of the library are missing from {HERE}. Reinstall seaformer.")


def c_sources() -> list[Path]:
    """Return the C files that the library is compiled from."""
    shim = app_sources() / "library" / "src" / "main" / "c" / "argmax_jni.c"
    return [UPSAMPLING / "argmax.c", UPSAMPLING / "argmax.h", shim]


def fingerprint() -> str:
    """Return a hash of the library's sources and of this file."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *c_sources()):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build(abi: str, to: Path) -> None:
    """Compile the library for one of `ABIS` to the file `to`, and write its fingerprint beside it.

    Raises:
        BuildError: the compiler is missing or fails.
    """
    package = importlib.util.find_spec("ziglang")
    installed = version("ziglang") if package else None
    if package is None or package.origin is None or installed != ZIG:
        raise BuildError(
            f"compiling the C mask computation needs the package ziglang {ZIG}; installed: "
            f"{installed}. Install it: pip install ziglang=={ZIG}."
        )
    triple = ABIS[abi]
    headers = Path(package.origin).with_name("lib") / "libc" / "include"
    include = [f"-isystem{headers / name}" for name in (triple, "generic-musl")]
    zig = [sys.executable, "-P", "-m", "ziglang", "cc", "-target", triple]
    sources = [str(path) for path in c_sources() if path.suffix == ".c"]
    with tempfile.TemporaryDirectory(prefix="seaformer-jni-") as name:
        folder = Path(name)
        (folder / "libc.s").write_text(LIBC, encoding="ascii")
        stub = ["-nostdlib", "-shared", "-Wl,-soname,libc.so", "libc.s", "-o", "libc.so"]
        _run([*zig, *stub], folder)
        _run([*zig, *FLAGS, *include, f"-I{UPSAMPLING}", *sources, "libc.so", "-o", NAME], folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        # Replaced atomically: another process may be reading the old file.
        beside = to.with_name(f".{to.name}-{os.getpid()}")
        beside.write_bytes((folder / NAME).read_bytes())
        beside.replace(to)
        to.with_name(FINGERPRINT).write_text(f"{fingerprint()}\n", encoding="ascii")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"ZIG_LOCAL_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        text = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise BuildError(f"the C mask computation cannot be compiled: {text[:2000]}.")


def main() -> None:
    """Build for the given ABIs, by default all, into FOLDER/ABI/."""
    parser = argparse.ArgumentParser(description="Compile the C mask computation for Android apps.")
    parser.add_argument("abis", nargs="*", choices=[[], *ABIS], metavar="ABI")
    parser.add_argument("--to", type=Path, default=HERE / "bin", metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        for abi in arguments.abis or ABIS:
            build(abi, arguments.to.resolve() / abi / NAME)
    except BuildError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
