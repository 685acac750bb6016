"""Builds and runs a second, minimal app that uses a module of `seaformer-bundle --library`.

Instead of Gradle, this code merges the module's assets and libraries into the app.
"""

import re
import shutil
import struct
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import android_golden
import android_jvm_runtime
from android_app import APP
from locations import ROOT, SUPPORT

from seaformer.bundling.jni_library import NAME
from smoke_build.build import JVM_FLAGS, SmokeBuild, drop_declarations
from smoke_build.tools import debian, package, run

PROGRAM = SUPPORT / "android_library_app"
MODULE = "module"


class ModuleApp(SmokeBuild):
    """A build of the app in a folder created by `make_app`."""

    @cached_property
    def core(self) -> Path:
        """Jar of the module, for compiling the app."""
        combined, jar = self.work / "module-and-declarations.jar", self.work / "module.jar"
        sources = [self.app / MODULE / "src/main/kotlin", self.app / "smoke_build/litert"]
        runtime = android_jvm_runtime.java_classes()
        self.kotlin(combined, sources, [debian("json-android.jar"), self.framework.stub, runtime])
        drop_declarations(combined, jar)
        return jar


def make_app(folder: Path, module: Path) -> ModuleApp:
    """Create the app with a copy of a module, in a new folder."""
    app = folder / "app"
    shutil.copytree(PROGRAM, app)
    shutil.copytree(module, app / MODULE)
    for name in ("smoke_build", "gradle"):
        shutil.copytree(APP / name, app / name)
    main = app / "app/src/main"
    for name in ("assets", "jniLibs"):
        shutil.copytree(module / "src/main" / name, main / name)
    for name, code in (("Describe", example(module)), ("DrawObjects", example_of_guide())):
        (main / f"kotlin/example/{name}.kt").write_text(f"package example\n\n{code}")
    (folder / "work").mkdir()
    return ModuleApp(app, folder / "work", "example.app")


def example(module: Path) -> str:
    """Return the usage example of a module's README."""
    return _kotlin_of(module / "README.md")


def example_of_guide() -> str:
    """Return the example of the guide, which draws boxes."""
    return _kotlin_of(ROOT / "docs" / "android_library.md")


def _kotlin_of(document: Path) -> str:
    (code,) = re.findall(r"```kotlin\n(.*?)```", document.read_text(), re.DOTALL)
    return str(code)


class Program:
    """The app's code as a program for this Java, with the Android classes in `jvm/java`.

    Args:
        build: build of the app.
        folder: output folder of `compile`.
    """

    def __init__(self, build: ModuleApp, folder: Path) -> None:
        self.build = build
        self.folder = folder
        self.native = folder / "native"
        self._used = [
            android_jvm_runtime.java_classes(),
            debian("json-android.jar"),
            debian("junit4.jar"),
        ]
        standard = package("kotlin") / "package/lib/kotlin-stdlib.jar"
        jars = [folder / "program.jar", build.work / "module.jar", *self._used]
        self.class_path = [folder / "android", *jars, debian("hamcrest-core.jar"), standard]

    def compile(self) -> None:
        """Compile the program in a new folder, and add the native libraries."""
        android, program, *_ = self.class_path
        app, tests = self.build.app, APP / "core/src/test/kotlin/seaformer/core"
        run(debian("javac"), "-d", android, *sorted((app / "jvm/java").rglob("*.java")))
        sources = [
            app / "jvm/kotlin",
            app / "app/src/main/kotlin/example/Describe.kt",
            *(tests / f"{name}.kt" for name in ("Golden", "UpsamplingCases")),
        ]
        module = self.build.core
        used = [android, module, *self._used]
        self.build.kotlin(program, sources, used, f"-Xfriend-paths={module}")
        self.native.mkdir()
        android_jvm_runtime.native_libraries(self.native)
        library = (app / "app/src/main/jniLibs/x86_64" / NAME).read_bytes()
        (self.native / NAME).write_bytes(android_jvm_runtime.without_android(library))

    def java(
        self, *arguments: object, in_c: bool = True, class_path: Sequence[Path] | None = None
    ) -> str:
        """Run Java with the class path and libraries; `in_c` includes the C library of the mask."""
        return run(
            debian("java"),
            *JVM_FLAGS,
            "-Djava.awt.headless=true",
            f"-Donnxruntime.native.path={self.native}",
            f"-Djava.library.path={self.native if in_c else self.folder / 'nowhere'}",
            *("-cp", ":".join(map(str, class_path or self.class_path))),
            *arguments,
        )

    def junit(self) -> str:
        """Compare the masks of the C code with Python's; return the output of JUnit."""
        golden = self.folder / "golden"
        golden.mkdir(exist_ok=True)
        android_golden.write(golden)
        runner = ("org.junit.runner.JUnitCore", "example.NativeUpsamplingTest")
        return self.java(f"-Dseaformer.golden={golden}", *runner)

    def run(
        self,
        apk: Path,
        image: Path,
        output: Path,
        in_c: bool = True,
        class_path: Sequence[Path] | None = None,
    ) -> str:
        """Run Main.kt with the assets of an APK; it writes to a new folder."""
        output.mkdir()
        index = output / "index.txt"
        index.write_text("".join(f"{at} {name}\n" for name, at in contents_of(apk)))
        arguments = ("example.MainKt", apk, index, image, output)
        return self.java(*arguments, in_c=in_c, class_path=class_path)


def contents_of(apk: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of every entry of an APK and the offset of its content."""
    content = apk.read_bytes()
    with zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            lengths = struct.unpack_from("<HH", content, entry.header_offset + 26)
            yield entry.filename, entry.header_offset + 30 + sum(lengths)
