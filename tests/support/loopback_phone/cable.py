"""The cable between the adb server and the phone: it can be pulled out, and it can hang."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_BLOCK_BYTES = 16 * 1024


class Cable:
    """Forwards TCP connections to the phone's adbd.

    Attributes:
        port: port on 127.0.0.1 to which the adb server connects; it never changes.
        bytes_to_phone: number of bytes forwarded to the phone.
    """

    def __init__(self, phone_port: int) -> None:
        self._phone_port = phone_port
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._connections: list[tuple[socket.socket, socket.socket]] = []
        self._trap: _Trap | None = None
        self._alter: Callable[[bytes], bytes] | None = None
        self._listener: socket.socket | None = None
        self.port = 0
        self.bytes_to_phone = 0
        self.plug_in()

    def plug_in(self) -> None:
        """Accept connections of the adb server (again)."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def pull_out(self) -> None:
        """Close all connections, and refuse new ones."""
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._connections = self._connections, []
        if listener:
            _shut(listener)
        for pair in connections:
            for end in pair:
                _shut(end)
        self._flows.set()

    def freeze(self) -> None:
        """Keep all connections, also new ones, but stop forwarding data."""
        self._flows.clear()

    def thaw(self) -> None:
        """Resume forwarding."""
        self._flows.set()

    def when(self, sent: bytes, carried_bytes: int, do: Callable[[], None]) -> None:
        """Call a function once, a given number of bytes after a message to the phone.

        Args:
            sent: content of the message, such as b"RECV", the request for a file.
            carried_bytes: number of bytes in both directions to forward after the message.
            do: function such as `pull_out`; it takes effect before another byte is forwarded.
        """
        self._trap = _Trap(sent, carried_bytes, do)

    def alter(self, block: Callable[[bytes], bytes]) -> None:
        """Pass every block from the phone through a function that keeps its length."""
        self._alter = block

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                server, _ = listener.accept()
                phone = socket.create_connection(("127.0.0.1", self._phone_port))
                with self._lock:
                    self._connections.append((server, phone))
                for end in (server, phone):  # else each small message is delayed by some 40 ms
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink, to_phone in ((server, phone, True), (phone, server, False)):
                    pump = threading.Thread(
                        target=self._carry, args=(source, sink, to_phone), daemon=True
                    )
                    pump.start()

    def _carry(self, source: socket.socket, sink: socket.socket, to_phone: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK_BYTES):
                self._flows.wait()
                with self._lock:
                    trap = self._trap
                    self.bytes_to_phone += len(data) if to_phone else 0
                    sprung = trap is not None and trap.springs(data, to_phone)
                    if sprung:
                        self._trap = None
                if sprung and trap is not None:
                    trap.do()
                    self._flows.wait()
                if self._alter is not None and not to_phone:
                    data = self._alter(data)
                sink.sendall(data)
        _shut(source)
        _shut(sink)


class _Trap:
    def __init__(self, sent: bytes, carried_bytes: int, do: Callable[[], None]) -> None:
        self._sent, self._bytes_left, self.do = sent, carried_bytes, do
        self._armed = False
        self._tail = b""

    def springs(self, data: bytes, to_phone: bool) -> bool:
        if self._armed:
            self._bytes_left -= len(data)
            return self._bytes_left < 0
        if to_phone:
            self._armed = self._sent in self._tail + data
            self._tail = data[-len(self._sent) :]
            return self._armed and self._bytes_left == 0
        return False


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
