"""Average precision of a detection network during training, with the preprocessing of a device."""

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from seaformer.datasets import Boxes
from seaformer.detection.decoding import decode
from seaformer.detection.detections import Detections
from seaformer.evaluation.average_precision import DetectionScores
from seaformer.tasks import Task
from seaformer.training.scenes import Scenes
from seaformer.training.validation import BATCH_SIZE, prepared


def validate_boxes(
    model: nn.Module, scenes: Scenes, task: Task, accelerator: Accelerator
) -> DetectionScores:
    """Evaluate a network on the validation images, which are distributed over all processes.

    `model` is not wrapped, is on the device of `accelerator`, and is left in eval mode. The scores
    that it returns cover all images, and are the same in every process.
    """
    mine = range(accelerator.process_index, len(scenes), accelerator.num_processes)
    outcomes: list[tuple[int, Boxes, Detections]] = []
    for start in range(0, len(mine), BATCH_SIZE):
        places = mine[start : start + BATCH_SIZE]
        images = [scenes[index] for index in places]
        with accelerator.autocast():
            found = predict_boxes(model, images, task, accelerator.device)
        for index, (_, truth), detections in zip(places, images, found, strict=True):
            outcomes.append((index, truth, detections))
    if accelerator.num_processes > 1:
        outcomes = gather_object(outcomes)
    outcomes.sort(key=lambda outcome: outcome[0])
    return DetectionScores(
        [truth for _, truth, _ in outcomes],
        [detections for _, _, detections in outcomes],
        task.num_classes,
    )


@torch.no_grad()
def predict_boxes(
    model: nn.Module,
    images: list[tuple[npt.NDArray[np.uint8], Boxes]],
    task: Task,
    device: torch.device,
) -> list[Detections]:
    """Return the detections of each image; `model` is on `device`, and is left in eval mode."""
    model.eval()
    size = task.preprocessing.input_size
    described = model.detection_output(size)  # type: ignore[operator]
    outputs = model(prepared([image for image, _ in images], task).to(device)).float().cpu().numpy()
    return [
        decode(output[None], described, size, truth.size)
        for output, (_, truth) in zip(outputs, images, strict=True)
    ]
