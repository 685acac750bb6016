"""Which devices `--device` means."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.errors import NoAdb, NoSuchDevice, SeveralDevices
from seaformer.benchmark.devices.host import SERIAL, Host
from seaformer.benchmark.devices.server import READY, Attached, attached_phones, no_such_device
from seaformer.errors import UsageError

AUTO, ALL = "auto", "all"


@dataclass(frozen=True)
class Selection:
    """What to measure on.

    Attributes:
        devices: at least one.
        note: what the user should know about the choice, in a sentence; "" if nothing.
    """

    devices: tuple[Device, ...]
    note: str = ""


def select_devices(choice: str) -> Selection:
    """Return the devices that are meant.

    Phones are checked to be ready and to have the right processor.

    Args:
        choice: as given to --device: "auto", "host", "all" or a serial number.

    Raises:
        DeviceError: NoSuchDevice, SeveralDevices, Unauthorized, Offline, WrongProcessor, ...
    """
    if choice == SERIAL:
        return Selection((Host(),))
    if choice == ALL:
        return _all(attached_phones())
    if choice != AUTO:
        return Selection((_open(_named(choice, attached_phones())),))
    try:
        phones = attached_phones()
    except NoAdb as error:
        return Selection((Host(),), f"{error.problem} Measuring on this computer.")
    serial = os.environ.get("ANDROID_SERIAL")
    return Selection((_open(_named(serial, phones)),)) if serial else _auto(phones)


def select_one(choice: str, compared: str) -> Selection:
    """Find the one device for models that are compared with each other.

    Args:
        choice: as given to --device.
        compared: what they are, for the error.

    Raises:
        UsageError: several devices are meant, or there is none of that name.
    """
    selection = select_devices(choice)
    if len(selection.devices) > 1:
        raise UsageError(f"{compared} are compared on one device. Name it with --device.")
    return selection


def _auto(phones: Sequence[Attached]) -> Selection:
    if not phones:
        return Selection((Host(),), "No phone is attached. Measuring on this computer.")
    ready = [phone for phone in phones if phone.state == READY]
    if len(ready) > 1:
        raise SeveralDevices(
            f"There are {len(ready)} phones: {', '.join(str(phone) for phone in ready)}."
        )
    if not ready:
        # It was attached to be measured on: taking this computer instead would surprise.
        assert phones[0].problem is not None
        raise phones[0].problem
    return Selection((_open(ready[0]),), _not_ready(phones))


def _all(phones: Sequence[Attached]) -> Selection:
    ready = [phone for phone in phones if phone.state == READY]
    if not ready:
        there = f" ({', '.join(str(phone) for phone in phones)})" if phones else ""
        raise NoSuchDevice(f"No phone is attached that is ready{there}.")
    return Selection(tuple(_open(phone) for phone in ready), _not_ready(phones))


def _named(serial: str, phones: tuple[Attached, ...]) -> Attached:
    for phone in phones:
        if phone.serial == serial:
            return phone
    raise no_such_device(serial, phones)


def _not_ready(phones: Sequence[Attached]) -> str:
    left_out = [str(phone) for phone in phones if phone.state != READY]
    return f"Left out, because not ready: {', '.join(left_out)}." if left_out else ""


def _open(attached: Attached) -> Device:
    if attached.problem is not None:
        raise attached.problem
    # adbutils takes a third of a second to import.
    from seaformer.benchmark.devices.phone import Phone

    phone = Phone(attached.serial)
    phone.check_processor()
    return phone
