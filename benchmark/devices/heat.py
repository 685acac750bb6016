"""Waiting for a device to cool down, and seeing that it was too hot."""

import time
from collections.abc import Callable

from seaformer.benchmark.devices.device import Conditions, Device
from seaformer.benchmark.devices.errors import TooHot

COOL_BELOW_C = 35.0
"""Skin, or battery, below which a device counts as cool.

Pixels call for light throttling from 39 degrees on their skin, other phones of which thresholds are
published from 37 to 50; idle ones in a room are at 25 to 33, also on a charger. So a phone gets
below this by lying there, and has some degrees left to be measured in.
"""

_POLL_S = 2.0

STATUS_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Android's thermal status, by number."""


def wait_until_cool(
    device: Device, cool_below_c: float | None, limit_s: float, describe: Callable[[str], None]
) -> Conditions:
    """Wait until a device does not throttle and is cool; return its state then.

    What it does not tell counts as cool.

    Args:
        device: to wait for.
        cool_below_c: temperature of its skin or battery to wait for; None for `COOL_BELOW_C`.
        limit_s: how long to wait before TooHot is raised.
        describe: called with what is waited for, again and again.
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
            raise TooHot(f"After {waited_s:.0f} s of waiting, {device} is too hot: {heat}.")
        describe(f"cooling down: {heat} ({waited_s:.0f} of at most {limit_s:.0f} s)")
        device.pause(min(_POLL_S, limit_s - waited_s))


def too_hot(conditions: Conditions, below_c: float) -> str | None:
    """Say in what way a device is too hot to be measured; None if it is not."""
    if conditions.thermal_status:
        return f"thermal status {_status(conditions.thermal_status)}"
    warmest = conditions.temperature
    if warmest is not None and warmest.celsius >= below_c:
        return f"{warmest.kind} {warmest.celsius:.1f} °C, to be below {below_c:g} °C"
    return None


def throttled(before: Conditions, after: Conditions) -> str | None:
    """Say how its states around a piece of work show that a device throttled; None if not so."""
    for when, conditions in (("before", before), ("after", after)):
        if conditions.thermal_status:
            return f"thermal status {_status(conditions.thermal_status)} {when} it"
    return None


def _status(number: int) -> str:
    return f"{number} ({STATUS_NAMES[number]})"
