"""The segmentation loss of the official code."""

from torch import Tensor
from torch.nn import functional as F

from seaformer.datasets.masks import IGNORED


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits upsampled to the size of the masks.

    As in mmsegmentation by default (`avg_non_ignore=False`), the sum over the pixels that are not
    ignored is divided by the number of all pixels. The weight of an image is thus independent of
    the distribution of images over processes.

    Logits [N, classes, h, w] and masks int64 [N, H, W], class indices or `IGNORED` -> float32
    scalar.
    """
    classes = logits.shape[1]
    full = F.interpolate(logits.float(), masks.shape[1:], mode="bilinear", align_corners=False)
    # With classes last, the softmax runs over adjacent values and takes a third less time.
    per_pixel = full.permute(0, 2, 3, 1).reshape(-1, classes)
    total = F.cross_entropy(per_pixel, masks.flatten(), ignore_index=IGNORED, reduction="sum")
    return total / masks.numel()
