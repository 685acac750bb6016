"""A phone over adb."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from shlex import quote
from typing import BinaryIO, TypeVar

from seaformer.benchmark.devices import errors
from seaformer.benchmark.devices.device import (
    NO_VARIABLES,
    OUTPUT_LIMIT,
    Conditions,
    Device,
    DeviceFacts,
    Finished,
    OnLine,
    Workspace,
    check_key,
)
from seaformer.benchmark.devices.facts import (
    CONDITIONS_SCRIPT,
    FACTS_SCRIPT,
    read_conditions,
    read_facts,
)
from seaformer.benchmark.devices.parsers import whole_number
from seaformer.benchmark.devices.reservation import FOLDER, KEPT, Reservation
from seaformer.benchmark.devices.server import (
    ANSWER_LIMIT_S,
    RETURN_LIMIT_S,
    AdbServer,
    own_server,
    require,
    require_shell_protocol,
)
from seaformer.benchmark.devices.transport import Transport
from seaformer.errors import SeaformerError
from seaformer.files import file_sha256
from seaformer.lines import Lines
from seaformer.privacy import SWITCHES
from seaformer.processes import Done

ABI = "arm64-v8a"

HOUSEKEEPING_LIMIT_S = 30.0
"""Time limit for short commands; only `dumpsys` waits up to 10 s for a busy service."""

KILL_LIMIT_S = 6.0

_NOT_EXECUTABLE = (126, 127)
"""Exit statuses of a shell that cannot run a program."""

_T = TypeVar("_T")

_PROGRAM = """\
cd {folder} || exit 127
export {variables}
pid=
trap 'kill -9 -- "-$pid"; wait "$pid"; exit 129' HUP INT TERM
setsid sh -c 'echo "{mark} $$"; exec "$0" "$@"' {command} </dev/null &
pid=$!
wait "$pid\""""
"""Runs a program in its own process group.

The first line of output is a mark and the number of the group. If adb hangs up because the phone
was unplugged, the shell kills the group, as no other process can.
"""


_END = """\
kill -9 -- -{group}
tries=0
while kill -0 -- -{group} && [ $tries -lt 40 ]; do tries=$((tries + 1)); sleep 0.1; done
[ $tries -lt 40 ]"""
"""Kills a process group; fails if it still exists after four seconds."""


class Phone(Device):
    """A phone that adb lists as ready."""

    target = "android-arm64"

    def __init__(self, serial: str, server: AdbServer | None = None) -> None:
        """Connect to a phone by its serial in adb's list; raise Unplugged, Offline, ... on failure.

        Without `server`, this computer's adb server is used.
        """
        self._server = server or own_server()
        require(self._server, serial)
        require_shell_protocol(self._server, serial)
        self.serial = serial
        self._canceled = threading.Event()
        self.transport = Transport(serial, self._canceled, ANSWER_LIMIT_S, self._server)
        # Cleaning up has to work after `cancel` too.
        self.cleanup_transport = Transport(serial, threading.Event(), KILL_LIMIT_S, self._server)

    def __str__(self) -> str:
        return f"the phone {self.serial}"

    @property
    def is_emulated(self) -> bool:  # type: ignore[override]
        """Whether Android reports that it runs in an emulator."""
        return self.facts().is_emulated

    def facts(self) -> DeviceFacts:
        """Return the facts about the phone, which are read once."""
        return self._facts

    @cached_property
    def _facts(self) -> DeviceFacts:
        return read_facts(self.serial, self.ask(FACTS_SCRIPT))

    def conditions(self) -> Conditions:
        """Return the current state of the phone."""
        return read_conditions(self.ask(CONDITIONS_SCRIPT))

    def check_processor(self) -> None:
        """Raise WrongProcessor unless the runner supports it; emulators on PCs are usually x86."""
        abi = self.facts().abi
        if abi != ABI:
            raise errors.WrongProcessor(
                f"The ABI of the phone {self.serial} is {abi or 'unknown'}."
            )

    def open_workspace(self, key: str) -> "PhoneWorkspace":
        """Reserve the phone, and return the folder of the reservation."""
        check_key(key)
        self.check_processor()
        reservation = self.twice(lambda: Reservation(self.transport, self.cleanup_transport))
        try:
            kept, folder = f"{FOLDER}/{KEPT}{key}", reservation.folder
            self.run(f"test -d {kept} && rmdir {folder} && mv {kept} {folder}")
        except BaseException:
            with suppress(SeaformerError):
                reservation.end()
            raise
        return PhoneWorkspace(self, reservation, kept)

    def pause(self, seconds: float) -> None:
        """Wait, unless it is canceled."""
        if self._canceled.wait(seconds):
            raise errors.Canceled("The work on the phone was stopped.")

    def cancel(self) -> None:
        """Kill programs that run on the phone, from another thread."""
        self._canceled.set()

    def run(self, command: str) -> Done:
        """Run a short, idempotent shell command."""
        return self.twice(lambda: self.transport.shell(command, HOUSEKEEPING_LIMIT_S))

    def ask(self, command: str) -> str:
        """Return the output of a short shell command."""
        return self.run(command).stdout.decode("utf-8", "replace")

    def twice(self, work: Callable[[], _T]) -> _T:
        """Do idempotent work, and repeat it once if the adb server restarts in the meantime."""
        try:
            return work()
        except (errors.ServerLost, errors.CutOff):
            require(self._server, self.serial, RETURN_LIMIT_S)
            return work()


class PhoneWorkspace(Workspace):
    """A folder on a phone."""

    shell = "/system/bin/sh"

    def __init__(self, phone: Phone, reservation: Reservation, kept: str) -> None:
        """Wrap the folder of a reservation; `kept` is the path for files of --keep."""
        self.path = reservation.folder
        self._phone, self._reservation, self._kept = phone, reservation, kept

    def place(self, local: Path, name: str, executable: bool = False) -> bool:
        """Copy a file to the folder, as `Workspace.place` describes."""
        path = self.path_of(name)
        digest, size = file_sha256(local), local.stat().st_size
        mode = 0o755 if executable else 0o644
        if self._digest(path, size) == digest:
            self._phone.run(f"chmod {mode:o} {quote(path)}")
            return False
        with local.open("rb") as content:
            self._send(content, path, mode)
        if self._digest(path, size) != digest:
            raise errors.FileRefused(f"'{name}' was corrupted on the phone {self._phone.serial}.")
        return True

    def write(self, name: str, data: bytes) -> None:
        """Write a small file, as `Workspace.write` describes."""
        self._send(BytesIO(data), self.path_of(name), 0o644)

    def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
        """Return the content of a file, as `Workspace.read` describes."""
        path = self.path_of(name)
        return self._phone.twice(lambda: self._phone.transport.pull(path, limit))

    def execute(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        time_limit_s: float,
        on_line: OnLine = None,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Finished:
        """Run a program in the folder, as `Workspace.execute` describes.

        Raises TakenOver if another process has reserved the phone in the meantime.
        """
        path = self.path_of(program)
        if "\0" in "".join(arguments):
            raise ValueError("an argument contains NUL, which would truncate it")
        mark = secrets.token_hex(8)
        group: list[str] = []

        def first_or_line(line: str) -> None:
            if not group and line.startswith(mark):
                group.append(line.removeprefix(mark).strip())
            elif on_line is not None:
                on_line(line)

        lines = Lines(first_or_line)
        command = " ".join(quote(word) for word in (f"./{program}", *arguments))
        variables = " ".join(
            f"{name}={quote(value)}" for name, value in {**SWITCHES, **environment}.items()
        )
        try:
            result = self._phone.transport.shell(
                _PROGRAM.format(
                    folder=quote(self.path), variables=variables, mark=mark, command=command
                ),
                time_limit_s,
                lines.feed,
                f"'{program}'",
                OUTPUT_LIMIT,
            )
        except errors.Unplugged:
            raise  # The phone's shell has killed the program, and is no longer reachable.
        except BaseException as error:
            if not self._end(group) and isinstance(error, errors.TimedOut):
                raise errors.TimedOut(
                    f"The phone {self._phone.serial} hangs: '{program}' took longer than "
                    f"{time_limit_s:g} s, could not be killed and may still run."
                ) from None
            if isinstance(error, errors.CutOff):
                self._phone.twice(self._reservation.require)
            raise
        lines.finish()
        self._phone.twice(self._reservation.require)
        stderr = result.stderr.decode("utf-8", "replace")
        if result.status in _NOT_EXECUTABLE:
            reason = stderr.strip().rpartition("\n")[2]
            raise errors.ExecRefused(
                f"The phone {self._phone.serial} refuses to run '{path}' ({reason})."
            )
        return Finished(result.status, tuple(lines.all[1:]), stderr)

    def close(self, keep: bool) -> None:
        """Remove the folder unless it is kept, and release the phone."""
        if keep:
            command = f"rm -rf {self._kept}; mv {self.path} {self._kept}"
            self._phone.cleanup_transport.shell(command, HOUSEKEEPING_LIMIT_S)
        self._phone.twice(self._reservation.end)

    def _send(self, content: BinaryIO, path: str, mode: int) -> None:
        def send() -> None:
            content.seek(0)
            self._phone.transport.push(content, path, mode)

        self._phone.twice(send)

    def _digest(self, path: str, size: int) -> str | None:
        """Return the SHA-256 of a file of `size` bytes on the phone; None if it is missing."""
        result = self._phone.run(f"test -f {quote(path)} && sha256sum < {quote(path)}")
        if result.status == 0:
            return result.stdout[:64].decode("ascii", "replace")
        if result.status in _NOT_EXECUTABLE:  # Androids before 8 have no sha256sum
            with suppress(errors.TooMuchOutput):
                content = self._phone.twice(lambda: self._phone.transport.pull(path, size))
                return sha256(content).hexdigest()
        return None

    def _end(self, group: list[str]) -> bool:
        """Kill a process group, if its number was printed."""
        number = whole_number(group[0]) if group else None
        if number is None or number <= 0:
            return False
        with suppress(errors.DeviceError):
            end = _END.format(group=number)
            return self._phone.cleanup_transport.shell(end, KILL_LIMIT_S).status == 0
        return False
