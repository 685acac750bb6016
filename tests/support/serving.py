"""The server of `seaformer-bundle --serve` in a thread."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaformer.serving.web_server import WebServer


@contextmanager
def serving(
    folder: Path, tls: ssl.SSLContext | None = None, visitors: list[str] | None = None
) -> Iterator[int]:
    """Serve a folder on this computer, and yield the port; new visitors are added to `visitors`."""
    note = (lambda _: None) if visitors is None else visitors.append
    with WebServer(folder, socket.AF_INET, "127.0.0.1", 0, tls, note) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
