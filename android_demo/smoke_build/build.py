"""Builds a signed debug APK from the app's sources."""

import re
import shutil
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seaformer.cache import cache_folder
from seaformer.errors import SeaformerError
from seaformer.packages import ONNX_RUNTIME_AAR
from smoke_build.framework import Framework, framework
from smoke_build.tools import CACHE, debian, package, run

PACKAGE = "seaformer.demo"
ABI = "arm64-v8a"

# Libraries are mapped from the APK, so they are aligned to the largest page size, 16 KB.
PAGE = 16384

# Declarations for the type checker; see android_demo/smoke_build/litert.
COMPILE_ONLY = "com/google/ai/edge/litert/"

# For short-lived processes, in which the optimizing compiler does not pay off.
JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1500m")

KEY_PASSWORD = "android"  # the conventional password of debug keys
KEY_ALIAS = "androiddebugkey"


def app_versions(app: Path) -> dict[str, str]:
    """Return the versions that Gradle and the smoke build share: gradle/libs.versions.toml."""
    catalog = (app / "gradle/libs.versions.toml").read_text(encoding="utf-8")
    versions: dict[str, str] = tomllib.loads(catalog)["versions"]
    return versions


@dataclass(frozen=True)
class SmokeBuild:
    """A build of the app in the folder `app`, android_demo; all output is in the folder `work`."""

    app: Path
    work: Path
    application: str = PACKAGE

    @cached_property
    def framework(self) -> Framework:
        """The compile-only framework."""
        return framework(self.app / "smoke_build" / "FrameworkStub.java")

    @cached_property
    def core(self) -> Path:
        """Jar of core/, compiled without the framework, as core/ must not depend on Android."""
        jar = self.work / "core.jar"
        self.kotlin(jar, [self.app / "core/src/main/kotlin"], [debian("json-android.jar")])
        return jar

    @cached_property
    def resources(self) -> Path:
        """An APK with only resources, assets and manifest; R.java is in the folder gen/."""
        versions = app_versions(self.app)
        main = self.app / "app/src/main"
        compiled, linked = self.work / "resources.zip", self.work / "resources.apk"
        run(self.framework.aapt2, "compile", "--dir", main / "res", "-o", compiled)
        assets = main / "assets"
        run(
            self.framework.aapt2,
            "link",
            *("-I", self.framework.resources),
            *("--manifest", self._manifest(main / "AndroidManifest.xml")),
            *("--compile-sdk-version-code", versions["compileSdk"]),
            *("--compile-sdk-version-name", versions["compileSdk"]),
            *("--min-sdk-version", versions["minSdk"]),
            *("--target-sdk-version", versions["targetSdk"]),
            *("--version-code", versions["appVersionCode"]),
            *("--version-name", versions["appVersionName"]),
            "--debug-mode",
            *("--java", self.work / "gen"),
            *(("-A", assets) if assets.is_dir() else ()),
            *("-0", ".tflite", "-0", ".onnx", "-0", ".jpg"),
            *("-o", linked, compiled),
        )
        return linked

    @cached_property
    def classes(self) -> Path:
        """Jar of app/, without the declarations for the type checker."""
        assert self.resources  # generates R.java
        generated = self.work / "r-classes"
        run(
            debian("javac"),
            *("--release", "8", "-Xlint:-options", "-d", generated),
            *sorted((self.work / "gen").rglob("*.java")),
        )
        everything, jar = self.work / "app-and-declarations.jar", self.work / "app.jar"
        runtime = package("onnxruntime") / ONNX_RUNTIME_AAR
        classpath = [self.core, self.framework.stub, generated, runtime / "classes.jar"]
        sources = [self.app / "app/src/main/kotlin", self.app / "smoke_build/litert"]
        self.kotlin(everything, sources, classpath)
        drop_declarations(everything, jar)
        with zipfile.ZipFile(jar, "a") as target:
            for file in sorted(generated.rglob("*.class")):
                target.write(file, file.relative_to(generated))
        return jar

    @cached_property
    def dex(self) -> Path:
        """All classes of the app as one dex file."""
        runtime = package("onnxruntime") / ONNX_RUNTIME_AAR
        folder = self.work / "dex"
        folder.mkdir()
        run(
            debian("java"),
            *JVM_FLAGS,
            *("-cp", self.framework.r8, "com.android.tools.r8.D8", "--debug"),
            *("--min-api", app_versions(self.app)["minSdk"]),
            *("--lib", self.framework.stub, "--lib", debian("java").resolve().parents[1]),
            *("--output", folder, self.classes, self.core, runtime / "classes.jar"),
            _kotlin_home() / "kotlin-stdlib.jar",
        )
        files = sorted(folder.iterdir())
        if [file.name for file in files] != ["classes.dex"]:
            raise SeaformerError(
                f"D8 wrote {[file.name for file in files]} instead of a single classes.dex."
            )
        return files[0]

    def sign(self, apk: Path) -> Path:
        """Assemble the APK, sign it with the debug key and write it to `apk`."""
        runtime = package("onnxruntime") / ONNX_RUNTIME_AAR
        unaligned, unsigned = self.work / "unaligned.apk", self.work / "unsigned.apk"
        shutil.copyfile(self.resources, unaligned)
        with zipfile.ZipFile(unaligned, "a") as archive:
            dex = zipfile.ZipInfo("classes.dex")  # without the file's time, for reproducible APKs
            archive.writestr(dex, self.dex.read_bytes(), zipfile.ZIP_DEFLATED)
            own = self.app / "app/src/main/jniLibs" / ABI
            for library in sorted([*(runtime / "jni" / ABI).glob("*.so"), *own.glob("*.so")]):
                archive.writestr(zipfile.ZipInfo(f"lib/{ABI}/{library.name}"), library.read_bytes())
        run(debian("zipalign"), "-f", PAGE, unaligned, unsigned)
        run(
            debian("apksigner"),
            "sign",
            *("--ks", _debug_key(), "--ks-pass", f"pass:{KEY_PASSWORD}"),
            *("--v4-signing-enabled", "false", "--out", apk, unsigned),
        )
        return apk

    def _manifest(self, source: Path) -> Path:
        """Add the package to the manifest, which Gradle takes from `namespace`."""
        text, count = re.subn(
            r"<manifest\b", f'<manifest package="{self.application}"', source.read_text()
        )
        if count != 1:
            raise SeaformerError(f"'{source}' has {count} <manifest> elements. Allowed: one.")
        made = self.work / "AndroidManifest.xml"
        made.write_text(text)
        return made

    def kotlin(self, jar: Path, sources: list[Path], classpath: list[Path], *more: str) -> None:
        """Compile Kotlin files and folders to a jar; warnings are errors.

        `classpath` has their dependencies besides Kotlin's standard library; `more` are options.
        """
        home = _kotlin_home()
        run(
            debian("java"),
            *JVM_FLAGS,
            *("-cp", ":".join(map(str, sorted(home.glob("*.jar"))))),
            *("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-kotlin-home", home.parent),
            *("-no-reflect", "-Werror", "-jvm-target", "1.8", *more),
            *("-cp", ":".join(map(str, classpath)), "-d", jar, *sources),
        )


def drop_declarations(everything: Path, jar: Path) -> None:
    """Copy a jar without the declarations for the type checker."""
    with zipfile.ZipFile(everything) as source, zipfile.ZipFile(jar, "w") as target:
        for name in source.namelist():
            if not name.startswith(COMPILE_ONLY):
                target.writestr(name, source.read(name))


def _kotlin_home() -> Path:
    return package("kotlin") / "package/lib"


def _debug_key() -> Path:
    """Return this computer's key for signing debug builds, created when first needed."""
    path = cache_folder(CACHE) / "debug.keystore"
    if not path.is_file():
        made = path.with_suffix(".new")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        run(
            debian("keytool"),
            *("-genkeypair", "-keystore", made, "-storetype", "PKCS12"),
            *("-storepass", KEY_PASSWORD, "-alias", KEY_ALIAS, "-dname", "CN=Android Debug"),
            *("-keyalg", "RSA", "-keysize", "2048", "-validity", "10000"),
        )
        made.rename(path)
    return path
