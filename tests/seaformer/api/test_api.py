"""The Python API: the same results as the commands, without output."""

import csv
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seaformer
from seaformer.api.model import Model
from seaformer.benchmark.results.schema import read_results
from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.predict import main as predict
from seaformer.datasets.shapes import write
from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.results import Results
from seaformer.extras import MissingExtraError
from seaformer.progress_events import Event, StageAdvanced, StageFinished


@pytest.fixture(scope="module")
def model(shapes_export: Path) -> Iterator[Model]:
    (file,) = shapes_export.glob("*.tflite")
    with seaformer.load(file) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write(folder, 1, validation=2)
    return folder


def _scene(scenes: Path) -> Path:
    return scenes / "images/val/000000.png"


def test_predict_matches_the_command(
    model: Model, scenes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = model.predict(_scene(scenes))
    assert capfd.readouterr() == ("", "")
    assert found.mask is not None
    assert found.probabilities is not None
    assert found.overlay is not None
    mask, overlay = tmp_path / "mask.png", tmp_path / "overlay.png"
    options = ["--model", str(model.source), "--mask", str(mask), "--output", str(overlay)]
    predict([str(_scene(scenes)), *options], standalone_mode=False)
    np.testing.assert_array_equal(found.mask, np.asarray(Image.open(mask)))
    np.testing.assert_array_equal(np.asarray(found.overlay), np.asarray(Image.open(overlay)))
    assert found.probabilities.shape == (12, 16, 16)
    np.testing.assert_allclose(found.probabilities.sum(0), 1)
    table = found.to_pandas()
    assert list(table["class"]) == [one.name for one in found.classes]
    assert table["share"].sum() == pytest.approx(1)
    shown = found._repr_png_()
    assert shown is not None
    assert Image.open(io.BytesIO(shown)).size == found.overlay.size


def test_an_image_is_a_path_a_pillow_image_or_an_array(model: Model, scenes: Path) -> None:
    expected = model.predict(str(_scene(scenes))).mask
    image = Image.open(_scene(scenes))
    pixels = np.asarray(image.convert("RGB"))
    for one in (image, pixels, pixels[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(model.predict(one).mask, expected)
    assert image.getbbox() is not None, "the caller's image is unchanged"
    gray = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(
        model.predict(gray).mask, model.predict(Image.fromarray(gray)).mask
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 8, 3), np.float32), r"float32 \[8, 8, 3\]\. Allowed: uint8"),
        (np.zeros((3, 8, 8), np.uint8), r"uint8 \[3, 8, 8\]"),
        (np.zeros((0, 8, 3), np.uint8), r"uint8 \[0, 8, 3\]"),
        (Image.new("F", (8, 8)), "mode F"),
        ([[0, 0, 0]], "the image is a list"),
    ],
)
def test_other_images_are_refused(model: Model, image: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.predict(image)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_classifier_returns_probabilities(classifier_export: Path) -> None:
    (file,) = classifier_export.glob("*.onnx")
    with seaformer.load(file) as classifier:
        found = classifier.predict(Image.new("RGB", (96, 96), (200, 30, 30)))
    assert found.mask is None
    assert found.overlay is None
    assert found.probabilities is not None
    assert found.probabilities.shape == (1000,)
    assert found.top[0][1] == found.probabilities.max()
    assert list(found.to_pandas()["probability"]) == [share for _, share in found.top]


COMMAND = re.compile(
    r'<li><a href="#command">Command</a></li>|<section aria-labelledby="command">.*?</section>',
    re.S,
)
"""A report's section with the command line, and its entry in the list of sections."""


def test_evaluate_matches_the_command(
    model: Model, scenes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    page = tmp_path / "page.html"
    found = model.evaluate(scenes, report=page, progress=events.append)
    assert capfd.readouterr() == ("", "")
    folder = tmp_path / "evaluation"
    options = ["--data", str(scenes), "--report", str(folder)]
    evaluate([str(model.source), *options], standalone_mode=False)
    stored = Results.model_validate_json((folder / "results.json").read_text())
    assert found.results == stored
    assert found.scores.miou == stored.models[0].scores.miou
    # Only the command has a command line to copy.
    by_command = (folder / "report.html").read_text()
    without, replaced = COMMAND.subn("", by_command)
    assert replaced == 2
    assert page.read_text().split() == without.split()
    assert events[-1] == StageAdvanced(title="evaluate", done=2, total=2)
    assert list(found.to_pandas().columns) == ["class", "pixels", "iou", "accuracy"]
    with pytest.raises(UsageError, match="exists"):
        model.evaluate(scenes, report=page)


def test_an_interrupted_comparison_with_a_reference_resumes(
    model: Model, shapes_export: Path, scenes: Path, tmp_path: Path
) -> None:
    (other,) = shapes_export.glob("*.onnx")
    progress_file = tmp_path / "evaluation/images.jsonl"
    options = [
        "--data",
        str(scenes),
        "--reference",
        str(other),
        "--report",
        str(progress_file.parent),
    ]
    evaluate([str(model.source), *options], standalone_mode=False)
    stored = Results.model_validate_json((progress_file.parent / "results.json").read_text())
    lines = progress_file.read_bytes().splitlines(keepends=True)
    progress_file.write_bytes(b"".join(lines[:-1]))  # as if interrupted before the last image

    events: list[Event] = []
    for reference in (other, seaformer.load(other)):
        found = model.evaluate(
            scenes, reference=reference, resume=progress_file, progress=events.append
        )
        assert found.results == stored
        assert found.difference == stored.models[-1].difference is not None
    done = [event.done for event in events if isinstance(event, StageAdvanced)]
    assert done == [1, 2, 2]
    with pytest.raises(UsageError, match="belongs to a different run; different: models, protocol"):
        model.evaluate(scenes, resume=progress_file)
    assert model.evaluate(scenes, resume=progress_file, force=True).difference is None


def test_export_matches_the_command(
    shapes_export: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    network = seaformer.load("seaformer-tiny", weights="shapes")
    exported = network.export(
        tmp_path, format="onnx", input_size=(128, 128), progress=events.append
    )
    assert capfd.readouterr() == ("", "")
    (expected,) = shapes_export.glob("*.onnx")
    (file,) = exported.files
    assert file.path.read_bytes() == expected.read_bytes()
    assert exported.is_verified
    titles = [event.title for event in events if isinstance(event, StageFinished)]
    assert titles[0] == "create the model"
    assert titles[-1] == "verify onnx fp32"
    assert exported.to_pandas()["sqnr_db"].min() > 100
    with pytest.raises(UsageError, match="exists"):
        network.export(tmp_path, format="onnx", input_size=(128, 128))


def test_benchmark_returns_typed_results(
    model: Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    found = model.benchmark("host", runs=3, output=tmp_path / "out", progress=events.append)
    assert capfd.readouterr() == ("", "")
    assert found.results == read_results(tmp_path / "out")
    assert found.median_ms is not None
    assert found.median_ms > 0
    assert events[-1] == StageAdvanced(title="measure on host", done=3, total=3)
    header = next(csv.reader(io.StringIO((tmp_path / "out/results.csv").read_text())))
    assert list(found.to_pandas().columns) == header
    assert found.breakdown_to_pandas().empty
    with pytest.raises(UsageError, match="exists"):
        model.benchmark("host", runs=3, output=tmp_path / "out")


def test_errors_match_the_commands(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'seaformer-tiny'"):
        seaformer.load("seaformer-tini")
    with pytest.raises(SeaformerError, match="no model file"):
        seaformer.load(tmp_path / "model.tflite")
    with pytest.raises(UsageError, match="is already exported"):
        model.export(tmp_path)
    with pytest.raises(UsageError, match="--weights is for a --model"):
        seaformer.load(str(model.source), weights="shapes").predict(np.zeros((8, 8, 3), np.uint8))


def test_without_pandas_tables_name_the_extra(
    model: Model, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    found = model.predict(_scene(scenes))
    assert found.classes
    with pytest.raises(MissingExtraError, match=r"pip install 'seaformer\[pandas\]'"):
        found.to_pandas()
