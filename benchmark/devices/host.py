"""This computer as a device."""

import errno
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from seaformer import processes
from seaformer.benchmark.devices import errors, parsers
from seaformer.benchmark.devices.device import (
    NO_VARIABLES,
    OUTPUT_LIMIT,
    PRINTED_TOO_MUCH,
    SIGNALED,
    Conditions,
    Core,
    Device,
    DeviceFacts,
    Finished,
    OnLine,
    Workspace,
    check_key,
)
from seaformer.files import TooLargeError, file_sha256, read_limited
from seaformer.lines import Lines
from seaformer.temporary_folders import temporary_folder

SERIAL = "host"

TARGETS = {"x86_64": "linux-x86_64", "aarch64": "linux-arm64"}
"""`platform.machine()` -> target of the runner."""

_CPU = Path("/sys/devices/system/cpu")

KERNEL_FILE_LIMIT = 4 * 2**20
"""Limit in bytes; /proc/cpuinfo has about 1.5 KB for each of up to hundreds of processors."""

IDLE = ("idle", "iowait")
COUNTED_TWICE = ("guest", "guest_nice")
"""Time of virtual machines, which is included in `user` and `nice`."""


class Usage(NamedTuple):
    """Processor time up to a moment."""

    at_s: float  # the moment, on a monotonic clock
    busy_s: float  # busy time of all processors, including time stolen by a hypervisor
    own_s: float  # of that, the time of this process and of its finished children

    @classmethod
    def now(cls) -> "Usage":
        """Read the counters of the system, which have a resolution of 10 ms."""
        every = psutil.cpu_times()._asdict()
        own = os.times()
        return cls(
            at_s=time.monotonic(),
            busy_s=sum(value for name, value in every.items() if name not in IDLE + COUNTED_TWICE),
            own_s=own.user + own.system + own.children_user + own.children_system,
        )


def foreign_load(before: Usage, after: Usage) -> float | None:
    """Return how many processors other programs kept busy; None if the time was too short."""
    elapsed_s = after.at_s - before.at_s
    if elapsed_s < 0.1:
        return None
    foreign_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return max(0.0, foreign_s / elapsed_s)


class Host(Device):
    """This computer, with Linux on x86-64 or arm64."""

    serial = SERIAL
    is_emulated = False

    def __init__(self) -> None:
        """Raise UnsupportedHost if there is no runner for this computer."""
        machine = platform.machine()
        if sys.platform != "linux":
            raise errors.UnsupportedHost(
                f"On {platform.system()}, models can only be measured on phones; measuring on the "
                f"computer needs Linux."
            )
        if machine not in TARGETS:
            raise errors.UnsupportedHost(f"There is no runner for a processor of type {machine}.")
        self.target = TARGETS[machine]
        self.canceled = threading.Event()
        self._usage = Usage.now()

    def __str__(self) -> str:
        return "this computer"

    def facts(self) -> DeviceFacts:
        """Return the facts about this computer, with the cores available to this process."""
        return DeviceFacts(
            serial=SERIAL,
            manufacturer=_line("/sys/class/dmi/id/sys_vendor"),
            model=_line("/proc/device-tree/model")
            or parsers.parse_processor(_text("/proc/cpuinfo")),
            soc=None,
            os=_os_name(),
            sdk=None,
            abi=platform.machine(),
            cores=tuple(
                Core(core, _number(_CPU / f"cpu{core}/cpufreq/cpuinfo_max_freq"))
                for core in sorted(os.sched_getaffinity(0))
            ),
            memory_bytes=parsers.parse_memory_bytes(_text("/proc/meminfo")),
            is_emulated=False,
        )

    def conditions(self) -> Conditions:
        """Return the current state of this computer."""
        before, self._usage = self._usage, Usage.now()
        batteries = (
            supply
            for supply in sorted(Path("/sys/class/power_supply").glob("*"))
            if _line(supply / "type") == "Battery" and _line(supply / "scope") != "Device"
        )
        battery = next(batteries, None)
        status = _line(battery / "status") if battery else None
        core_khz = {
            core: _number(_CPU / f"cpu{core}/cpufreq/scaling_cur_freq")
            for core in sorted(os.sched_getaffinity(0))
        }
        return Conditions(
            taken_at=datetime.now(UTC),
            temperatures=parsers.sensor_readings(_sensors()),
            thermal_status=None,
            battery_percent=_number(battery / "capacity") if battery else None,
            is_charging=None if status is None else status != "Discharging",
            core_khz={core: khz for core, khz in core_khz.items() if khz},
            free_bytes=shutil.disk_usage(tempfile.gettempdir()).free,
            foreign_load=foreign_load(before, self._usage),
        )

    def open_workspace(self, key: str) -> "HostWorkspace":
        """Return a new temporary folder."""
        check_key(key)
        return HostWorkspace(self)

    def pause(self, seconds: float) -> None:
        """Wait, unless it is canceled."""
        self.canceled.wait(seconds)
        self.require_not_canceled()

    def cancel(self) -> None:
        """Kill running programs, from another thread."""
        self.canceled.set()

    def require_not_canceled(self) -> None:
        """Raise Canceled after `cancel`."""
        if self.canceled.is_set():
            raise errors.Canceled("The work on this computer was stopped.")


class HostWorkspace(Workspace):
    """A temporary folder."""

    def __init__(self, host: Host) -> None:
        """Create the folder."""
        self._stack = ExitStack()
        self.path = str(self._stack.enter_context(temporary_folder("benchmark")))
        self._host = host

    def place(self, local: Path, name: str, executable: bool = False) -> bool:
        """Copy a file, as `Workspace.place` describes."""
        path = Path(self.path_of(name))
        mode = 0o755 if executable else 0o644
        if path.exists() and file_sha256(path) == file_sha256(local):
            path.chmod(mode)
            return False
        try:
            shutil.copyfile(local, path)
            path.chmod(mode)
        except OSError as error:
            raise self._refusal(error) from error
        return True

    def write(self, name: str, data: bytes) -> None:
        """Write a small file, as `Workspace.write` describes."""
        path = Path(self.path_of(name))
        try:
            path.write_bytes(data)
        except OSError as error:
            raise self._refusal(error) from error

    def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
        """Return the content of a file, as `Workspace.read` describes."""
        path = Path(self.path_of(name))
        try:
            return read_limited(path, limit)
        except TooLargeError:
            raise errors.TooMuchOutput(
                f"'{path}' has more than the {limit:,} bytes expected."
            ) from None
        except OSError as error:
            raise errors.FileRefused(f"'{path}' cannot be read: {error.strerror}.") from error

    def execute(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        time_limit_s: float,
        on_line: OnLine = None,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Finished:
        """Run a program in the folder, as `Workspace.execute` describes."""
        path = Path(self.path_of(program))
        lines = Lines(on_line)
        try:
            done = processes.run(
                [path, *arguments],
                time_limit_s=time_limit_s,
                output_limit=OUTPUT_LIMIT,
                on_stdout=lines.feed,
                cwd=Path(self.path),
                environment=os.environ | environment,
                tick=self._host.require_not_canceled,
            )
        except processes.CannotStartError as error:
            raise errors.ExecRefused(
                f"This computer refuses to run '{path}' ({error.reason}); TMPDIR sets the folder "
                f"for temporary files."
            ) from error
        except processes.TookTooLongError:
            raise errors.TimedOut(f"'{program}' took longer than {time_limit_s:g} s.") from None
        except processes.OutputLimitError:
            raise errors.TooMuchOutput(f"'{program}' {PRINTED_TOO_MUCH}.") from None
        lines.finish()
        return Finished(
            exit_status=done.status if done.status >= 0 else SIGNALED - done.status,
            stdout_lines=tuple(lines.all),
            stderr=done.stderr.decode("utf-8", "replace"),
        )

    def close(self, keep: bool) -> None:  # noqa: ARG002
        """Remove the folder; on this computer, files are never kept."""
        self._stack.close()

    def _refusal(self, error: OSError) -> errors.DeviceError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return errors.DiskFull(f"There is no space in '{self.path}' (see TMPDIR).")
        return errors.FileRefused(f"'{error.filename}' cannot be written: {error.strerror}.")


def _sensors() -> Iterator[tuple[str, str]]:
    """Yield name and reading of every temperature sensor."""
    for zone in sorted(Path("/sys/class/thermal").glob("thermal_zone*")):
        yield _line(zone / "type") or zone.name, _text(zone / "temp")
    for sensor in sorted(Path("/sys/class/hwmon").glob("hwmon*/temp*_input")):
        chip = _line(sensor.parent / "name") or sensor.parent.name
        label = _line(str(sensor).removesuffix("_input") + "_label")
        yield f"{chip} {label}" if label else chip, _text(sensor)


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _text(path: Path | str) -> str:
    """Return the content of a file of the kernel; "" if it cannot be read."""
    try:
        return read_limited(Path(path), KERNEL_FILE_LIMIT).decode("utf-8", "replace")
    except (OSError, TooLargeError):
        return ""


def _line(path: Path | str) -> str | None:
    return _text(path).strip().strip("\0") or None


def _number(path: Path) -> int | None:
    return parsers.whole_number(_text(path))
