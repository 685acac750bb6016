"""Average precision of a detection network during training, preprocessed as when deployed."""

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
from seaformer.training.validation import predictions, prepared


def validate_boxes(
    model: nn.Module, scenes: Scenes, task: Task, accelerator: Accelerator
) -> DetectionScores:
    """Evaluate a network on the validation images, which are distributed over all processes.

    `model` is not wrapped by Accelerate, is on the device of `accelerator`, and is left in eval
    mode. The scores are those of all images, and the same in every process.
    """
    outcomes = list(predictions(predict_boxes, model, scenes, task, accelerator))
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
