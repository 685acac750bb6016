"""Accuracy of a network during training, preprocessed as when deployed.

Each image is resized by the task's `preprocessing`, and its logits are resized to its mask. The
mIoU is therefore that of the deployed network, and can differ from that of the official protocol.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional as F

from seaformer.datasets.masks import IGNORED
from seaformer.evaluation.metrics import ConfusionMatrix, SegmentationScores
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.tasks import Task
from seaformer.training.scenes import Scenes

BATCH_SIZE = 8
"""Images that one process computes at a time; no effect on the result."""


def validate(
    model: nn.Module, scenes: Scenes, task: Task, accelerator: Accelerator
) -> SegmentationScores:
    """Evaluate a network on the validation images, which are distributed over all processes.

    `model` is not wrapped by Accelerate, is on the device of `accelerator`, and is left in eval
    mode. The scores are those of all images, and the same in every process.
    """
    matrix = ConfusionMatrix(task.num_classes, IGNORED)
    for _, truth, predicted in predictions(predict, model, scenes, task, accelerator):
        matrix.update(truth, predicted)
    counts = torch.from_numpy(matrix.counts).to(accelerator.device)
    matrix.counts = accelerator.reduce(counts, "sum").cpu().numpy()
    return matrix.scores()


def predictions(
    predict: Callable[[nn.Module, list[Any], Task, torch.device], Sequence[Any]],
    model: nn.Module,
    scenes: Scenes,
    task: Task,
    accelerator: Accelerator,
) -> Iterator[tuple[int, Any, Any]]:
    """Yield the index, the annotation and the prediction of each image of this process."""
    mine = range(accelerator.process_index, len(scenes), accelerator.num_processes)
    for start in range(0, len(mine), BATCH_SIZE):
        indices = mine[start : start + BATCH_SIZE]
        images = [scenes[index] for index in indices]
        with accelerator.autocast():
            found = predict(model, images, task, accelerator.device)
        yield from zip(indices, (truth for _, truth in images), found, strict=True)


@torch.no_grad()
def predict(
    model: nn.Module,
    images: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]],
    task: Task,
    device: torch.device,
) -> list[npt.NDArray[np.uint8]]:
    """Return the predicted mask of each image, uint8, in the size of its ground truth mask.

    `model` is on `device`, and is left in eval mode.
    """
    model.eval()
    logits = model(prepared([image for image, _ in images], task).to(device)).float()
    return [
        F.interpolate(scores[None], mask.shape, mode="bilinear", align_corners=False)[0]
        .argmax(0)
        .to(torch.uint8)
        .cpu()
        .numpy()
        for scores, (_, mask) in zip(logits, images, strict=True)
    ]


def prepared(images: Sequence[npt.NDArray[np.uint8]], task: Task) -> torch.Tensor:
    """Return images, uint8 [H, W, 3], as the network's input, float32 [N, 3, h, w]."""
    inputs = [
        torch.from_numpy(normalize(prepare(image, task.preprocessing), task.preprocessing))
        for image in images
    ]
    return torch.stack(inputs).permute(0, 3, 1, 2)
