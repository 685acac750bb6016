"""Compiling C with the clang of the package `ziglang`: the common part of the build scripts.

They run before the package is installed, so everything imported here needs only the standard
library. For the same sources, the compiler's output is identical on every computer. It does not
have bionic, Android's C library: programs for Android use the headers of musl, and are linked with
stubs that only have the symbols they need.
"""

import argparse
import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.files import atomic_write, file_sha256, write_text
from seaformer.processes import run
from seaformer.temporary_folders import temporary_folder

VERSION = "0.15.2"
TIME_LIMIT_S = 600


def compiler(title: str, target: str) -> list[str]:
    """Return the command of the compiler for one of zig's targets.

    Raises:
        SeaformerError: it is not installed; the message names what would be compiled, `title`.
    """
    installed = version("ziglang") if importlib.util.find_spec("ziglang") else None
    if installed != VERSION:
        raise SeaformerError(
            f"compiling {title} needs the package ziglang {VERSION}; installed: {installed}. "
            f"Install it: pip install ziglang=={VERSION}."
        )
    return [sys.executable, "-P", "-m", "ziglang", "cc", "-target", target]


def musl_headers(target: str) -> list[str]:
    """Return the arguments for the headers of musl, for a target of an installed compiler."""
    package = importlib.util.find_spec("ziglang")
    assert package is not None
    assert package.origin is not None
    include = Path(package.origin).with_name("lib") / "libc" / "include"
    return [f"-isystem{include / name}" for name in (target, "generic-musl")]


def link_stub(clang: Sequence[str], name: str, symbols: Iterable[str], folder: Path) -> str:
    """Build a shared library in a folder that only has the symbols of functions; return its name.

    Raises:
        SeaformerError: it cannot be built.
    """
    source = folder / f"{name}.s"
    source.write_text(
        "".join(f".globl {s}\n.type {s}, %function\n{s}: ret\n" for s in symbols), encoding="ascii"
    )
    stub = ["-nostdlib", "-shared", f"-Wl,-soname,{name}", source.name, "-o", name]
    compile_in(folder, [*clang, *stub], name)
    return name


def compile_in(folder: Path, command: Sequence[str], title: str) -> None:
    """Run the compiler in a folder.

    Raises:
        SeaformerError: it fails; the message names what it should compile, `title`.
    """
    environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": str(folder / "cache")}
    done = run(command, time_limit_s=TIME_LIMIT_S, cwd=folder, environment=environment)
    if done.status != 0:
        text = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise SeaformerError(f"{title} cannot be compiled: {text[:2000]}")


@contextmanager
def compiled_to(to: Path, note: str, fingerprint: str) -> Iterator[Path]:
    """Provide a temporary folder for a file, and move the finished file to its place.

    Args:
        to: path of the file, with the name that it has in the temporary folder.
        note: name of the file beside it for the fingerprint.
        fingerprint: fingerprint of the sources.
    """
    with temporary_folder("build") as folder:
        yield folder
        to.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(to) as draft:
            shutil.copyfile(folder / to.name, draft)
            draft.chmod(0o755)
        write_text(to.with_name(note), f"{fingerprint}\n")


def fingerprint_of(script: Path, sources: Iterable[Path]) -> str:
    """Return a hash of the sources, of their build script and of this file."""
    digest = hashlib.sha256()
    for path in (Path(__file__), script, *sources):
        digest.update(f"{path.name}\0{file_sha256(path)}".encode())
    return digest.hexdigest()


def build_all(
    description: str, names: Mapping[str, object], build: Callable[[str, Path], None], file: Path
) -> None:
    """Run a build script: compile for the names on the command line, by default all.

    Args:
        description: what the script does, for its help.
        names: the targets of the script.
        build: compiles for a target to a file.
        file: FOLDER/NAME: the default folder, which has a subfolder for each target, and the name
            of the compiled files.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("targets", nargs="*", choices=[[], *names], metavar="TARGET")
    parser.add_argument("--to", type=Path, default=file.parent, metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        for target in arguments.targets or names:
            build(target, arguments.to.resolve() / target / file.name)
    except SeaformerError as error:
        sys.exit(f"error: {error}")
