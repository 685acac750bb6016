"""The parts of training that differ between the kinds of tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import default_collate

from seaformer.tasks import Task
from seaformer.training.augmentation import augment
from seaformer.training.box_augmentation import augment_boxes
from seaformer.training.detection_loss import detection_loss
from seaformer.training.detection_validation import predict_boxes, validate_boxes
from seaformer.training.loss import segmentation_loss
from seaformer.training.recipe import Recipe
from seaformer.training.scenes import Scenes
from seaformer.training.validation import predict, validate

Batch = tuple[Tensor, Any]
"""Normalized images, float32 [N, 3, h, w], and their targets in the form that `loss` takes."""

Augment = Callable[[Any, Any, Task, Recipe, np.random.Generator], Sequence[npt.NDArray[Any]]]


@dataclass(frozen=True)
class Objective:
    """What a network learns from the images of one kind of task.

    Attributes:
        augment: makes a training example from an image and its annotation. The example consists of
            arrays, the first of which is the image.
        collate: makes a batch from a list of examples, which are tuples of tensors.
        loss: computes the loss from the network, its output, the targets of a batch, and the height
            and width of its images: a scalar, or its `terms`, [terms], which add up.
        validate: evaluates a network on validation images; returns the scores.
        predict: returns what a network finds in images with annotations: masks or detections.
        score: the score, 0..1, that decides which weights are the best; NaN without annotations.
        unlabeled: the reason if there is no score, worded as the start of a sentence.
        terms: names of the terms of the loss; empty if it is a scalar.
    """

    augment: Augment
    collate: Callable[[list[Any]], Batch]
    loss: Callable[[nn.Module, Any, Any, Any], Tensor]
    validate: Callable[[nn.Module, Scenes, Task, Accelerator], Any]
    predict: Callable[[nn.Module, list[Any], Task, torch.device], Sequence[Any]]
    score: Callable[[Any], float]
    unlabeled: str
    terms: tuple[str, ...] = ()


def _segmentation_loss(_model: nn.Module, output: Tensor, masks: Tensor, _size: Any) -> Tensor:
    return segmentation_loss(output, masks.to(output.device, non_blocking=True))


def _collate_boxes(examples: list[tuple[Tensor, Tensor, Tensor]]) -> Batch:
    images = torch.stack([image for image, _, _ in examples])
    return images, [(corners, classes) for _, corners, classes in examples]


OBJECTIVES: Mapping[str, Objective] = {
    "segmentation": Objective(
        augment=augment,
        collate=default_collate,
        loss=_segmentation_loss,
        validate=validate,
        predict=predict,
        score=attrgetter("miou"),
        unlabeled="every pixel of the validation masks is ignored",
    ),
    "detection": Objective(
        augment=augment_boxes,
        collate=_collate_boxes,
        loss=detection_loss,
        validate=validate_boxes,
        predict=predict_boxes,
        score=attrgetter("ap"),
        unlabeled="the validation images have no boxes",
    ),
}
"""Kind of the task -> its objective; networks for other kinds cannot be trained here."""
