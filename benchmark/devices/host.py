"""This computer as a device."""

import errno
import os
import platform
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from seaformer.benchmark.devices.device import (
    SIGNALLED,
    Conditions,
    Core,
    Device,
    DeviceFacts,
    Finished,
    Workspace,
    check_arguments,
    check_name,
)
from seaformer.benchmark.devices.errors import (
    Cancelled,
    DeviceError,
    DiskFull,
    ExecRefused,
    FileRefused,
    TimedOut,
    UnsupportedHost,
)
from seaformer.benchmark.devices.foreign_load import Usage, foreign_load
from seaformer.benchmark.devices.lines import Lines
from seaformer.benchmark.devices.parsers.cpuinfo import parse_processor
from seaformer.benchmark.devices.parsers.meminfo import parse_memory_bytes
from seaformer.benchmark.devices.parsers.thermal_zones import sensor_readings
from seaformer.benchmark.devices.parsers.values import whole_number
from seaformer.files import file_sha256

SERIAL = "host"

TARGETS = {"x86_64": "linux-x86_64", "aarch64": "linux-arm64"}
"""`platform.machine()` -> target of the runner."""

_TICK_S = 0.2
"""How often a wait looks whether it is cancelled."""

_CPU = Path("/sys/devices/system/cpu")


class Host(Device):
    """This computer, with Linux on x86-64 or arm64."""

    serial = SERIAL
    is_emulated = False

    def __init__(self) -> None:
        """Take this computer.

        Raises:
            UnsupportedHost: there is no runner for it.
        """
        machine = platform.machine()
        if sys.platform != "linux":
            raise UnsupportedHost(
                f"On {platform.system()} models are measured on phones only: this computer itself "
                f"can be measured on Linux."
            )
        if machine not in TARGETS:
            raise UnsupportedHost(f"There is no runner for a processor of type {machine}.")
        self.target = TARGETS[machine]
        self.cancelled = threading.Event()
        self._usage = Usage.now()

    def __str__(self) -> str:
        return "this computer"

    def facts(self) -> DeviceFacts:
        """Return what this computer is. Its cores are those that this process may run on."""
        return DeviceFacts(
            serial=SERIAL,
            manufacturer=_line("/sys/class/dmi/id/sys_vendor"),
            model=_line("/proc/device-tree/model") or parse_processor(_text("/proc/cpuinfo")),
            soc=None,
            os=_os_name(),
            sdk=None,
            abi=platform.machine(),
            cores=tuple(
                Core(core, _number(_CPU / f"cpu{core}/cpufreq/cpuinfo_max_freq"))
                for core in sorted(os.sched_getaffinity(0))
            ),
            memory_bytes=parse_memory_bytes(_text("/proc/meminfo")),
            is_emulated=False,
        )

    def conditions(self) -> Conditions:
        """Return the state that this computer is in now."""
        names = _sensor_names()
        before, self._usage = self._usage, Usage.now()
        battery = next(
            (
                supply
                for supply in sorted(Path("/sys/class/power_supply").glob("*"))
                if _line(supply / "type") == "Battery" and _line(supply / "scope") != "Device"
            ),
            None,
        )
        status = _line(battery / "status") if battery else None
        core_khz = {
            core: _number(_CPU / f"cpu{core}/cpufreq/scaling_cur_freq")
            for core in sorted(os.sched_getaffinity(0))
        }
        return Conditions(
            taken_at=datetime.now(UTC),
            temperatures=sensor_readings(names, {path: _text(path) for path in names}),
            thermal_status=None,
            battery_percent=_number(battery / "capacity") if battery else None,
            is_charging=None if status is None else status != "Discharging",
            core_khz={core: khz for core, khz in core_khz.items() if khz},
            free_bytes=shutil.disk_usage(tempfile.gettempdir()).free,
            foreign_load=foreign_load(before, self._usage),
        )

    def open_workspace(self, key: str) -> "HostWorkspace":
        """Return a new temporary folder."""
        return HostWorkspace(self, Path(tempfile.mkdtemp(prefix=f"seaformer-{key}-")))

    def cancel(self) -> None:
        """End what runs, from another thread."""
        self.cancelled.set()


class HostWorkspace(Workspace):
    """A temporary folder."""

    def __init__(self, host: Host, folder: Path) -> None:
        """Take a folder that is there."""
        self.path = str(folder)
        self._folder = folder
        self._host = host

    def place(self, local: Path, name: str, executable: bool = False) -> bool:
        """Copy a file, as `Workspace.place` describes."""
        path = self._path_of(name)
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
        path = self._path_of(name)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise self._refusal(error) from error

    def read(self, name: str) -> bytes:
        """Return the content of a file, as `Workspace.read` describes."""
        path = self._path_of(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise FileRefused(f"'{path}' cannot be read: {error.strerror}.") from error

    def execute(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        time_limit_s: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run a program in the folder, as `Workspace.execute` describes."""
        path = self._path_of(program)
        check_arguments(arguments)
        try:
            process = subprocess.Popen(
                [str(path), *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ExecRefused(
                f"This computer does not run '{path}' ({error.strerror}); temporary files are put "
                f"where TMPDIR says."
            ) from error
        lines = Lines(on_line)
        stderr = bytearray()
        try:
            self._follow(process, lines, stderr, time.monotonic() + time_limit_s)
        except _TimeIsUpError:
            raise TimedOut(f"'{program}' took longer than {time_limit_s:g} s.") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()
        status = process.returncode
        return Finished(
            exit_status=status if status >= 0 else SIGNALLED - status,
            stdout_lines=tuple(lines.all),
            stderr=stderr.decode("utf-8", "replace"),
        )

    def close(self, keep: bool) -> None:
        """Remove the folder, unless it is to be kept."""
        if not keep:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _follow(
        self,
        process: "subprocess.Popen[bytes]",
        lines: Lines,
        stderr: bytearray,
        deadline: float,
    ) -> None:
        """Take what a program prints until it has ended."""
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None
            assert process.stderr is not None
            selector.register(process.stdout, selectors.EVENT_READ, lines.feed)
            selector.register(process.stderr, selectors.EVENT_READ, stderr.extend)
            while selector.get_map():
                self._check(deadline)
                for key, _ in selector.select(_TICK_S):
                    data = os.read(key.fd, 1 << 16)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
        lines.finish()
        while process.poll() is None:  # it closed its output and works on
            self._check(deadline)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TICK_S)

    def _check(self, deadline: float) -> None:
        if self._host.cancelled.is_set():
            raise Cancelled("The work on this computer was stopped.")
        if time.monotonic() >= deadline:
            raise _TimeIsUpError

    def _path_of(self, name: str) -> Path:
        check_name(name)
        return self._folder / name

    def _refusal(self, error: OSError) -> DeviceError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(f"There is no room in '{self.path}' (see TMPDIR).")
        return FileRefused(f"'{error.filename}' cannot be written: {error.strerror}.")


class _TimeIsUpError(Exception):
    """A program has to be ended."""


def _sensor_names() -> dict[str, str]:
    """Return path -> name of all temperature sensors."""
    names: dict[str, str] = {}
    for zone in sorted(Path("/sys/class/thermal").glob("thermal_zone*")):
        names[str(zone / "temp")] = _line(zone / "type") or zone.name
    for sensor in sorted(Path("/sys/class/hwmon").glob("hwmon*/temp*_input")):
        chip = _line(sensor.parent / "name") or sensor.parent.name
        label = _line(str(sensor).removesuffix("_input") + "_label")
        names[str(sensor)] = f"{chip} {label}" if label else chip
    return names


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _text(path: Path | str) -> str:
    """Return the content of a file of the kernel, "" if it cannot be read."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def _line(path: Path | str) -> str | None:
    return _text(path).strip().strip("\0") or None


def _number(path: Path) -> int | None:
    return whole_number(_text(path))
