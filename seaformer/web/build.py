"""Builds the scripts of the page and the mask computation: `python build.py [--to FOLDER]`.

npm installs esbuild and LiteRT.js in the versions and with the hashes of package-lock.json; no
code of a package runs except esbuild's. argmax.c is compiled to WebAssembly by zig.
"""

import argparse
import shutil
import sys
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.files import atomic_write, write_text
from seaformer.processes import run
from seaformer.temporary_folders import temporary_folder
from seaformer.zig import compile_in, compiler, fingerprint_of

HERE = Path(__file__).resolve().parent
UPSAMPLING = HERE.parent / "imaging" / "upsampling"

FINGERPRINT = "page.sha256"
"""File beside the built ones with the hash of their sources."""

MASK = "upsampling.wasm"
SCRIPTS = ("page", "inference_worker", "service_worker")
FILES = (*(f"{script}.js" for script in SCRIPTS), MASK)
"""The files that are built."""

TITLE = "the page for browsers"
TARGET = "wasm32-wasi"
FLAGS = (
    "-mexec-model=reactor",
    "-std=c99",
    "-O3",
    "-msimd128",
    "-ffp-contract=off",  # else argmax.c may resolve near ties differently from argmax.py
    "-g0",
    "-s",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--no-entry",
    "-Wl,--export=seaformer_upsample_argmax",
    "-Wl,--export=seaformer_upsample_argmax_workspace",
    "-Wl,--export=__heap_base",
)

INSTALL = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
BUNDLE = ("--bundle", "--minify", "--format=iife", "--target=es2022", "--legal-comments=none")
TIME_LIMIT_S = 600.0


def sources() -> list[Path]:
    """Return the files that the page is built from, except this one."""
    packages = [HERE / "package.json", HERE / "package-lock.json"]
    c_sources = [UPSAMPLING / "argmax.c", UPSAMPLING / "argmax.h"]
    return [*packages, *sorted((HERE / "src").glob("*.ts")), *c_sources]


def fingerprint() -> str:
    """Return a hash of everything that the page is built from."""
    return fingerprint_of(Path(__file__), sources())


def build(to: Path) -> None:
    """Build `FILES` into a folder, and write their fingerprint beside them.

    Raises:
        SeaformerError: npm or the C compiler is missing or fails.
    """
    with temporary_folder("web") as folder:
        _bundle_scripts(folder)
        clang = compiler(TITLE, TARGET)
        c_sources = [f"-I{UPSAMPLING}", str(UPSAMPLING / "argmax.c")]
        compile_in(folder, [*clang, *FLAGS, *c_sources, "-o", MASK], TITLE)
        to.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            with atomic_write(to / name) as draft:
                shutil.copyfile(folder / name, draft)
    write_text(to / FINGERPRINT, f"{fingerprint()}\n")


def _bundle_scripts(folder: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise SeaformerError(
            f"building {TITLE} needs npm and Node.js, which are not installed. Install them, or "
            "install seaformer from a wheel, which contains the built page."
        )
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, folder / name)
    shutil.copytree(HERE / "src", folder / "src")
    _run([npm, *INSTALL], folder)
    esbuild = folder / "node_modules" / "esbuild" / "bin" / "esbuild"
    entries = [f"src/{script}.ts" for script in SCRIPTS]
    _run([node, str(esbuild), *entries, *BUNDLE, "--outdir=."], folder)


def _run(command: list[str], folder: Path) -> None:
    done = run(command, time_limit_s=TIME_LIMIT_S, cwd=folder)
    if done.status != 0:
        text = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
        raise SeaformerError(f"{TITLE} cannot be built: {text[:2000]}")


def main() -> None:
    """Build into the folder of the command line."""
    parser = argparse.ArgumentParser(description=f"Build {TITLE}.")
    parser.add_argument("--to", type=Path, default=HERE / "bin", metavar="FOLDER")
    try:
        build(parser.parse_args().to.resolve())
    except SeaformerError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
