"""Fixtures for tests: `loopback_phone`, or `switch_on` for phones with another configuration."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from exporting import run_export

from loopback_phone.userland import CannotRunError

# If set, as in CI, the tests fail instead of being skipped.
REQUIRED = "SEAFORMER_REQUIRE_LOOPBACK_PHONE"


def _cannot_run(reason: str) -> NoReturn:
    text = f"no loopback phone: {reason}"
    if os.environ.get(REQUIRED):
        pytest.fail(text)
    pytest.skip(text)


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    try:
        from loopback_phone.adb_server import AdbServer
    except ImportError as error:
        _cannot_run(f"{error} (pip install adbutils)")
    server = AdbServer(tmp_path_factory.mktemp("adb_home"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def other_adb_server(adb_server, tmp_path: Path) -> Iterator:
    """A second server, as of another computer."""
    server = type(adb_server)(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def switch_on(adb_server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """A function that switches a phone on; it takes the keyword arguments of `phone.Build`.

    `server` is another adb server to connect it to.
    """
    from loopback_phone.phone import Build, LoopbackPhone

    for name, value in adb_server.settings.items():
        monkeypatch.setenv(name, value)
    phones = []

    def switch_on(server=adb_server, **build) -> LoopbackPhone:
        try:
            phones.append(LoopbackPhone(server, Build(**build)))
        except CannotRunError as error:
            _cannot_run(str(error))
        return phones[-1]

    yield switch_on
    for phone in phones:
        phone.switch_off()


@pytest.fixture
def loopback_phone(switch_on):
    """A phone with the default configuration, plugged in."""
    return switch_on()


@pytest.fixture(scope="session")
def phone_export(once) -> Path:
    """SeaFormer Tiny at 64x64 in both formats: under emulation, a larger input takes seconds."""
    command = "--variant tiny --input-size 64x64 --format tflite --format onnx --output ."

    def fill(folder: Path) -> None:
        done = run_export(*command.split(), cwd=folder)
        assert done.returncode == 0, done.stderr

    return once("phone_export", fill)
