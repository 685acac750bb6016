"""The kernel's temperature sensors: /sys/class/thermal and /sys/class/hwmon."""

from collections.abc import Mapping

from seaformer.benchmark.devices.parsers.temperature import Temperature, plausible_c
from seaformer.benchmark.devices.parsers.values import parse_values, whole_number

_KIND_OF_WORD = {
    "skin": "skin",
    "batt": "battery",
    "gpu": "gpu",
    "cpu": "cpu",
    "x86_pkg": "cpu",
    "coretemp": "cpu",
    "k10temp": "cpu",
}
"""Part of a sensor's name -> what it measures. Other sensors are of unknown kind."""


def parse_thermal_zones(text: str) -> tuple[Temperature, ...]:
    """Read the zones in the output of `grep -H . /sys/class/thermal/thermal_zone*/{type,temp}`."""
    values = parse_values(text)
    types = {
        path.removesuffix("/type"): value
        for path, value in values.items()
        if path.endswith("/type")
    }
    return sensor_readings(
        {f"{zone}/temp": name for zone, name in types.items() if f"{zone}/temp" in values}, values
    )


def sensor_readings(names: Mapping[str, str], values: Mapping[str, str]) -> tuple[Temperature, ...]:
    """Return the temperatures of sensors.

    The kernel's unit is a thousandth of a degree. Some vendors' drivers use another one: a number
    below a thousand could be anything and is left out.

    Args:
        names: path of a sensor's file -> the sensor's name.
        values: path -> content.
    """
    readings = []
    for path, name in names.items():
        thousandths = whole_number(values.get(path, ""))
        if thousandths is None or abs(thousandths) < 1000 or not plausible_c(thousandths / 1000):
            continue
        kinds = [kind for word, kind in _KIND_OF_WORD.items() if word in name.lower()]
        readings.append(Temperature(name, kinds[0] if kinds else None, thousandths / 1000))
    return tuple(readings)
