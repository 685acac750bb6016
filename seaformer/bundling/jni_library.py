"""Compiles the C mask computation for Android apps: `python jni_library.py [--to FOLDER] [ABI...]`.

The library is linked with a stub of Android's C library that has the two functions it uses.
"""

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

NAME = "libseaformer_upsampling.so"
TITLE = "the C mask computation"
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

LIBC = ("memcpy", "memset")
"""The functions of the C library that it uses."""


def app_sources() -> Path:
    """Return the folder of the app's sources, in the installed package or in a checkout.

    Raises:
        SeaformerError: they are missing.
    """
    for folder in (HERE / "sources", HERE.parents[1] / "android_demo"):
        if (folder / "library").is_dir():
            return folder
    raise SeaformerError(
        f"the sources of the library are missing from {HERE}. Reinstall seaformer."
    )


def c_sources() -> list[Path]:
    """Return the C files that the library is compiled from."""
    shim = app_sources() / "library" / "src" / "main" / "c" / "argmax_jni.c"
    return [UPSAMPLING / "argmax.c", UPSAMPLING / "argmax.h", shim]


def fingerprint() -> str:
    """Return a hash of everything that the library is built from."""
    return fingerprint_of(Path(__file__), c_sources())


def build(abi: str, to: Path) -> None:
    """Compile the library for one of `ABIS` to the file `to`, and write its fingerprint beside it.

    Raises:
        SeaformerError: the compiler is missing or fails.
    """
    target = ABIS[abi]
    clang = compiler(TITLE, target)
    sources = [str(path) for path in c_sources() if path.suffix == ".c"]
    with compiled_to(to, FINGERPRINT, fingerprint()) as folder:
        libc = link_stub(clang, "libc.so", LIBC, folder)
        headers = [*musl_headers(target), f"-I{UPSAMPLING}"]
        compile_in(folder, [*clang, *FLAGS, *headers, *sources, libc, "-o", to.name], TITLE)


if __name__ == "__main__":
    build_all("Compile the C mask computation for Android apps.", ABIS, build, HERE / "bin" / NAME)
