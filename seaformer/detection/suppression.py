"""Non-maximum suppression within each class."""

import numpy as np
import numpy.typing as npt


def suppress(
    boxes: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    classes: npt.NDArray[np.integer],
    iou_threshold: float,
    most: int,
) -> npt.NDArray[np.intp]:
    """Return the indices of the boxes that stay, highest score first.

    A box is removed if it overlaps a box that stays, of the same class and with a higher score, by
    an intersection over union above `iou_threshold`. Of equal scores, the first counts as higher.

    Args:
        boxes: [N, 4]; x0, y0, x1, y1.
        scores: [N].
        classes: [N].
        iou_threshold: 0..1.
        most: maximum number of indices.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while order.size and len(kept) < most:
        best, order = order[0], order[1:]
        kept.append(best)
        overlaps = intersection_over_union(boxes[best], boxes[order]) > iou_threshold
        order = order[~(overlaps & (classes[order] == classes[best]))]
    return np.asarray(kept, np.intp)


def intersection_over_union(
    box: npt.NDArray[np.float32], others: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the intersection over union of a box [4] and each of the others [N, 4], 0..1.

    It is NaN if both boxes are empty.
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    intersection = np.maximum(sides, 0).prod(axis=1)
    union = _area(box) + _area(others) - intersection
    with np.errstate(invalid="ignore"):
        return np.asarray(intersection / union)


def _area(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))
