"""`seaformer-bundle --web DIR --serve`, run as a command."""

import http.client
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from seaformer.cli.bundle import main

COMMAND = Path(sys.executable).parent / "seaformer-bundle"


def test_a_page_is_served_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>A page</title>")
    with subprocess.Popen(
        [COMMAND, "--web", tmp_path, "--serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = re.search(r"http://localhost:(\d+)", process.stdout.readline())
            assert address is not None
            port = int(address[1])
            with closing(http.client.HTTPConnection("localhost", port, timeout=30)) as connection:
                connection.request("GET", "/")
                answer = connection.getresponse()
                assert b"A page" in answer.read()
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            process.send_signal(signal.SIGINT)
            assert process.stdout.read().endswith("stopped\n")
        finally:
            process.kill()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--serve",), "--serve has no page. Give --web"),
        (("--web", "page", "--host", "0.0.0.0"), "--host applies only to --serve"),
        (("--web", "page"), "no MODEL is given"),
        (("--web", "nowhere", "--serve"), "there is no folder 'nowhere' to serve"),
        (("--web", ".", "--serve"), "'.' has no index.html"),
    ],
)
def test_a_server_without_a_page_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 2
    assert message in done.stderr
