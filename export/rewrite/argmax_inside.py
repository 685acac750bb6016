"""Append the arg-max to the graph, at the size of the logits or of the image.

    classes = argmax_c(logits)          mask = argmax_c(bilinear(logits, size))

This is exactly the post-processing in PyTorch, moved into the graph. Class ids are int32: GPUs and
NPUs do not support int64 and would leave the arg-max to the CPU.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.export.rewrite.sites import RewriteReport, replace
from seaformer.models.seaformer.light_head import LightHead
from seaformer.models.seaformer.network import SeaFormer
from seaformer.tasks.output_meaning import OutputMeaning

NAME = "argmax_inside"


class ArgMax(nn.Module):
    """The class with the largest logit, the lowest in a tie: [1, C, h, w] -> int32 [1, h, w].

    Args:
        size: height and width for bilinear upsampling of the logits first; None for no upsampling.
        threshold: threshold of a single channel, [1, 1, h, w] or [1, h, w], above which the class
            is 1; None for several channels.
    """

    paper_title = "arg-max"

    def __init__(self, size: tuple[int, int] | None, threshold: float | None = None) -> None:
        super().__init__()
        self.size = size
        self.threshold = threshold

    def forward(self, logits: Tensor) -> Tensor:
        """Upsample if requested, and choose the class."""
        if self.threshold is not None and logits.ndim == 3:
            logits = logits.unsqueeze(1)
        if self.size is not None:
            logits = F.interpolate(logits, self.size, mode="bilinear", align_corners=False)
        if self.threshold is not None:
            return (logits[:, 0] > self.threshold).to(torch.int32)
        return logits.argmax(1).to(torch.int32)


class DecidingHead(nn.Module):
    """The light segmentation head, followed by the arg-max.

    Forward: [1, channels, h, w] -> class ids, int32 [1, h, w], or [1, *size].
    """

    def __init__(self, head: LightHead, size: tuple[int, int] | None) -> None:
        super().__init__()
        self.fuse = head.fuse
        self.act = head.act
        self.classifier = head.classifier
        self.argmax = ArgMax(size)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of every position, and choose the class."""
        return self.argmax(self.classifier(self.act(self.fuse(x))))


def end_with_argmax(
    model: nn.Module, size: tuple[int, int] | None, meaning: OutputMeaning
) -> RewriteReport:
    """Make the model output class ids.

    Args:
        model: a segmentation model in eval mode.
        size: height and width of the mask; None for the size of the logits.
        meaning: meaning of its output, which is not class ids yet.
    """
    report = RewriteReport(NAME)
    if type(model) is SeaFormer:
        replace(model, "light_head", DecidingHead(model.light_head, size))
        report.count += 1
    else:
        # In another model with a light head, other modules may follow it.
        report.refuse("model", "it is not a SeaFormer; the arg-max follows the whole model")
        argmax = ArgMax(size, meaning.threshold)
        model.register_forward_hook(lambda _module, _inputs, logits: argmax(logits))
    return report


def end_with_int32(model: nn.Module) -> RewriteReport:
    """Convert the class ids that a model outputs to int32, [1, h, w] or [1]."""
    report = RewriteReport("class_ids_int32", 1)
    model.register_forward_hook(lambda _module, _inputs, ids: as_ids(ids).to(torch.int32))
    return report


def as_ids(ids: Tensor) -> Tensor:
    """Remove the channel axis of class ids: [1, 1, h, w] -> [1, h, w]."""
    return ids.squeeze(1) if ids.ndim in (2, 4) else ids
