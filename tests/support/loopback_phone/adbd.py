"""The device side of the ADB protocol over TCP: only shell and file transfer.

Runs as a program inside the phone's namespaces. It uses only the standard library, and imports all
modules before it changes its root to the phone's file tree.

Sources: docs/dev/protocol.md, sync.md, shell.md and services.md of
android.googlesource.com/platform/packages/modules/adb; error messages are from
file_sync_service.cpp of its daemon.
"""

import argparse
import asyncio
import os
import signal
import stat
import struct
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Awaitable, Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

VERSION = 0x01000001  # the first version without checksums in messages
MAX_PAYLOAD_BYTES = 256 * 1024
SHELL = "/system/bin/sh"
ENVIRONMENT = {
    "PATH": "/system/bin",
    "ANDROID_ROOT": "/system",
    "ANDROID_DATA": "/data",
    "HOME": "/",
    "TMPDIR": "/data/local/tmp",
    "SHELL": SHELL,
    "USER": "shell",
    "TERM": "dumb",
    "QEMU_CPU": "cortex-a76",  # the CPU of qemu closest to a Snapdragon 865
}

TOKEN, SIGNATURE, PUBLIC_KEY = 1, 2, 3  # types of AUTH messages
STDIN, STDOUT_ID, STDERR_ID, EXIT, CLOSE_STDIN = range(5)  # packet types of shell v2
SYNC_DATA_BYTES = 64 * 1024


class Message:
    """Names of the protocol's message types."""

    AUTH, CLSE, CNXN, OKAY, OPEN, WRTE = (
        int.from_bytes(name, "little")
        for name in (b"AUTH", b"CLSE", b"CNXN", b"OKAY", b"OPEN", b"WRTE")
    )


class StreamClosedError(ConnectionError):
    """The peer has closed the stream or disconnected."""


class Stream:
    """A bidirectional stream of a connection; the peer acknowledges each message."""

    def __init__(self, connection: "Connection", local_id: int, remote_id: int) -> None:
        self._connection, self.local_id, self.remote_id = connection, local_id, remote_id
        self._incoming = asyncio.StreamReader()
        self._confirmed = asyncio.Event()
        self._confirmed.set()
        self._one_writer = asyncio.Lock()
        self.closed = asyncio.Event()

    def received(self, data: bytes) -> None:
        self._incoming.feed_data(data)

    def confirmed(self) -> None:
        self._confirmed.set()

    def close(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            self._confirmed.set()
            self._incoming.feed_eof()

    async def read(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        try:
            return await self._incoming.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise StreamClosedError from error

    async def read_some(self) -> bytes:
        """Return the bytes received so far, b"" at the end."""
        return await self._incoming.read(MAX_PAYLOAD_BYTES)

    async def write(self, data: bytes) -> None:
        async with self._one_writer:
            for start in range(0, len(data), self._connection.max_payload_bytes):
                await self._confirmed.wait()
                if self.closed.is_set():
                    raise StreamClosedError
                self._confirmed.clear()
                part = data[start : start + self._connection.max_payload_bytes]
                await self._connection.send(Message.WRTE, self.local_id, self.remote_id, part)


Service = Callable[[Stream], Awaitable[None]]


class Connection:
    """The connection to an adb server, with its streams."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        banner: bytes,
        authorizes: bool,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._banner, self._authorizes = banner, authorizes
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_id = 0
        self._online = False
        self.max_payload_bytes = MAX_PAYLOAD_BYTES

    async def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        header = struct.pack("<6I", command, first, second, len(data), 0, command ^ 0xFFFFFFFF)
        self._writer.write(header + data)
        await self._writer.drain()

    async def serve(self) -> None:
        """Answer messages until the peer disconnects."""
        try:
            while True:
                header = await self._reader.readexactly(24)
                command, first, second, size, _, check = struct.unpack("<6I", header)
                if check != command ^ 0xFFFFFFFF or size > 1 << 20:
                    return
                await self._answer(command, first, second, await self._reader.readexactly(size))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            for stream in self._streams.values():
                stream.close()
            self._writer.close()

    async def _answer(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == Message.CNXN and not self._authorizes:
            await self.send(Message.AUTH, TOKEN, 0, bytes(20))
        elif command == Message.CNXN:
            self._online = True
            self.max_payload_bytes = min(second, MAX_PAYLOAD_BYTES)
            await self.send(Message.CNXN, VERSION, MAX_PAYLOAD_BYTES, self._banner)
        elif command == Message.AUTH and first == SIGNATURE:
            await self.send(Message.AUTH, TOKEN, 0, bytes(20))  # an unknown key; try the next
        elif command == Message.AUTH:
            assert first == PUBLIC_KEY  # there is no user to accept the key
        elif command == Message.OPEN and self._online:
            await self._open(first, data.rstrip(b"\0"))
        elif stream := self._streams.get(second):
            if command == Message.OKAY:
                stream.confirmed()
            elif command == Message.WRTE:
                stream.received(data)
                await self.send(Message.OKAY, stream.local_id, stream.remote_id)
            elif command == Message.CLSE:
                stream.close()
                del self._streams[second]
        elif command == Message.WRTE:
            await self.send(Message.CLSE, second, first)

    async def _open(self, remote_id: int, name: bytes) -> None:
        service = service_called(name)
        if service is None:
            await self.send(Message.CLSE, 0, remote_id)
            return
        self._last_id += 1
        stream = Stream(self, self._last_id, remote_id)
        self._streams[stream.local_id] = stream
        await self.send(Message.OKAY, stream.local_id, remote_id)
        task = asyncio.create_task(self._run(service, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, service: Service, stream: Stream) -> None:
        with suppress(ConnectionError):
            await service(stream)
        if self._streams.pop(stream.local_id, None):
            stream.close()
            with suppress(ConnectionError):
                await self.send(Message.CLSE, stream.local_id, stream.remote_id)


def service_called(name: bytes) -> Service | None:
    """Return the service for the name under which a stream was opened."""
    kind, _, argument = name.partition(b":")
    words = kind.split(b",")
    if words[0] == b"sync":
        return sync
    if words[0] in (b"shell", b"exec") and b"pty" not in words:
        framed = b"v2" in words
        return lambda stream: shell(stream, argument, framed)
    return None


async def shell(stream: Stream, command: bytes, framed: bool) -> None:
    """Run a command line; `framed` is shell v2, with separate stderr and the exit status."""
    process = await asyncio.create_subprocess_exec(
        SHELL,
        *((b"-c", command) if command else (b"-",)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE if framed else STDOUT,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )

    async def send_output(pipe: asyncio.StreamReader, packet: int) -> None:
        while data := await pipe.read(SYNC_DATA_BYTES):
            await stream.write(struct.pack("<BI", packet, len(data)) + data if framed else data)

    async def take_input() -> None:
        assert process.stdin is not None
        with suppress(ConnectionError):
            while True:
                if framed:
                    packet, size = struct.unpack("<BI", await stream.read(5))
                    data = await stream.read(size)
                else:
                    packet, data = STDIN, await stream.read_some()
                if packet == CLOSE_STDIN or not (framed or data):
                    break
                if packet == STDIN:
                    process.stdin.write(data)
                    await process.stdin.drain()
        process.stdin.close()

    async def hang_up() -> None:
        # Like the real one, hang up only the shell when the peer disconnects, not its children.
        await stream.closed.wait()
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGHUP)

    beside = [asyncio.create_task(take_input()), asyncio.create_task(hang_up())]
    pipes = {STDOUT_ID: process.stdout, STDERR_ID: process.stderr}
    try:
        await asyncio.gather(*(send_output(pipe, kind) for kind, pipe in pipes.items() if pipe))
    finally:
        status = await process.wait()
        for task in beside:
            task.cancel()
    if framed:
        await stream.write(struct.pack("<BIB", EXIT, 1, status if status >= 0 else 0x80 | -status))


async def sync(stream: Stream) -> None:
    """File transfer to and from the phone, and file information."""
    while True:
        request, size = struct.unpack("<4sI", await stream.read(8))
        if request == b"QUIT":
            return
        path = os.fsdecode(await stream.read(size))
        answer = SYNC_REQUESTS.get(request)
        if answer is None:
            await fail(stream, f"unknown command {request!r}")
            return
        await answer(stream, request, path)


async def fail(stream: Stream, message: str) -> None:
    text = message.encode()
    await stream.write(struct.pack("<4sI", b"FAIL", len(text)) + text)


def described(status: os.stat_result) -> tuple[int, ...]:
    """Return the fields of version 2 of "stat"."""
    times = (int(status.st_atime), int(status.st_mtime), int(status.st_ctime))
    numbers = (status.st_dev, status.st_ino, status.st_mode, status.st_nlink)
    return *numbers, status.st_uid, status.st_gid, status.st_size, *times


async def stat_1(stream: Stream, request: bytes, path: str) -> None:
    fields = (0, 0, 0)
    with suppress(OSError):
        status = os.lstat(path)
        fields = (status.st_mode, status.st_size & 0xFFFFFFFF, int(status.st_mtime))
    await stream.write(struct.pack("<4s3I", request, *fields))


async def stat_2(stream: Stream, request: bytes, path: str) -> None:
    number, fields = 0, (0,) * 10
    try:
        fields = described(Path(path).stat(follow_symlinks=request == b"STA2"))
    except OSError as error:
        number = error.errno or 0
    await stream.write(struct.pack("<4sI2Q4IQ3q", request, number, *fields))


async def list_folder(stream: Stream, request: bytes, path: str) -> None:
    second = request == b"LIS2"
    layout = "<4sI2Q4IQ3qI" if second else "<4s4I"
    zeros = (0,) * (12 if second else 4)
    with suppress(OSError):
        for entry in os.scandir(path):
            name, status = os.fsencode(entry.name), entry.stat(follow_symlinks=False)
            if second:
                fields = (b"DNT2", 0, *described(status))
            else:
                fields = (b"DENT", status.st_mode, status.st_size, int(status.st_mtime))
            await stream.write(struct.pack(layout, *fields, len(name)) + name)
    await stream.write(struct.pack(layout, b"DONE", *zeros))


async def receive_file(stream: Stream, _request: bytes, argument: str) -> None:
    """SEND: receive a file. The first error is reported, and the rest is read and discarded."""
    name, _, mode_text = argument.rpartition(",")
    path, mode = Path(name), int(mode_text)
    assert stat.S_ISREG(mode), "only files are received"
    file = None
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            file = path.open("xb", buffering=0)
        except OSError as error:
            await fail(stream, f"couldn't create file: {error.strerror}")
        while True:
            kind, size = struct.unpack("<4sI", await stream.read(8))
            if kind == b"DONE":
                break
            data = await stream.read(size)
            try:
                while file and data:
                    data = data[file.write(data) :]
            except OSError as error:
                file = drop(file, path)
                await fail(stream, f"write failed: {error.strerror}")
    except ConnectionError:
        drop(file, path)
        raise
    if file:
        file.close()
        # All users get the owner's permissions; DONE has the time in the field of the size.
        path.chmod((mode & 0o700) * 0o111 // 0o100)
        os.utime(path, (size, size))
        await stream.write(struct.pack("<4sI", b"OKAY", 0))


def drop(file: FileIO | None, path: Path) -> None:
    """Remove a file that was not received completely."""
    if file:
        file.close()
        path.unlink()


async def send_file(stream: Stream, _request: bytes, path: str) -> None:
    """RECV: send a file."""
    try:
        with Path(path).open("rb") as file:
            while data := file.read(SYNC_DATA_BYTES):
                await stream.write(struct.pack("<4sI", b"DATA", len(data)) + data)
    except FileNotFoundError as error:
        await fail(stream, f"open failed: {error.strerror}")
    else:
        await stream.write(struct.pack("<4sI", b"DONE", 0))


SYNC_REQUESTS = {
    b"STAT": stat_1,
    b"STA2": stat_2,
    b"LST2": stat_2,
    b"LIST": list_folder,
    b"LIS2": list_folder,
    b"SEND": receive_file,
    b"RECV": send_file,
}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="the phone's file tree")
    parser.add_argument("--model", required=True, help="serial number in the banner")
    parser.add_argument("--authorizes", type=int, default=1, help="0: nobody accepts our key")
    parser.add_argument(
        "--features", required=True, help="features in the banner, separated by commas"
    )
    arguments = parser.parse_args()
    banner = f"device::ro.product.model={arguments.model};features={arguments.features}".encode()
    os.chroot(arguments.root)
    os.chdir("/")
    # Under nohup, child processes of the tests ignore SIGHUP, and the phone's shells would too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(reader, writer, banner, bool(arguments.authorizes)).serve()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The end of standard input switches the phone off, even if the process that held it was killed.
    switched_off = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, switched_off.set)
    await switched_off.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
