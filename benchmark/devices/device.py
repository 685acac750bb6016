"""What a device is: something that is described, watched, given files, and runs programs."""

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
"""Bytes that a program on a device may print, as `seaformer.processes.Allowance` counts: the record
of 100 000 runs of 40 models."""

PRINTED_TOO_MUCH = f"printed more than {OUTPUT_LIMIT / 2**20:g} MiB and was ended"

OnLine = Callable[[str], None] | None
"""Takes the lines of a program's stdout; None to keep them only."""

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

TRY_AGAIN_S = (1.0, 3.0)
"""Shortest and longest pause between two attempts to reserve a phone: two who try at the same time
both give up, and shall not go on meeting."""

SIGNALLED = 128
"""An exit status of this plus n says that signal n ended the program."""


@dataclass(frozen=True)
class Core:
    """A core: its number, as in masks, and its highest frequency, if the device says it."""

    index: int
    max_khz: int | None


@dataclass(frozen=True)
class Temperature:
    """A reading of a sensor.

    Attributes:
        name: as the device calls it, such as "AP".
        kind: what it is the temperature of: "cpu", "gpu", "battery", "skin", ...; None if unknown.
        celsius: the reading, in degrees.
        status: throttling that this sensor calls for, 0 (none) to 6 (shutdown); None if unknown.
    """

    name: str
    kind: str | None
    celsius: float
    status: int | None = None


@dataclass(frozen=True)
class DeviceFacts:
    """What a device is. It does not change; what is unknown is None and not guessed.

    Attributes:
        serial: as adb lists it; "host" for this computer.
        manufacturer: of the device, such as "Xiaomi".
        model: such as "Mi 10"; for this computer, the processor's name.
        soc: system on chip, such as "SM8250".
        os: name and version of the system, such as "Android 13".
        sdk: API level of Android.
        abi: "arm64-v8a", "x86_64", ...
        cores: those that are present, by index.
        memory_bytes: the main memory.
        is_emulated: whether the processor is emulated; times from it are no latency.
        fastrpc: device files of Qualcomm's FastRPC, by which programs reach the NPU; None if that
            is unknown.
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


@dataclass(frozen=True)
class Conditions:
    """The state that a device is in at a moment. What is unknown is None or left out.

    Attributes:
        taken_at: when it was read, by this computer's clock, in UTC.
        temperatures: all that the device shows.
        thermal_status: Android's: 0 none, 1 light, 2 moderate, 3 severe, 4 critical, 5 emergency,
            6 shutdown.
        battery_percent: 0 to 100.
        is_charging: whether power flows into the device.
        core_khz: core -> its frequency now, in kHz.
        free_bytes: room where workspaces are.
        foreign_load: how many processors other programs kept busy, on average since the state
            before this one was read; of this computer only.
        saves_power: whether the system's mode to save power is on.
        is_screen_on: whether the screen is.
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
        """The slow temperature that a device throttles by: its skin, or else its battery.

        A processor's own sensors are not taken: they follow the load within a second, so they do
        not say whether a device has cooled down.
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
    """A program that ran to its end.

    Its exit status is 0 to 255, 128 + n if signal n ended it; its lines are without their ends.
    """

    exit_status: int
    stdout_lines: tuple[str, ...]
    stderr: str

    @property
    def signal(self) -> int | None:
        """The number of the signal that ended the program, or None."""
        return self.exit_status - SIGNALLED if self.exit_status > SIGNALLED else None


def check_key(key: str) -> None:
    """Raise ValueError unless `key` can be that of a workspace."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", key):
        raise ValueError(f"{key!r} is no name for a workspace")


class Workspace(ABC):
    """A folder on a device.

    Names are those of files right in it. They may hold any character but "/" and NUL. Everything
    raises a DeviceError where the device fails: Unplugged, TimedOut, Cancelled, DiskFull, ...
    """

    path: str
    """The folder, on the device."""
    shell = "/bin/sh"
    """The device's shell, by its path."""

    def path_of(self, name: str) -> str:
        """Return the path of a file in the folder; raise ValueError if it cannot be one's name."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} is no name of a file")
        return f"{self.path}/{name}"

    @abstractmethod
    def place(self, local: Path, name: str, executable: bool = False) -> bool:
        """Have the file `local` in the folder, and check it there by SHA-256.

        Returns whether it was sent; a file that is there already is not.
        """

    def place_script(self, name: str, text: str) -> None:
        """Have a shell script in the folder that can be run."""
        with temporary_folder("script") as folder:
            script = folder / "script"
            script.write_text(f"#!{self.shell}\n{text}")
            self.place(script, name, executable=True)

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a small file, whatever was there."""

    @abstractmethod
    def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
        """Return the content of a file.

        Raises:
            FileRefused: it is not there.
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
        """Run a program that was placed in the folder, and wait for its end.

        The program and all that it started are ended when the time is up (TimedOut), when
        `Device.cancel` is called (Cancelled), when it prints more than `OUTPUT_LIMIT`
        (TooMuchOutput), and when this function is left by any other exception, Ctrl-C included.

        Args:
            program: its name; ExecRefused is raised if the device does not run it.
            arguments: handed over as they are; ValueError is raised for one that holds a NUL.
            time_limit_s: seconds that it may take.
            on_line: called with every line of stdout as it comes, without its end. What it got
                before an error is what there is of the output.
            environment: variables that it has besides those of the device's shell or of this
                process.
        """

    @abstractmethod
    def close(self, keep: bool) -> None:
        """Remove the folder; on a phone, unless its files are to be kept for another time."""


class Device(ABC):
    """Something that models run on.

    Attributes:
        serial: as adb lists it; "host" for this computer.
        target: "android-arm64", "linux-x86_64" or "linux-arm64".
        is_emulated: whether times from it are no latency.
    """

    serial: str
    target: str
    is_emulated: bool

    @abstractmethod
    def facts(self) -> DeviceFacts:
        """Return what the device is."""

    @abstractmethod
    def conditions(self) -> Conditions:
        """Return the state that the device is in now."""

    @abstractmethod
    def open_workspace(self, key: str) -> Workspace:
        """Return a new folder; on a phone, which it reserves, with the files kept under `key`.

        Letters, digits, ".", "_" and "-" are allowed in the key.

        Raises:
            InUse: somebody else has the phone.
        """

    @contextmanager
    def workspace(
        self,
        key: str,
        keep: bool = False,
        wait_s: float = 0.0,
        describe: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Workspace]:
        """Use a new folder and remove it at the end, however that comes.

        If the work in it fails and the removal as well, the error is that of the work.

        Args:
            key: names files that are kept.
            keep: whether those of a phone are kept, so that they need not be sent again.
            wait_s: how long to wait for a phone that somebody else has, before InUse is raised.
            describe: called with who has it, again and again.
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
        """Wait, unless `Cancelled` is raised."""

    @abstractmethod
    def cancel(self) -> None:
        """From another thread: end what runs on the device, and let it raise `Cancelled`."""
