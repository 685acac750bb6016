"""The battery, as `dumpsys battery` describes it."""

import re
from dataclasses import dataclass

from seaformer.benchmark.devices.parsers.temperature import plausible_c
from seaformer.benchmark.devices.parsers.values import whole_number

_CHARGING = 2
"""BatteryManager.BATTERY_STATUS_CHARGING."""


@dataclass(frozen=True)
class Battery:
    """What is known of a battery.

    Attributes:
        percent: 0 to 100.
        is_charging: whether a source of power is connected.
        temperature_c: in degrees.
    """

    percent: int | None
    is_charging: bool | None
    temperature_c: float | None


def parse_battery(text: str) -> Battery:
    """Read lines "name: value". The temperature in them is in tenths of a degree."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        field = re.fullmatch(r"\s*([A-Za-z][A-Za-z ]*):\s*(\S+)\s*", line)
        if field:
            # Some vendors append a log, whose lines repeat the names.
            values.setdefault(field[1], field[2])
    return Battery(
        percent=_percent(values),
        is_charging=_is_charging(values),
        temperature_c=_temperature_c(values),
    )


def _percent(values: dict[str, str]) -> int | None:
    level = whole_number(values.get("level", ""))
    scale = whole_number(values.get("scale", "100"))
    if level is None or not scale or not 0 <= level <= scale:
        return None
    return round(100 * level / scale)


def _is_charging(values: dict[str, str]) -> bool | None:
    sources = [value for name, value in values.items() if name.endswith(" powered")]
    if sources:
        return "true" in sources
    status = whole_number(values.get("status", ""))
    return None if status is None else status == _CHARGING


def _temperature_c(values: dict[str, str]) -> float | None:
    tenths = whole_number(values.get("temperature", ""))
    return tenths / 10 if tenths is not None and plausible_c(tenths / 10) else None
