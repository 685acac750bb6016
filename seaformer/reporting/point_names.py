"""Placing the names of points in a plot: close to the point, without overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seaformer.reporting.plots import Label, Position, line

_LETTER_WIDTH, _HEIGHT = 7.2, 15.0
"""Width of a character in the widest font, and height of a line, in pixels."""

_CLEARANCE = 9.0
"""Radius in pixels around a point that names must not cover."""

_NEAR = 8.0
"""Distance in pixels beyond that radius up to which a name needs no line to its point."""

_GRID = 3.0
"""Distance in pixels between candidate positions."""


@dataclass(frozen=True)
class Frame:
    """The smallest plot size of a page layout, in pixels; `name` is its CSS class in the theme."""

    name: str
    width: float
    height: float


WIDE = Frame("wide", 540, 400)
NARROW = Frame("narrow", 300, 520)


def place_names(
    names: Sequence[str],
    positions: Sequence[Position],
    frame: Frame,
    obstacles: Sequence[Position] = (),
) -> list[tuple[Label, str]]:
    """Return the label of each point, and the path of the line to its point; "" if it is close.

    One after the other, each name gets the free position nearest to its point. In a plot that is
    larger than its frame, names keep their size and therefore still do not overlap.

    Args:
        names: names of the points.
        positions: positions of the points, in percent of the plot.
        frame: frame of the plot.
        obstacles: further positions that names must not cover.
    """
    size = np.array([frame.width, frame.height])
    points = np.array(positions).reshape(-1, 2) / 100 * size
    not_covered = np.array([*positions, *obstacles]).reshape(-1, 2) / 100 * size
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    found = []
    for name, point in zip(names, points, strict=True):
        half = np.array([len(name) * _LETTER_WIDTH, _HEIGHT]) / 2
        middles = _grid(half, size)
        covers = (
            (np.abs(middles[:, None] - not_covered) < half + _CLEARANCE).all(axis=2).any(axis=1)
        )
        for other, other_half in taken:
            covers |= (np.abs(middles - other) < half + other_half).all(axis=1)
        away = np.maximum(np.abs(middles - point) - half, 0)
        # Among similarly close positions, the one to the right of the point is easiest to read.
        beside = 0.3 * np.abs(middles[:, 1] - point[1]) + 4 * (middles[:, 0] < point[0])
        cost = np.hypot(*away.T) + beside + np.where(covers, 1e6, 0)
        best = middles[int(np.argmin(cost))]
        taken.append((best, half))
        found.append(_label(name, point, best, half, frame))
    return found


def _grid(half: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return candidate positions for the center of a name within the plot, [N, 2]."""
    across, down = (
        np.arange(low, max(high, low) + 0.1, _GRID)
        for low, high in zip(half, size - half, strict=True)
    )
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)


def _label(
    name: str, point: np.ndarray, middle: np.ndarray, half: np.ndarray, frame: Frame
) -> tuple[Label, str]:
    """Anchor the name at the side that is nearest to its point."""
    size = np.array([frame.width, frame.height])
    left, right = middle[0] - half[0], middle[0] + half[0]
    anchor = "start" if left > point[0] else "end" if right < point[0] else "middle"
    anchor_x = {"start": left, "end": right, "middle": middle[0]}[anchor]
    x, y = np.round(100 * np.array([anchor_x, middle[1]]) / size, 2)
    label = Label(name, float(x), float(y), f"{frame.name} {anchor}")
    nearest = np.clip(point, middle - half, middle + half)
    if np.hypot(*(nearest - point)) <= _CLEARANCE + _NEAR:
        return label, ""
    ends = np.round(100 * np.array([point, nearest]) / size, 2)
    return label, line([(float(x), float(y)) for x, y in ends])
