"""States in which a device slows down to save power."""

from collections.abc import Iterator

from seaformer.benchmark.devices.device import Conditions

LOW_BATTERY_PERCENT = 20
"""Charge in percent below which phones slow down to save power."""

CHARGE = "Charge it: phones slow down to save power."
SAVES_POWER = "Turn off Battery Saver in its settings: it lowers clock frequencies."
WAKE = (
    "Keep it on, for example with 'adb shell svc power stayon true': some phones throttle programs "
    "while the screen is off."
)

STAY_AWAKE = (
    "Set a longer screen timeout, for example with 'adb shell settings put system "
    "screen_off_timeout 1800000'."
)


def slowed_by_power(now: Conditions) -> Iterator[tuple[str, str]]:
    """Yield each such state of a device, with advice."""
    if now.battery_percent is not None and now.battery_percent < LOW_BATTERY_PERCENT:
        yield f"the battery is at {now.battery_percent} %", CHARGE
    if now.saves_power:
        yield "power saving is on", SAVES_POWER
    if now.is_screen_on is False:
        yield "the screen is off", WAKE
