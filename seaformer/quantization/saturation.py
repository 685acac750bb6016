"""Steps of integer weights with which no CPU kernel saturates.

x86 processors without VNNI use `vpmaddubsw`: it multiplies two unsigned activations by two signed
weights and adds both products with saturation to 16 bits. With a0, a1 <= 255 and
b = floor(32767 / 255) = 128,

    |a0 w0 + a1 w1| <= 255 max(w0+ + w1+, w0- + w1-) <= 32767    if both sums are <= b

where w+ and w- are the positive and the negative part. So a channel's step must be at least its
largest such sum over b. The usual advice is to use seven bits for every weight; most channels lose
less than that, since large weights of the same sign are seldom neighbors.

The same file then gives the same result on every processor.
"""

import numpy as np
import numpy.typing as npt

LARGEST_WEIGHT = 127
LARGEST_SUM = 32767 // 255
SMALLEST_STEP = np.finfo(np.float32).tiny
"""Below it, single precision has fewer digits and the bounds above do not hold: such weights are
rounded to 0."""

SMALLEST_SHARE = 2.0**-12
"""Minimum step of a channel relative to the largest step of the tensor.

All channels of an output share one step, so a finer step has no visible effect. Qualcomm's NPU
computes wrong values where input step * weight step / output step is below 2^-22, which happens for
channels whose weights are all zero or nearly zero.
"""


def unsaturated_steps(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Choose the step of each output channel.

    Args:
        weights: [channels, ...], in the order in which a kernel multiplies; for a convolution,
            [channels, height, width, inputs].

    Returns:
        [channels], above 0; round(weights / step) lies in -127..127.
    """
    channels = weights.reshape(len(weights), -1).astype(np.float64)
    steps = _finest(channels)
    # A depth-wise convolution has one input, and its kernel accumulates in 32 bits.
    if weights.shape[-1] > 1:
        pairs = np.pad(channels, ((0, 0), (0, channels.shape[1] % 2))).reshape(len(channels), -1, 2)
        sums = np.maximum(np.maximum(pairs, 0).sum(axis=2), np.maximum(-pairs, 0).sum(axis=2))
        # Both weights of a pair may be rounded up.
        steps = np.maximum(steps, sums.max(axis=1) / (LARGEST_SUM - 1))
    return _positive(steps)


def finest_steps(
    weights: npt.NDArray[np.floating], largest: int = LARGEST_WEIGHT
) -> npt.NDArray[np.float32]:
    """Choose the step of each output channel for kernels that cannot saturate.

    Args:
        weights: [channels, ...].
        largest: largest integer, 7 for weights of four bits.

    Returns:
        [channels], above 0; round(weights / step) lies in -largest..largest.
    """
    return _positive(_finest(weights.reshape(len(weights), -1).astype(np.float64), largest))


def _finest(
    channels: npt.NDArray[np.float64], largest: int = LARGEST_WEIGHT
) -> npt.NDArray[np.float64]:
    return np.asarray(np.abs(channels).max(axis=1) / largest)


def _positive(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    steps = np.maximum(steps, SMALLEST_SHARE * steps.max(initial=0))
    # Rounded to single precision first: a step below its smallest number would become 0.
    rounded = steps.astype(np.float32)
    return np.where(rounded >= SMALLEST_STEP, rounded, np.float32(1))
