"""The loss of RetinaNet, with torchvision's matcher, focal loss and L1 loss.

Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002.
"""

from typing import Any

import torch
from torch import Tensor, nn

Targets = list[tuple[Tensor, Tensor]]
"""For each image, its boxes, float32 [N, 4], left, top, right, bottom in pixels of the input, and
their classes, int64 [N]."""

FOREGROUND, BACKGROUND = 0.5, 0.4
"""An anchor is matched with a box from this intersection over union on, and is background below the
second; those in between do not count. The best anchors of a box are matched with it anyway."""


def detection_loss(model: nn.Module, output: Tensor, targets: Targets, size: Any) -> Tensor:
    """Return the sum of the focal loss and the L1 loss, each averaged over the images.

    Args:
        model: the detection network, not wrapped by Accelerate.
        output: its output, [N, anchors, classes + 4].
        targets: the boxes and classes of each of the N images.
        size: height and width of the input.
    """
    output = output.float()
    anchors: Tensor = model.anchors(tuple(size)).to(output.device)  # type: ignore[operator]
    boxes = [
        {"boxes": corners.to(output.device), "labels": classes.to(output.device)}
        for corners, classes in targets
    ]
    matched = [_matched(target["boxes"], anchors) for target in boxes]
    outputs = {"cls_logits": output[..., :-4], "bbox_regression": output[..., -4:]}
    losses: dict[str, Tensor] = model.head.compute_loss(  # type: ignore[operator, union-attr]
        boxes, outputs, [anchors] * len(boxes), matched
    )
    return torch.stack(list(losses.values())).sum()


def _matched(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Return the index of each anchor's box, or the negative number of torchvision's matcher.

    Without boxes, all anchors are background.
    """
    from torchvision.models.detection._utils import Matcher
    from torchvision.ops import box_iou

    if not len(boxes):
        return torch.full((len(anchors),), Matcher.BELOW_LOW_THRESHOLD, device=anchors.device)
    match = Matcher(FOREGROUND, BACKGROUND, allow_low_quality_matches=True)
    return match(box_iou(boxes, anchors))
