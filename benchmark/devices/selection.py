"""Selecting devices by `--device`."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.errors import NoAdb, NoSuchDevice, SeveralDevices
from seaformer.benchmark.devices.host import SERIAL, Host
from seaformer.benchmark.devices.server import Attached, attached_phones
from seaformer.errors import UsageError

if TYPE_CHECKING:
    from seaformer.benchmark.devices.phone import Phone

AUTO, ALL = "auto", "all"


@dataclass(frozen=True)
class Selection:
    """At least one device to measure on, and a remark for the user about the choice."""

    devices: tuple[Device, ...]
    note: str = ""


def select_devices(choice: str) -> Selection:
    """Return the devices for --device: "auto", "host", "all" or a serial number.

    Phones are checked for readiness and a supported processor.

    Raises:
        DeviceError: NoSuchDevice, SeveralDevices, Unauthorized, Offline, WrongProcessor, ...
    """
    if choice == SERIAL:
        return Selection((Host(),))
    try:
        phones = attached_phones()
    except NoAdb as error:
        if choice != AUTO:
            raise
        return Selection((Host(),), f"{error.problem} Measuring on this computer.")
    names = ", ".join(map(str, phones))
    serial = os.environ.get("ANDROID_SERIAL") if choice == AUTO else choice
    if serial and choice != ALL:
        for phone in phones:
            if phone.serial == serial:
                return Selection((_checked(phone),))
        there = f"attached: {names}" if phones else "no phone is attached"
        raise NoSuchDevice(f"There is no phone '{serial}'; {there}.")
    ready = [phone for phone in phones if phone.problem is None]
    if choice == ALL and not ready:
        raise NoSuchDevice(f"No attached phone is ready{f' ({names})' if phones else ''}.")
    if choice == AUTO and not phones:
        return Selection((Host(),), "No phone is attached. Measuring on this computer.")
    if choice == AUTO and len(ready) > 1:
        raise SeveralDevices(f"There are {len(ready)} phones: {', '.join(map(str, ready))}.")
    problems = dict.fromkeys(str(phone.problem.problem) for phone in phones if phone.problem)
    # An attached phone that is not ready was meant to be measured, so its problem is raised:
    # measuring on this computer instead would be surprising.
    devices = tuple(map(_checked, ready or phones[:1]))
    return Selection(devices, f"Left out: {' '.join(problems)}" if problems else "")


def select_one(choice: str, compared: str) -> Selection:
    """Return the single device for --device, for models that are compared with each other.

    Raises:
        UsageError: several devices are selected, or none has that name. The message has `compared`,
            the compared items.
    """
    selection = select_devices(choice)
    if len(selection.devices) > 1:
        raise UsageError(f"{compared} are compared on one device. Select it with --device.")
    return selection


def open_phone(attached: Attached) -> "Phone":
    """Return a phone, or raise the reason why it is not ready."""
    if attached.problem is not None:
        raise attached.problem
    # adbutils takes a third of a second to import.
    from seaformer.benchmark.devices.phone import Phone

    return Phone(attached.serial)


def _checked(attached: Attached) -> Device:
    phone = open_phone(attached)
    phone.check_processor()
    return phone
