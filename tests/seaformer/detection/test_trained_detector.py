"""The built-in detector, `--weights shapes-detection`, from its weights to boxes and AP.

Building the network needs torchvision, so `make test-models` runs these tests.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from exporting import assert_one_line, run_export
from once import Once
from other_libraries import library
from PIL import Image

from seaformer import load
from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.predict import main as predict
from seaformer.datasets.shapes import ShapesWithBoxes, write_coco
from seaformer.detection.decoding import decode
from seaformer.imaging.preprocessing import normalize
from seaformer.models.create import create_model
from seaformer.tasks import get_task

torchvision = library("torchvision")

import detection_golden  # noqa: E402

NAME, WEIGHTS = "seaformer-tiny-retinanet-narrow", "shapes-detection"
STEM = "seaformer_tiny-retinanet-narrow_shapes-detection_256x256"
SCENES, SEED = 200, 1
"""Scenes of another seed, which were neither trained on nor used to select the weights."""


@pytest.fixture(scope="module")
def exported(once: Once) -> Path:
    """Return the folder with the .onnx and .tflite in fp32."""

    def fill(folder: Path) -> None:
        done = run_export(
            *("--weights", WEIGHTS, "--format", "tflite", "--format", "onnx", "--output", "."),
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr

    return once("trained detector", fill)


@pytest.fixture(scope="module")
def scenes(once: Once) -> Path:
    """Return the folder of a data set in COCO's format."""
    return once("scenes", lambda folder: write_coco(folder, 1, validation=SCENES, seed=SEED))


def ap50(model: Path, scenes: Path, *options: str, report: Path) -> float:
    done = CliRunner().invoke(
        evaluate, [str(model), "--data", str(scenes), "--report", str(report), *options]
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads((report / "results.json").read_text("utf-8"))["models"]
    return float(found["scores"]["ap50"])


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_half_of_the_objects_of_unseen_scenes_are_found(
    exported: Path, scenes: Path, tmp_path: Path, suffix: str
) -> None:
    model = exported / f"{STEM}_fp32{suffix}"
    assert ap50(model, scenes, report=tmp_path) >= 0.5


def test_boxes_of_predict_match_the_objects(exported: Path, tmp_path: Path) -> None:
    """Most confident boxes have the class of an object, and overlap with it by more than half."""
    photos = []
    for place in range(10):
        photos.append(tmp_path / f"{place}.png")
        Image.fromarray(ShapesWithBoxes("val", seed=SEED)[place][0]).save(photos[-1])
    done = CliRunner().invoke(
        predict,
        [
            *map(str, photos),
            *("--model", str(exported / f"{STEM}_fp32.tflite")),
            *("--min-score", "0.5", "--json", "--output", str(tmp_path / "overlays")),
        ],
    )
    assert done.exit_code == 0, done.stderr
    found = right = 0
    for place, image in enumerate(json.loads(done.stdout)["images"]):
        truth = ShapesWithBoxes("val", seed=SEED)[place][1]
        boxes, classes = torch.from_numpy(truth.corners()), truth.classes()
        for one in image["detections"]:
            overlaps = torchvision.ops.box_iou(torch.tensor([one["box"]]), boxes)[0]
            best = int(overlaps.argmax())
            found += 1
            right += bool(overlaps[best] >= 0.5) and (
                one["name"] == get_task(WEIGHTS).labels[classes[best]]
            )
    assert found >= 40
    assert right / found >= 0.7


def test_trained_outputs_are_decoded_as_by_torchvision() -> None:
    model = create_model(NAME, weights=WEIGHTS)
    described = model.detection_output((256, 256))
    members = json.loads(described.model_dump_json())
    for place in range(3):
        image, _ = ShapesWithBoxes("val", seed=SEED)[place]
        x = normalize(image.astype(np.float32), get_task(WEIGHTS).preprocessing)
        output = model(torch.from_numpy(x).permute(2, 0, 1)[None]).numpy()
        boxes, scores, classes = detection_golden.by_torchvision(
            output, members, (256, 256), (256, 256)
        )
        found = decode(output, described, (256, 256), (256, 256))
        assert len(found) == len(boxes) > 0
        assert found.classes.tolist() == classes.tolist()
        np.testing.assert_allclose(found.scores, scores, rtol=1e-5)
        np.testing.assert_allclose(found.boxes, boxes, rtol=1e-4, atol=1e-2)


def test_the_network_needs_only_the_name_of_its_weights(tmp_path: Path) -> None:
    """The commands and the Python API find the same boxes by the name of network and weights."""
    image, _ = ShapesWithBoxes("val", seed=SEED)[0]
    Image.fromarray(image).save(tmp_path / "scene.png")
    done = CliRunner().invoke(
        predict,
        [
            *(str(tmp_path / "scene.png"), "--model", NAME, "--weights", WEIGHTS, "--json"),
            *("--output", str(tmp_path / "overlay.png")),
        ],
    )
    assert done.exit_code == 0, done.stderr
    (printed,) = json.loads(done.stdout)["images"]
    with load(NAME, weights=WEIGHTS) as model:
        found = model.predict(image)
    assert found.detections is not None
    names = [get_task(WEIGHTS).labels[index] for index in found.detections.above(0.3).classes]
    assert [one["name"] for one in printed["detections"]] == names
    assert names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", NAME, "--weights", "shapes"), "'shapes' are not for model .*narrow and task"),
        (
            ("--variant", "tiny", "--weights", WEIGHTS),
            f"are not for variant tiny and task shapes-detection. Allowed: model {NAME} and task",
        ),
        (
            ("--model", "seaformer-tiny-retinanet", "--weights", WEIGHTS),
            f"are not for model seaformer-tiny-retinanet and .* Allowed: model {NAME} and task",
        ),
        (("--weights", WEIGHTS, "--task", "coco"), "are not for .* and task coco. Allowed: model"),
    ],
)
def test_weights_of_another_network_or_task_are_refused(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    assert_one_line(run_export(*options, cwd=tmp_path), 2, message)


@pytest.mark.slow
def test_int8_keeps_the_average_precision(scenes: Path, exported: Path, tmp_path: Path) -> None:
    done = run_export(
        *("--weights", WEIGHTS, "--precision", "int8", "--output", "out"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    quantized = tmp_path / "out" / f"{STEM}_int8.tflite"
    before = ap50(exported / f"{STEM}_fp32.tflite", scenes, report=tmp_path / "fp32")
    assert ap50(quantized, scenes, report=tmp_path / "int8") >= before - 0.01
