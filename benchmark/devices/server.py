"""adb servers, on this computer or others, and the phones they list."""

import os
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seaformer.benchmark.devices import errors
from seaformer.errors import SeaformerError, UsageError, quoted

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection

READY = "device"
NO_SERIAL = "(no serial number)"
SHELL_PROTOCOL = "shell_v2"

_UNREADY: dict[str, tuple[str, type[errors.DeviceError]]] = {
    "unauthorized": ("has not allowed this computer to use it", errors.Unauthorized),
    "authorizing": ("is asking for permission for this computer", errors.Unauthorized),
    "offline": ("does not respond", errors.Offline),
    "connecting": ("is not connected yet", errors.Offline),
    "no permissions": ("cannot be opened: no permission for its USB port", errors.NoPermission),
}
"""State in adb's list -> its meaning. Other states are modes without Android, such as recovery."""

USUAL_PORT = 5037
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)

START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 10.0
_END_OF_CONNECTION_S = 0.2
"""Largest delay between the end of another connection and the end of the watch."""

RETURN_LIMIT_S = 5.0
"""Time limit for a phone to return after the server was restarted."""


@dataclass(frozen=True)
class AdbServer:
    """The address of an adb server.

    Only the server of this computer is started if it does not run. For --adb-server, none is
    started: on a forwarded port, it would take the place of the remote server.
    """

    host: str
    port: int
    is_own: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def title(self) -> str:
        """Its name at the start of a sentence."""
        return "The adb server" if self.is_own else f"The adb server {self}"

    @property
    def is_started(self) -> bool:
        """Whether it is started if it does not run."""
        return self.is_own and self.host in _LOOPBACK


def parse_server(text: str) -> AdbServer:
    """Read the address of an adb server: HOST:PORT, or HOST with adb's usual port.

    Raises:
        UsageError: it is not an address.
    """
    server = _parsed(text)
    if server is None:
        raise UsageError(
            f"--adb-server is {quoted(text)}. Allowed: HOST:PORT, such as lab1:{USUAL_PORT}, or "
            f"HOST for port {USUAL_PORT}."
        )
    return server


def own_server() -> AdbServer:
    """Return the server of adb's environment variables, by default that of this computer.

    Raises:
        UsageError: a variable has an invalid value.
    """
    spec = os.environ.get("ADB_SERVER_SOCKET")
    if spec:
        address = spec.removeprefix("tcp:")
        server = _parsed(f"{_LOOPBACK[0]}:{address}" if address.isdigit() else address)
        if server is None or not spec.startswith("tcp:"):
            raise UsageError(f"ADB_SERVER_SOCKET is {quoted(spec)}. Allowed: tcp:HOST:PORT.")
        return replace(server, is_own=True)
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", str(USUAL_PORT))
    if not _is_port(port):
        # adbutils reads it when it is imported.
        raise UsageError(f"ANDROID_ADB_SERVER_PORT is '{port}'. Allowed: 1 to 65535.")
    host = os.environ.get("ANDROID_ADB_SERVER_ADDRESS") or _LOOPBACK[0]
    return AdbServer(host, int(port), is_own=True)


def _parsed(text: str) -> AdbServer | None:
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        return None
    port = found["port"] or str(USUAL_PORT)
    return AdbServer(found["v6"] or found["host"], int(port)) if _is_port(port) else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


@dataclass(frozen=True)
class Attached:
    """A phone in the list of an adb server."""

    server: AdbServer
    serial: str  # serial number or network address
    state: str  # "device" if ready, else "unauthorized", "offline", ...
    model: str | None  # as adb reports it; None for phones that are not ready
    is_unique: bool = True  # whether no other phone in the list has its serial

    @property
    def problem(self) -> errors.DeviceError | None:
        """The reason why the phone cannot be used, or None."""
        if self.serial == NO_SERIAL:
            return errors.NoUniqueSerial("A phone has no serial number to select it by.")
        if not self.is_unique:
            return errors.NoUniqueSerial(f"Several phones have the serial number {self.serial}.")
        if self.state == READY:
            return None
        what, kind = _UNREADY.get(self.state, (f"is in the state '{self.state}'", errors.NotReady))
        return kind(f"The phone {self.serial} {what}.")

    @property
    def place(self) -> str:
        """Its serial, with the address of its server unless that is this computer's."""
        return self.serial if self.server.is_own else f"{self.serial} at {self.server}"

    def __str__(self) -> str:
        return f"{self.place} ({self.model or self.state})"


def attached_phones(server: AdbServer | None = None) -> tuple[Attached, ...]:
    """Return all phones in the list of a server, by default of this computer's, in any state.

    Raises:
        NoAdb, NoServer: it cannot be reached.
    """
    server = server or own_server()
    phones, details = _phones(server), _ask(server, "host:devices-l").splitlines()
    return tuple(replace(phone, model=_model(phone, details)) for phone in phones)


def require_shell_protocol(server: AdbServer, serial: str) -> None:
    """Raise OldAndroid if a ready phone lacks version 2 of the shell protocol."""
    try:
        features = _ask(server, f"host-serial:{serial}:features").split(",")
    except errors.ServerLost:
        return  # The next request reports a disconnected phone, or an adb without this request.
    if SHELL_PROTOCOL not in features:
        raise errors.OldAndroid(f"The phone {serial} has an Android version before 7.")


def _phones(server: AdbServer) -> tuple[Attached, ...]:
    """Return the phones without their models.

    This list separates serial and state by a tab; the long list, which has the models, by blanks,
    which serials of phones on the network can contain.
    """
    lines = [line.partition("\t") for line in _ask(server, "host:devices").splitlines()]
    count = Counter(serial for serial, _, _ in lines)
    return tuple(
        Attached(
            server,
            serial,
            "no permissions" if "no perm" in state else state,
            None,
            count[serial] == 1,
        )
        for serial, _, state in lines
    )


def _model(phone: Attached, details: Sequence[str]) -> str | None:
    for line in details:
        rest = line.removeprefix(phone.serial).strip()
        if line.startswith(phone.serial) and rest.startswith(phone.state):
            found = re.search(r" model:(\S+)", rest)
            return found[1].replace("_", " ") if found else None
    return None


def _ask(server: AdbServer, service: str) -> str:
    """Return the server's response to a request; retry if the server was being restarted."""
    try:
        return _ask_once(server, service)
    except errors.ServerLost:
        return _ask_once(server, service)


def _ask_once(server: AdbServer, service: str) -> str:
    with server_errors(server), connect(server) as connection:
        connection.send_command(service)
        connection.check_okay()
        return connection.read_string_block()


def require(server: AdbServer, serial: str, wait_s: float = 0.0) -> None:
    """Wait until a phone is ready; after `wait_s`, raise Unplugged, Unauthorized, Offline, ..."""
    deadline = time.monotonic() + wait_s
    while True:
        found = [phone for phone in _phones(server) if phone.serial == serial]
        problem = (
            found[0].problem if found else errors.Unplugged(f"The phone {serial} is disconnected.")
        )
        if problem is None:
            return
        if time.monotonic() >= deadline:
            raise problem
        time.sleep(0.1)


def connect(server: AdbServer, answer_limit_s: float = ANSWER_LIMIT_S) -> "AdbConnection":
    """Connect to an adb server; this computer's is started if needed.

    `answer_limit_s` is the time limit for each response on the connection.

    Raises:
        NoAdb: it cannot be started.
        NoServer: a server that is not started here cannot be reached.
        ServerLost: it does not respond.
    """
    address = (server.host, server.port)
    try:
        socket.create_connection(address, timeout=ANSWER_LIMIT_S).close()
    except (OSError, UnicodeError) as error:  # a name that is too long has the latter
        if not server.is_started:
            raise errors.NoServer(f"The adb server {server} does not respond ({error}).") from error
        _start_server()
    with server_errors(server):
        return _client(server).make_connection(timeout=answer_limit_s)


def watch_server(server: AdbServer) -> "AdbConnection":
    """Return a connection that lasts as long as the adb server's process; see `has_ended`.

    A request aborts in the same way if the phone is disconnected and if the server is restarted,
    after which the new server has to find the phone first. A separate connection distinguishes
    the two.
    """
    with server_errors(server):
        watch = connect(server)
        watch.send_command("host:track-devices")
        watch.check_okay()
    return watch


def has_ended(watch: "AdbConnection") -> bool:
    """Whether the watched server has ended, even if a new one has started."""
    watch.conn.settimeout(_END_OF_CONNECTION_S)
    try:
        while watch.conn.recv(4096):  # messages about phones
            continue
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def server_errors(server: AdbServer) -> Iterator[None]:
    """Convert errors of the connection to an adb server to `ServerLost`."""
    from adbutils.errors import AdbError

    try:
        yield
    except SeaformerError:
        raise
    except (AdbError, OSError, EOFError, ValueError) as error:
        raise errors.ServerLost(
            f"{server.title} closed the connection ({_short(error)})."
        ) from error


def _client(server: AdbServer) -> "AdbClient":
    from adbutils import AdbClient

    return AdbClient(server.host, server.port)


def _start_server() -> None:
    """Start the server as `adb` does, but without printing its messages."""
    from adbutils import adb_path
    from adbutils.errors import AdbError

    try:
        started = subprocess.run(
            [adb_path(), "start-server"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=START_LIMIT_S,
        )
    except AdbError:
        raise errors.NoAdb("There is no adb on this computer.") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise errors.NoAdb(f"adb does not start ({_short(error)}).") from error
    if started.returncode:
        raise errors.NoAdb(f"adb does not start its server (exit status {started.returncode}).")


def _short(error: BaseException) -> str:
    return str(error) or type(error).__name__
