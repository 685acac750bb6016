"""Talking to a phone through the adb server: shell commands and files.

adbutils finds and connects to the server. This module adds what its calls lack: a time limit for
every wait, output line by line, separate stdout and stderr, the phone's reason for refusing a file,
and canceling from another thread.
"""

import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import BinaryIO

from adbutils import AdbConnection
from adbutils.errors import AdbError, AdbTimeout

from seaformer.benchmark.devices import errors, server
from seaformer.processes import Allowance, Done

SILENCE_LIMIT_S = 30.0
"""Time limit for a file transfer without progress."""

_TICK_S = 0.2
"""Interval at which a wait checks whether it is canceled."""

_SETTLE_S = 1.0
"""Time that the adb server may need to notice that a phone is disconnected."""

_CHUNK = 64 * 1024
"""Largest size of a message of the file protocol in bytes."""

ANSWER_LIMIT = 4 * 2**20
"""Limit in bytes; all facts about a phone, including `dumpsys`, take tens of thousands."""

_STDOUT, _STDERR, _EXIT = 1, 2, 3
"""Packet types of the shell protocol, version 2."""


class _SilenceError(Exception):
    """No data arrived before the time limit."""


class _Link:
    """A connection to a service of the phone; all waits have a time limit and can be canceled."""

    def __init__(self, connection: AdbConnection, canceled: threading.Event) -> None:
        self._connection = connection
        self._socket = connection.conn
        self._socket.settimeout(_TICK_S)
        self._canceled = canceled
        self.deadline: float | None = None
        """Deadline for everything, by `time.monotonic`; None limits each wait instead."""

    def receive(self, count: int) -> bytes:
        data = bytearray()
        for _ in self._waits():
            if len(data) == count:
                break
            with suppress(TimeoutError):
                part = self._socket.recv(min(count - len(data), _CHUNK))
                if not part:
                    raise EOFError("connection closed")
                data += part
        return bytes(data)

    def send(self, data: bytes) -> None:
        left = memoryview(data)
        for _ in self._waits():
            if not left:
                break
            with suppress(TimeoutError):
                left = left[self._socket.send(left) :]

    def close(self) -> None:
        self._connection.close()

    def _waits(self) -> Iterator[None]:
        silence = time.monotonic() + SILENCE_LIMIT_S
        while True:
            if self._canceled.is_set():
                raise errors.Canceled("The work on the phone was stopped.")
            yield
            if time.monotonic() >= (silence if self.deadline is None else self.deadline):
                raise _SilenceError


def refusal(serial: str, path: str, reason: str) -> errors.DeviceError:
    """Return the error for a file that a phone refuses to write or read."""
    if "no space" in reason.lower():
        return errors.DiskFull(f"The phone {serial} has no space for '{path}'.")
    return errors.FileRefused(f"The phone {serial} refuses '{path}': {reason}.")


class Transport:
    """The connection to a phone; calls raise TimedOut, Canceled, Unplugged, ServerLost, ..."""

    def __init__(
        self,
        serial: str,
        canceled: threading.Event,
        answer_limit_s: float = server.ANSWER_LIMIT_S,
        adb_server: server.AdbServer | None = None,
    ) -> None:
        """Prepare a connection without sending anything.

        Args:
            serial: serial number in the list of adb.
            canceled: when set, all waits for the phone raise `Canceled`.
            answer_limit_s: time limit for the phone to start processing a request.
            adb_server: the server that lists the phone; None for this computer's.
        """
        self.serial = serial
        self._server = adb_server or server.own_server()
        self._canceled = canceled
        self._answer_limit_s = answer_limit_s

    def shell(
        self,
        command: str,
        time_limit_s: float,
        on_stdout: Callable[[bytes], None] | None = None,
        what: str = "a command",
        output_limit: int = ANSWER_LIMIT,
    ) -> Done:
        """Run a command in the phone's shell.

        On an exception, adb hangs up the phone's shell (SIGHUP), but not its child processes.

        Args:
            command: for `sh -c`. It must not exit the shell.
            time_limit_s: time limit in seconds.
            on_stdout: called with stdout as it arrives.
            what: name of the command in messages.
            output_limit: limit of its output, as `seaformer.processes.Allowance` counts, above
                which TooMuchOutput is raised.
        """
        output, stderr = bytearray(), bytearray()
        mark = secrets.token_hex(8)
        allowance = Allowance(output_limit)
        marked = f"{command}\nstatus=$?; echo {mark} >&2; exit $status"
        with self._explained(f"{what} took longer than {time_limit_s:g} s"):
            with closing(self._open(f"shell,v2,raw:{marked}")) as link:
                link.deadline = time.monotonic() + time_limit_s
                while True:
                    kind, length = struct.unpack("<BI", link.receive(5))
                    # The length is untrusted, so the limit is checked before waiting for data.
                    data = link.receive(length) if length <= output_limit else None
                    if data is None or not allowance.covers(data):
                        raise errors.TooMuchOutput(
                            f"The phone {self.serial}: {what} printed more than "
                            f"{output_limit / 2**20:g} MiB and was killed."
                        )
                    if kind == _EXIT:
                        break
                    if kind == _STDERR:
                        stderr += data
                    elif kind == _STDOUT and on_stdout is None:
                        output += data
                    elif kind == _STDOUT and on_stdout is not None:
                        on_stdout(data)
            # A killed shell, or a disconnected phone, can look like a regular end.
            text, found, rest = bytes(stderr).rpartition(f"{mark}\n".encode())
            if not found:
                raise EOFError("the end of the output is missing")
        return Done(data[0], bytes(output), text + rest)

    def push(self, content: BinaryIO, path: str, mode: int) -> None:
        """Write a file with these permissions, creating its parent folders.

        Raises:
            DiskFull, FileRefused: the phone refuses it.
        """
        silence = f"no progress for {SILENCE_LIMIT_S:g} s while sending a file"
        with self._explained(silence), closing(self._open("sync:")) as link:
            try:
                self._ask(link, b"SEND", f"{path},{0o100000 | mode}")
                while chunk := content.read(_CHUNK):
                    link.send(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
                link.send(b"DONE" + struct.pack("<I", int(time.time())))
            except OSError:
                # The phone may have sent a reason before it closed the connection.
                with suppress(OSError, EOFError):
                    self._reply(link, path)
                raise
            self._reply(link, path)

    def pull(self, path: str, limit: int) -> bytes:
        """Return the content of a file.

        Raises:
            FileRefused: the phone refuses to read it.
            TooMuchOutput: it has more than `limit` bytes.
        """
        content = bytearray()
        silence = f"no progress for {SILENCE_LIMIT_S:g} s while reading a file"
        with self._explained(silence), closing(self._open("sync:")) as link:
            self._ask(link, b"RECV", path)
            while self._reply(link, path) == b"DATA":
                content += self._message(link)
                if len(content) > limit:
                    raise errors.TooMuchOutput(
                        f"The phone {self.serial}: '{path}' has more than the {limit:,} bytes "
                        "expected."
                    )
        return bytes(content)

    def _ask(self, link: _Link, request: bytes, argument: str) -> None:
        data = argument.encode("utf-8", "surrogateescape")
        link.send(request + struct.pack("<I", len(data)) + data)

    def _reply(self, link: _Link, path: str) -> bytes:
        reply = link.receive(4)
        if reply != b"FAIL":
            return reply
        raise refusal(self.serial, path, self._message(link).decode("utf-8", "replace"))

    def _message(self, link: _Link) -> bytes:
        """Receive the rest of a message of the file protocol: its length and its content."""
        (length,) = struct.unpack("<I", link.receive(4))
        if length > _CHUNK:
            raise EOFError(f"a message has {length} bytes, but the limit is {_CHUNK}")
        return link.receive(length)

    def _open(self, service: str) -> _Link:
        try:
            return self._try_to_open(service)
        except AdbTimeout:
            raise
        except (AdbError, OSError, EOFError, errors.ServerLost):
            # A restarted server takes a moment to detect the phone.
            server.require(self._server, self.serial, server.RETURN_LIMIT_S)
            return self._try_to_open(service)

    def _try_to_open(self, service: str) -> _Link:
        connection = server.connect(self._server, self._answer_limit_s)
        try:
            for request in (f"host:transport:{self.serial}", service):
                data = request.encode("utf-8", "surrogateescape")
                connection.conn.sendall(f"{len(data):04x}".encode() + data)
                connection.check_okay()
            return _Link(connection, self._canceled)
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def _explained(self, silence: str) -> Iterator[None]:
        """Convert errors of the connection to the error that describes the phone's state."""
        with closing(server.watch_server(self._server)) as watch:
            try:
                yield
            except _SilenceError:
                raise errors.TimedOut(f"The phone {self.serial}: {silence}.") from None
            except AdbTimeout:
                raise errors.TimedOut(
                    f"The phone {self.serial} did not respond for {self._answer_limit_s:g} s."
                ) from None
            except (AdbError, OSError, EOFError, struct.error) as error:
                if server.has_ended(watch):
                    raise errors.ServerLost(f"{self._server.title} ended.") from error
                self._require_still_there()
                raise errors.CutOff(
                    f"The connection to the phone {self.serial} was lost ({error})."
                ) from error

    def _require_still_there(self) -> None:
        """Raise Unplugged if the phone is disconnected, which the server reports with a delay."""
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            try:
                server.require(self._server, self.serial)
            except (errors.Offline, errors.Unplugged):
                raise errors.Unplugged(f"The phone {self.serial} is disconnected.") from None
            time.sleep(0.05)
