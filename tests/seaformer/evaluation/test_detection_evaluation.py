"""`seaformer-evaluate` on detection: a real model file that finds cells by their color."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper
from PIL import Image
from small_models import LABELS, SIDE, metadata

import seaformer
from seaformer.cli.evaluate import main

CELL = 8
CELLS = SIDE // CELL
RED, GREEN, BLUE = range(3)


def write_detector(path: Path, least: float) -> Path:
    """Write an .onnx that finds each cell of 8 x 8 pixels with a channel above `least`."""
    anchors = CELLS**2
    offsets = np.tile(np.float32([0.5, 0.5, 0, 0]), (1, anchors, 1))
    graph = helper.make_graph(
        [
            helper.make_node(
                "AveragePool", ["image"], ["means"], kernel_shape=[CELL] * 2, strides=[CELL] * 2
            ),
            helper.make_node("Sub", ["means", "least"], ["above"]),
            helper.make_node("Transpose", ["above"], ["last"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["last", "shape"], ["logits"]),
            helper.make_node("Concat", ["logits", "offsets"], ["boxes"], axis=2),
        ],
        "cells",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, anchors, 7])],
        [
            onnx.numpy_helper.from_array(np.float32(least), "least"),
            onnx.numpy_helper.from_array(np.array([1, anchors, 3]), "shape"),
            onnx.numpy_helper.from_array(offsets, "offsets"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    level = {"grid": [CELLS] * 2, "stride": [CELL] * 2, "sizes": [8.0], "aspect_ratios": [1.0]}
    info = metadata(
        kind="detection",
        output={
            "name": "boxes",
            "shape": [1, anchors, 7],
            "dtype": "float32",
            "layout": "NLC",
            "stride": None,
            "content": "boxes",
        },
        detection={
            "levels": [level],
            "box_weights": [1.0] * 4,
            "max_log_scale": 4.0,
            "score_threshold": 0.05,
            "candidates_per_level": 1000,
            "iou_threshold": 0.5,
            "max_detections": 100,
        },
    )
    helper.set_model_props(model, {"seaformer": json.dumps(info)})
    onnx.save(model, path)
    return path


def paint(cells: dict[tuple[int, int], tuple[int, int]]) -> Image.Image:
    """Draw cells on black; `cells` maps (row, column) to (channel, value)."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for (row, column), (channel, value) in cells.items():
        pixels[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL, channel] = value
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory: two images, three objects, and a model.

    The first image has a bright and a dim red object; the second has a green object, which is
    missed, and a blue cell without an object.
    """
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    paint({(1, 2): (RED, 250), (4, 4): (RED, 150)}).save(images / "0.png")
    paint({(3, 3): (BLUE, 250)}).save(images / "1.png")
    cells = [(0, 1, 2, RED), (0, 4, 4, RED), (1, 5, 5, GREEN)]
    content = {
        "images": [
            {"id": place, "file_name": f"{place}.png", "height": SIDE, "width": SIDE}
            for place in range(2)
        ],
        "annotations": [
            {
                "id": place,
                "image_id": image,
                "category_id": index,
                "bbox": [column * CELL, row * CELL, CELL, CELL],
                "area": CELL**2,
            }
            for place, (image, row, column, index) in enumerate(cells)
        ],
        "categories": [{"id": index, "name": name} for index, name in enumerate(LABELS)],
    }
    (tmp_path / "data" / "boxes.json").write_text(json.dumps(content))
    write_detector(tmp_path / "model.onnx", least=100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data", "data", "--report", "out"])


def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("out", "results.json").read_text("utf-8"))
    return found


def test_scores_classes_and_page(folder: Path) -> None:
    done = run("model.onnx")
    assert done.exit_code == 0, done.output
    found = results()
    (model,) = found["models"]
    assert (found["kind"], found["layout"]) == ("detection", "coco")
    # Both red objects are found, the green one is missed, and blue does not occur.
    assert model["scores"]["ap"] == model["scores"]["ap50"] == pytest.approx(0.5)
    assert model["scores"]["ap_small"] == pytest.approx(0.5)
    assert model["scores"]["ap_large"] is None
    assert [row["ap"] for row in model["classes"]] == [pytest.approx(1), 0, None]
    assert [row["pixels"] for row in model["classes"]] == [2, 1, 0]
    assert model["worst"][0] == {"name": "1.png", "score": 0}
    assert "pycocotools" in found["versions"]
    assert "AP50" in done.output
    assert "onnx: AP 50.00 %." in (folder / "out" / "report.html").read_text("utf-8")


def test_a_comparison_states_what_was_lost(folder: Path) -> None:
    write_detector(folder / "worse.onnx", least=200)  # misses the dim object
    done = run("worse.onnx", "--reference", "model.onnx")
    assert done.exit_code == 0, done.output
    reference, worse = results()["models"]
    assert reference["difference"] is None
    lost = 100 * (51 / 101 - 1) / 2  # precision is 1 at the 51 of 101 recalls up to 1/2
    assert worse["difference"]["points"] == pytest.approx(lost)
    assert worse["intervals"][0]["measure"] == "ap"
    assert worse["intervals"][0]["change"] == worse["difference"]
    assert worse["classes"][RED]["change"] == pytest.approx(lost / 50)
    page = (folder / "out" / "report.html").read_text("utf-8")
    assert "worse.onnx against model.onnx" in page


def test_an_interrupted_evaluation_is_resumed(folder: Path) -> None:
    assert run("model.onnx").exit_code == 0
    before = results()
    (folder / "out" / "results.json").unlink()
    progress = folder / "out" / "images.jsonl"
    progress.write_bytes(b"".join(progress.read_bytes().splitlines(keepends=True)[:2]))
    done = run("model.onnx")
    assert "resumed: 1 of 2 were already done" in done.output
    assert results() == before


def test_an_image_of_another_size_is_broken(folder: Path) -> None:
    Image.new("RGB", (SIDE, 20)).save(folder / "data" / "images" / "0.png")
    done = run("model.onnx")
    assert done.exit_code == 1
    assert "has 64 x 20 pixels, but its annotations are for 64 x 64" in done.output
    assert results()["pictures"] == 1


def test_there_is_no_official_protocol(folder: Path) -> None:  # noqa: ARG001
    done = run("model.onnx", "--protocol", "official")
    assert done.exit_code == 2
    assert "detection has no official protocol here. Allowed: deployed." in done.stderr


def test_the_python_api(folder: Path) -> None:  # noqa: ARG001
    with seaformer.load("model.onnx") as model:
        found = model.evaluate("data")
    assert found.scores.ap == pytest.approx(0.5)


def test_a_model_for_masks_is_refused(folder: Path) -> None:
    from small_models import write_onnx

    write_onnx(folder / "masks.onnx", metadata())
    done = run("masks.onnx")
    assert done.exit_code == 2
    assert "is a model for segmentation with 3 classes" in done.stderr
