"""Multi-resolution distillation: a student that sees a smaller image learns from a teacher.

SeaFormer++ (Wan et al., IJCV 2025, arXiv 2301.13156v6) proposes "a feature upsampling-based
multi-resolution distillation". From the paper: the teacher sees the image at full size and the
student a smaller one; a light module upsamples the student's features to the teacher's; the loss is
the sum of four terms, which are the student's loss on the labels, the loss of the teacher's own
head on the upsampled features, the similarity of the features, and the similarity of the outputs.

The code of the paper is not published (fudan-zvg/SeaFormer, issue 40), and its details were not
available when this was written. Chosen here:

- The features are the input of the classifier, the layer that computes the logits; the head is that
  layer. All networks with one such layer have both.
- The student's image is shrunk bilinearly with antialiasing, as on a device. The labels keep their
  full size.
- The light module is bilinear upsampling and one MobileNetV2 block. It is used in training only:
  the deployed network is the plain student, whose own classifier is trained by the first and the
  last term.
- Features are compared by their cosine at each position, outputs by the Kullback-Leibler divergence
  of the student's classes from the teacher's at each position, without a temperature.
- All four terms have the weight 1.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.convolution import InvertedResidual
from seaformer.models.seaformer.variants import InvertedResidualSpec
from seaformer.tasks import Task
from seaformer.training.loss import segmentation_loss
from seaformer.training.objective import OBJECTIVES, Objective
from seaformer.training.teacher import Teacher, features_and_logits

TERMS = ("labels", "teacher_head", "features", "outputs")
"""Names of the terms of the loss, in their order."""

EXPANSION = 2
"""Expansion of the MobileNetV2 block of the upsampler."""


class Student(nn.Module):
    """A network that is trained on images shrunk to the size of its deployment.

    Forward: normalized images, float32 [N, 3, H, W] -> the logits of `network` for the images
    shrunk to `size`.

    Attributes:
        network: the network that is validated, saved and deployed.
        size: height and width of its images, in pixels.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.size = size

    def shrunk(self, images: Tensor) -> Tensor:
        """Shrink images to `size` as Pillow and the preprocessing on devices do."""
        return F.interpolate(images, self.size, mode="bilinear", antialias=True)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits for the shrunk images."""
        logits: Tensor = self.network(self.shrunk(images))
        return logits

    @staticmethod
    def prefixed(names: Iterable[str]) -> tuple[str, ...]:
        """Return the names of tensors of `network` as names of tensors of this module."""
        return tuple(f"network.{name}" for name in names)


class Upsampler(nn.Module):
    """Bilinear upsampling and a MobileNetV2 block.

    Forward: features [N, channels, h, w], and a height and a width -> [N, out_channels, height,
    width].
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        spec = InvertedResidualSpec(kernel=3, expansion=EXPANSION, channels=out_channels, stride=1)
        self.block = InvertedResidual(channels, spec)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Upsample features to a height and a width."""
        upsampled: Tensor = self.block(
            F.interpolate(features, size, mode="bilinear", align_corners=False)
        )
        return upsampled


class Outputs(NamedTuple):
    """What student and teacher compute for a batch; `C` is the number of the teacher's channels.

    Attributes:
        logits: of the student, [N, classes, h, w].
        teacher_head_logits: of the teacher's classifier on `features`, [N, classes, H, W].
        features: of the student, upsampled, [N, C, H, W].
        teacher_features: of the teacher, [N, C, H, W], without gradient.
        teacher_logits: of the teacher, [N, classes, H, W], without gradient.
    """

    logits: Tensor
    teacher_head_logits: Tensor
    features: Tensor
    teacher_features: Tensor
    teacher_logits: Tensor


class Distillation(Student):
    """A student with the upsampler of its features, and its teacher, which is not trained.

    Forward: normalized images of the teacher's size, float32 [N, 3, H, W] -> `Outputs`.
    """

    def __init__(
        self, network: nn.Module, size: tuple[int, int], classifier: str, teacher: Teacher
    ) -> None:
        """Take a student with the name of its classifier, see `teacher.classifier_layer`."""
        super().__init__(network, size)
        self.classifier = classifier
        # It is not a module, so that its weights are neither trained nor saved.
        self.teacher = teacher
        channels = network.get_submodule(classifier).in_channels
        self.upsampler = Upsampler(channels, teacher.channels)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Outputs:  # type: ignore[override]
        """Run student and teacher on the same images."""
        features, logits = features_and_logits(self.network, self.classifier, self.shrunk(images))
        teacher_features, teacher_logits = self.teacher.features_and_logits(images)
        height, width = teacher_features.shape[2:]
        upsampled = self.upsampler(features, (height, width))
        return Outputs(
            logits,
            self.teacher.classify(upsampled),
            upsampled,
            teacher_features,
            teacher_logits,
        )


def distillation_loss(outputs: Outputs, masks: Tensor) -> Tensor:
    """Return the four terms of the loss, float32 [4], in the order of `TERMS`.

    `masks` are int64 [N, H, W], of any size, class indices or `IGNORED`.
    """
    return torch.stack(
        [
            segmentation_loss(outputs.logits, masks),
            segmentation_loss(outputs.teacher_head_logits, masks),
            _feature_distance(outputs.features, outputs.teacher_features),
            _output_divergence(outputs.logits, outputs.teacher_logits),
        ]
    )


def _feature_distance(features: Tensor, teacher_features: Tensor) -> Tensor:
    """Return 1 minus the cosine of the features, 0..2, averaged over all positions."""
    return 1 - F.cosine_similarity(features.float(), teacher_features.float(), dim=1).mean()


def _output_divergence(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence from the teacher's classes, averaged over positions.

    The student's logits are resized to the teacher's grid.
    """
    resized = F.interpolate(
        logits.float(), teacher_logits.shape[2:], mode="bilinear", align_corners=False
    )
    total = F.kl_div(
        resized.log_softmax(1), teacher_logits.float().log_softmax(1), reduction="sum",
        log_target=True,
    )  # fmt: skip
    return total / (teacher_logits.numel() // teacher_logits.shape[1])


def objective_of(model: nn.Module, task: Task) -> Objective:
    """Return the objective that a network, or a student, is trained with."""
    usual = OBJECTIVES[task.kind]
    if not isinstance(model, Distillation):
        return usual

    def loss(_model: nn.Module, outputs: Outputs, masks: Tensor, _size: object) -> Tensor:
        return distillation_loss(outputs, masks.to(outputs.logits.device, non_blocking=True))

    return replace(usual, loss=loss, terms=TERMS)


def deployed_network(model: nn.Module) -> nn.Module:
    """Return the network that is validated, saved and deployed."""
    return model.network if isinstance(model, Student) else model
