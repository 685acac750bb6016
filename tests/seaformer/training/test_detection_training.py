"""Training of detection networks, compared with torchvision's RetinaNet."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner
from other_libraries import library

from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.train import main
from seaformer.datasets import Boxes
from seaformer.datasets.shapes import ShapesWithBoxes, write_coco
from seaformer.errors import UsageError
from seaformer.models.resolve import as_network
from seaformer.tasks import get_task
from seaformer.training.detection_loss import detection_loss
from seaformer.training.detection_validation import validate_boxes
from seaformer.training.initial_weights import initial_network
from seaformer.weights.builtin import BUILTIN

torchvision = library("torchvision")

NAME = "seaformer-tiny-retinanet-narrow"
TASK = get_task("shapes-detection")
SIDE = 128


@pytest.fixture(scope="module")
def model() -> Any:
    return initial_network(as_network(NAME), TASK)


@pytest.mark.parametrize("counts", [(3, 2), (4, 0), (0, 0)])
def test_the_loss_is_that_of_torchvision(model: Any, counts: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn((len(counts), len(model.anchors((SIDE, SIDE))), 12), generator=generator)
    targets = []
    for count in counts:
        corners = SIDE * torch.rand((count, 4), generator=generator)
        corners[:, 2:] += corners[:, :2] + 1
        targets.append((corners, torch.randint(0, 8, (count,), generator=generator)))
    ours = detection_loss(model, output, targets, (SIDE, SIDE))

    detection = torchvision.models.detection
    theirs = SimpleNamespace(
        head=model.head,
        proposal_matcher=detection._utils.Matcher(0.5, 0.4, allow_low_quality_matches=True),
        BETWEEN_THRESHOLDS=detection._utils.Matcher.BETWEEN_THRESHOLDS,
    )
    losses = detection.RetinaNet.compute_loss(
        theirs,
        [{"boxes": corners, "labels": classes} for corners, classes in targets],
        {"cls_logits": output[..., :8], "bbox_regression": output[..., 8:]},
        [model.anchors((SIDE, SIDE))] * len(targets),
    )
    torch.testing.assert_close(ours, sum(losses.values()))


def test_validation_scores_perfect_outputs_perfectly(model: Any) -> None:
    """A network that returns the encoded ground truth has an average precision of 1."""

    class Perfect(torch.nn.Module):
        detection_output = model.detection_output

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.stack([encoded(model, truth) for truth in truths[: len(images)]])

    scenes = [ShapesWithBoxes("val")[place] for place in range(3)]
    truths = [truth for _, truth in scenes]
    scores = validate_boxes(Perfect(), scenes, TASK, Accelerator(cpu=True))  # type: ignore[arg-type]
    assert scores.ap == pytest.approx(1)
    assert sum(scores.objects) == sum(len(truth.boxes) for truth in truths)


def encoded(model: Any, truth: Boxes) -> torch.Tensor:
    """Return the output for which exactly the boxes of an image are detected."""
    anchors = model.anchors(truth.size)
    boxes, classes = torch.from_numpy(truth.corners()), torch.from_numpy(truth.classes())
    output = torch.full((len(anchors), 12), -20.0)
    best = torchvision.ops.box_iou(boxes, anchors).argmax(1)
    coder = model.head.regression_head.box_coder
    output[best, 8:] = coder.encode_single(boxes, anchors[best])
    output[best, classes] = 10
    return output


def run(*options: object) -> str:
    done = CliRunner().invoke(main, [str(option) for option in options])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_trains_resumes_and_its_weights_are_evaluated(tmp_path: Path) -> None:
    data, output = tmp_path / "data", tmp_path / "run"
    write_coco(data, 4, validation=2, size=(SIDE, SIDE))
    (backbone,) = (row.path for row in BUILTIN if row.name == "shapes")
    options = ["--output", output, "--device", "cpu", "--iterations"]
    started = run(
        *("--model", NAME, "--data", data, "--weights", f"backbone:{backbone}", *options, 2),
        *("--batch-size", 2, "--crop", f"{SIDE}x{SIDE}"),
    )
    assert "4 training images, 2 validation images; 2 steps of 2 images" in started
    assert "only the backbone is loaded" in started
    assert "best AP " in started
    resumed = run("--resume", *options, 3)
    assert "resumed after step 2" in resumed
    record = json.loads((output / "best.json").read_text("utf-8"))
    assert 0 <= record["AP"] <= 1
    assert record["task"]["kind"] == "detection"
    assert "AP" in (output / "report.html").read_text("utf-8")
    report = tmp_path / "report"
    done = CliRunner().invoke(
        evaluate,
        [str(output / "best.safetensors"), "--data", str(data), "--report", str(report)],
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads((report / "results.json").read_text("utf-8"))["models"]
    last = json.loads((output / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    assert found["scores"]["ap"] == pytest.approx(last["best"])


def test_other_tasks_are_refused() -> None:
    network = as_network(NAME)
    with pytest.raises(UsageError, match="is for detection, but task 'shapes' is segmentation"):
        initial_network(network, get_task("shapes"))
    with pytest.raises(UsageError, match="Allowed: a task for segmentation or detection"):
        initial_network(network, get_task("imagenet"))
