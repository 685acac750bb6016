"""Resampling of a map: every mode of interpolation, and averages over cells of unequal size.

All of them are linear, and separable into height and width:

    resample(x) = R_h x R_w^T

R_h and R_w are computed by applying the function itself to the identity in float64, which covers
all modes, corner alignment, antialiasing and scales. Two cases are not replaced: bilinear and
nearest interpolation by the ratio of the sizes, which ONNX and TFLite support, and averages over
cells of equal size.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from seaformer.export.equivalents.axis_product import HEIGHT, WIDE, WIDTH, axis_product, matrix_of
from seaformer.export.equivalents.static_shapes import integers, static_shape


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Interpolate a map, see `torch.nn.functional.interpolate`."""
    sides = static_shape(input)[2:]
    options: dict[str, Any] = {"mode": mode, "align_corners": align_corners, "antialias": antialias}
    if len(sides) == 1 and mode in ("nearest-exact", "area"):
        column = None if size is None else (*integers(_pair(size)[:1]), 1)
        factors = None if scale_factor is None else (_pair(scale_factor)[0], 1.0)
        return interpolate(
            input.unsqueeze(-1), column, factors, mode, None, recompute_scale_factor
        ).squeeze(-1)
    if len(sides) != 2:
        return F.interpolate(
            input,
            size,
            scale_factor,
            recompute_scale_factor=recompute_scale_factor,
            **options,
        )
    if size is not None:
        sizes = integers(_pair(size))
        scales: Sequence[float | None] = (None, None)
    else:
        given = tuple(float(scale) for scale in _pair(scale_factor))
        sizes = tuple(int(side * scale) for side, scale in zip(sides, given, strict=True))
        scales = given
    by_ratio = recompute_scale_factor or all(
        scale is None or new == side * scale
        for side, scale, new in zip(sides, scales, sizes, strict=True)
    )
    multiples = all(new % side == 0 for side, new in zip(sides, sizes, strict=True))
    if by_ratio and mode == "nearest-exact" and multiples:
        return F.interpolate(input, sizes, mode="nearest")
    if by_ratio and mode in ("nearest", "bilinear") and not antialias:
        return F.interpolate(input, sizes, **options)
    for axis, side, new, scale in zip((HEIGHT, WIDTH), sides, sizes, scales, strict=True):

        def resample(x: Tensor, new: int = new, scale: float | None = scale) -> Tensor:
            if by_ratio or scale is None or mode == "area":
                return F.interpolate(x, (new, WIDE), **options)
            return F.interpolate(x, scale_factor=(scale, 1.0), **options)

        input = axis_product(input, matrix_of(resample, side), axis)
    return input


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Average over a grid of cells, see `torch.nn.functional.adaptive_avg_pool2d`."""
    sides = static_shape(input)[-2:]
    sizes: Any = cells(output_size, sides)
    if input.dim() != 4 or divides(sizes, sides):
        return F.adaptive_avg_pool2d(input, sizes)
    for axis, side, new in zip((HEIGHT, WIDTH), sides, sizes, strict=True):

        def average(x: Tensor, new: int = new) -> Tensor:
            return F.adaptive_avg_pool2d(x, (new, WIDE))

        input = axis_product(input, matrix_of(average, side), axis)
    return input


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Average over cells of a line, see `torch.nn.functional.adaptive_avg_pool1d`."""
    return adaptive_avg_pool2d(input.unsqueeze(-1), (_pair(output_size)[0], 1)).squeeze(-1)


def cells(output_size: Any, sides: Sequence[int]) -> tuple[int, ...]:
    """Number of cells of adaptive pooling along each side; None keeps the side."""
    wanted = zip(_pair(output_size), sides, strict=True)
    return integers(side if new is None else new for new, side in wanted)


def divides(sizes: Sequence[int], sides: Sequence[int]) -> bool:
    """Whether all cells have the same size."""
    return all(side % new == 0 for new, side in zip(sizes, sides, strict=True))


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[-1]) if isinstance(value, tuple | list) else (value, value)
