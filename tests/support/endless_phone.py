"""An adb server with a phone whose answers never end, unlike a real phone's."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

SERIAL = "endless"
CHUNK = 1 << 16
STDOUT, STDERR = 1, 2

ANSWERS = {
    "host:devices": f"{SERIAL}\tdevice\n",
    "host:devices-l": f"{SERIAL} device model:Endless\n",
    f"host-serial:{SERIAL}:features": "shell_v2,cmd",
}

LINE, TEXT = b"y\n" * (CHUNK // 2), b"y" * CHUNK


class EndlessPhone:
    """The server, on its own port.

    Attributes:
        port: port on which it listens.
        sent: number of bytes that the phone has sent so far.
    """

    def __init__(
        self, kind: int, answer: bytes, claimed: int | None, answers: Mapping[str, str]
    ) -> None:
        """Start listening.

        Args:
            answers: the server's answers to requests.
            kind: kind of the packets of shell commands, `STDOUT` or `STDERR`.
            answer: content of each packet.
            claimed: length in the header of each packet; None for the real length.
        """
        self.sent, self._answers = 0, answers
        self._packet = struct.pack("<BI", kind, claimed or len(answer)) + answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, suppress(OSError, EOFError):
            while True:
                request = _receive(line, int(_receive(line, 4), 16)).decode()
                line.sendall(b"OKAY")
                if request in self._answers:
                    text = self._answers[request].encode()
                    line.sendall(f"{len(text):04x}".encode() + text)
                elif request.startswith("shell"):
                    while True:
                        line.sendall(self._packet)
                        self.sent += len(self._packet)
                elif request.startswith("sync:"):
                    _, length = struct.unpack("<4sI", _receive(line, 8))
                    _receive(line, length)
                    while True:
                        line.sendall(b"DATA" + struct.pack("<I", CHUNK) + TEXT)
                        self.sent += CHUNK


@contextmanager
def endless_phone(
    kind: int = STDOUT,
    answer: bytes = TEXT,
    claimed: int | None = None,
    answers: Mapping[str, str] = ANSWERS,
) -> Iterator[EndlessPhone]:
    """Attach the phone."""
    phone = EndlessPhone(kind, answer, claimed, answers)
    try:
        yield phone
    finally:
        phone.close()


def _receive(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = line.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
