"""The command `seaformer-predict` with a detection model, a real .onnx."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from small_models import DETECTION, detection_metadata, metadata, write_detector, write_onnx

from seaformer import load
from seaformer.cli.predict import main

SIDE, SCALE = 128, 2
"""Side of the photo, and its pixels per pixel of the input."""

# The anchors at (16, 16) and (16, 40), x before y, are at pixels (32, 32) and (32, 80).
RED, BLUE = (32, 32), (32, 80)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with a photo of two colored squares and a model."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for (x, y), channel, value in ((RED, 0, 255), (BLUE, 2, 220)):
        pixels[y - 4 : y + 8, x - 4 : x + 8, channel] = value
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    write_detector(tmp_path / "model.onnx", detection_metadata())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def assert_error(result: Result, status: int, message: str) -> None:
    assert result.exit_code == status
    assert re.fullmatch(r"error: .*\n", result.stderr), result.stderr
    assert re.search(message, result.stderr), result.stderr


@pytest.mark.usefixtures("folder")
def test_boxes_are_printed_and_drawn() -> None:
    done = run("photo.png", "--model", "model.onnx")
    assert done.exit_code == 0, done.stderr
    rows = re.findall(r"(red|green|blue)\W+([\d.]+) %\W+([\d.]+)\W+([\d.]+)", done.stdout)
    assert [row[:2] for row in rows] == [("red", "99.6"), ("blue", "88.1")]
    drawn = np.asarray(Image.open("photo_overlay.png"))
    photo = np.asarray(Image.open("photo.png"))
    # 16 pixels of the input around the anchor, 32 in the photo; the label is above the box.
    x, y = BLUE
    left, top, right, bottom = x - 16, y - 16, x + 15, y + 15
    for row, column in ((top, left), (bottom, left), (bottom, right), (y, right)):
        assert tuple(drawn[row, column]) == (0, 0, 255)
    assert (drawn[y - 4 : y + 8, x - 4 : x + 8] == photo[y - 4 : y + 8, x - 4 : x + 8]).all()
    assert tuple(drawn[top - 1, left + 1]) == (0, 0, 255)


@pytest.mark.usefixtures("folder")
def test_boxes_in_json_are_in_pixels_of_the_image() -> None:
    done = run("photo.png", "--model", "model.onnx", "--json")
    assert done.exit_code == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    assert [one["name"] for one in image["detections"]] == ["red", "blue"]
    assert image["classes"] == []
    for one, (x, y) in zip(image["detections"], (RED, BLUE), strict=True):
        np.testing.assert_allclose(one["box"], [x - 16, y - 16, x + 16, y + 16], atol=1e-3)


@pytest.mark.usefixtures("folder")
def test_the_lowest_score_is_an_option() -> None:
    done = run("photo.png", "--model", "model.onnx", "--min-score", "0.95")
    assert "red" in done.stdout
    assert "blue" not in done.stdout
    done = run("photo.png", "--model", "model.onnx", "--min-score", "0.999", "--force")
    assert "nothing detected" in done.stdout
    assert (
        np.asarray(Image.open("photo_overlay.png")) == np.asarray(Image.open("photo.png"))
    ).all()


def test_several_photos_are_lines(folder: Path) -> None:
    Image.new("RGB", (40, 30)).save(folder / "black.png")
    done = run("photo.png", "black.png", "--model", "model.onnx")
    assert done.exit_code == 0, done.stderr
    assert "photo.png: red 99.6 %, blue 88.1 %" in done.stdout
    assert "black.png: nothing detected" in done.stdout
    assert sorted(path.name for path in (folder / "predictions").iterdir()) == [
        "black_overlay.png",
        "photo_overlay.png",
    ]


def test_what_is_not_for_detection_is_refused(folder: Path) -> None:
    refused = run("photo.png", "--model", "model.onnx", "--mask", "mask.png")
    assert_error(refused, 2, r"is a detection model and has no mask\. Omit --mask")
    write_onnx(folder / "colors.onnx", metadata())
    refused = run("photo.png", "--model", "colors.onnx", "--min-score", "0.5")
    assert_error(refused, 2, "--min-score is for detection, but 'colors.onnx' is for segmentation")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detection": None}, "kind is detection, and detection is null"),
        ({"kind": "segmentation"}, "kind is segmentation, and detection is given"),
        (
            {"output": detection_metadata()["output"] | {"content": "features"}},
            "output.content is features, and kind is detection",
        ),
        ({"detection": DETECTION | {"max_detections": 10**9}}, "detection.max_detections"),
        (
            {"labels": ["red", "green"], "palette": None},
            r"Allowed with these anchors and labels: \[1, 64, 6\]",
        ),
        (
            {"input": metadata()["input"] | {"resize": "center-crop", "crop_fraction": 0.9}},
            "resize is center-crop. Allowed for detection: stretch",
        ),
    ],
)
def test_metadata_that_does_not_fit_is_an_error(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    write_detector(folder / "model.onnx", detection_metadata(**changes))
    assert_error(run("photo.png", "--model", "model.onnx"), 1, message)
    assert not (folder / "photo_overlay.png").exists()


@pytest.mark.usefixtures("folder")
def test_from_python() -> None:
    with load("model.onnx") as model:
        found = model.predict("photo.png")
    assert found.detections is not None
    assert found.detections.classes.tolist() == [0, 2]
    assert found.mask is None
    assert found.overlay is not None
    assert found.overlay.size == (SIDE, SIDE)
    assert "red 99.6 %, blue 88.1 %" in repr(found)
