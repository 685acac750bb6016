"""A server for the files of one folder, with the headers that a page with threads needs.

It answers GET and HEAD requests with regular files of the folder whose names are plain. Hidden
files, links out of the folder and listings are not served. It runs no code and takes no data.
"""

import ipaddress
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from seaformer.names import is_plain
from seaformer.serving.addresses import LOCALHOST

PAGE = "index.html"

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # The first two isolate the page from other origins. Otherwise browsers give it neither
        # SharedArrayBuffer, which WebAssembly threads need, nor a precise clock.
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
)
"""Headers of every answer. no-cache: the browser asks again, as the folder may be rewritten."""

TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".map": "application/json",
        ".webmanifest": "application/manifest+json",
        ".wasm": "application/wasm",
        ".txt": "text/plain; charset=utf-8",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".svg": "image/svg+xml",
        ".ico": "image/x-icon",
    }
)
"""Suffix -> media type: our own table, because the system's table differs between computers."""

OTHER_TYPE = "application/octet-stream"

TIMEOUT_S = 30.0
"""How long a connection may be idle."""

MAX_CONNECTIONS = 64
"""Each has a thread. A browser opens six to a server."""


def find_file(folder: Path, address: str) -> Path | None:
    """Return the file of a folder for the path of a request; None if there is none.

    Args:
        folder: the served folder.
        address: path of the request, untrusted: "/", "/model.tflite", "/a/b.js?v=1".
    """
    parts = unquote(urlsplit(address).path).split("/")[1:]
    if parts and parts[-1] == "":
        parts[-1] = PAGE
    if not parts or not all(is_plain(part) and not part.startswith(".") for part in parts):
        return None
    path = folder.joinpath(*parts)
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    return path if inside and path.is_file() else None


def is_own_name(host: str | None) -> bool:
    """Whether the header `Host` names this computer, by an address or by its own names.

    This prevents DNS rebinding: a page of another site, whose name an attacker made resolve to this
    computer, could otherwise read the files. Its requests name that site in the header.
    """
    if host is None:
        return False
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if name is None:
        return False
    own = socket.gethostname().lower()
    if name in (LOCALHOST, own, f"{own}.local"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class WebServer(ThreadingHTTPServer):
    """The server; it listens when it has been created."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self,
        folder: Path,
        family: socket.AddressFamily,
        address: str,
        port: int,
        tls: ssl.SSLContext | None,
        on_visitor: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Listen.

        Args:
            folder: the served folder.
            family: family of `address`.
            address: an address of this computer.
            port: 0 for a free one, see `server_port`.
            tls: settings for https; None for http.
            on_visitor: called with each new address from which the page is opened.

        Raises:
            OSError: the address or the port cannot be used.
        """
        self.folder = folder
        self.address_family = family
        self._tls = tls
        self._on_visitor = on_visitor
        self._visitors: set[str] = set()
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the computer's full name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        name, self.server_port = self.server_address[:2]
        self.server_name = str(name)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, unless there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer the requests of one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer; the handshake is here, so that a slow client delays no other."""
        request.settimeout(TIMEOUT_S)
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        with self._tls.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a broken connection: browsers end one when they doubt the certificate."""

    def note_visitor(self, address: str) -> None:
        """Report an address from which the page is opened for the first time."""
        with self._lock:
            if address in self._visitors or len(self._visitors) >= MAX_CONNECTIONS:
                return
            self._visitors.add(address)
        self._on_visitor(address)


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(shutil.copyfileobj)

    def do_HEAD(self) -> None:
        """Send the headers of a file."""
        self._answer(lambda *_: None)

    def _answer(self, send: Callable[[BinaryIO, Any], None]) -> None:
        if not is_own_name(self.headers.get("Host")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = find_file(self.server.folder, self.path)
        try:
            file = None if path is None else path.open("rb")
        except OSError:
            file = None
        if file is None or path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", TYPES.get(path.suffix.lower(), OTHER_TYPE))
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            send(file, self.wfile)
        if path.name == PAGE:
            self.server.note_visitor(self.client_address[0])

    def end_headers(self) -> None:
        """Add the headers of every answer."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Name the server without versions."""
        return "seaformer"

    def log_message(self, *_: object) -> None:
        """Print nothing for a request."""
