"""A separate adb server, independent of any that the user may be running."""

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import adbutils

from loopback_phone.waiting import wait_until


class AdbServer:
    """The server, using the adb bundled with adbutils.

    Attributes:
        settings: environment variables for programs that should use this server.
        address: its address, as for --adb-server.
    """

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.settings = {
            "ANDROID_ADB_SERVER_PORT": str(port),
            "ANDROID_USER_HOME": str(home),  # folder of its key
            "ADB_MDNS": "0",
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",  # do not look for emulators
        }
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [adbutils.adb_path(), "nodaemon", "server"],
            env={**os.environ, **self.settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "the adb server answers")

    def kill(self) -> None:
        """Kill it without notifying its clients."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop it, and any server that a client has started in its place."""
        self.kill()
        if self._answers():
            self.adb("kill-server")

    def adb(self, *arguments: str | bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
        """Run the real client."""
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            [adbutils.adb_path(), *arguments],
            env={**os.environ, **self.settings},
            check=False,
            **{"capture_output": True, "timeout": 60, "stdin": subprocess.DEVNULL, **options},
        )

    def states(self) -> dict[str, str]:
        """Return the state of each phone that the server knows: "device", "offline", ..."""
        lines = self.adb("devices").stdout.decode().splitlines()[1:]
        return dict(line.split("\t", 1) for line in lines if line)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False
