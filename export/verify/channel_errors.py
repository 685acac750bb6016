"""Per-channel errors: a single SQNR for all channels is dominated by the largest of them.

A channel's error is compared with its spread, the standard deviation of its values over positions
and inputs. Nearly constant channels, for example of a class absent from the images, would always
fail, so the spread of a typical channel is the lower bound, and a share of the channel's own size:

    SQNR(c) = 10 log10(max(spread(c), typical, 0.002 rms(c))^2 / mean error(c)^2)

Rounding errors grow with the size of the values: XNNPACK adds the products of a convolution to its
bias one by one, so that each addition is rounded at the size of the bias, however small the
products.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import ChannelError

ALLOWANCE_DB, ALLOWANCE_OF_INTEGERS_DB = 30.0, 10.0
"""How far a single channel may be below the threshold for all channels together."""

MARGIN_DB = 6.0
"""How far the worst channel of a file may always be below the worst channel of PyTorch's float32.
"""

LOWEST_DB = 30.0
"""Lowest threshold of a channel in floating point."""

LISTED = 5
"""Number of the worst channels to record."""

TYPICAL = 0.25
"""Quantile of the spreads that counts as typical: this share of channels may be nearly constant."""

MIN_TYPICAL_SHARE = 1e-3
"""Lower bound of the typical spread as a share of the root mean square of all values."""

LEAST_OF_OWN = 2e-3
"""Lower bound of the spread of a channel as a share of its own root mean square. At the threshold
of single precision, 70 dB, it allows the rounding of sums of some 700 products to a large bias."""


class ChannelErrors:
    """The errors of each channel of an output, summed input by input."""

    def __init__(self) -> None:
        self._sums: npt.NDArray[np.float64] = np.zeros((4, 1))

    def add(self, reference: npt.NDArray[np.floating], output: npt.NDArray[np.floating]) -> None:
        """Add an input's reference and output, [channels, ...]."""
        expected = reference.reshape(len(reference), -1).astype(np.float64)
        errors = expected - output.reshape(expected.shape)
        terms = [np.ones_like(expected), expected, np.square(expected), np.square(errors)]
        self._sums = self._sums + np.array([term.sum(axis=1) for term in terms])

    def sqnr_db(self) -> npt.NDArray[np.float64]:
        """The SQNR of each channel in dB; 300 means no error."""
        count, values, squares, errors = self._sums
        variance = np.maximum(squares / count - np.square(values / count), 0)
        least = MIN_TYPICAL_SHARE**2 * (squares / count).mean()
        typical = max(np.quantile(variance, TYPICAL), least, 1e-300)
        signal = np.maximum(np.maximum(variance, typical), LEAST_OF_OWN**2 * squares / count)
        ratios = np.divide(
            signal, errors / count, out=np.full(signal.shape, 1e30), where=errors > 0
        )
        return np.asarray(np.clip(10 * np.log10(ratios), -300, 300))

    def worst(self) -> tuple[ChannelError, ...]:
        """At most `LISTED` of the worst channels, worst first."""
        if not self._sums[0].any():  # class ids have no errors
            return ()
        sqnr_db = self.sqnr_db()
        return tuple(
            ChannelError(channel=int(place), sqnr_db=round(float(sqnr_db[place]), 2))
            for place in np.argsort(sqnr_db, kind="stable")[:LISTED]
        )


def min_channel_db(
    min_sqnr_db: float,
    is_quantized: bool,
    in_float32: Sequence[ChannelError] = (),
    float32_db: float | None = None,
) -> float:
    """Return the threshold per channel if all channels together have to reach `min_sqnr_db`.

    A network whose output hardly depends on the image, as with some random weights, has a small
    spread in every channel. Compared with PyTorch's own float32, a channel of the file may have as
    much more noise as all channels together may have.

    Args:
        min_sqnr_db: threshold for all channels together.
        is_quantized: whether the precision of the file is quantized.
        in_float32: the worst channels of PyTorch's own float32.
        float32_db: the lowest SQNR of PyTorch's own float32; None if unknown.
    """
    usual_db = min_sqnr_db - (ALLOWANCE_OF_INTEGERS_DB if is_quantized else ALLOWANCE_DB)
    if is_quantized or not in_float32:
        return usual_db
    more_noise_db = max(MARGIN_DB, (float32_db or 0.0) - min_sqnr_db)
    return min(usual_db, max(in_float32[0].sqnr_db - more_noise_db, LOWEST_DB))


def lost_channels(
    worst: Sequence[ChannelError], lowest_db: float, labels: Sequence[str] = ()
) -> str | None:
    """List the worst channels that miss the threshold, as text.

    Args:
        worst: from `ChannelErrors.worst`.
        lowest_db: threshold of every channel.
        labels: labels of all channels, if they have names.

    Returns:
        None if all reach it.
    """
    lost = [row for row in worst if row.sqnr_db < lowest_db]
    named = (
        f"{row.channel}{f' {labels[row.channel]}' if row.channel < len(labels) else ''}: "
        f"{row.sqnr_db:.1f} dB"
        for row in lost
    )
    return f"lost channels {', '.join(named)}" if lost else None
