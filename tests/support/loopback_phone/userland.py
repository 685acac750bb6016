"""The programs of the phone, built once: Debian's toybox and mksh for arm64, and the loader.

They are in a folder of the user's cache, which later test runs reuse.
"""

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from seaformer.cache import cache_folder

HERE = Path(__file__).parent
PACKAGES = ("toybox", "mksh", "libc6", "libcrypt1")
TOOLS = {  # program -> the Debian package that provides it
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "unshare": "util-linux",
    "qemu-aarch64-static": "qemu-user-static",
}
# Toybox commands that Android also has; commands missing on phones have to be missing here.
COMMANDS = (HERE / "android_commands.txt").read_text().split()


class CannotRunError(RuntimeError):
    """This computer lacks something that the phone needs; the message names it."""


def folder() -> Path:
    """Return the folder with the phone's system/ and lib/, created if it does not exist.

    Raises:
        CannotRunError: a tool is missing, or the packages cannot be downloaded.
    """
    for program, package in TOOLS.items():
        if shutil.which(program) is None:
            raise CannotRunError(f"no {program} (Debian: apt install {package})")
    parts = [path.read_bytes() for path in _sources()]
    key = hashlib.sha256(b"\0".join([*parts, _zig_version().encode()])).hexdigest()[:16]
    cache = cache_folder("loopback_phone")
    cache.mkdir(parents=True, exist_ok=True)
    root = cache / key
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            incomplete = cache / "unfinished"
            shutil.rmtree(incomplete, ignore_errors=True)
            incomplete.mkdir()
            _make(incomplete)
            incomplete.rename(root)
    return root


def _sources() -> list[Path]:
    """Return the sources of the userland, whose content identifies it."""
    parts = sorted([*(HERE / "bionic").iterdir(), *(HERE / "android").iterdir()])
    return [Path(__file__), HERE / "android_commands.txt", *parts]


def _zig_version() -> str:
    try:
        return importlib.metadata.version("ziglang")
    except importlib.metadata.PackageNotFoundError:
        raise CannotRunError("no C compiler for arm64 (pip install ziglang)") from None


def _make(root: Path) -> None:
    debian = root / "debian"
    _unpack(debian)
    programs, libraries = root / "system/bin", root / "lib"
    programs.mkdir(parents=True)
    shutil.copy(debian / "bin/toybox", programs / "toybox")
    shutil.copy(debian / "bin/mksh", programs / "sh")
    for command in COMMANDS:
        (programs / command).symlink_to("toybox")
    for script in (HERE / "android").iterdir():
        shutil.copy(script, programs)
    shutil.copytree(debian / "lib", libraries, symlinks=True)
    shutil.rmtree(debian)

    glibc, none = ("-target", "aarch64-linux-gnu.2.34"), ("-target", "aarch64-linux-musl")
    _compile(programs / "loader", ["loader.c", "bionic.c", "pace.c"], glibc)
    _compile(libraries / "cores.so", ["cores.c"], [*glibc, "-shared", "-fPIC"])
    alone = ["-nostdlib", "-static", "-fno-stack-protector"]
    _compile(programs / "linker64", ["linker64.c"], [*none, *alone])


def _compile(output: Path, sources: Sequence[str], options: Sequence[str]) -> None:
    files = [str(HERE / "bionic" / source) for source in sources]
    strict = ["-std=gnu11", "-O2", "-s", "-Wall", "-Wextra", "-Werror"]
    _run(
        [sys.executable, "-m", "ziglang", "cc", *strict, *options, "-o", str(output), *files],
        "the loader cannot be compiled",
    )


def _unpack(into: Path) -> None:
    """Unpack packages for arm64, with separate package lists; the computer's are not changed."""
    apt = into.parent / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "packages"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Dir::State": f"{apt}/state",
        "Dir::State::status": f"{apt}/status",
        "Dir::Cache": f"{apt}/cache",
    }
    configuration = apt / "apt.conf"
    configuration.write_text("".join(f'{name} "{text}";\n' for name, text in settings.items()))
    environment = {**os.environ, "APT_CONFIG": str(configuration)}
    # Some of the computer's sources may lack arm64; only the download has to succeed.
    subprocess.run(["apt-get", "-qq", "update"], env=environment, capture_output=True, check=False)
    _run(
        ["apt-get", "-qq", "download", *PACKAGES],
        "Debian's packages for arm64 cannot be downloaded",
        cwd=apt / "packages",
        environment=environment,
    )
    for package in sorted((apt / "packages").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(into)], f"{package.name} is broken")
    shutil.rmtree(apt)


def _run(
    command: list[str],
    problem: str,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotRunError(f"{problem}: {done.stderr.strip()}")
