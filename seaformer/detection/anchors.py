"""The anchors that boxes are relative to, equal to those of torchvision's `AnchorGenerator`."""

import numpy as np
import numpy.typing as npt

from seaformer.artifact.detection_output import AnchorLevel


def anchors_at(level: AnchorLevel, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Return the anchors of these indices within a level.

    Returns:
        float32 [N, 4]; x0, y0, x1, y1 in pixels of the input.
    """
    centered = _centered(level)
    cells, shapes = np.divmod(indices, len(centered))
    rows, columns = np.divmod(cells, level.grid[1])
    x, y = columns * level.stride[1], rows * level.stride[0]
    return centered[shapes] + np.stack([x, y, x, y], axis=1).astype(np.float32)


def _centered(level: AnchorLevel) -> npt.NDArray[np.float32]:
    """Return the anchors of one position, relative to it, ordered by aspect ratio, then by size."""
    heights = np.sqrt(np.asarray(level.aspect_ratios, np.float32))[:, None]
    sizes = np.asarray(level.sizes, np.float32)
    h, w = (heights * sizes).ravel(), (1 / heights * sizes).ravel()
    return np.round(np.stack([-w, -h, w, h], axis=1) / 2)
