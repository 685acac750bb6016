"""Scales of integer weights with which no CPU kernel saturates.

x86 processors without VNNI use `vpmaddubsw`: it multiplies two unsigned activations by two signed
weights and adds both products with saturation to 16 bits. With a0, a1 <= 255 and
b = floor(32767 / 255) = 128,

    |a0 w0 + a1 w1| <= 255 max(w0+ + w1+, w0- + w1-) <= 32767    if both sums are <= b

where w+ and w- are the positive and the negative part. So a channel's scale must be at least its
largest such sum divided by b. The usual advice is to use seven bits for every weight; most channels
lose less than that, because large weights of the same sign are seldom neighbors.

The same file then gives the same result on every processor.
"""

import numpy as np
import numpy.typing as npt

LARGEST_WEIGHT = 127
LARGEST_SUM = 32767 // 255
SMALLEST_SCALE = np.finfo(np.float32).tiny
"""Smallest scale: below it, single precision has fewer digits and the bounds above do not hold, so
smaller weights are rounded to 0."""

SMALLEST_SHARE = 2.0**-12
"""Minimum scale of a channel relative to the largest scale of the tensor.

All channels of an output share one scale, so a smaller scale of the weights has no visible effect.
Qualcomm's NPU computes wrong values where input scale * weight scale / output scale is below 2^-22,
which happens for channels whose weights are all zero or nearly zero.
"""


def unsaturated_steps(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Choose the scale of each output channel.

    Args:
        weights: [channels, ...], in the order in which a kernel multiplies; for a convolution,
            [channels, height, width, inputs].

    Returns:
        [channels], above 0; round(weights / scale) lies in -127..127.
    """
    channels = weights.reshape(len(weights), -1).astype(np.float64)
    scales = _finest(channels)
    # A depth-wise convolution has one input, and its kernel accumulates in 32 bits.
    if weights.shape[-1] > 1:
        pairs = np.pad(channels, ((0, 0), (0, channels.shape[1] % 2))).reshape(len(channels), -1, 2)
        sums = np.maximum(np.maximum(pairs, 0).sum(axis=2), np.maximum(-pairs, 0).sum(axis=2))
        # Both weights of a pair may be rounded up.
        scales = np.maximum(scales, sums.max(axis=1) / (LARGEST_SUM - 1))
    return _positive(scales)


def finest_steps(
    weights: npt.NDArray[np.floating], largest: int = LARGEST_WEIGHT
) -> npt.NDArray[np.float32]:
    """Choose the scale of each output channel for kernels that cannot saturate.

    Args:
        weights: [channels, ...].
        largest: largest integer, 7 for weights of four bits.

    Returns:
        [channels], above 0; round(weights / scale) lies in -largest..largest.
    """
    return _positive(_finest(weights.reshape(len(weights), -1).astype(np.float64), largest))


def _finest(
    channels: npt.NDArray[np.float64], largest: int = LARGEST_WEIGHT
) -> npt.NDArray[np.float64]:
    return np.asarray(np.abs(channels).max(axis=1) / largest)


def _positive(scales: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    scales = np.maximum(scales, SMALLEST_SHARE * scales.max(initial=0))
    # Rounded to single precision first: a scale below its smallest number would become 0.
    rounded = scales.astype(np.float32)
    return np.where(rounded >= SMALLEST_SCALE, rounded, np.float32(1))
