"""Formatting measured numbers, identically on the terminal and in HTML reports."""

from seaformer.statistics.bootstrap import Interval, Ratio, Summary

NONE = "-"


def milliseconds(value: float | None) -> str:
    """Format milliseconds with about three significant digits."""
    if value is None:
        return NONE
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def median(summary: Summary | None) -> str:
    """Format a median in milliseconds, with its interval if there is one."""
    return NONE if summary is None else estimate(summary.median_ms, summary.interval_ms)


def estimate(value_ms: float | None, interval: Interval | None) -> str:
    """Format a time in milliseconds, with its interval if there is one."""
    if value_ms is None or interval is None:
        return milliseconds(value_ms)
    ends = f"{milliseconds(interval.low)}, {milliseconds(interval.high)}"
    return f"{milliseconds(value_ms)} [{ends}]"


def ratio(value: Ratio | None, digits: int | None = None) -> str:
    """Format a ratio, with its interval if there is one; 3 decimals below 10 unless given."""
    if value is None:
        return NONE
    digits = digits or (3 if value.value < 10 else 1)
    interval = value.interval
    if interval is None:
        return f"{value.value:.{digits}f}"
    return f"{value.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def number(value: float | None, digits: int = 1) -> str:
    """Format a number with a fixed number of decimals, never as "-0"."""
    return NONE if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def percent(share: float | None, digits: int = 2) -> str:
    """Format a share, 0..1, in percent."""
    return NONE if share is None else number(100 * share, digits)


def points(change: float | None, factor: float = 1.0) -> str:
    """Format a signed change; a factor of 100 converts a difference of shares to points."""
    return NONE if change is None else f"{round(factor * change, 2) + 0.0:+.2f}"


def points_within(change: float | None, low: float | None, high: float | None) -> str:
    """Format a signed change in points, with its interval if it has one."""
    if change is None or low is None or high is None:
        return points(change)
    return f"{points(change)} [{points(low)}, {points(high)}]"


def loss(change: float | None) -> str:
    """Format a change as a loss."""
    return NONE if change is None else number(-change, 2)


def significant(value: float) -> str:
    """Format a number of any magnitude with three significant digits."""
    return f"{value + 0.0:.3g}"


def exact(value: float, low: float | None = None, high: float | None = None) -> str:
    """Format a number of any magnitude with five significant digits, with its interval if any."""
    if low is None or high is None:
        return f"{value + 0.0:.5g}"
    return f"{exact(value)} [{exact(low)}, {exact(high)}]"


def tick(value: float) -> str:
    """Format a tick of an axis."""
    return f"{value + 0.0:g}".replace("-", "\N{MINUS SIGN}")
