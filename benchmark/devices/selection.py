"""Selecting devices by `--device` and `--adb-server`."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.errors import (
    DeviceError,
    NoAdb,
    NoServer,
    NoSuchDevice,
    ServerLost,
    SeveralDevices,
    SeveralServers,
)
from seaformer.benchmark.devices.host import SERIAL, Host
from seaformer.benchmark.devices.server import AdbServer, Attached, attached_phones
from seaformer.errors import UsageError

if TYPE_CHECKING:
    from seaformer.benchmark.devices.phone import Phone

AUTO, ALL = "auto", "all"

Servers = Sequence[AdbServer]
"""The given adb servers; empty for this computer's."""


@dataclass(frozen=True)
class Selection:
    """At least one device to measure on, and a remark for the user about the choice."""

    devices: tuple[Device, ...]
    note: str = ""


def select_devices(choice: str, servers: Servers = ()) -> Selection:
    """Return the devices for --device: "auto", "host", "all" or a serial number.

    Phones are checked for readiness and a supported processor. This computer is selected
    automatically only if no adb server was given.

    Raises:
        DeviceError: NoSuchDevice, SeveralDevices, Unauthorized, Offline, WrongProcessor, ...
    """
    if choice == SERIAL:
        return Selection((Host(),))
    try:
        phones, unreachable = phones_of(servers)
    except NoAdb as error:
        if choice != AUTO:
            raise
        return Selection((Host(),), f"{error.problem} Measuring on this computer.")
    if unreachable and not phones:
        raise unreachable[0]
    names = ", ".join(map(str, phones))
    missing = " ".join(error.problem for error in unreachable)
    serial = os.environ.get("ANDROID_SERIAL") if choice == AUTO else choice
    if serial and choice != ALL:
        found = [phone for phone in phones if phone.serial == serial]
        if len({phone.server for phone in found}) > 1:
            places = " and ".join(str(phone.server) for phone in found)
            raise SeveralServers(f"There are phones with the serial number {serial} at {places}.")
        if found:
            return Selection((_checked(found[0]),))
        there = f"attached: {names}" if phones else "no phone is attached"
        raise NoSuchDevice(f"There is no phone '{serial}'; {there}. {missing}".rstrip())
    ready = [phone for phone in phones if phone.problem is None]
    if (choice == ALL or servers) and not ready:
        raise NoSuchDevice(f"No attached phone is ready{f' ({names})' if phones else ''}.")
    if choice == AUTO and not phones:
        return Selection((Host(),), "No phone is attached. Measuring on this computer.")
    if choice == AUTO and len(ready) > 1:
        raise SeveralDevices(f"There are {len(ready)} phones: {', '.join(map(str, ready))}.")
    # An attached phone that is not ready was meant to be measured, so its problem is raised:
    # measuring on this computer instead would be surprising.
    devices, twice = _distinct(tuple(map(_checked, ready or phones[:1])))
    unready = (str(phone.problem.problem) for phone in phones if phone.problem)
    omitted = dict.fromkeys((*filter(None, [missing]), *unready, *twice))
    return Selection(devices, f"Skipped: {' '.join(omitted)}" if omitted else "")


def select_one(choice: str, compared: str, servers: Servers = ()) -> Selection:
    """Return the single device for --device, for models that are compared with each other.

    Raises:
        UsageError: several devices are selected, or none has that name. The message has `compared`,
            the compared items.
    """
    selection = select_devices(choice, servers)
    if len(selection.devices) > 1:
        raise UsageError(f"{compared} are compared on one device. Select it with --device.")
    return selection


def phones_of(servers: Servers) -> tuple[list[Attached], list[DeviceError]]:
    """Return the phones of given adb servers, or of this computer's, and errors of the others.

    Raises:
        DeviceError: this computer's adb server cannot be reached.
    """
    if not servers:
        return list(attached_phones()), []
    phones: list[Attached] = []
    unreachable: list[DeviceError] = []
    distinct = list(dict.fromkeys(servers))
    # It takes seconds to detect that a host is switched off, which must not delay the others.
    with ThreadPoolExecutor(len(distinct)) as pool:
        for asked in [pool.submit(attached_phones, server) for server in distinct]:
            try:
                phones += asked.result()
            except NoServer as error:
                unreachable.append(error)
            except ServerLost as error:  # as from a tunnel to a server that does not run
                unreachable.append(NoServer(error.problem))
    return phones, unreachable


def open_phone(attached: Attached) -> "Phone":
    """Return a phone, or raise the reason why it is not ready."""
    if attached.problem is not None:
        raise attached.problem
    # adbutils takes a third of a second to import.
    from seaformer.benchmark.devices.phone import Phone

    return Phone(attached.serial, attached.server)


def _checked(attached: Attached) -> Device:
    phone = open_phone(attached)
    phone.check_processor()
    return phone


def _distinct(devices: Sequence[Device]) -> tuple[tuple[Device, ...], list[str]]:
    """Return every device once, and a sentence for each that is connected a second time."""
    if len(devices) == 1:
        return tuple(devices), []
    kept: dict[str, Device] = {}
    twice = []
    for place, device in enumerate(devices):
        number = device.facts().hardware_serial
        first = kept.setdefault(number or f" {place}", device)
        if first is not device:
            twice.append(f"The phone {device.serial} is also connected as {first.serial}.")
    return tuple(kept.values()), twice
