"""`seaformer-bundle --library`: its files, its errors, and an app that uses the module."""

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from android_app import APP, ktlint, require_tools
from android_library import PROGRAM, ModuleApp, Program, example, make_app
from click.testing import CliRunner, Result
from elf import PT_LOAD, Elf
from exported_detector import write_exported_detector
from link_check import check_links
from native_argmax import find_compiler
from once import Once
from PIL import Image

from seaformer.bundling import jni_library
from seaformer.bundling.assets import write_models
from seaformer.bundling.bundle_folder import MANIFEST, replace_folder
from seaformer.bundling.jni_library import ABIS, NAME
from seaformer.bundling.library import next_steps, write_library
from seaformer.bundling.model import read_model
from seaformer.cli.bundle import main
from seaformer.datasets.shapes import ShapesDataset
from seaformer.detection import SHOWN_SCORE
from seaformer.imaging.images import read_image
from seaformer.imaging.overlay import blend
from seaformer.imaging.prediction import predict
from seaformer.runtimes import open_model
from smoke_build.build import COMPILE_ONLY, JVM_FLAGS, PAGE
from smoke_build.tools import debian, run

FILES = "src/main/kotlin/seaformer"
MACHINES = {"arm64-v8a": 183, "x86_64": 62}


@pytest.fixture(scope="session")
def models(shapes_export: Path) -> list[Path]:
    """Return the .onnx and the .tflite, in this order."""
    return sorted(shapes_export.glob("*_fp32.*[xe]"))


def bundle(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(models: Sequence[Path], folder: Path) -> list[Path]:
    return write_library([read_model(model) for model in models], folder, force=False)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- Files --------------------------------------------------------------------------------------


def test_a_module_contains_the_models_and_their_runtimes(
    models: list[Path], tmp_path: Path
) -> None:
    module = tmp_path / "segmentation"
    done = bundle(*models, "--library", module)
    assert done.exit_code == 0, done.stderr
    assets = module / "src/main/assets/seaformer"
    for name, model in zip(("model.json", "model_2.json"), models, strict=True):
        assert (assets / model.name).read_bytes() == model.read_bytes()
        described = json.loads((assets / name).read_text())["file"]
        assert described["name"] == model.name
        assert described["sha256"] in done.stdout
        assert described["sha256"] in (module / "README.md").read_text()
    for source in (APP / "core/src/main/kotlin/seaformer/core").iterdir():
        assert (module / FILES / "core" / source.name).read_bytes() == source.read_bytes()
    packages = {re.match(r"package (.+)", path.read_text())[1] for path in module.rglob("*.kt")}
    assert packages == {"seaformer.core", "seaformer.library"}
    assert not re.search(r"[^\n]\n## ", (module / "README.md").read_text())
    gradle = (module / "build.gradle.kts").read_text()
    assert "com.google.ai.edge.litert:litert:2" in gradle
    assert "com.microsoft.onnxruntime:onnxruntime-android:1" in gradle
    assert "{{" not in gradle
    assert sorted(json.loads((module / MANIFEST).read_text())["files"]) == sorted(content(module))
    for line in next_steps([read_model(model) for model in models], module):
        assert line in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("index", "included", "omitted", "missing"),
    [(0, "Ort", "LiteRt", "litert"), (1, "LiteRt", "Ort", "onnxruntime")],
)
def test_a_module_contains_only_runtimes_that_its_models_need(
    models: list[Path], tmp_path: Path, index: int, included: str, omitted: str, missing: str
) -> None:
    write([models[index]], tmp_path / "module")
    names = {path.name for path in (tmp_path / "module" / FILES / "library").iterdir()}
    assert f"{included}Segmenter.kt" in names
    assert f"{omitted}Segmenter.kt" not in names
    gradle = (tmp_path / "module/build.gradle.kts").read_text()
    assert "    implementation(" in gradle
    assert f"{missing}:" not in gradle


@pytest.mark.parametrize("abi", ABIS)
def test_the_c_mask_library_can_be_loaded_by_android(
    models: list[Path], tmp_path: Path, abi: str
) -> None:
    write(models[:1], tmp_path / "module")
    elf = Elf(tmp_path / "module/src/main/jniLibs" / abi / NAME)
    assert (elf.type, elf.machine) == (3, MACHINES[abi])
    assert elf.needed() == ["libc.so"]
    assert all(segment[7] % PAGE == 0 for segment in elf.of(PT_LOAD))
    for function in (b"bufferBytes", b"upsample"):
        assert b"Java_seaformer_library_NativeUpsampling_" + function + b"\0" in elf.bytes


@pytest.mark.slow
def test_the_build_of_the_c_mask_is_reproducible(tmp_path: Path) -> None:
    jni_library.build("arm64-v8a", tmp_path / NAME)
    built = jni_library.HERE / "bin/arm64-v8a" / NAME
    assert (tmp_path / NAME).read_bytes() == built.read_bytes()


def test_the_example_is_short(models: list[Path], tmp_path: Path) -> None:
    write(models[:1], tmp_path / "module")
    assert len(example(tmp_path / "module").splitlines()) <= 20


def test_a_module_inside_a_project_is_included_by_name(models: list[Path], tmp_path: Path) -> None:
    onnx, tflite = ([read_model(model)] for model in models)
    place = tmp_path / "my $(project)"
    place.mkdir()
    steps = "\n".join(next_steps(onnx, place / "seg"))
    assert f'projectDir = file("{tmp_path}/my \\$(project)/seg")' in steps
    assert 'noCompress.add("onnx")' in steps
    (place / "settings.gradle").touch()
    steps = "\n".join(next_steps(tflite, place / "seg"))
    assert 'include(":seg")' in steps
    assert 'implementation(project(":seg"))' in steps
    assert "projectDir" not in steps
    assert "noCompress" not in steps  # Android's build does not compress .tflite


# ---- Errors --------------------------------------------------------------------------------------


@pytest.fixture
def module(models: list[Path], tmp_path: Path) -> Path:
    write(models[:1], tmp_path / "module")
    return tmp_path / "module"


def refused(*arguments: object, status: int = 2) -> str:
    done = bundle(*arguments)
    assert done.exit_code == status, done.output
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_a_module_is_replaced_only_with_force(models: list[Path], module: Path) -> None:
    (module / "build/outputs").mkdir(parents=True)  # files of Gradle, which are removed
    (module / "build/outputs/module.aar").touch()
    (module / "README.md").write_text("changed")
    before = content(module)
    assert "exists. Give another name, or --force" in refused(models[1], "--library", module)
    assert content(module) == before
    done = bundle(models[1], "--library", module, "--force")
    assert done.exit_code == 0, done.stderr
    assert not list(module.rglob("*.onnx"))
    assert not (module / "build").exists()
    assert sorted(path.name for path in module.parent.iterdir()) == ["module"]


def test_files_added_by_a_user_are_not_lost(models: list[Path], module: Path) -> None:
    mine = module / FILES / "library/Mine.kt"
    mine.write_text("mine")
    before = content(module)
    error = refused(*models, "--library", module, "--force")
    assert f"'{mine}' was not written by seaformer-bundle" in error
    assert content(module) == before


def test_other_folders_are_never_replaced(models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/mine").write_text("mine")
    for force in ([], ["--force"]):
        error = refused(*models, "--library", tmp_path / "project", *force)
        assert "was not written by seaformer-bundle" in error
    assert content(tmp_path / "project") == {"mine": b"mine"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file", "it is not a folder"),
        ("missing/module", "does not exist"),
        ("a$b", "whose last part becomes the name of a Gradle module"),
        ("a:b", "whose last part becomes the name of a Gradle module"),
    ],
)
def test_an_invalid_path_for_a_module_is_refused(
    models: list[Path], tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").write_text("mine")
    assert reason in refused(*models, "--library", tmp_path / name)
    assert content(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 1}', '{"file": []}'])
def test_a_damaged_list_of_files_is_an_error(models: list[Path], module: Path, text: str) -> None:
    (module / MANIFEST).write_text(text)
    before = content(module)
    assert "is damaged" in refused(*models, "--library", module, "--force", status=1)
    assert content(module) == before


def test_a_module_that_cannot_be_replaced_is_unchanged(module: Path, tmp_path: Path) -> None:
    before = content(module)
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "no such folder", module, tmp_path / "old")
    assert content(module) == before
    assert not (tmp_path / "old").exists()


def test_an_empty_folder_is_filled(models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    assert bundle(models[0], "--library", tmp_path / "module").exit_code == 0
    assert (tmp_path / "module/build.gradle.kts").is_file()


def test_two_models_with_one_name_are_refused(models: list[Path], tmp_path: Path) -> None:
    error = refused(models[0], models[0], "--library", tmp_path / "module")
    assert "would both be named" in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--app", "--sample", "--apk"])
def test_options_for_the_app_are_refused(models: list[Path], tmp_path: Path, option: str) -> None:
    error = refused(*models, "--library", tmp_path / "module", option, "x")
    assert f"{option} does not apply to --library" in error
    assert not list(tmp_path.iterdir())


def test_a_missing_compiler_is_reported_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, models: list[Path], tmp_path: Path
) -> None:
    monkeypatch.setattr("seaformer.bundling.jni_library.fingerprint", lambda: "of other sources")
    monkeypatch.setattr("seaformer.zig.VERSION", "0.0.0")
    done = bundle(*models, "--library", tmp_path / "module")
    assert done.exit_code == 1
    assert "Install it: pip install ziglang==0.0.0." in done.stderr
    assert not list(tmp_path.iterdir())


# ---- An app with the module ----------------------------------------------------------------------


@dataclass(frozen=True)
class Library:
    """A module, the second app that uses it, and its code as a program for this Java."""

    module: Path
    build: ModuleApp
    program: Program
    scene: Path
    apk: Path

    def run(self, folder: Path, in_c: bool = True) -> str:
        return self.program.run(self.apk, self.scene, folder, in_c)


@pytest.fixture(scope="session")
def library(once: Once, models: list[Path]) -> Library:
    require_tools()

    def fill(folder: Path) -> None:
        write(models, folder / "written")
        build = make_app(folder, folder / "written")
        Program(build, folder / "program").compile()
        Image.fromarray(ShapesDataset("val")[0][0]).save(folder / "scene.png")
        zip_assets(build.app, folder / "app.zip")

    folder = once("android_library", fill)
    build = ModuleApp(folder / "app", folder / "work", "example.app")
    program = Program(build, folder / "program")
    return Library(folder / "written", build, program, folder / "scene.png", folder / "app.zip")


def zip_assets(app: Path, apk: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    """Write the assets to an archive, in the layout of an APK."""
    main = app / "app/src/main"
    with zipfile.ZipFile(apk, "w", compression) as archive:
        for path in sorted((main / "assets").rglob("*")):
            archive.write(path, path.relative_to(main))
    return apk


def test_the_c_mask_matches_python(library: Library) -> None:
    assert re.search(r"^OK \(3 tests\)$", library.program.junit(), re.MULTILINE)


def test_the_example_matches_python(library: Library, models: list[Path], tmp_path: Path) -> None:
    image, _ = ShapesDataset("val")[0]
    with open_model(models[0], 1) as session:
        expected = predict(image, session, session.metadata, timed_runs=0)
        labels, palette = session.metadata.labels, session.metadata.palette
    masks = []
    for in_c in (True, False):
        folder = tmp_path / str(in_c)
        printed = library.run(folder, in_c)
        assert "no GPU: " in printed  # no silent fallback
        assert (folder / "facts.txt").read_text().splitlines() == [
            f"models: {models[0].name}, {models[1].name}",
            "running: ONNX Runtime 1.29.0, CPU",
            f"mask in C: {str(in_c).lower()}",
        ]
        mask = np.fromfile(folder / "mask.bin", "<i4").reshape(image.shape[:2])
        masks.append(mask)
        assert (mask == expected.mask).mean() > 0.999  # from another version of the runtime
        overlay = np.fromfile(folder / "overlay.bin", "<u4").reshape(mask.shape)
        drawn = np.stack([overlay >> 16 & 255, overlay >> 8 & 255, overlay & 255], axis=-1)
        assert np.array_equal(drawn, blend(image, mask, palette, 0.5))
        shares = np.bincount(mask.ravel()) / mask.size
        lines = (folder / "example.txt").read_text().splitlines()
        assert lines[0] == f"{labels[shares.argmax()]}: {int(100 * shares.max())} %"
        assert len(lines) == np.count_nonzero(shares) > 3
    assert np.array_equal(*masks)


def test_the_example_lists_the_objects_of_a_detection_model(
    library: Library, tmp_path: Path
) -> None:
    model = write_exported_detector(tmp_path)
    write_models([read_model(model)], tmp_path / "app/app/src/main/assets/seaformer")
    apk = zip_assets(tmp_path / "app", tmp_path / "app.zip")
    library.program.run(apk, library.scene, tmp_path / "out")
    image = read_image(library.scene)
    with open_model(model, 1) as session:
        expected = predict(image, session, session.metadata, timed_runs=0).detections
        labels = session.metadata.labels
    assert expected is not None
    found = np.loadtxt(tmp_path / "out/detections.txt", ndmin=2)
    assert len(found) > 10
    assert found[:, 0].tolist() == expected.classes.tolist()
    np.testing.assert_allclose(found[:, 1], expected.scores, atol=1e-5)
    np.testing.assert_allclose(found[:, 2:], expected.boxes, atol=1e-3)
    shown = expected.above(SHOWN_SCORE)
    lines = (tmp_path / "out/example.txt").read_text().splitlines()
    assert [line.partition(": Box(left=")[0] for line in lines] == [
        labels[index] for _, _, index in shown
    ]
    assert 0 < len(shown) < len(found)


def test_faults_in_an_app_are_a_clear_line(library: Library, tmp_path: Path) -> None:
    def printed(apk: Path) -> str:
        printed = library.program.run(apk, library.scene, tmp_path / apk.stem)
        (line,) = printed.strip().splitlines()
        return line

    compressed = zip_assets(library.build.app, tmp_path / "deflated.zip", zipfile.ZIP_DEFLATED)
    assert re.search(
        r'onnx is compressed in the APK; .+ noCompress\.add\("onnx"\)', printed(compressed)
    )
    copy = tmp_path / "app/app/src/main"
    shutil.copytree(library.build.app / "app/src/main/assets", copy / "assets")
    (model,) = copy.rglob("*.onnx")
    model.write_bytes(model.read_bytes()[:-1] + b"\xff")
    damaged = zip_assets(tmp_path / "app", tmp_path / "damaged.zip")
    assert "onnx does not match its JSON" in printed(damaged)
    model.unlink()
    assert "onnx is missing from the app's assets" in printed(
        zip_assets(tmp_path / "app", tmp_path / "missing.zip")
    )


def test_offsets_in_the_jni_table_match_java(library: Library, tmp_path: Path) -> None:
    include = debian("javac").resolve().parents[1] / "include"
    if not (include / "jni.h").is_file():
        pytest.skip(f"no {include / 'jni.h'}")
    source = library.module / "src/main/c/argmax_jni.c"
    names = {
        "get_array": "GetPrimitiveArrayCritical",
        "release_array": "ReleasePrimitiveArrayCritical",
        "get_buffer_address": "GetDirectBufferAddress",
    }
    checks = "".join(
        f"_Static_assert(offsetof(jni_functions, {ours}) == "
        f'offsetof(struct JNINativeInterface_, {theirs}), "{theirs}");\n'
        for ours, theirs in names.items()
    )
    ours = source.read_text().replace("JNI_ABORT = 2", "OUR_JNI_ABORT = 2")
    ours = ours.replace("JNI_ABORT)", "OUR_JNI_ABORT)").replace("OUR_OUR", "OUR")
    checks += '_Static_assert(OUR_JNI_ABORT == JNI_ABORT, "JNI_ABORT");\n'
    (tmp_path / "check.c").write_text(f"#include <jni.h>\n{ours}{checks}")
    folders = [include, include / "linux", source.parent]
    flags = ["-std=c11", "-c", "-o", "check.o", *(f"-I{folder}" for folder in folders)]
    subprocess.run([find_compiler(), *flags, "check.c"], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_kotlin_passes_ktlint(library: Library) -> None:
    ktlint(library.module)
    ktlint(PROGRAM)


@pytest.mark.slow
def test_an_apk_contains_the_module(library: Library, models: list[Path], tmp_path: Path) -> None:
    build = ModuleApp(library.build.app, tmp_path, "example.app")
    apk = build.sign(tmp_path / "app.apk")
    run(debian("apksigner"), "verify", apk)
    run(debian("zipalign"), "-c", PAGE, apk)
    with zipfile.ZipFile(apk) as archive:
        assert f"lib/arm64-v8a/{NAME}" in archive.namelist()
        entry = archive.getinfo(f"assets/seaformer/{models[0].name}")
        assert entry.compress_type == zipfile.ZIP_STORED
    report = check_links(build.dex, build.framework.members)
    assert report.checked > 5000
    assert report.unresolved == ()
    assert all(name.startswith(f"L{COMPILE_ONLY}") for name in report.unknown_classes)
    # The example also runs with the assets of this APK.
    library.program.run(apk, library.scene, tmp_path / "out")
    assert (tmp_path / "out/mask.bin").is_file()


@pytest.mark.slow
def test_the_rules_for_r8_keep_what_native_code_needs(library: Library, tmp_path: Path) -> None:
    """R8 shrinks and renames the module and the program; the result runs on this Java."""
    rules = tmp_path / "rules.pro"
    rules.write_text("-keep class example.MainKt { *; }\n-dontwarn **\n")
    android, program, module, runtime, json_jar, *_, standard = library.program.class_path
    run(
        debian("java"),
        *JVM_FLAGS,
        *("-cp", library.build.framework.r8, "com.android.tools.r8.R8", "--release"),
        *("--classfile", "--output", tmp_path / "small.jar"),
        *("--pg-conf", library.module / "consumer-rules.pro", "--pg-conf", rules),
        *("--lib", debian("java").resolve().parents[1], "--classpath", zipped(android, tmp_path)),
        *("--classpath", json_jar, without_tests(program, tmp_path), module, runtime, standard),
    )
    small = [android, tmp_path / "small.jar", json_jar]
    library.program.run(library.apk, library.scene, tmp_path / "small", class_path=small)
    library.run(tmp_path / "whole")
    assert "mask in C: true" in (tmp_path / "small/facts.txt").read_text()
    for name in ("mask.bin", "example.txt"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "small" / name).read_bytes() == whole
    with zipfile.ZipFile(tmp_path / "small.jar") as archive:
        assert f"{FILES}/core/BenchmarkReport.class" not in archive.namelist()


def without_tests(program: Path, to: Path) -> Path:
    """Omit the JUnit tests, whose names are invalid in a dex file."""
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(to / "program.jar", "w") as target:
        for name in source.namelist():
            if name.startswith(("example/MainKt", "example/DescribeKt")):
                target.writestr(name, source.read(name))
    return to / "program.jar"


def zipped(folder: Path, to: Path) -> str:
    return shutil.make_archive(str(to / "android"), "zip", folder)
