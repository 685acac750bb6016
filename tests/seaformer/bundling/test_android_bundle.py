"""`seaformer-bundle`: the files that it adds to the app, and its errors."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from android_app import APP
from android_metadata import metadata_of
from exported_detector import write_exported_detector
from PIL import Image
from sampling import sampled

from seaformer.artifact.accelerators import ACCELERATORS
from seaformer.artifact.beside import path_beside
from seaformer.artifact.metadata import Metadata, parse_metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.bundling.assets import assets_of, write_assets
from seaformer.bundling.golden import MAX_VALUES, compute_golden, golden_image, sample_output
from seaformer.bundling.model import read_model
from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.metrics import sqnr_db
from seaformer.files import file_sha256
from seaformer.imaging.images import read_image
from seaformer.imaging.prediction import prepare_input
from seaformer.runtimes import open_model
from seaformer.tasks.statement import Statement
from smoke_build.tools import DEBIAN, find_debian, require_tools

ROOT = APP.parent
SUFFIXES = (".tflite", ".onnx")
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Write the files of an app that a bundle reads."""
    main = tmp_path / "app" / "app" / "src" / "main"
    main.mkdir(parents=True)
    shutil.copy(APP / "app/src/main/AndroidManifest.xml", main)
    return tmp_path / "app"


@pytest.fixture
def copy(shapes_export: Path, tmp_path: Path) -> Path:
    """Copy an .onnx and its .json to a folder that a test may change."""
    for path in shapes_export.glob("*.onnx"):
        shutil.copy(path, tmp_path)
        shutil.copy(path_beside(path), tmp_path)
    (model,) = tmp_path.glob("*.onnx")
    return model


def bundle(*arguments: object, environment: dict[str, str] | None = None) -> Done:
    command = [sys.executable, "-m", "seaformer.cli.bundle", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_app_gets_the_model_its_json_and_samples(
    shapes_export: Path, app: Path, suffix: str
) -> None:
    (model,) = shapes_export.glob(f"*{suffix}")
    done = bundle(model, "--app", app)
    assert done.returncode == 0, done.stderr
    assets = assets_of(app)
    assert (assets / model.name).read_bytes() == model.read_bytes()
    metadata = json.loads((assets / "model.json").read_text())
    assert metadata["file"]["name"] == model.name
    assert "same_stem" not in metadata
    samples = sorted((assets / "samples").iterdir())
    assert samples[0].name == "00_photograph.jpg"
    assert len(samples) > 1
    for sample in samples:
        read_image(sample)
    assert "./gradlew :app:installDebug" in done.stdout
    assert metadata["file"]["sha256"] in done.stdout


@pytest.mark.slow
def test_another_model_replaces_the_first(
    shapes_export: Path, mask_export: Path, app: Path
) -> None:
    (first,) = shapes_export.glob("*.tflite")
    (second,) = mask_export.glob("*.onnx")
    write_assets([read_model(first)], [], app)
    write_assets([read_model(second)], [], app)
    names = {path.name for path in assets_of(app).iterdir()}
    assert names == {"golden", "model.json", "samples", second.name}
    assert sorted(p.name for p in (assets_of(app) / "samples").iterdir()) == ["00_photograph.jpg"]


def test_several_models_are_listed_in_the_order_of_the_command(
    shapes_export: Path, mask_export: Path, app: Path
) -> None:
    files = [next(shapes_export.glob("*.tflite")), *mask_export.glob("*.onnx")]
    done = bundle(*files, "--app", app)
    assert done.returncode == 0, done.stderr
    for name, file in zip(("model.json", "model_2.json"), files, strict=True):
        metadata = json.loads((assets_of(app) / name).read_text())
        assert metadata["file"]["name"] == file.name
        assert (assets_of(app) / file.name).read_bytes() == file.read_bytes()
        assert metadata["file"]["sha256"] in done.stdout
    write_assets([read_model(files[1])], [], app)
    names = {path.name for path in assets_of(app).iterdir()}
    assert names == {"golden", "model.json", "samples", files[1].name}


@pytest.mark.parametrize(("name", "most_bytes"), [("shapes", 20_000), ("mask", 80_000)])
def test_the_golden_output_is_computed_from_the_file_on_this_computer(
    request: pytest.FixtureRequest, app: Path, name: str, most_bytes: int
) -> None:
    files = [next(request.getfixturevalue(f"{name}_export").glob(f"*{end}")) for end in SUFFIXES]
    write_assets([read_model(file) for file in files], [], app)
    golden = assets_of(app) / "golden"
    names = {"image.rgb", "model.bin", "model.json", "model_2.bin", "model_2.json"}
    assert {path.name for path in golden.iterdir()} == names
    for stem, file in zip(("model", "model_2"), files, strict=True):
        description = json.loads((golden / f"{stem}.json").read_text())
        height, width = description["height"], description["width"]
        image = np.fromfile(golden / "image.rgb", np.uint8).reshape(height, width, 3)
        with open_model(file) as session:
            metadata = session.metadata
            assert isinstance(metadata, Metadata)
            output = session.run(prepare_input(image, session, metadata))[0]
        if metadata.output.layout == "NCHW":
            output = np.moveaxis(output, 0, -1)
        expected = output.reshape(-1, description["channels"])[:: description["step"]]
        stored = (golden / f"{stem}.bin").read_bytes()
        assert len(stored) < most_bytes
        values = np.frombuffer(stored, "<i4" if name == "mask" else "<f4")
        assert np.array_equal(values.reshape(-1, description["channels"]), expected)
        assert len(np.unique(values)) > 2
        assert description["model_sha256"] == file_sha256(file)
        assert description["thresholds"]["cpu"] == {"min_sqnr_db": 60.0, "min_agreement": 0.99}
        assert description["thresholds"]["gpu"] == {"min_sqnr_db": 36.0, "min_agreement": 0.98}


@pytest.mark.usefixtures("gpu")
def test_the_gpu_accelerator_matches_the_golden_output(shapes_export: Path) -> None:
    """With LiteRT's accelerator, as in the app, but with a software driver."""
    model, image = read_model(next(shapes_export.glob("*.tflite"))), golden_image()
    golden = compute_golden(model, image)
    with open_model(model.path, accelerator="gpu") as session:
        output = session.run(prepare_input(image, session, model.metadata))
    found = sample_output(output, model.metadata, "", "").values
    assert sqnr_db(golden.values, found) > golden.thresholds["gpu"].min_sqnr_db
    agreement = (found.argmax(1) == golden.values.argmax(1)).mean()
    assert agreement >= golden.thresholds["gpu"].min_agreement


def test_the_golden_output_of_a_detection_model_is_logits_and_offsets(
    app: Path, tmp_path: Path
) -> None:
    model = write_exported_detector(tmp_path)
    write_assets([read_model(model)], [], app)
    golden = assets_of(app) / "golden"
    description = json.loads((golden / "model.json").read_text())
    assert (description["channels"], description["positions"], description["step"]) == (7, 64, 1)
    height, width = description["height"], description["width"]
    image = np.fromfile(golden / "image.rgb", np.uint8).reshape(height, width, 3)
    with open_model(model) as session:
        assert session.metadata is not None
        output = session.run(prepare_input(image, session, session.metadata))[0]
    stored = np.fromfile(golden / "model.bin", "<f4").reshape(64, 7)
    assert np.array_equal(stored, output)
    assert len(np.unique(stored)) > 50


def test_anchors_of_all_shapes_and_columns_are_stored() -> None:
    described = metadata_of("coco", size=(512, 512))
    metadata = parse_metadata(json.dumps(described), "a test")
    assert metadata.detection is not None
    level = metadata.detection.levels[0]
    shape = metadata.output.shape
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    golden = sample_output(values, metadata, "", "a computer")
    assert golden.channels == 84
    assert MAX_VALUES / 4 < golden.values.size <= MAX_VALUES
    assert np.array_equal(golden.values, values[0, :: golden.step])
    a_row = level.grid[1] * len(level.sizes) * len(level.aspect_ratios)
    in_first_level = np.arange(0, level.count, golden.step)
    assert len(np.unique(in_first_level % a_row)) == a_row


def test_scenes_are_samples_for_models_that_detect_shapes(app: Path, tmp_path: Path) -> None:
    model = write_exported_detector(tmp_path, task="shapes-detection")
    write_assets([read_model(model)], [], app)
    names = sorted(path.name for path in (assets_of(app) / "samples").iterdir())
    assert names[:2] == ["00_photograph.jpg", "01_scene_0.png"]


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_boxes_in_16_bits_are_refused(tmp_path: Path, dtype: str) -> None:
    """W8a8 files have them; the runtimes' Java classes cannot read them."""
    model = write_exported_detector(tmp_path)
    change_beside(model, _set("output", "dtype", to=dtype))
    with pytest.raises(UsageError, match=f"the type of its output is {dtype}. Allowed: float32, "):
        read_model(model)


def test_labels_of_a_detection_model_may_be_replaced(app: Path, tmp_path: Path) -> None:
    model = write_exported_detector(tmp_path)
    write_assets([read_model(model, Statement(labels=("warm", "natural", "cold")))], [], app)
    metadata = json.loads((assets_of(app) / "model.json").read_text())
    assert metadata["labels"] == ["warm", "natural", "cold"]
    assert metadata["detection"]["iou_threshold"] == 0.3


def test_a_large_output_is_stored_at_positions_of_all_columns(shapes_export: Path) -> None:
    model = read_model(next(shapes_export.glob("*.onnx")))
    values = np.random.default_rng(0).normal(size=(1, 12, 160, 240)).astype(np.float32)
    golden = sample_output(values, model.metadata, model.sha256, "a computer")
    assert golden.values.size <= MAX_VALUES
    assert golden.values.size > MAX_VALUES / 2
    assert {golden.step * position % 240 for position in range(golden.positions)} == {*range(240)}
    rows = values[0].reshape(12, -1).T
    assert np.array_equal(golden.values, rows[:: golden.step])


@pytest.mark.parametrize(
    ("precision", "on_cpu", "on_gpu", "on_npu"),
    [
        ("fp32", (60.0, 0.99), (36.0, 0.98), (36.0, 0.98)),
        ("fp16", (30.0, 0.98), (36.0, 0.98), (36.0, 0.98)),
        ("int8", (20.0, 0.9), (20.0, 0.9), (20.0, 0.9)),
        ("w8a8", (20.0, 0.9), (20.0, 0.9), (20.0, 0.9)),
    ],
)
def test_thresholds_of_accelerators_follow_from_the_precision(
    precision: str, on_cpu: tuple[float, float], on_gpu: object, on_npu: object
) -> None:
    for name, expected in (("cpu", on_cpu), ("gpu", on_gpu), ("npu", on_npu)):
        assert astuple(ACCELERATORS[name].device_threshold(PRECISIONS[precision])) == expected


def test_a_model_with_infinite_outputs_is_not_bundled(copy: Path, app: Path) -> None:
    model = onnx.load(copy)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 4:
            array = np.full(tuple(tensor.dims), np.nan, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, copy)
    change_beside(copy, _set("file", "sha256", to=file_sha256(copy)))
    with pytest.raises(SeaformerError, match="values that are not finite on this computer"):
        write_assets([read_model(copy)], [], app)
    assert not assets_of(app).exists()


def test_two_models_with_one_name_are_refused(copy: Path, app: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in (copy, path_beside(copy)):
        shutil.copy(path, other)
    done = bundle(copy, other / copy.name, "--app", app)
    assert done.returncode == 2
    assert f"'{other / copy.name}' would both be named '{copy.name}'" in done.stderr
    assert not assets_of(app).exists()


def test_images_of_the_user_become_samples(shapes_export: Path, app: Path, tmp_path: Path) -> None:
    (model,) = shapes_export.glob("*.onnx")
    image = tmp_path / "my $(photo).JPG"
    shutil.copy(Path(APP).parent / "seaformer/data/photograph.jpg", image)
    done = bundle(model, "--app", app, "--sample", image)
    assert done.returncode == 0, done.stderr
    assert (assets_of(app) / "samples/02_00.jpg").read_bytes() == image.read_bytes()


def test_an_invalid_image_leaves_the_app_unchanged(
    shapes_export: Path, app: Path, tmp_path: Path
) -> None:
    (model,) = shapes_export.glob("*.onnx")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(SeaformerError, match=r"broken\.png"):
        write_assets([read_model(model)], [broken], app)
    assert not assets_of(app).exists()


def test_a_sample_that_phones_cannot_read_is_refused(
    shapes_export: Path, app: Path, tmp_path: Path
) -> None:
    (model,) = shapes_export.glob("*.onnx")
    image = tmp_path / "scan.tif"
    Image.new("RGB", (40, 30)).save(image)
    done = bundle(model, "--app", app, "--sample", image)
    assert done.returncode == 2
    assert "scan.tif' is TIFF" in done.stderr
    assert not assets_of(app).exists()


def test_other_files_in_the_assets_are_not_removed(shapes_export: Path, app: Path) -> None:
    (model,) = shapes_export.glob("*.onnx")
    assets_of(app).mkdir()
    (assets_of(app) / "notes.txt").write_text("mine")
    done = bundle(model, "--app", app)
    assert done.returncode == 2
    assert "notes.txt" in done.stderr
    assert (assets_of(app) / "notes.txt").read_text() == "mine"


def test_the_app_can_run_every_export(
    shapes_export: Path, mask_export: Path, users_export: Path
) -> None:
    files = [
        path
        for folder in (shapes_export, mask_export, users_export)
        for path in folder.iterdir()
        if path.suffix in (".onnx", ".tflite")
    ]
    assert len(files) >= 6
    for path in files:
        assert read_model(path).sha256 == read_model(path).metadata.file.sha256


def _set(*keys: str | int, to: Any) -> Callable[[Any], None]:
    def change(metadata: Any) -> None:
        *above, last = keys
        for key in above:
            metadata = metadata[key]
        metadata[last] = to

    return change


def change_beside(model: Path, change: Callable[[Any], None]) -> None:
    beside = path_beside(model)
    metadata = json.loads(beside.read_text())
    change(metadata)
    beside.write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("parity", "passed", to=False), "its verification is False"),
        (_set("input", "dtype", to="int16"), "the type of its input is int16"),
        (_set("output", "dtype", to="float16"), "the type of its output is float16"),
        (_set("input", "shape", to=[2, 3, 128, 128]), "its input shape is"),
        (_set("labels", to=["wall"]), "its output shape is"),
    ],
)
def test_models_that_the_app_cannot_run_are_refused_with_the_reason(
    copy: Path, change: Callable[[Any], None], reason: str
) -> None:
    change_beside(copy, change)
    with pytest.raises(UsageError, match="the app cannot run") as caught:
        read_model(copy)
    assert reason in str(caught.value)


FILE_NAMES = [
    *("/etc/passwd", "../../evil.onnx", "..", ".", "", "a/b.onnx", "samples/a.onnx", "./a.onnx"),
    *("..\\evil.onnx", "C:evil.onnx", "C:\\evil.onnx", "a.onnx:b.onnx", "NUL.onnx", "com1.onnx"),
    *("-a.onnx", "a.onnx ", "a.onnx.", "a\0.onnx", "a\n.onnx", "\x1b[2J.onnx", "x" * 300 + ".onnx"),
    *("model.json", "samples", "a.tflite", "a.txt", "a.onnx.so", ".onnx", None, 7, ["a.onnx"], {}),
]


@pytest.mark.parametrize("name", sampled(FILE_NAMES, 4))
def test_the_json_does_not_determine_where_the_model_is_written(
    copy: Path, app: Path, name: object
) -> None:
    # Files that could be overwritten: the paths are relative to a folder below app/src/main.
    victim = app / "app" / "src" / "evil.onnx"
    victim.write_text("mine")
    absolute = name == "/etc/passwd"
    change_beside(copy, _set("file", "name", to=str(victim) if absolute else name))
    before = sorted(app.rglob("*"))
    done = bundle(copy, "--app", app)
    assert done.returncode == 1, done.stdout
    where = (
        r"(the metadata in .+\.onnx\.json' cannot be used: file\.name|file\.name in the \.json of)"
    )
    assert re.fullmatch(rf"error: {where} .+ Export the model again\.\n", done.stderr)
    assert sorted(app.rglob("*")) == before
    assert victim.read_text() == "mine"


def test_a_model_may_have_another_name_than_in_the_app(copy: Path, app: Path) -> None:
    model = copy.with_stem("renamed")
    path_beside(copy).rename(path_beside(model))
    copy.rename(model)
    write_assets([read_model(model)], [], app)
    assert (assets_of(app) / copy.name).read_bytes() == model.read_bytes()


def test_links_in_the_assets_are_replaced_and_not_followed(
    copy: Path, app: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / copy.name).write_text("mine")
    assets_of(app).symlink_to(outside)
    write_assets([read_model(copy)], [], app)
    assert (outside / copy.name).read_text() == "mine"
    assert not assets_of(app).is_symlink()
    (assets_of(app) / copy.name).unlink()
    (assets_of(app) / copy.name).symlink_to(outside / copy.name)
    shutil.rmtree(assets_of(app) / "samples")
    (assets_of(app) / "samples").symlink_to(outside)
    write_assets([read_model(copy)], [], app)
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [(copy.name, "mine")]
    assert not any(path.is_symlink() for path in assets_of(app).rglob("*"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("input", "interpolation", to="lanczos"), "input.interpolation is 'lanczos'. Allowed"),
        (_set("input", "color_order", to="YUV"), "input.color_order is 'YUV'. Allowed: RGB, BGR"),
        (_set("input", "shape", to=[1, 3, None, 128]), "input.shape.2 is None"),
        (_set("input", "layout", to="NHW"), "input.layout is 'NHW'"),
        (_set("output", "content", to="points"), "output.content is 'points'"),
    ],
)
def test_an_unsupported_value_in_the_json_is_named(
    copy: Path, change: Callable[[Any], None], reason: str
) -> None:
    change_beside(copy, change)
    with pytest.raises(SeaformerError, match="cannot be used") as caught:
        read_model(copy)
    assert f"'{path_beside(copy)}'" in str(caught.value)
    assert reason in str(caught.value)


def test_a_changed_model_is_refused(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(SeaformerError, match="do not belong together"):
        read_model(copy)


def test_a_model_without_its_json_is_refused(copy: Path) -> None:
    path_beside(copy).unlink()
    with pytest.raises(UsageError, match="seaformer-export writes it, and the app needs it"):
        read_model(copy)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("model.pth",), "Allowed: .tflite, .onnx"),
        (("missing.onnx",), "there is no file 'missing.onnx'"),
    ],
)
def test_files_that_are_not_models_are_refused(
    app: Path, arguments: tuple[str, ...], reason: str
) -> None:
    done = bundle(*arguments, "--app", app)
    assert done.returncode == 2
    assert reason in done.stderr
    assert not assets_of(app).exists()


def test_a_folder_that_is_not_the_app_is_refused(copy: Path, tmp_path: Path) -> None:
    done = bundle(copy, "--app", tmp_path)
    assert done.returncode == 2
    assert "is not the folder of the app" in done.stderr


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (f'{{"url": "{ROOT.as_uri()}", "dir_info": {{}}}}', f"--app '{APP}'"),
        (
            '{"url": "ssh://host/seaformer.git", "vcs_info": {"vcs": "git", "commit_id": "12ab"}}',
            "git clone ssh://host/seaformer.git seaformer && git -C seaformer checkout 12ab",
        ),
        ('{"url": "file:///nowhere/seaformer-0.1.0-py3-none-any.whl"}', "source distribution"),
        ("{", "source distribution"),
        (None, "source distribution"),
    ],
)
def test_the_error_about_a_missing_app_names_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str | None, expected: str
) -> None:
    """The records are in pip's format for an installed package."""
    records = tmp_path / "seaformer-0.1.0.dist-info"
    records.mkdir()
    (records / "METADATA").write_text("Metadata-Version: 2.1\nName: seaformer\nVersion: 0.1.0\n")
    if installed is not None:
        (records / "direct_url.json").write_text(installed)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="'android_demo' is not the folder of the app") as caught:
        assets_of(Path("android_demo"))
    assert expected in str(caught.value)


def test_an_apk_without_gradle_supports_only_onnx_models(
    shapes_export: Path, app: Path, tmp_path: Path
) -> None:
    (model,) = shapes_export.glob("*.tflite")
    done = bundle(model, "--app", app, "--apk", tmp_path / "out.apk")
    assert done.returncode == 2
    assert "without LiteRT, which" in done.stderr
    assert f"Give '{model.with_suffix('.onnx')}' in the same folder instead" in done.stderr
    assert f"cd {app} && ./gradlew :app:installDebug" in done.stderr
    alone = tmp_path / model.name
    for path in (model, path_beside(model)):
        shutil.copy(path, tmp_path)
    done = bundle(alone, "--app", app, "--apk", tmp_path / "out.apk")
    assert done.returncode == 2
    assert "Export the same model with --format onnx" in done.stderr
    assert not assets_of(app).exists()


def test_an_apk_without_gradle_needs_a_checkout(copy: Path, app: Path, tmp_path: Path) -> None:
    """Neither an installation by pip nor a copy of the app's folder contains the builder."""
    done = bundle(copy, "--app", app, "--apk", tmp_path / "out.apk")
    assert done.returncode == 2
    assert "--apk needs the builder of a checkout of seaformer" in done.stderr
    assert not (tmp_path / "out.apk").exists()
    assert not assets_of(app).exists()


def test_missing_tools_of_the_builder_are_reported_before_downloads(
    copy: Path, tmp_path: Path
) -> None:
    app, cache = tmp_path / "android_demo", tmp_path / "cache"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("assets"))
    environment = os.environ | {"PATH": "", "SEAFORMER_CACHE": str(cache)}
    done = bundle(copy, "--app", app, "--apk", tmp_path / "out.apk", environment=environment)
    assert done.returncode == 1
    assert "the smoke build needs java, javac, keytool, apksigner, zipalign" in done.stderr
    assert "apt-get install openjdk-17-jdk-headless apksigner zipalign" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not cache.exists()
    assert not assets_of(app).exists()


def test_an_old_java_is_refused_before_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("javac", "keytool", "apksigner", "zipalign"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_412\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    if find_debian("json-android.jar") is None:
        pytest.skip(f"{DEBIAN['json-android.jar']} is not installed")
    with pytest.raises(SeaformerError, match=r'Java 17 or newer, and .+ is openjdk version "1\.8'):
        require_tools()


def test_an_apk_is_not_overwritten(copy: Path, app: Path, tmp_path: Path) -> None:
    apk = tmp_path / "out.apk"
    apk.write_text("mine")
    done = bundle(copy, "--app", app, "--apk", apk)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert apk.read_text() == "mine"
