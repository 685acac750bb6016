"""Parsers of device information: `dumpsys`, `getprop`, `df` and files of the kernel.

Parsers never raise: missing or malformed values are None or omitted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from seaformer.benchmark.devices.device import Temperature

# ---- Several commands in one script

_MARK = "==== seaformer "

COMMAND_LIMIT_S = 4
"""Time limit; services respond within a second, or not at all."""


def script_of(commands: Mapping[str, str]) -> str:
    """Return a shell script that runs named commands one after another.

    A command that fails, hangs or is missing has an empty section and does not affect the others.
    """
    return "\n".join(
        f"echo '{_MARK}{name}'; {{ timeout -k 1 {COMMAND_LIMIT_S} {command}; }} 2>/dev/null; echo"
        for name, command in commands.items()
    )


def parse_sections(text: str) -> dict[str, str]:
    """Return name -> output of the commands of a script from `script_of`."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        if line.startswith(_MARK):
            current = parts.setdefault(line.removeprefix(_MARK).strip(), [])
        else:
            current.append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def parse_present(text: str, paths: Sequence[str]) -> tuple[str, ...] | None:
    """Return which of these paths exist according to `ls -d`; None if it mentions none of them."""
    lines = text.split("\n")
    if not any(path in line for path in paths for line in lines):
        return None
    missing = [line for line in lines if line.endswith("No such file or directory")]
    return tuple(
        path
        for path in paths
        if any(path in line for line in lines)
        and not any(path in line.replace(":", " ").split() for line in missing)
    )


# ---- Numbers and files of one value each


def whole_number(text: str) -> int | None:
    """Return a decimal number of at most 18 digits; None for any other text."""
    text = text.strip()
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else None


def parse_values(text: str) -> dict[str, str]:
    """Return path -> value of lines "path:value", as `grep -H . FILE...` prints them.

    Paths in /sys contain no ":".
    """
    lines = (line.partition(":") for line in text.splitlines())
    return {path: value.strip() for path, colon, value in lines if colon and path.startswith("/")}


def parse_core_khz(text: str) -> dict[int, int]:
    """Return core -> kHz, from /sys/devices/system/cpu/cpu*/cpufreq/* as `parse_values` takes it.

    Cores without a positive number are omitted.
    """
    frequencies: dict[int, int] = {}
    for path, value in parse_values(text).items():
        core, khz = re.search(r"/cpu(\d{1,4})/", path), whole_number(value)
        if core and khz:
            frequencies[int(core[1])] = khz
    return frequencies


def parse_core_list(text: str) -> tuple[int, ...] | None:
    """Return the numbers in a list such as "0-3,7", ascending; None if it is not such a list."""
    text = text.strip()
    if not re.fullmatch(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*", text, re.ASCII):
        return None
    cores: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cores))


def parse_processor(cpuinfo: str) -> str | None:
    """Return the name of the processor from /proc/cpuinfo.

    It is "model name" on x86; some arm64 kernels report the whole chip as "Hardware".
    """
    for name in ("model name", "Hardware"):
        found = re.search(rf"^{name}[ \t]*:[ \t]*(\S.*)$", cpuinfo, re.MULTILINE)
        if found:
            return found[1].strip()
    return None


def parse_memory_bytes(meminfo: str) -> int | None:
    """Return the size of the main memory in bytes, from /proc/meminfo."""
    found = re.search(r"^MemTotal:\s*(\d{1,15}) kB\s*$", meminfo, re.MULTILINE | re.ASCII)
    return int(found[1]) * 1024 if found else None


_UNITS = {"": 1024, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
"""Without a letter, the numbers of `df -k` are kibibytes."""


def parse_free_bytes(text: str) -> int | None:
    """Return the free bytes on the single file system in the output of `df -k`.

    Its row may have two lines. The column is found by its name: "Available", or "Free" on
    Androids before 6.
    """
    header, _, rows = text.strip().partition("\n")
    names = header.replace("Mounted on", "Mounted").split()
    fields = rows.split()
    for name in ("Available", "Avail", "Free"):
        if name in names and len(fields) == len(names):
            amount = re.fullmatch(
                r"(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)", fields[names.index(name)], re.ASCII
            )
            return int(float(amount[1]) * _UNITS[amount[2]]) if amount else None
    return None


# ---- Android's services

_PROPERTY = re.compile(r"\[([^\[\]]+)\]: \[(.*)", re.DOTALL)


def parse_getprop(text: str) -> dict[str, str]:
    """Return property -> value of lines "[name]: [value]".

    Values may contain brackets and line breaks; line ends may be CRLF.
    """
    entries: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        start = _PROPERTY.fullmatch(line)
        if start:
            entries.append((start[1], [start[2]]))
        elif entries:
            entries[-1][1].append(line)
    return {
        name: value.removesuffix("]")
        for name, lines in entries
        if (value := "\n".join(lines).rstrip("\n")).endswith("]")
    }


_CHARGING = 2
"""BatteryManager.BATTERY_STATUS_CHARGING."""


class Battery(NamedTuple):
    """A battery: charge in percent, whether a power source is connected, degrees Celsius."""

    percent: int | None
    is_charging: bool | None
    temperature_c: float | None


def parse_battery(text: str) -> Battery:
    """Read the lines "name: value" of `dumpsys battery`; temperatures are tenths of a degree."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        field = re.fullmatch(r"\s*([A-Za-z][A-Za-z ]*):\s*(\S+)\s*", line)
        if field:
            # Some vendors append a log, whose lines repeat the names.
            values.setdefault(field[1], field[2])
    level, status, tenths = (
        whole_number(values.get(name, "")) for name in ("level", "status", "temperature")
    )
    scale = whole_number(values.get("scale", "100"))
    percent = None
    if level is not None and scale and 0 <= level <= scale:
        percent = round(100 * level / scale)
    sources = [value for name, value in values.items() if name.endswith(" powered")]
    by_status = None if status is None else status == _CHARGING
    return Battery(
        percent=percent,
        is_charging="true" in sources if sources else by_status,
        temperature_c=tenths / 10 if tenths is not None and _plausible_c(tenths / 10) else None,
    )


def parse_switch(text: str) -> bool | None:
    """Read "1" or "0", as `settings get` prints it; None for anything else."""
    return {"1": True, "0": False}.get(text.strip())


def parse_wakefulness(text: str) -> bool | None:
    """Return whether the screen is on, from "mWakefulness=..." of `dumpsys power`."""
    found = re.search(r"\bmWakefulness=(Awake|Dreaming|Dozing|Asleep)\b", text)
    return found[1] in ("Awake", "Dreaming") if found else None


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


class ThermalState(NamedTuple):
    """Throttling, 0 (none) to 6 (shutdown), and temperatures, if available."""

    status: int | None
    temperatures: tuple[Temperature, ...]


def parse_thermalservice(text: str) -> ThermalState:
    """Read status and current temperatures of `dumpsys thermalservice` (since Android 10).

    Temperatures from the hardware layer are preferred; cached ones can be minutes old.
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
        if kind in _NOT_DEGREES or not _NUMBER.fullmatch(value) or not _plausible_c(float(value)):
            continue
        readings.append(
            Temperature(name, kind, float(value), int(status) if 0 <= int(status) <= 6 else None)
        )
    return tuple(readings)


def _kind(number: int, name: str) -> str | None:
    # Some vendors number the types differently, but name the sensors by type: TYPE_SKIN.
    spelled = name.removeprefix("TYPE_").replace("_", " ").lower()
    if name.startswith("TYPE_") and spelled in KINDS.values():
        return spelled
    return KINDS.get(number)


# ---- The kernel's temperature sensors

_KIND_OF_WORD = {
    "skin": "skin",
    "batt": "battery",
    "gpu": "gpu",
    "cpu": "cpu",
    "x86_pkg": "cpu",
    "coretemp": "cpu",
    "k10temp": "cpu",
}
"""Substring of a sensor's name -> what it measures; other sensors have an unknown kind."""


def parse_thermal_zones(text: str) -> tuple[Temperature, ...]:
    """Read the zones in the output of `grep -H . /sys/class/thermal/thermal_zone*/{type,temp}`."""
    values = parse_values(text)
    zones = [path.removesuffix("/type") for path in values if path.endswith("/type")]
    return sensor_readings((values[f"{z}/type"], values.get(f"{z}/temp", "")) for z in zones)


def sensor_readings(sensors: Iterable[tuple[str, str]]) -> tuple[Temperature, ...]:
    """Return the temperatures of sensors, given name and file content of each.

    The kernel's unit is a thousandth of a degree. Drivers of some vendors use another unit, so
    numbers below a thousand are ambiguous and omitted.
    """
    readings = []
    for name, content in sensors:
        thousandths = whole_number(content)
        if thousandths is None or abs(thousandths) < 1000 or not _plausible_c(thousandths / 1000):
            continue
        kinds = (kind for word, kind in _KIND_OF_WORD.items() if word in name.lower())
        readings.append(Temperature(name, next(kinds, None), thousandths / 1000))
    return tuple(readings)


def _plausible_c(celsius: float) -> bool:
    """Whether a temperature is plausible.

    Missing sensors are reported as 0.0 by Samsung, as -99.9 or NaN by others.
    """
    return celsius != 0.0 and -40.0 < celsius < 150.0
