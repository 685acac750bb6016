"""Temperatures and throttling, as `dumpsys thermalservice` lists them; since Android 10."""

import re
from dataclasses import dataclass

from seaformer.benchmark.devices.parsers.temperature import Temperature, plausible_c

KINDS = {
    0: "cpu",
    1: "gpu",
    2: "battery",
    3: "skin",
    4: "usb port",
    5: "power amplifier",
    6: "charger voltage",
    7: "charger current",
    8: "charger level",
    9: "npu",
    10: "tpu",
    11: "display",
    12: "modem",
    13: "soc",
    14: "wifi",
    15: "camera",
    16: "flashlight",
    17: "speaker",
    18: "ambient",
    19: "pogo",
}
"""android.hardware.thermal.TemperatureType."""

_NOT_DEGREES = ("charger voltage", "charger current", "charger level")

_READING = re.compile(
    r"Temperature\{mValue=([^,{}]*), mType=(-?\d{1,4}), mName=([^{}]*), mStatus=(-?\d{1,4})\}",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True)
class ThermalState:
    """What the thermal service knows.

    Attributes:
        status: 0 (none) to 6 (shutdown); None if it does not say.
        temperatures: of the sensors; those that measured nothing are left out.
    """

    status: int | None
    temperatures: tuple[Temperature, ...]


def parse_thermalservice(text: str) -> ThermalState:
    """Read the status and the current temperatures.

    Those from the hardware layer are taken; the cached ones, which can be minutes old, only if
    there are no others.
    """
    status = re.search(r"^\s*Thermal Status: ([0-6])\s*$", text, re.MULTILINE)
    sections = re.split(r"^(\S.*):[ \t\r]*$", text, flags=re.MULTILINE)
    contents = dict(zip(sections[1::2], sections[2::2], strict=True))
    current = _readings(contents.get("Current temperatures from HAL", ""))
    return ThermalState(
        status=int(status[1]) if status else None,
        temperatures=current or _readings(contents.get("Cached temperatures", "")),
    )


def _readings(text: str) -> tuple[Temperature, ...]:
    readings = []
    for value, number, name, status in _READING.findall(text):
        kind = _kind(int(number), name)
        if kind in _NOT_DEGREES or not _NUMBER.fullmatch(value) or not plausible_c(float(value)):
            continue
        readings.append(
            Temperature(name, kind, float(value), int(status) if 0 <= int(status) <= 6 else None)
        )
    return tuple(readings)


def _kind(number: int, name: str) -> str | None:
    # Some vendors count the types differently, but name the sensors by them: TYPE_SKIN.
    spelled = name.removeprefix("TYPE_").replace("_", " ").lower()
    if name.startswith("TYPE_") and spelled in KINDS.values():
        return spelled
    return KINDS.get(number)
