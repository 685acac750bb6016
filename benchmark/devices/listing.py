"""The table of `seaformer-benchmark devices`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table

from seaformer.benchmark.devices.cores import classify
from seaformer.benchmark.devices.device import Conditions, Device, DeviceFacts
from seaformer.benchmark.devices.errors import DeviceError
from seaformer.benchmark.devices.heat import STATUS_NAMES
from seaformer.benchmark.devices.host import SERIAL, Host
from seaformer.benchmark.devices.selection import Servers, open_phone, phones_of
from seaformer.console import Console

_Column = Mapping[str, str | tuple[str, ...] | None]
"""Row of the table -> value for a device, in one line or in several."""


def print_devices(console: Console, servers: Servers = ()) -> bool:
    """Print the attached phones and this computer.

    Returns:
        Whether all given adb servers could be reached.
    """
    columns: dict[str, _Column] = {}
    problems: list[str] = []
    unreachable: Sequence[DeviceError] = ()
    with console.status("inspecting devices ..."):
        try:
            phones, unreachable = phones_of(servers)
            problems += map(str, unreachable)
            for attached in phones:
                columns[attached.place] = _examine(partial(open_phone, attached))
        except DeviceError as error:
            problems.append(str(error))
        columns[SERIAL] = _examine(Host)
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for serial in columns:
        table.add_column(serial, overflow="fold")
    for row in dict.fromkeys(row for column in columns.values() for row in column):
        values = [column.get(row) for column in columns.values()]
        if any(values):
            table.add_row(row, *map(_cell, values))
    console.print(table)
    for problem in problems:
        console.print(problem, soft_wrap=True)
    if not problems and len(columns) == 1:
        console.print(
            "No phone is attached. Connect one with a data cable, and enable 'USB debugging' in its"
            " developer options.",
            soft_wrap=True,
        )
    return not unreachable


def _cell(value: str | tuple[str, ...] | None) -> RenderableType:
    if not value:
        return "-"
    return value if isinstance(value, str) else Group(*value)


def describe(facts: DeviceFacts) -> str:
    """Return manufacturer and model of a device, such as "Xiaomi Mi 10"."""
    words = [word for word in (facts.manufacturer, facts.model) if word]
    if len(words) == 2 and words[1].lower().startswith(words[0].lower()):
        words = words[1:]
    return " ".join(words) or facts.serial


def _examine(open_device: Callable[[], Device]) -> _Column:
    try:
        return _column(open_device())
    except DeviceError as error:
        return {"state": str(error)}


def _column(device: Device) -> _Column:
    facts, now = device.facts(), device.conditions()
    status = now.thermal_status
    return {
        "state": "ready, emulated: not latency" if facts.is_emulated else "ready",
        "model": describe(facts),
        "SoC": facts.soc,
        "system": facts.os,
        "ABI": facts.abi,
        "cores": tuple(map(str, classify(facts.cores))),
        "memory": _gigabytes(facts.memory_bytes),
        "free space": _gigabytes(now.free_bytes),
        "battery": _battery(now),
        "temperatures": tuple(f"{one.name} {one.celsius:.1f} °C" for one in now.temperatures),
        "thermal status": None if status is None else STATUS_NAMES[status],
    }


def _battery(now: Conditions) -> str | None:
    if now.battery_percent is None:
        return None
    return f"{now.battery_percent} %" + (", charging" if now.is_charging else "")


def _gigabytes(count: int | None) -> str | None:
    return None if count is None else f"{count / 1e9:.1f} GB"
