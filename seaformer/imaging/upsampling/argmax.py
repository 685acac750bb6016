"""The arg-max over classes of bilinearly upsampled logits, without upsampling the logits.

The mask of a segmentation network is `resize(logits).argmax()`, which interpolates every class at
every pixel, although almost everywhere only a few classes can win. This module finds those first.

**The expression.** Output `d` of `outputs` lies at `t = sources / outputs * (d + 0.5) - 0.5` in
source coordinates (`align_corners=False`), between two sources with the weights `1 - w` and `w`,
where `w` is the fraction of t; beyond the first or last source, it has the value of that source. A
pixel thus lies in a cell between two rows and two columns. The value of a class at the pixel, in
float32 and rounded at every step, is

    E(a, b, c, d) = (1 - v) * ((1 - w) * a + w * b) + v * ((1 - w) * c + w * d)

where a, b, c, d are the logits of the class at the corners of the cell. The mask is the lowest
class with the largest E, exactly as if all classes were evaluated.

**The skip rule.** Within a cell, the values of a class lie between the minimum and the maximum over
its corners. With

    m = max over classes of (min over corners)

a class whose corners are all below m loses everywhere in the cell to the class that attains m. A
cell with a single remaining class is filled. (The same holds for the corners of larger regions,
which argmax.c uses to reject most classes early.) If skipping costs more than it saves, as with
logits that are noise, all classes are evaluated.

**Dominated classes.** The remaining classes are compared with the class of the cell that has the
largest sum over the corners. Classes that are below it at every corner lose to it everywhere in the
cell. Networks have many such classes: the logits of similar classes rise and fall together, so that
they reach m at one corner but never exceed the best class among them.

**Why rounding does not break the rule.** Weights are not negative and rounding is monotone, so E is
monotone in every corner, in floating point too. Let g(x) = E(x, x, x, x). If no corner of class k
is above M and none of class j is below m, then E_k <= g(M) and g(m) <= E_j. g(x) is x times the sum
of the weights, a factor common to all classes, with four additional roundings: a relative error
below 5u, u = 2**-24. Hence g(M) < g(m) if m - M > 5u (|M| + |m|), for which m - M > 11u |m| is
sufficient. Classes below m - 2**-20 |m| - 1e-30 are skipped, which is 16u |m| plus an allowance for
underflow: skipped classes are strictly smaller, not even tied.

The same margin, corner by corner, is sufficient for dominated classes. E is a sum over corners of
weights, the same for all classes, times logits, each summand with four roundings: its error is at
most 4.01u times the sum of weight times |logit|. So E_k < E_j if x_j - x_k > 4.01u (|x_j| + |x_k|)
at each corner. That holds if x_k < x_j - 15u |x_j| - 1e-30, which is the margin after its own
rounding: either |x_k| <= 2 |x_j|, and 15u |x_j| is enough, or the difference exceeds |x_k| / 2.

**Effect of rounding on the result.** Compared with real arithmetic, the error of E is at most

    B = 8u max|corner| + 3u (h D_y + w D_x)        for logits [C, h, w]

where D_y, D_x are the largest differences of the class between neighbors along an axis. The first
term is for the roundings of the weights and of E (six per summand), the second for the three of t,
each relative to at most h or w. B holds for other float32 evaluations too, such as torch's, which
fuses multiply-adds in an order that depends on the memory layout. Each evaluation thus picks a
class whose real value is below the largest by at most the sum of the two classes' B, and masks
differ only where two classes are that close. If all products are exact, as for 8-bit logits and a
power of two as the scale, the masks are identical.

**Infinities** are refused like NaNs: a zero weight times an infinity is a NaN. Values larger than
2**127 are refused so that no sum overflows. (Rows of logits that no pixel depends on, which occur
only when shrinking, are not checked.) The integers of a quantized tensor are used directly: the
(positive) scale and the zero point are shared by all classes and do not change which is largest.
"""

from dataclasses import dataclass
from operator import index
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seaformer.errors import SeaformerError

MAX_CLASSES = 65536  # a class has to fit uint16
MAX_SIDE = 1 << 20  # the center of an output, d + 0.5, has to be an exact float32
MAX_LOGIT = 2.0**127  # half the largest float32
PIXELS_AT_ONCE = 1 << 14  # small enough that a batch of cells stays in cache

# Measured costs, relative to evaluating a class at one pixel as part of a whole plane:
SKIP_COST = 4  # checking whether a class can win in a cell
PIXEL_COST = 4  # evaluating a candidate at a pixel of its cell
CELL_COST = 100  # overhead of a candidate in a cell
DTYPES = ("float32", "float16", "int8", "uint8")

Layout = Literal["CHW", "HWC"]
Logits = NDArray[Any]
Mask = NDArray[np.uint8] | NDArray[np.uint16]


def upsample_argmax(logits: Logits, size: tuple[int, int], layout: Layout = "CHW") -> Mask:
    """Return the class of every pixel of logits resized bilinearly (half-pixel centers).

    Args:
        logits: finite values, [C, h, w] or [h, w, C]: float32, float16 (converted to float32), int8
            or uint8 (integers of a quantized tensor).
        size: height and width of the mask; larger than, equal to or smaller than the logits.
        layout: the order of the axes of `logits`.

    Returns:
        [height, width], uint8 for up to 256 classes, otherwise uint16. Among equal classes, the
        lowest wins.
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
    """Check the logits and return them as float32 or integers, channels first."""
    if layout not in ("CHW", "HWC"):
        raise SeaformerError(f"layout is {layout!r}; it has to be 'CHW' or 'HWC'.")
    if logits.dtype.name not in DTYPES:
        raise SeaformerError(
            f"the logits are of type {logits.dtype.name}; supported are {', '.join(DTYPES)}."
        )
    if logits.ndim != 3:
        raise SeaformerError(
            f"the logits have the shape {logits.shape}; they need the three axes "
            f"{', '.join(layout)} (no batch axis)."
        )
    planes = logits if layout == "CHW" else logits.transpose(2, 0, 1)
    classes, height, width = planes.shape
    if not 1 <= classes <= MAX_CLASSES:
        raise SeaformerError(f"there are {classes} classes; 1 to {MAX_CLASSES} are allowed.")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise SeaformerError(
            f"the logits are {height} x {width}; a side has to be 1 to {MAX_SIDE}."
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
        raise SeaformerError(f"size is {height} x {width}; a side has to be 1 to {MAX_SIDE}.")
    return height, width


def _refuse_not_finite(logits: Logits) -> None:
    if logits.dtype == np.float32 and not np.abs(logits).max() <= MAX_LOGIT:
        bad = logits[~(np.abs(logits) <= MAX_LOGIT)][0]
        raise SeaformerError(
            f"the logits contain {bad:.3g}; all have to be finite and at most {MAX_LOGIT:.3g}."
        )


@dataclass(frozen=True)
class _Axis:
    """Positions of the outputs along an axis among the points, the sources to interpolate.

    Cell i lies between points i and i + 1. The first source counts as two points if there are
    outputs before its center, and the last one if there are outputs after it; these outputs lie in
    a cell between a source and itself. Where outputs skip sources, there is a cell without outputs.
    """

    source: NDArray[np.intp]  # per point
    begin: NDArray[np.intp]  # per cell: the first of its outputs
    length: NDArray[np.intp]  # per cell: number of its outputs
    weight: NDArray[np.float32]  # per output: weight of the point after it

    @classmethod
    def of(cls, sources: int, outputs: int) -> "_Axis":
        center = np.arange(outputs, dtype=np.float32) + np.float32(0.5)
        position = np.float32(sources) / np.float32(outputs) * center - np.float32(0.5)
        before = np.minimum(np.floor(position).astype(np.intp), sources - 1)  # at least -1
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
        """Return [cells, outputs]; cells with fewer outputs than others repeat the last one."""
        steps = np.arange(self.length.max())
        return self.begin[cells, None] + np.minimum(steps, self.length[cells, None] - 1)


def _candidates(points: Logits) -> NDArray[np.bool_]:
    """Apply the skip rule: return which classes can win in which cell, [C, cells, cells]."""
    low = _over_corners(np.minimum, points)
    high = _over_corners(np.maximum, points)
    allowed: NDArray[np.bool_] = high >= _lowered(low.max(axis=0))
    return allowed


def _lowered(values: Logits) -> Logits:
    """Subtract the margin for rounding from floats; integers always differ by more than that."""
    if values.dtype != np.float32:
        return values
    lowered: Logits = values - (np.abs(values) * np.float32(2**-20) + np.float32(1e-30))
    return lowered


def _drop_dominated(
    points: Logits, candidates: NDArray[np.bool_], contested: NDArray[np.intp]
) -> None:
    """Remove from `candidates` the classes that are dominated by the one with the largest sum."""
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
    leader[cell[leads]] = k[leads]  # any one of equal classes
    reaches = np.zeros(len(k), np.bool_)
    for corner, value in zip(corners, values, strict=True):
        reaches |= value >= _lowered(flat[leader, corner])[cell]
    candidates.reshape(len(points), -1)[k, cell] = reaches


def _contested(candidates: NDArray[np.bool_], rows: _Axis, columns: _Axis) -> NDArray[np.intp]:
    """Return the number of candidates per cell, or 0 if the cell is decided or has no outputs."""
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
    """Write the winners of the contested cells, in batches."""
    cells = np.argwhere(contested)
    cells = cells[np.argsort(contested[contested > 0], kind="stable")]  # by number of candidates
    batch = max(1, PIXELS_AT_ONCE // int(rows.length.max() * columns.length.max()))
    for start in range(0, len(cells), batch):
        i, j = cells[start : start + batch].T
        _settle_cells(mask, points, _ranked(candidates[:, i, j]), (i, j), rows, columns)


def _ranked(candidates: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Convert [C, cells] to candidates by rank, [ranks, cells]; the last one is repeated."""
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

    The repetitions in `ranked` and `outputs_of` have no effect: a candidate has to be better than
    those before it, and pixels that are written twice get the same value.
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
