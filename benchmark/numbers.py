"""Measured numbers as text, the same on the terminal and on the page."""

from seaformer.statistics.bootstrap import Ratio, Summary

NONE = "-"


def milliseconds(value: float | None) -> str:
    """Milliseconds with three digits or so."""
    if value is None:
        return NONE
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def median(summary: Summary | None) -> str:
    """A median in milliseconds, with its interval if there is one."""
    if summary is None:
        return NONE
    interval = summary.interval_ms
    if interval is None:
        return milliseconds(summary.median_ms)
    ends = f"{milliseconds(interval.low)}, {milliseconds(interval.high)}"
    return f"{milliseconds(summary.median_ms)} [{ends}]"


def ratio(value: Ratio | None) -> str:
    """A ratio, with its interval if there is one."""
    if value is None:
        return NONE
    digits = 3 if value.value < 10 else 1
    interval = value.interval
    if interval is None:
        return f"{value.value:.{digits}f}"
    return f"{value.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many digits behind the point."""
    return NONE if value is None else f"{value + 0.0:.{digits}f}"
