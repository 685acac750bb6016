"""The server of `seaformer-bundle --serve`, used by Python's own client and by a browser."""

import http.client
import socket
import ssl
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from browser import in_a_browser, shared_browser
from serving import serving

from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.serving.addresses import is_local, listening_at, network_addresses, reached_at
from seaformer.serving.certificate import make_certificate
from seaformer.serving.qr_code import fits, qr_lines
from seaformer.serving.serve import serve
from seaformer.serving.web_server import TYPES

SECRET = "a private key"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    (page / "runtime").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>A page</title>")
    for name in ("page.js", "argmax.wasm", "model.tflite", "runtime/worker.mjs", ".hidden"):
        (page / name).write_text(f"content of {name}")
    (tmp_path / "secret.txt").write_text(SECRET)
    (page / "link.txt").symlink_to(tmp_path / "secret.txt")
    return page


def _answer(
    port: int, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def test_files_have_their_types_and_the_headers_for_threads(folder: Path) -> None:
    visitors: list[str] = []
    expected = {
        "/": "text/html; charset=utf-8",
        "/page.js?v=1": "text/javascript; charset=utf-8",
        "/argmax.wasm": "application/wasm",
        "/model.tflite": "application/octet-stream",
        "/runtime/worker.mjs": "text/javascript; charset=utf-8",
    }
    with serving(folder, visitors=visitors) as port:
        answers = {path: _answer(port, path) for path in expected}
        status, headers, text = _answer(port, "/page.js", "HEAD")
    assert {path: one[1]["Content-Type"] for path, one in answers.items()} == expected
    assert answers["/runtime/worker.mjs"][2] == "content of runtime/worker.mjs"
    assert (status, headers["Content-Length"], text) == (200, str(len("content of page.js")), "")
    for code, headers, _ in answers.values():
        assert code == 200
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert visitors == ["127.0.0.1"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "//etc/passwd",
        "/link.txt",
        "/.hidden",
        "/runtime",
        "/runtime/",
        "/missing.js",
        "/page.js%00.txt",
        "page.js",
    ],
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    with serving(folder) as port:
        status, headers, text = _answer(port, path)
    assert (status, text) == (404, "404 Not Found\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_it_takes_no_data_and_no_names_of_other_sites(folder: Path) -> None:
    with serving(folder) as port:
        assert _answer(port, "/", "POST")[0] == 501
        assert _answer(port, "/", host="rebound.example")[0] == 421
        for own in (f"localhost:{port}", "[::1]", socket.gethostname()):
            assert _answer(port, "/", host=own)[0] == 200


def test_a_silent_client_delays_nobody(folder: Path) -> None:
    certificate = make_certificate(("127.0.0.1",))
    trusting = ssl.create_default_context(cadata=certificate.pem.decode())
    with (
        serving(folder, certificate.context()) as port,
        closing(socket.create_connection(("127.0.0.1", port))),
        closing(
            http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=10)
        ) as connection,
    ):
        connection.request("GET", "/page.js")
        assert connection.getresponse().read() == b"content of page.js"


def test_the_certificate_is_of_this_run_and_for_its_addresses_only(folder: Path) -> None:
    certificate, other = (make_certificate(("127.0.0.1", "phone-host")) for _ in range(2))
    assert certificate.fingerprint != other.fingerprint
    with serving(folder, certificate.context()) as port:
        for pem, name, is_right in (
            (certificate.pem, "127.0.0.1", True),
            (certificate.pem, "phone-host", True),
            (certificate.pem, "elsewhere", False),
            (other.pem, "127.0.0.1", False),
        ):
            context = ssl.create_default_context(cadata=pem.decode())
            with closing(socket.create_connection(("127.0.0.1", port))) as plain:
                if is_right:
                    with context.wrap_socket(plain, server_hostname=name) as secure:
                        seen = secure.getpeercert(binary_form=True)
                        assert seen == ssl.PEM_cert_to_DER_cert(certificate.pem.decode())
                else:
                    with pytest.raises(ssl.SSLCertVerificationError):
                        context.wrap_socket(plain, server_hostname=name)


def test_another_reader_decodes_the_qr_code() -> None:
    address = "https://[2001:db8:0:1234:5678:9abc:def0:1234]:65535/"
    lines = qr_lines(address)
    halves = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    modules = np.array([[halves[letter] for letter in line] for line in lines])
    image = modules.transpose(0, 2, 1).reshape(-1, modules.shape[1])
    pixels = np.kron(image * 255, np.ones((4, 4))).astype(np.uint8)
    assert zxingcpp.read_barcode(pixels).text == address
    assert fits(lines, 80, "utf-8")
    assert not fits(lines, 20, "utf-8")
    assert not fits(lines, 80, "latin-1")


def test_addresses() -> None:
    assert is_local("localhost")
    assert is_local("127.0.0.1")
    assert is_local("::1")
    assert not is_local("0.0.0.0")
    assert listening_at("localhost") == (socket.AF_INET, "127.0.0.1")
    assert listening_at("::") == (socket.AF_INET6, "::")
    assert reached_at("localhost") == ("localhost",)
    assert reached_at("0.0.0.0") == (network_addresses() or ("localhost",))


def test_a_port_in_use_and_a_host_of_others_are_refused(folder: Path) -> None:
    console = Console()
    with (
        serving(folder) as port,
        pytest.raises(SeaformerError, match=rf"port {port} is in use.*--port 0"),
    ):
        serve(folder, "localhost", port, console)
    for host in ("192.0.2.200", "no such name"):
        with pytest.raises(SeaformerError, match=r"--host is '.*not an address of this computer"):
            serve(folder, host, 0, console)


@in_a_browser
def test_a_browser_isolates_the_page(folder: Path) -> None:
    browser = shared_browser()
    with serving(folder) as port:
        browser.open(f"http://localhost:{port}/")
        assert browser.evaluate("crossOriginIsolated && isSecureContext")
        assert browser.evaluate("new SharedArrayBuffer(8).byteLength") == 8
        # The file is sent as a script, but its content is not one.
        failure = browser.evaluate("import('/runtime/worker.mjs').catch(error => error.name)")
        assert failure == "SyntaxError"


def test_the_types_cover_what_a_page_loads() -> None:
    assert {".html", ".js", ".css", ".wasm", ".webmanifest", ".json", ".png"} <= TYPES.keys()
