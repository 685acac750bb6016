"""The adb server of this computer, and the phones it lists."""

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
from seaformer.errors import SeaformerError, UsageError

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection

READY = "device"
NO_SERIAL = "(no serial number)"
SHELL_PROTOCOL = "shell_v2"

_UNREADY: dict[str, tuple[str, type[errors.DeviceError]]] = {
    "unauthorized": ("has not allowed this computer to use it", errors.Unauthorized),
    "authorizing": ("is being asked to allow this computer", errors.Unauthorized),
    "offline": ("does not respond", errors.Offline),
    "connecting": ("is not connected yet", errors.Offline),
    "no permissions": ("cannot be opened: no permission for its USB port", errors.NoPermission),
}
"""State in adb's list -> its meaning. Other states are modes without Android, such as recovery."""

START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 10.0
_END_OF_CONNECTION_S = 0.2
"""Largest delay between the end of another connection and the end of the watch."""

RETURN_LIMIT_S = 5.0
"""Time limit for a phone to return after the server was restarted."""


@dataclass(frozen=True)
class Attached:
    """A phone in adb's list."""

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

    def __str__(self) -> str:
        return f"{self.serial} ({self.model or self.state})"


def attached_phones() -> tuple[Attached, ...]:
    """Return all phones in adb's list, in any state; or raise NoAdb."""
    phones, details = _phones(), _ask("host:devices-l").splitlines()
    return tuple(replace(phone, model=_model(phone, details)) for phone in phones)


def require_shell_protocol(serial: str) -> None:
    """Raise OldAndroid if a ready phone lacks version 2 of the shell protocol."""
    try:
        features = _ask(f"host-serial:{serial}:features").split(",")
    except errors.ServerLost:
        return  # The next request reports a disconnected phone, or an adb without this request.
    if SHELL_PROTOCOL not in features:
        raise errors.OldAndroid(f"The phone {serial} has an Android version before 7.")


def _phones() -> tuple[Attached, ...]:
    """Return the phones without their models.

    This list separates serial and state by a tab; the long list, which has the models, by blanks,
    which serials of phones on the network can contain.
    """
    lines = [line.partition("\t") for line in _ask("host:devices").splitlines()]
    count = Counter(serial for serial, _, _ in lines)
    return tuple(
        Attached(
            serial, "no permissions" if "no perm" in state else state, None, count[serial] == 1
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


def _ask(service: str) -> str:
    """Return the server's response to a request; retry if the server was being restarted."""
    try:
        return _ask_once(service)
    except errors.ServerLost:
        return _ask_once(service)


def _ask_once(service: str) -> str:
    with server_errors(), connect() as connection:
        connection.send_command(service)
        connection.check_okay()
        return connection.read_string_block()


def require(serial: str, wait_s: float = 0.0) -> None:
    """Wait until a phone is ready; after `wait_s`, raise Unplugged, Unauthorized, Offline, ..."""
    deadline = time.monotonic() + wait_s
    while True:
        found = [phone for phone in _phones() if phone.serial == serial]
        problem = (
            found[0].problem if found else errors.Unplugged(f"The phone {serial} is disconnected.")
        )
        if problem is None:
            return
        if time.monotonic() >= deadline:
            raise problem
        time.sleep(0.1)


def connect(answer_limit_s: float = ANSWER_LIMIT_S) -> "AdbConnection":
    """Connect to the adb server, starting it if needed.

    `answer_limit_s` is the time limit for each response on the connection.

    Raises:
        NoAdb: it cannot be started.
        ServerLost: it does not respond.
    """
    client = _client()
    try:
        socket.create_connection((client.host, client.port), timeout=ANSWER_LIMIT_S).close()
    except OSError:
        _start_server()
    with server_errors():
        return client.make_connection(timeout=answer_limit_s)


def watch_server() -> "AdbConnection":
    """Return a connection that lasts as long as the current adb server; see `has_ended`.

    A request aborts in the same way if the phone is disconnected and if the server is restarted,
    after which the new server has to find the phone first. A separate connection distinguishes
    the two.
    """
    with server_errors():
        watch = connect()
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
def server_errors() -> Iterator[None]:
    """Convert errors of the connection to the adb server to `ServerLost`."""
    from adbutils.errors import AdbError

    try:
        yield
    except SeaformerError:
        raise
    except (AdbError, OSError, EOFError, ValueError) as error:
        raise errors.ServerLost(
            f"The adb server closed the connection ({_short(error)})."
        ) from error


def _client() -> "AdbClient":
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        # adbutils reads it when it is imported.
        raise UsageError(f"ANDROID_ADB_SERVER_PORT is '{port}'. Allowed: 1 to 65535.")
    from adbutils import AdbClient

    return AdbClient(port=int(port))


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
