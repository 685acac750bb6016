"""Builds the Android app with the smoke build, and runs its classes on this computer's JVM.

    PYTHONPATH=tests/support:android_demo python -m android_app IMAGE.png

renders the app's overlay and legend for a scene, with the app's own code, for its README.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import android_golden
import android_jvm_runtime
import pytest
from locations import ROOT, SUPPORT

from seaformer.bundling.assets import write_assets
from seaformer.bundling.model import read_model
from seaformer.errors import SeaformerError
from smoke_build.build import JVM_FLAGS, SmokeBuild
from smoke_build.tools import DEBIAN, PACKAGES, debian, find_debian, package, run

APP = ROOT / "android_demo"
PROGRAM = SUPPORT / "android_end_to_end"
REQUIRED = "SEAFORMER_REQUIRE_ANDROID"
SCENE = "samples/01_scene_0.png"


def require_tools() -> None:
    """Skip the test if tools are missing; if they are required, download them or fail."""
    if os.environ.get(REQUIRED):
        for name in PACKAGES:
            package(name)
        for name in DEBIAN:
            debian(name)
        return
    missing = [str(row.source) for row in PACKAGES.values() if not row.is_here]
    missing += [name for name in DEBIAN if find_debian(name) is None]
    if missing:
        megabytes = sum(row.megabytes for row in PACKAGES.values())
        pytest.skip(
            f"missing: {', '.join(missing)}. {REQUIRED}=1 fetches packages ({megabytes:.0f} MB)"
        )


class SharedBuild:
    """A build of the app, shared by all tests: a folder with a file for each step.

    Attributes:
        folder: folder of the build.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def build(self) -> SmokeBuild:
        """The build; using its steps would run them again."""
        return SmokeBuild(self.folder / "android_demo", self.folder / "work")

    def create(self, model: Path) -> None:
        """Bundle a model into a copy of the app, build it, and compile the test program."""
        shutil.copytree(APP, self.folder / "android_demo", ignore=shutil.ignore_patterns("assets"))
        for name in ("work", "golden", "output", "native"):
            (self.folder / name).mkdir()
        build = self.build
        assert len(write_assets([read_model(model)], [], build.app)) > 2
        android_golden.write(self.folder / "golden")
        paths = {name: self.folder / name for name in ("golden", "output")}
        properties = {f"seaformer.{name}": path for name, path in paths.items()}
        self._step("ktlint", lambda: ktlint(build.app) + ktlint(PROGRAM))
        self._step("junit", lambda: run_junit(build, properties))
        self._step("apk", lambda: build.sign(self.folder / "app.apk"))
        self._step("program", lambda: compile_end_to_end(build, self.folder / "native"))

    def run(self, model: Path, folder: Path) -> None:
        """Bundle a model in a new folder, and run it on the scene with the app's classes."""
        main = folder / "app/app/src/main"
        main.mkdir(parents=True)
        shutil.copy(APP / "app/src/main/AndroidManifest.xml", main)
        write_assets([read_model(model)], [], folder / "app")
        self.run_bundled(folder)

    def run_bundled(self, folder: Path, *fault: str) -> None:
        """Rerun the bundle in a folder, optionally with a simulated fault of the GPU."""
        assets = folder / "app/app/src/main/assets"
        native, scene = self.folder / "native", self.assets / SCENE
        run_end_to_end(self.output_of("program"), native, assets, scene, folder, *fault)

    @property
    def assets(self) -> Path:
        """The assets in the copy of the app."""
        return self.folder / "android_demo/app/src/main/assets"

    def output_of(self, step: str) -> str:
        """Return the output of a step; fail if the step failed."""
        failure = self.folder / f"{step}.failure"
        if failure.is_file():
            pytest.fail(failure.read_text())
        return (self.folder / f"{step}.txt").read_text()

    def _step(self, name: str, work: Callable[[], object]) -> None:
        try:
            (self.folder / f"{name}.txt").write_text(str(work()))
        except SeaformerError as error:
            (self.folder / f"{name}.failure").write_text(str(error))


def run_junit(build: SmokeBuild, properties: dict[str, Path]) -> str:
    """Run the JUnit tests of core/ on this computer's JVM and return the output of JUnit.

    Raises:
        SeaformerError: a test fails.
    """
    sources, compiled = build.app / "core/src/test/kotlin", build.work / "core-tests.jar"
    libraries = [build.core, debian("json-android.jar"), debian("junit4.jar")]
    build.kotlin(compiled, [sources], libraries, f"-Xfriend-paths={build.core}")
    standard = package("kotlin") / "package/lib/kotlin-stdlib.jar"
    jars = [*libraries, compiled, standard, debian("hamcrest-core.jar")]
    tests = sorted(file.relative_to(sources) for file in sources.rglob("*Test.kt"))
    return run(
        debian("java"),
        *(f"-D{name}={value}" for name, value in properties.items()),
        *("-cp", ":".join(map(str, jars)), "org.junit.runner.JUnitCore"),
        *(".".join(test.with_suffix("").parts) for test in tests),
    )


def ktlint(folder: Path) -> str:
    """Check the style of all Kotlin in a folder.

    Raises:
        SeaformerError: there are style errors; the message lists them.
    """
    program = package("ktlint") / "package/resources/ktlint"
    style = f"--editorconfig={APP / '.editorconfig'}"
    return run(program, style, "**/*.kt", "**/*.kts", "!**/build/**", cwd=folder)


def compile_end_to_end(build: SmokeBuild, native: Path) -> str:
    """Compile the program that runs a bundled model on an image with the app's classes.

    Args:
        build: build of the app.
        native: an empty folder for ONNX Runtime's libraries.

    Returns:
        The class path.
    """
    jar, runtime = build.work / "end-to-end.jar", android_jvm_runtime.java_classes()
    sources = [
        PROGRAM,
        build.app / "app/src/main/kotlin/seaformer/demo/OrtSegmenter.kt",
    ]
    build.kotlin(jar, sources, [build.core, runtime])
    android_jvm_runtime.native_libraries(native)
    standard = package("kotlin") / "package/lib/kotlin-stdlib.jar"
    return ":".join(map(str, (jar, build.core, runtime, debian("json-android.jar"), standard)))


def run_end_to_end(
    class_path: str, native: Path, assets: Path, image: Path, output: Path, *fault: str
) -> None:
    """Run the end-to-end program; EndToEnd.kt describes the files in the folder `output`.

    Raises:
        SeaformerError: it fails.
    """
    run(
        debian("java"),
        *JVM_FLAGS,
        "-Djava.awt.headless=true",
        f"-Donnxruntime.native.path={native}",
        *("-cp", class_path, "seaformer.demo.EndToEndKt"),
        *(assets, image, output, *fault),
    )


def draw(image: Path) -> None:
    """Render the screen for the README."""
    from exporting import run_export

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        done = run_export("--weights", "shapes", "--format", "onnx", "--output", ".", cwd=folder)
        assert done.returncode == 0, done.stderr
        build = SharedBuild(folder)
        shutil.copytree(APP, folder / "android_demo", ignore=shutil.ignore_patterns("assets"))
        for name in ("work", "native"):
            (folder / name).mkdir()
        write_assets([read_model(next(folder.glob("*.onnx")))], [], build.build.app)
        class_path = compile_end_to_end(build.build, folder / "native")
        run_end_to_end(class_path, folder / "native", build.assets, build.assets / SCENE, folder)
        shutil.copyfile(folder / "screen.png", image)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
