"""Waiting for a device to cool down, and detecting throttling."""

import time
from collections.abc import Callable

from seaformer.benchmark.devices.device import Conditions, Device
from seaformer.benchmark.devices.errors import TooHot

COOL_BELOW_C = 35.0
"""Temperature of skin or battery below which a device is cool, in °C.

Pixels request light throttling at a skin temperature of 39 degrees, other phones with published
thresholds at 37 to 50; idle phones at room temperature have 25 to 33, even on a charger. An idle
phone therefore cools below this value, which leaves a few degrees for the measurement.
"""

_POLL_S = 2.0

STATUS_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Names of Android's thermal status, by number."""


def wait_until_cool(
    device: Device, cool_below_c: float | None, limit_s: float, describe: Callable[[str], None]
) -> Conditions:
    """Wait until a device is cool and does not throttle; return its state.

    Values that it does not report count as cool.

    Args:
        device: the device.
        cool_below_c: threshold of the temperature of skin or battery; None for `COOL_BELOW_C`.
        limit_s: how long to wait before TooHot is raised.
        describe: called repeatedly with the reason for waiting.
    """
    below_c = COOL_BELOW_C if cool_below_c is None else cool_below_c
    start = time.monotonic()
    while True:
        conditions = device.conditions()
        heat = too_hot(conditions, below_c)
        if heat is None:
            return conditions
        waited_s = time.monotonic() - start
        if waited_s >= limit_s:
            raise TooHot(f"After waiting {waited_s:.0f} s, {device} is still too hot: {heat}.")
        describe(f"cooling down: {heat} ({waited_s:.0f} of at most {limit_s:.0f} s)")
        device.pause(min(_POLL_S, limit_s - waited_s))


def too_hot(conditions: Conditions, below_c: float) -> str | None:
    """Return why a device is too hot to measure; None if it is not."""
    if conditions.thermal_status:
        return f"thermal status {_status(conditions.thermal_status)}"
    warmest = conditions.temperature
    if warmest is not None and warmest.celsius >= below_c:
        return f"{warmest.kind} {warmest.celsius:.1f} °C, not below {below_c:g} °C"
    return None


def throttled(before: Conditions, after: Conditions) -> str | None:
    """Return evidence of throttling in the states before and after a round, or None."""
    for when, conditions in (("before", before), ("after", after)):
        if conditions.thermal_status:
            return f"thermal status {_status(conditions.thermal_status)} {when} the round"
    return None


def _status(number: int) -> str:
    return f"{number} ({STATUS_NAMES[number]})"
