"""The arg-max over classes of bilinearly upsampled logits, without upsampling the logits.

The mask of a segmentation network is `resize(logits).argmax()`: every class is interpolated at
every pixel, though almost everywhere only a few can win. This module finds those few first.

**The expression.** Output `d` of `outputs` lies at `t = sources / outputs * (d + 0.5) - 0.5` in
source coordinates (`align_corners=False`), between two sources with the weights `1 - w` and `w`,
`w` the fraction of t; beyond the first or last source it takes the value there. So a pixel lies in
a cell between two rows and two columns. The value of a class in it is, in float32 and rounded at
every step,

    E(a, b, c, d) = (1 - v) * ((1 - w) * a + w * b) + v * ((1 - w) * c + w * d)

with a, b, c, d the logits of the class at the corners of the cell. The mask is the lowest class of
largest E: not nearly, but exactly what evaluating all classes gives.

**The skip rule.** Within a cell, the values of a class lie between the minimum and the maximum over
its corners. So with

    m = max over classes of (min over corners)

a class whose corners are all below m loses everywhere in the cell, to the class that attains m. A
cell with one class left is filled. (The same holds for the corners of larger regions, of which
argmax.c makes use to reject most classes early.) Where skipping would cost more than it saves, as
with logits that are noise, all classes are evaluated.

**Dominated classes.** What the rule leaves is compared with one class of the cell, that of the
largest sum over the corners. Classes that are below it at every corner lose to it everywhere in the
cell. A network has many such: classes that are alike rise and fall together, so they reach m at one
corner, but nowhere the best of their kind.

**Why rounding does not break the rule.** Weights are not negative and rounding is monotone, so E is
monotone in every corner, in floating point too. Let g(x) = E(x, x, x, x). If no corner of class k
is above M and none of class j below m, then E_k <= g(M) and g(m) <= E_j. g(x) is x times the sum of
the weights, a factor common to all classes, with four roundings on top: a relative error below 5u,
u = 2**-24. Hence g(M) < g(m) as soon as m - M > 5u (|M| + |m|), for which m - M > 11u |m| is
enough. Skipped is what lies below m - 2**-20 |m| - 1e-30, that is 16u |m| and room for underflow:
what is skipped is strictly smaller, not even tied.

The same margin, corner by corner, does for dominated classes. E is a sum over corners of weights,
the same for all classes, times logits, each summand with four roundings: it is off by at most 4.01u
times the sum of weight times |logit|. So E_k < E_j if x_j - x_k > 4.01u (|x_j| + |x_k|) at each
corner. That holds where x_k < x_j - 15u |x_j| - 1e-30, which is the margin after its own rounding:
either |x_k| <= 2 |x_j|, and 15u |x_j| is enough, or the difference is more than |x_k| / 2.

**What rounding does to the result.** Against real arithmetic, E is off by at most

    B = 8u max|corner| + 3u (h D_y + w D_x)        for logits [C, h, w]

with D_y, D_x the largest difference of the class between neighbours along an axis. The first term
is for the roundings of the weights and of E (six per summand), the second for the three of t, each
relative to at most h or w. B holds for other float32 evaluations too, such as torch's, which fuses
multiply-adds in an order that depends on the memory layout. So each picks a class whose real value
is below the largest by at most the sum of the two classes' B, and the masks differ only where the
two classes are that close. If all products are exact, as for 8-bit logits and a power of two as the
scale, they do not differ.

**Infinities** are refused like NaNs: a zero weight times an infinity is a NaN. So is what is larger
than 2**127, for no sum to overflow. (Rows of logits that no pixel depends on, which only shrinking
leaves, are not looked at.) The integers of a quantized tensor are taken as they are: the scale
(positive) and the zero point are shared by all classes and do not change which is largest.
"""

from dataclasses import dataclass
from operator import index
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seaformer.errors import SeaformerError

MAX_CLASSES = 65536  # a class has to fit uint16
MAX_SIDE = 1 << 20  # the centre of an output, d + 0.5, has to be an exact float32
MAX_LOGIT = 2.0**127  # half the largest float32
PIXELS_AT_ONCE = 1 << 14  # few enough for a batch of cells to stay in cache

# Measured costs, in evaluations of a class at a pixel of a whole plane of the mask:
SKIP_COST = 4  # to find out whether a class can win in a cell
PIXEL_COST = 4  # to evaluate a candidate at a pixel of its cell
CELL_COST = 100  # to set about a candidate in its cell
DTYPES = ("float32", "float16", "int8", "uint8")

Layout = Literal["CHW", "HWC"]
Logits = NDArray[Any]
Mask = NDArray[np.uint8] | NDArray[np.uint16]


def upsample_argmax(logits: Logits, size: tuple[int, int], layout: Layout = "CHW") -> Mask:
    """Return the class of every pixel of logits resized bilinearly (half-pixel centres).

    Args:
        logits: finite values, [C, h, w] or [h, w, C]: float32, float16 (taken as float32), int8 or
            uint8 (a quantized tensor as it is).
        size: height and width of the mask, larger than those of the logits, equal or smaller.
        layout: the order of the axes of `logits`.

    Returns:
        [height, width], uint8 up to 256 classes, else uint16. Of equal classes the lowest wins.
    """
    planes = _planes(logits, layout)
    height, width = _sides(size)
    rows = _Axis.of(planes.shape[1], height)
    columns = _Axis.of(planes.shape[2], width)
    points = planes.take(rows.source, axis=1)
    _refuse_not_finite(points)
    points = points.take(columns.source, axis=2)
    kind = np.dtype(np.uint8 if len(points) <= 256 else np.uint16)
    if SKIP_COST * points[0].size > height * width:
        return _evaluate_all(points, rows, columns, kind)
    candidates = _candidates(points)
    contested = _contested(candidates, rows, columns)
    cost = CELL_COST + PIXEL_COST * int(rows.length.max() * columns.length.max())
    if contested.sum() * cost > len(points) * height * width:
        return _evaluate_all(points, rows, columns, kind)
    _drop_dominated(points, candidates, contested)
    contested = _contested(candidates, rows, columns)
    first = candidates.argmax(axis=0).astype(kind)
    mask: Mask = first.repeat(rows.length, axis=0).repeat(columns.length, axis=1)
    _settle(mask, points, candidates, contested, rows, columns)
    return mask


def _planes(logits: Logits, layout: str) -> Logits:
    """Check the logits and return them as float32 or integers, channel-first."""
    if layout not in ("CHW", "HWC"):
        raise SeaformerError(f"layout is {layout!r}; it has to be 'CHW' or 'HWC'.")
    if logits.dtype.name not in DTYPES:
        raise SeaformerError(
            f"the logits are of type {logits.dtype.name}; supported are {', '.join(DTYPES)}."
        )
    if logits.ndim != 3:
        raise SeaformerError(
            f"the logits have the shape {logits.shape}; they have to have the three axes "
            f"{', '.join(layout)} (no batch axis)."
        )
    planes = logits if layout == "CHW" else logits.transpose(2, 0, 1)
    classes, height, width = planes.shape
    if not 1 <= classes <= MAX_CLASSES:
        raise SeaformerError(f"there are {classes} classes; 1 to {MAX_CLASSES} are possible.")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise SeaformerError(
            f"the logits are {height} x {width}; a side has to be 1 to {MAX_SIDE} long."
        )
    if planes.dtype == np.float16:
        planes = planes.astype(np.float32)
    return np.ascontiguousarray(planes)


def _sides(size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (index(side) for side in size)
    except (TypeError, ValueError):
        raise SeaformerError(f"size is {size!r}; it has to be a height and a width.") from None
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise SeaformerError(f"size is {height} x {width}; a side has to be 1 to {MAX_SIDE} long.")
    return height, width


def _refuse_not_finite(logits: Logits) -> None:
    if logits.dtype == np.float32 and not np.abs(logits).max() <= MAX_LOGIT:
        bad = logits[~(np.abs(logits) <= MAX_LOGIT)][0]
        raise SeaformerError(
            f"there is {bad:.3g} among the logits; all have to be finite, and not larger than "
            f"{MAX_LOGIT:.3g}."
        )


@dataclass(frozen=True)
class _Axis:
    """How the outputs along an axis lie among the points, the sources that are interpolated.

    Cell i lies between points i and i + 1. The first source is two points if there are outputs
    before its centre, the last one if there are outputs after it: they lie in a cell between a
    source and itself. Where outputs skip sources there is a cell without outputs.
    """

    source: NDArray[np.intp]  # per point
    begin: NDArray[np.intp]  # per cell: the first of its outputs
    length: NDArray[np.intp]  # per cell: how many outputs it has
    weight: NDArray[np.float32]  # per output: of the point after it

    @classmethod
    def of(cls, sources: int, outputs: int) -> "_Axis":
        centre = np.arange(outputs, dtype=np.float32) + np.float32(0.5)
        position = np.float32(sources) / np.float32(outputs) * centre - np.float32(0.5)
        before = np.minimum(np.floor(position).astype(np.intp), sources - 1)  # from -1 on
        weight = np.minimum(position - before.astype(np.float32), np.float32(1))
        weight[before < 0] = 0
        point = np.union1d(before, before + 1)
        cell = np.searchsorted(point, before)
        cells = len(point) - 1
        return cls(
            source=point.clip(0, sources - 1),
            begin=np.searchsorted(cell, np.arange(cells)),
            length=np.bincount(cell, minlength=cells),
            weight=weight,
        )

    def outputs_of(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return [cells, outputs]; cells with fewer outputs than others repeat their last one."""
        steps = np.arange(self.length.max())
        return self.begin[cells, None] + np.minimum(steps, self.length[cells, None] - 1)


def _candidates(points: Logits) -> NDArray[np.bool_]:
    """Apply the skip rule: which classes can win in which cell, [C, cells, cells]."""
    low = _over_corners(np.minimum, points)
    high = _over_corners(np.maximum, points)
    allowed: NDArray[np.bool_] = high >= _lowered(low.max(axis=0))
    return allowed


def _lowered(values: Logits) -> Logits:
    """Subtract the margin for rounding. Integers differ by more than that in any case."""
    if values.dtype != np.float32:
        return values
    lowered: Logits = values - (np.abs(values) * np.float32(2**-20) + np.float32(1e-30))
    return lowered


def _drop_dominated(
    points: Logits, candidates: NDArray[np.bool_], contested: NDArray[np.intp]
) -> None:
    """Take out of `candidates` what is below the one of the largest sum, at all corners."""
    k, cell = np.nonzero((candidates & (contested > 0)).reshape(len(points), -1))
    i, j = np.divmod(np.arange(contested.size), contested.shape[1])
    sources = points.shape[2]
    corners = [(i + below) * sources + j + right for below in (0, 1) for right in (0, 1)]
    flat = points.reshape(len(points), -1)
    values = [flat[k, corner[cell]] for corner in corners]
    sums = np.sum(values, axis=0, dtype=np.float64)
    largest = np.full(contested.size, -np.inf)
    np.maximum.at(largest, cell, sums)
    leads = sums == largest[cell]
    leader = np.zeros(contested.size, np.intp)
    leader[cell[leads]] = k[leads]  # of equal ones any
    reaches = np.zeros(len(k), np.bool_)
    for corner, value in zip(corners, values, strict=True):
        reaches |= value >= _lowered(flat[leader, corner])[cell]
    candidates.reshape(len(points), -1)[k, cell] = reaches


def _contested(candidates: NDArray[np.bool_], rows: _Axis, columns: _Axis) -> NDArray[np.intp]:
    """Return the number of candidates per cell, or 0 if there is nothing to decide."""
    count = np.count_nonzero(candidates, axis=0)
    has_outputs = (rows.length[:, None] > 0) & (columns.length > 0)
    return np.where((count > 1) & has_outputs, count, 0)


def _over_corners(extreme: np.ufunc, points: Logits) -> Logits:
    rows = extreme(points[:, :-1], points[:, 1:])
    cells: Logits = extreme(rows[:, :, :-1], rows[:, :, 1:])
    return cells


def _evaluate_all(points: Logits, rows: _Axis, columns: _Axis, kind: np.dtype[Any]) -> Mask:
    """Evaluate every class at every pixel."""
    above = np.arange(len(rows.length)).repeat(rows.length)
    left = np.arange(len(columns.length)).repeat(columns.length)
    v, w = rows.weight[:, None], columns.weight
    winner = np.zeros((len(above), len(left)), kind)
    best = np.full(winner.shape, -np.inf, np.float32)
    for k, plane in enumerate(points.astype(np.float32, copy=False)):
        strips = (1 - w) * plane.take(left, axis=1) + w * plane.take(left + 1, axis=1)
        value = (1 - v) * strips.take(above, axis=0) + v * strips.take(above + 1, axis=0)
        np.copyto(winner, k, where=value > best)
        np.maximum(best, value, out=best)
    return winner


def _settle(
    mask: Mask,
    points: Logits,
    candidates: NDArray[np.bool_],
    contested: NDArray[np.intp],
    rows: _Axis,
    columns: _Axis,
) -> None:
    """Write the winners of the contested cells, batch by batch."""
    cells = np.argwhere(contested)
    cells = cells[np.argsort(contested[contested > 0], kind="stable")]  # alike ones go together
    batch = max(1, PIXELS_AT_ONCE // int(rows.length.max() * columns.length.max()))
    for start in range(0, len(cells), batch):
        i, j = cells[start : start + batch].T
        _settle_cells(mask, points, _ranked(candidates[:, i, j]), (i, j), rows, columns)


def _ranked(candidates: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Turn [C, cells] into the candidates by rank, [ranks, cells]: the last one is repeated."""
    _, classes = np.nonzero(candidates.T)
    count = np.count_nonzero(candidates, axis=0)
    end = np.cumsum(count)
    ranks = np.arange(count.max())[:, None]
    ranked: NDArray[np.intp] = classes[end - count + np.minimum(ranks, count - 1)]
    return ranked


def _settle_cells(
    mask: Mask,
    points: Logits,
    ranked: NDArray[np.intp],
    cells: tuple[NDArray[np.intp], NDArray[np.intp]],
    rows: _Axis,
    columns: _Axis,
) -> None:
    """Evaluate candidates as arrays [cells, outputs, outputs].

    The repetitions in `ranked` and `outputs_of` change nothing: a candidate has to be better than
    those before it, and pixels written twice are written alike.
    """
    i, j = cells
    y, x = rows.outputs_of(i)[:, :, None], columns.outputs_of(j)[:, None, :]
    v, w = rows.weight[y], columns.weight[x]
    winner = mask[y, x]  # the first candidate
    best = np.full(winner.shape, -np.inf, np.float32)
    for k in ranked:
        a, b, c, d = (
            points[k, i + below, j + right].astype(np.float32)[:, None, None]
            for below in (0, 1)
            for right in (0, 1)
        )
        value = (1 - v) * ((1 - w) * a + w * b) + v * ((1 - w) * c + w * d)
        np.copyto(winner, k.astype(mask.dtype)[:, None, None], where=value > best)
        np.maximum(best, value, out=best)
    mask[y, x] = winner
