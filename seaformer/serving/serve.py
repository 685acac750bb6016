"""Serving a page until Ctrl-C: the checks, the addresses, the QR code, and what is exposed."""

import errno
import socket
from pathlib import Path

from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError
from seaformer.serving.addresses import (
    LOCALHOST,
    bad_host,
    is_local,
    listening_at,
    reached_at,
    url,
)
from seaformer.serving.certificate import Certificate, make_certificate
from seaformer.serving.qr_code import STYLE, fits, qr_lines
from seaformer.serving.web_server import PAGE, WebServer

POLL_S = 0.2
"""Interval at which the server checks whether to stop."""


def require_page(folder: Path) -> None:
    """Check that a folder has a page: serving any other folder could expose private files.

    Raises:
        UsageError: the folder has no page.
    """
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder '{folder}' to serve. Give a MODEL, from which --web writes it."
        )
    if not (folder / PAGE).is_file():
        raise UsageError(
            f"'{folder}' has no {PAGE}, so it was not written by --web and is not served. Give a "
            "MODEL and a new folder."
        )


def serve(folder: Path, host: str, port: int, console: Console) -> None:
    """Serve a folder until Ctrl-C or a signal, and print how to open it.

    Args:
        folder: the folder, which --web wrote.
        host: name or address to listen at; https unless it is of this computer only.
        port: port to listen at; 0 for a free one.
        console: where to print.

    Raises:
        UsageError: the folder has no page, or the host is not of this computer.
        SeaformerError: the port is in use or not allowed.
    """
    require_page(folder)
    family, address = listening_at(host)
    names = reached_at(host)
    certificate = None
    if not is_local(host):
        own = (*names, address, LOCALHOST, "127.0.0.1", socket.gethostname())
        certificate = make_certificate(tuple(dict.fromkeys(own)))
    tls = None if certificate is None else certificate.context()

    def print_visitor(visitor: str) -> None:
        console.print(f"opened by {visitor}")

    try:
        server = WebServer(folder, family, address, port, tls, print_visitor)
    except OSError as error:
        raise _not_listening(error, host, port) from error
    with server:
        scheme = "http" if certificate is None else "https"
        addresses = [url(name, server.server_port, scheme) for name in names]
        _print_addresses(folder, addresses, certificate, console)
        try:
            server.serve_forever(POLL_S)
        except KeyboardInterrupt:
            console.print("stopped")


def _print_addresses(
    folder: Path, addresses: list[str], certificate: Certificate | None, console: Console
) -> None:
    first, *others = addresses
    console.print(f"{folder} is served at {first}")
    for other in others:
        console.print(f"also at {other}")
    if certificate is None:
        console.print(
            "Only this computer can open it. For a phone in the same network: --host 0.0.0.0"
        )
    else:
        _print_code(first, console)
        console.print(
            "Every device in this network can open the page and download the model: there is no "
            "password. Photos and camera images stay in the browser. Use it only in networks that "
            "you trust."
        )
        console.print(
            "The connection is encrypted, because browsers give the camera and threads to secure "
            "pages only. This computer has signed the certificate itself, for this run, so the "
            "browser warns; continue only if it shows this SHA-256 fingerprint:"
        )
        console.print(certificate.fingerprint)
        console.print(
            "With such a certificate, browsers do not keep the page for use without a network."
        )
    console.print("Ctrl-C stops it.")


def _print_code(address: str, console: Console) -> None:
    lines = qr_lines(address)
    if fits(lines, console.width, console.encoding):
        for line in lines:
            console.print(line, style=STYLE, no_wrap=True)
    else:
        console.print("There is no QR code: the terminal is too narrow or has no block characters.")


def _not_listening(error: OSError, host: str, port: int) -> SeaformerError:
    if error.errno == errno.EADDRINUSE:
        return SeaformerError(
            f"port {port} is in use by another program. Give another --port, or --port 0 for a "
            "free one."
        )
    if error.errno == errno.EACCES:
        return SeaformerError(
            f"port {port} is reserved for the system. Give a --port of 1024 or above, or --port 0 "
            "for a free one."
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return bad_host(host)
    return SeaformerError(f"cannot listen at '{host}', port {port}: {error.strerror or error}.")
