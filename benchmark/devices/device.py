"""Interface of a device: facts, conditions, files and running programs."""

import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from seaformer.benchmark.devices.errors import InUse
from seaformer.errors import SeaformerError
from seaformer.temporary_folders import temporary_folder

OUTPUT_LIMIT = 64 * 2**20
"""Limit in bytes for the output of a program on a device, counted as in
`seaformer.processes.Allowance`: enough for the record of 100 000 runs of 40 models."""

PRINTED_TOO_MUCH = f"printed more than {OUTPUT_LIMIT / 2**20:g} MiB and was killed"

OnLine = Callable[[str], None] | None
"""Callback for the lines of a program's stdout; None to only collect them."""

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

TRY_AGAIN_S = (1.0, 3.0)
"""Shortest and longest pause between two attempts to reserve a phone, chosen at random: two
processes that try at the same time both give up, and should not collide again."""

SIGNALED = 128
"""An exit status of this plus n means that signal n killed the program."""


@dataclass(frozen=True)
class Core:
    """A core: its number, as in masks, and its highest frequency, if the device reports it."""

    index: int
    max_khz: int | None


@dataclass(frozen=True)
class Temperature:
    """A reading of a sensor.

    Attributes:
        name: its name on the device, such as "AP".
        kind: what it measures: "cpu", "gpu", "battery", "skin", ...; None if unknown.
        celsius: the reading, in degrees.
        status: throttling requested by this sensor, 0 (none) to 6 (shutdown); None if unknown.
    """

    name: str
    kind: str | None
    celsius: float
    status: int | None = None


@dataclass(frozen=True)
class DeviceFacts:
    """Constant facts about a device; unknown values are None, never guessed.

    Attributes:
        serial: as adb lists it; "host" for this computer; "browser" if a page in one measured.
        manufacturer: manufacturer of the device, such as "Xiaomi".
        model: name of the product, such as "Mi 10"; for this computer, the name of the processor.
        soc: system on chip, such as "SM8250".
        os: name and version of the system, such as "Android 13".
        sdk: API level of Android.
        abi: "arm64-v8a", "x86_64", ...
        cores: the present cores, by index.
        memory_bytes: size of the main memory.
        is_emulated: whether the processor is emulated; times from it are not latency.
        fastrpc: device files of Qualcomm's FastRPC, which programs need to use the NPU; None if
            unknown.
        hardware_serial: serial number of the phone itself; `serial` may be a network address.
    """

    serial: str
    manufacturer: str | None
    model: str | None
    soc: str | None
    os: str | None
    sdk: int | None
    abi: str | None
    cores: tuple[Core, ...]
    memory_bytes: int | None
    is_emulated: bool
    fastrpc: tuple[str, ...] | None = None
    hardware_serial: str | None = None

    @property
    def identity(self) -> str:
        """The identifier of the device, which does not depend on how it is connected."""
        return self.hardware_serial or self.serial

    def is_same(self, other: "DeviceFacts") -> bool:
        """Whether both describe one device; facts of earlier versions have only `serial`."""
        if self.hardware_serial is None or other.hardware_serial is None:
            return self.serial == other.serial or self.identity == other.identity
        return self.hardware_serial == other.hardware_serial


@dataclass(frozen=True)
class Conditions:
    """The state of a device at one moment; unknown values are None or omitted.

    Attributes:
        taken_at: when it was read, by this computer's clock, in UTC.
        temperatures: readings of all sensors that the device reports.
        thermal_status: Android's: 0 none, 1 light, 2 moderate, 3 severe, 4 critical, 5 emergency,
            6 shutdown.
        battery_percent: 0 to 100.
        is_charging: whether the device is charging.
        core_khz: core -> its current frequency in kHz.
        free_bytes: free space where workspaces are.
        foreign_load: average number of processors kept busy by other programs since the previous
            reading; only for this computer.
        saves_power: whether power saving is on.
        is_screen_on: whether the screen is on.
    """

    taken_at: datetime
    temperatures: tuple[Temperature, ...]
    thermal_status: int | None
    battery_percent: int | None
    is_charging: bool | None
    core_khz: Mapping[int, int]
    free_bytes: int | None
    foreign_load: float | None = None
    saves_power: bool | None = None
    is_screen_on: bool | None = None

    @property
    def temperature(self) -> Temperature | None:
        """The slow temperature that determines throttling: skin, or else battery.

        Sensors of the processor are not used: they follow the load within a second, so they do not
        show whether a device has cooled down.
        """
        for kind in ("skin", "battery"):
            readings = [one for one in self.temperatures if one.kind == kind]
            if readings:
                return max(readings, key=lambda one: one.celsius)
        return None

    @property
    def temperature_c(self) -> float | None:
        """The degrees of `temperature`."""
        return None if self.temperature is None else self.temperature.celsius


@dataclass(frozen=True)
class Finished:
    """A finished program.

    Its exit status is 0 to 255, or 128 + n if signal n killed it; its lines have no line ends.
    """

    exit_status: int
    stdout_lines: tuple[str, ...]
    stderr: str

    @property
    def signal(self) -> int | None:
        """The number of the signal that killed the program, or None."""
        return self.exit_status - SIGNALED if self.exit_status > SIGNALED else None


def check_key(key: str) -> None:
    """Raise ValueError unless `key` is valid for a workspace."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", key):
        raise ValueError(f"{key!r} is not a valid name for a workspace")


class Workspace(ABC):
    """A folder on a device.

    Names refer to files directly in it, with any character except "/" and NUL. All methods
    raise a DeviceError if the device fails: Unplugged, TimedOut, Canceled, DiskFull, ...
    """

    path: str
    """Path of the folder on the device."""
    shell = "/bin/sh"
    """Path of the device's shell."""

    def path_of(self, name: str) -> str:
        """Return the path of a file in the folder; raise ValueError for an invalid name."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} is not a valid name of a file")
        return f"{self.path}/{name}"

    @abstractmethod
    def place(self, local: Path, name: str, executable: bool = False) -> bool:
        """Copy the file `local` to the folder, and verify its SHA-256 there.

        Returns whether it was sent; a file that is already there is not sent again.
        """

    def place_script(self, name: str, text: str) -> None:
        """Write an executable shell script to the folder."""
        with temporary_folder("script") as folder:
            script = folder / "script"
            script.write_text(f"#!{self.shell}\n{text}")
            self.place(script, name, executable=True)

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a small file, replacing an existing one."""

    @abstractmethod
    def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
        """Return the content of a file.

        Raises:
            FileRefused: it does not exist.
            TooMuchOutput: it has more than `limit` bytes.
        """

    @abstractmethod
    def execute(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        time_limit_s: float,
        on_line: OnLine = None,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Finished:
        """Run a program that was placed in the folder, and wait until it ends.

        The program and its child processes are killed at the time limit (TimedOut), when
        `Device.cancel` is called (Canceled), when it prints more than `OUTPUT_LIMIT`
        (TooMuchOutput), and on any other exception in this function, including Ctrl-C.

        Args:
            program: its name; ExecRefused is raised if the device refuses to run it.
            arguments: passed unchanged; NUL in an argument raises ValueError.
            time_limit_s: time limit in seconds.
            on_line: called with every line of stdout as it arrives, without its line end. After an
                error, these lines are the only output.
            environment: variables in addition to those in the device's shell or in this process.
        """

    @abstractmethod
    def close(self, keep: bool) -> None:
        """Remove the folder; on a phone, unless its files are kept for reuse."""


class Device(ABC):
    """A device that runs models.

    Attributes:
        serial: as adb lists it; "host" for this computer.
        target: "android-arm64", "linux-x86_64" or "linux-arm64".
        is_emulated: whether times from it are not latency.
    """

    serial: str
    target: str
    is_emulated: bool

    @abstractmethod
    def facts(self) -> DeviceFacts:
        """Return the facts about the device."""

    @abstractmethod
    def conditions(self) -> Conditions:
        """Return the current state of the device."""

    @abstractmethod
    def open_workspace(self, key: str) -> Workspace:
        """Return a new folder. A phone is reserved, and its folder has the files kept under `key`.

        Letters, digits, ".", "_" and "-" are allowed in the key.

        Raises:
            InUse: another process uses the phone.
        """

    @contextmanager
    def workspace(
        self,
        key: str,
        keep: bool = False,
        wait_s: float = 0.0,
        describe: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Workspace]:
        """Use a new folder, which is always removed at the end.

        If both the work in it and the removal fail, the error of the work is raised.

        Args:
            key: identifies files that are kept.
            keep: whether files stay on a phone, so that they need not be sent again.
            wait_s: how long to wait for a phone in use before InUse is raised.
            describe: called repeatedly with the process that uses the phone.
        """
        workspace = self._open_when_free(key, wait_s, describe)
        try:
            yield workspace
        except BaseException:
            with suppress(SeaformerError):
                workspace.close(keep)
            raise
        workspace.close(keep)

    def _open_when_free(
        self, key: str, wait_s: float, describe: Callable[[str], None]
    ) -> Workspace:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                return self.open_workspace(key)
            except InUse as busy:
                pause_s = random.uniform(*TRY_AGAIN_S)
                if time.monotonic() + pause_s > deadline:
                    raise
                describe(f"waiting: {busy.problem}")
                self.pause(pause_s)

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Wait, unless `Canceled` is raised."""

    @abstractmethod
    def cancel(self) -> None:
        """Kill what runs on the device, from another thread; the waiting call raises `Canceled`."""
