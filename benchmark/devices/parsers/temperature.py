"""Readings of temperature sensors, and which numbers stand for "none"."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Temperature:
    """A reading of a sensor.

    Attributes:
        name: as the device calls it, such as "AP".
        kind: what it is the temperature of: "cpu", "gpu", "battery", "skin", ...; None if unknown.
        celsius: the reading, in degrees.
        status: throttling that this sensor calls for, 0 (none) to 6 (shutdown); None if unknown.
    """

    name: str
    kind: str | None
    celsius: float
    status: int | None = None


def plausible_c(celsius: float) -> bool:
    """Whether a sensor can have measured this.

    Sensors that are not there are shown as 0.0 by Samsung, as -99.9 or NaN by others.
    """
    return celsius != 0.0 and -40.0 < celsius < 150.0
