"""The Android app: its code on this computer's JVM, and the APK of the smoke build."""

import re
import struct
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from android_app import APP, SCENE, SharedBuild, require_tools
from exported_detector import write_exported_detector
from link_check import check_links
from once import Once
from PIL import Image
from sampling import sampled

from seaformer.artifact.metadata import Metadata
from seaformer.benchmark.results.schema import Coverage, Parity, read_results
from seaformer.datasets import IGNORED
from seaformer.datasets.shapes import ShapesDataset
from seaformer.errors import SeaformerError
from seaformer.files import file_sha256
from seaformer.imaging.images import read_image
from seaformer.imaging.overlay import blend
from seaformer.imaging.prediction import Prediction, predict, prepare_input
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.runtimes import open_model
from smoke_build.build import COMPILE_ONLY, PAGE, app_versions
from smoke_build.tools import PACKAGES, debian, run

STRINGS = APP / "app/src/main/res"


@pytest.fixture(scope="session")
def model(shapes_export: Path) -> Path:
    return next(shapes_export.glob("*.onnx"))


@pytest.fixture(scope="session")
def built_app(once: Once, request: pytest.FixtureRequest) -> SharedBuild:
    require_tools()
    model = request.getfixturevalue("model")
    return SharedBuild(once("android", lambda folder: SharedBuild(folder).create(model)))


# ---- The code, on this computer's JVM ------------------------------------------------------------


def test_core_passes_its_junit_tests_with_golden_outputs_of_python(built_app: SharedBuild) -> None:
    passed = re.search(r"^OK \((\d+) tests\)$", built_app.output_of("junit"), re.MULTILINE)
    assert passed is not None
    in_sources = sum(
        path.read_text().count("@Test") for path in (APP / "core/src/test").rglob("*.kt")
    )
    assert int(passed[1]) == in_sources > 30


@pytest.mark.parametrize("emulated", [False, True])
def test_the_benchmark_of_the_app_has_the_schema_of_seaformer_benchmark(
    built_app: SharedBuild, emulated: bool
) -> None:
    built_app.output_of("junit")
    results = read_results(built_app.folder / "output" / f"results_{str(emulated).lower()}.json")
    (model,) = results.models
    assert (model.latency is None, model.emulated is None) == (emulated, not emulated)
    assert (results.backend, results.protocol.half) == ("litert-gpu", True)
    assert model.coverage == Coverage(full=True)
    assert [one.fully_delegated for one in results.rounds[0].loaded] == [True]
    assert model.parity == Parity(
        "LiteRT 2.3.0 on the CPU",
        52.5,
        0.01,
        0.999,
        min_sqnr_db=36.0,
        min_agreement=0.98,
        passed=True,
    )
    assert results.warnings == ("NPU was not used: no QNN",)
    (block,) = results.rounds[0].blocks
    times = model.times
    assert times is not None
    assert times.run is not None
    milliseconds = np.array(block.durations_ns) / 1e6
    assert times.run.median_ms == pytest.approx(np.median(milliseconds))
    assert times.run.p90_ms == pytest.approx(np.percentile(milliseconds, 90))
    assert times.run.mean_ms == pytest.approx(milliseconds.mean())


def test_a_benchmark_of_a_wrong_output_has_no_latency(built_app: SharedBuild) -> None:
    built_app.output_of("junit")
    (model,) = read_results(built_app.folder / "output" / "results_wrong.json").models
    assert model.is_wrong
    assert model.times is None


# name -> export and pattern of its file, with every type of input and output of ONNX Runtime
MODELS = {
    "float": ("shapes_export", "*_fp32.onnx"),
    "int8": ("integer_export", "*_int8.onnx"),
    "ids": ("mask_export", "*_fp32_mask.onnx"),
    "classes": ("classifier_export", "*_fp32.onnx"),
    "boxes": ("detector_export", "*.onnx"),
}


@dataclass(frozen=True)
class AppRun:
    """The results of a model on the scene, by the app's classes and by Python.

    Attributes:
        folder: folder with the files written by EndToEnd.kt.
        metadata: metadata of the model.
        image: the scene.
        logits: output of the model in Python, dequantized.
        expected: prediction by Python.
    """

    folder: Path
    metadata: Metadata
    image: np.ndarray
    logits: np.ndarray
    expected: Prediction

    @property
    def stored(self) -> np.ndarray:
        """Output of the model in the app, in its own type and shape."""
        output = self.metadata.output
        values = np.fromfile(self.folder / "output.bin", np.dtype(output.dtype))
        return values.reshape(output.shape)[0]

    @property
    def mask(self) -> np.ndarray:
        return np.fromfile(self.folder / "mask.bin", "<i4").reshape(self.image.shape[:2])


@pytest.fixture(scope="session")
def detector_export(once: Once) -> Path:
    def fill(folder: Path) -> None:
        write_exported_detector(folder)

    return once("detector", fill)


@pytest.fixture(scope="session")
def ran(
    built_app: SharedBuild, once: Once, request: pytest.FixtureRequest
) -> Callable[[str], AppRun]:
    def run_model(name: str) -> AppRun:
        export, pattern = MODELS[name]
        (model,) = request.getfixturevalue(export).glob(pattern)
        folder = once(f"android_{name}", lambda folder: built_app.run(model, folder))
        image = read_image(built_app.assets / SCENE)
        with open_model(model, 1) as session:
            metadata = session.metadata
            assert isinstance(metadata, Metadata)
            logits = session.run(prepare_input(image, session, metadata))[0]
            expected = predict(image, session, metadata)
            return AppRun(folder, metadata, image, logits, expected)

    return run_model


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


# Two versions of the runtime sum in different orders: values are close, and most classes equal.


def test_the_output_of_the_real_model_matches_python(ran: Callable[[str], AppRun]) -> None:
    model = ran("float")
    np.testing.assert_allclose(model.stored, model.logits, atol=1e-3)
    assert np.array_equal(model.mask, upsample_argmax(model.stored, model.mask.shape))
    assert (model.mask == model.expected.mask).mean() > 0.999
    assert len(np.unique(model.mask)) > 3


@pytest.mark.slow
def test_a_quantized_model_has_byte_inputs_and_outputs_and_is_accurate(
    ran: Callable[[str], AppRun],
) -> None:
    model = ran("int8")
    assert (model.metadata.input.dtype, model.stored.dtype) == ("uint8", np.uint8)
    quantization = model.metadata.output.quantization
    assert quantization is not None
    steps = model.stored.astype(int) - quantization.zero_point
    off = np.abs(steps - np.round(model.logits / quantization.scale))
    assert off.max() <= 2
    assert (off == 0).mean() > 0.99
    assert np.array_equal(model.mask, upsample_argmax(model.stored, model.mask.shape))
    assert (model.mask == model.expected.mask).mean() > 0.99
    _, truth = ShapesDataset("val")[0]
    assert (model.mask == truth)[truth != IGNORED].mean() > 0.8


@pytest.mark.slow
def test_a_model_with_class_ids_needs_no_upsampling(ran: Callable[[str], AppRun]) -> None:
    model = ran("ids")
    assert model.stored.shape == model.metadata.input.size
    assert (model.stored == model.logits).mean() > 0.99
    assert (model.mask == model.expected.mask).mean() > 0.99


@pytest.mark.slow
def test_the_ranking_of_a_classifier_matches_python(ran: Callable[[str], AppRun]) -> None:
    model = ran("classes")
    lines = (model.folder / "ranking.txt").read_text().splitlines()
    ids, probabilities = np.array([line.split() for line in lines], float).T
    expected = model.expected.probabilities
    assert expected is not None
    assert sorted(ids) == list(range(len(model.metadata.labels)))
    assert (np.diff(probabilities) <= 0).all()
    np.testing.assert_allclose(probabilities, expected[ids.astype(int)], rtol=1e-3)


def test_detections_match_python(ran: Callable[[str], AppRun]) -> None:
    model = ran("boxes")
    found = np.loadtxt(model.folder / "detections.txt", ndmin=2)
    expected = model.expected.detections
    assert expected is not None
    assert len(expected) > 10
    assert found[:, 0].tolist() == expected.classes.tolist()
    np.testing.assert_allclose(found[:, 1], expected.scores, atol=1e-5)
    np.testing.assert_allclose(found[:, 2:], expected.boxes, atol=1e-3)
    assert re.fullmatch(r"\d+\.\d dB", lines_of(model.folder / "check.txt")[1])


def test_boxes_are_drawn_in_the_colors_of_their_classes(ran: Callable[[str], AppRun]) -> None:
    model = ran("boxes")
    drawn = read_image(model.folder / "overlay.png")  # twice the size of the scene
    assert drawn.shape[:2] == (2 * model.image.shape[0], 2 * model.image.shape[1])
    assert model.expected.detections is not None
    assert model.metadata.palette is not None
    # The best box is drawn last.
    (left, top, right, bottom), _, index = next(iter(model.expected.detections))
    middle = round(float(left + right)), round(float(top + bottom))
    color = model.metadata.palette[index]
    edges = [(middle[1], round(2 * float(right)) - 1), (round(2 * float(bottom)) - 1, middle[0])]
    assert [tuple(drawn[y, x].tolist()) for y, x in edges] == [color, color]
    inside = drawn[
        round(2 * float(top)) : edges[1][0] - 2, round(2 * float(left)) : edges[0][1] - 2
    ]
    assert (inside == color).all(axis=2).mean() < 0.5  # an outline and a label


def test_unavailable_accelerators_are_listed_with_reasons(
    ran: Callable[[str], AppRun],
) -> None:
    running, *rejections = lines_of(ran("float").folder / "running.txt")
    assert running == "ONNX Runtime 1.29.0, CPU"
    assert [line.partition(":")[0] for line in rejections] == ["NPU", "GPU"]
    assert all(line.partition(": ")[2] for line in rejections)
    assert rejections[0] == (
        "NPU: this app was built without ONNX Runtime's NPU libraries; build it with "
        "-Pnpu=onnxruntime"
    )


# int8 sums of two versions of the runtime are rounded equally, except halves.
@pytest.mark.parametrize(("name", "min_sqnr_db"), sampled([("float", 100.0), ("int8", 30.0)]))
def test_the_output_of_the_app_matches_the_golden_output(
    ran: Callable[[str], AppRun], name: str, min_sqnr_db: float
) -> None:
    passed, found, reference = lines_of(ran(name).folder / "check.txt")
    assert passed == "true"
    sqnr_db, agreement = re.findall(r"[\d.]+(?= dB| %)", found)
    assert float(sqnr_db) > min_sqnr_db
    assert float(agreement) > 99
    assert reference.startswith("ONNX Runtime 1.")


def test_a_gpu_with_a_wrong_output_is_rejected_and_named(
    built_app: SharedBuild, ran: Callable[[str], AppRun]
) -> None:
    folder = ran("float").folder
    built_app.run_bundled(folder, "wrong")
    running, rejection = lines_of(folder / "running.txt")
    assert running == "ONNX Runtime 1.29.0, CPU"
    assert re.fullmatch(
        r"GPU: its output differs from the expected output: -?\d+\.\d dB, the same class at .+ % "
        r"of positions; required: 36\.0 dB, the same class at 98\.00 % of positions",
        rejection,
    )
    assert lines_of(folder / "check.txt")[0] == "true"


def test_a_driver_that_crashed_the_app_is_skipped_at_the_next_start(
    built_app: SharedBuild, ran: Callable[[str], AppRun]
) -> None:
    folder = ran("float").folder
    with pytest.raises(SeaformerError, match="exit status 139"):
        built_app.run_bundled(folder, "crash")
    built_app.run_bundled(folder, "crash")
    assert lines_of(folder / "running.txt") == [
        "ONNX Runtime 1.29.0, CPU",
        "GPU: skipped because the app crashed in an earlier attempt",
    ]


def test_a_runtime_without_qnn_is_reported(
    built_app: SharedBuild, ran: Callable[[str], AppRun]
) -> None:
    """Files with the names of the libraries exist, but the real runtime lacks the provider."""
    folder = ran("float").folder
    names = ("libQnnHtp.so", "libQnnHtpPrepare.so", "libQnnSystem.so", "libQnnHtpV75Skel.so")
    for name in names:
        (folder / name).touch()
    built_app.run_bundled(folder)
    running, npu, _ = lines_of(folder / "running.txt")
    assert running == "ONNX Runtime 1.29.0, CPU"
    assert npu.startswith("NPU: ")
    assert "QNN execution provider is not" in npu


def test_the_legend_is_drawn_next_to_the_overlay(ran: Callable[[str], AppRun]) -> None:
    model = ran("float")
    overlay = read_image(model.folder / "overlay.png")
    assert np.array_equal(overlay, blend(model.image, model.mask, model.metadata.palette, 0.5))
    with Image.open(model.folder / "screen.png") as screen:
        drawn = np.asarray(screen.convert("RGB"))
    height, width = overlay.shape[:2]
    assert np.array_equal(drawn[:height, :width], overlay)
    assert len(np.unique(drawn[:, width:].reshape(-1, 3), axis=0)) > 10


def test_kotlin_passes_ktlint(built_app: SharedBuild) -> None:
    built_app.output_of("ktlint")


# ---- The APK -------------------------------------------------------------------------------------


@pytest.fixture
def apk(built_app: SharedBuild) -> Path:
    built_app.output_of("apk")
    return built_app.folder / "app.apk"


def test_the_apk_is_signed(apk: Path) -> None:
    versions = app_versions(APP)
    output = run(
        debian("apksigner"), "verify", "-v", "--min-sdk-version", versions["minSdk"], apk
    ).splitlines()
    assert "Verifies" in output
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in output


def test_a_changed_apk_does_not_verify(apk: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.apk"
    content = bytearray(apk.read_bytes())
    content[content.index(b"classes.dex") + 200] ^= 1
    changed.write_bytes(content)
    with pytest.raises(SeaformerError, match="DOES NOT VERIFY"):
        run(debian("apksigner"), "verify", changed)


def test_the_apk_has_the_versions_of_the_version_catalog(built_app: SharedBuild, apk: Path) -> None:
    versions = app_versions(APP)
    output = run(built_app.build.framework.aapt2, "dump", "badging", apk)
    assert (
        f"package: name='seaformer.demo' versionCode='{versions['appVersionCode']}' "
        f"versionName='{versions['appVersionName']}'"
    ) in output
    assert f"sdkVersion:'{versions['minSdk']}'" in output
    assert f"targetSdkVersion:'{versions['targetSdk']}'" in output
    assert "launchable-activity: name='seaformer.demo.MainActivity'" in output
    assert "'ko'" in output
    assert "native-code: 'arm64-v8a'" in output


def test_the_app_requests_only_the_camera_and_does_not_require_it(
    built_app: SharedBuild, apk: Path
) -> None:
    output = run(built_app.build.framework.aapt2, "dump", "badging", apk)
    assert re.findall(r"uses-permission[^:]*: name='([^']+)'", output) == [
        "android.permission.CAMERA"
    ]
    assert "uses-feature: name='android.hardware.camera" not in output


def test_the_icon_is_adaptive_and_a_vector_before_android_8(
    built_app: SharedBuild, apk: Path
) -> None:
    aapt2 = built_app.build.framework.aapt2
    tree = run(aapt2, "dump", "xmltree", "--file", "res/mipmap-anydpi-v26/icon.xml", apk)
    elements = re.findall(r"E: ([\w-]+)", tree)
    assert elements == ["adaptive-icon", "background", "foreground", "monochrome"]
    assert "E: vector" in run(aapt2, "dump", "xmltree", "--file", "res/mipmap/icon.xml", apk)
    assert "application: label='SeaFormer' icon='res/mipmap" in run(aapt2, "dump", "badging", apk)


def segment_alignments(elf: bytes) -> list[int]:
    """Read p_align of the PT_LOAD segments of a 64-bit little-endian ELF file."""
    assert elf[:6] == b"\x7fELF\x02\x01"
    table, size, count = struct.unpack_from("<Q14xHH", elf, 32)
    headers = [struct.unpack_from("<2I6Q", elf, table + size * index) for index in range(count)]
    return [header[7] for header in headers if header[0] == 1]


def test_libraries_support_16_kb_pages_and_all_entries_are_aligned(apk: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        found = [entry for entry in archive.infolist() if entry.filename.endswith(".so")]
        assert {entry.filename.rpartition("/")[2] for entry in found} == {
            "libonnxruntime.so",
            "libonnxruntime4j_jni.so",
        }
        # Stored, so that they are mapped from the APK; zipalign checks all stored entries.
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in found)
        alignments = [one for entry in found for one in segment_alignments(archive.read(entry))]
        assert alignments
        assert all(alignment % PAGE == 0 for alignment in alignments)
    run(debian("zipalign"), "-c", PAGE, apk)
    run(debian("zipalign"), "-c", "-p", "4", apk)


@pytest.mark.usefixtures("apk")
def test_all_references_of_the_dex_file_are_defined(built_app: SharedBuild) -> None:
    report = check_links(
        built_app.folder / "work/dex/classes.dex", built_app.build.framework.members
    )
    assert report.checked > 10_000
    assert report.unresolved == ()
    # LiteRT, which only Gradle adds; loading it fails with an error that the app handles.
    assert report.unknown_classes
    assert all(name.startswith(f"L{COMPILE_ONLY}") for name in report.unknown_classes)


@pytest.mark.usefixtures("apk")
def test_the_link_check_detects_missing_references(built_app: SharedBuild, tmp_path: Path) -> None:
    members = built_app.build.framework.members.read_text()
    method = "method takePersistableUriPermission(Landroid/net/Uri;I)V\n"
    assert method in members
    incomplete = tmp_path / "members.txt"
    incomplete.write_text(members.replace(method, ""))
    report = check_links(built_app.folder / "work/dex/classes.dex", incomplete)
    assert report.unresolved == (
        "Landroid/content/ContentResolver;->takePersistableUriPermission(Landroid/net/Uri;I)V",
    )


def test_assets_are_the_exported_files(apk: Path, model: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        entry = archive.getinfo(f"assets/{model.name}")
        assert archive.read(entry) == model.read_bytes()
        assert entry.compress_type == zipfile.ZIP_STORED  # so that it is mapped from the APK
        names = archive.namelist()
    assert "assets/model.json" in names
    assert [name for name in names if name.startswith("assets/samples/")]


# ---- The sources, without tools ------------------------------------------------------------------


def test_core_does_not_depend_on_android() -> None:
    sources = list((APP / "core/src/main").rglob("*.kt"))
    assert sources
    for path in sources:
        assert not re.search(r"^import (android|dalvik|com\.google|ai\.)", path.read_text(), re.M)


def test_files_are_truncated_when_written_and_models_are_mapped() -> None:
    """Checks the sources, as this code only runs on phones: "w" may not truncate there."""
    sources = {path.name: path.read_text() for path in (APP / "app/src/main/kotlin").rglob("*.kt")}
    calls = [call for text in sources.values() for call in re.findall(r"openOutputStream.*", text)]
    assert calls
    assert all('(uri, "wt")' in call for call in calls)
    assert "MapMode.READ_ONLY" in sources["BundledModel.kt"]
    assert "ByteArray" not in sources["OrtSegmenter.kt"].partition("private val environment")[0]
    # Cameras and memory also fail with unchecked exceptions.
    assert not re.search(r"catch \(\w+: (Camera|IO)\w*Exception", sources["CameraFeed.kt"])
    assert "onFailure(it.reason())" in sources["CameraFeed.kt"]
    for name in ("Engine.kt", "MainActivity.kt", "CameraFeed.kt", "BenchmarkActivity.kt"):
        assert "guarded(" in sources[name]
        assert "catch (error: Exception)" not in sources[name]


def test_both_languages_have_the_same_texts_and_placeholders() -> None:
    def texts(folder: str) -> dict[str, list[str]]:
        tree = ElementTree.parse(STRINGS / folder / "strings.xml")
        return {
            node.attrib["name"]: sorted(re.findall(r"%\d\$[,.\d]*[a-z]", node.text or ""))
            for node in tree.getroot()
            if node.get("translatable") != "false"
        }

    assert texts("values") == texts("values-ko")
    assert len(texts("values")) > 40


def test_packages_are_pinned_and_below_400_mb() -> None:
    assert sum(package.megabytes for package in PACKAGES.values()) < 400
    assert all(re.fullmatch("[0-9a-f]{64}", package.sha256) for package in PACKAGES.values())


def test_gradle_and_the_smoke_build_compile_with_the_same_kotlin() -> None:
    catalog = (APP / "gradle/libs.versions.toml").read_text()
    assert f'kotlin = "{PACKAGES["kotlin"].source.version}"' in catalog


def test_the_gradle_wrapper_is_the_published_one() -> None:
    # https://gradle.org/release-checksums, wrapper jar of 8.11.1
    published = "2db75c40782f5e8ba1fc278a5574bab070adccb2d21ca5a6e5ed840888448046"
    assert file_sha256(APP / "gradle/wrapper/gradle-wrapper.jar") == published
