"""Phones of several adb servers: two real servers on two ports, as of two computers of a lab."""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from io import StringIO

import pytest
from loopback_phone.adb_server import AdbServer as RealServer
from loopback_phone.phone import LoopbackPhone

from seaformer.benchmark.devices.errors import (
    InUse,
    NoServer,
    NoSuchDevice,
    SeveralDevices,
    SeveralServers,
)
from seaformer.benchmark.devices.listing import print_devices
from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.devices.selection import select_devices
from seaformer.benchmark.devices.server import AdbServer, attached_phones, own_server, parse_server
from seaformer.console import Console
from seaformer.errors import UsageError

SwitchOn = Callable[..., LoopbackPhone]


@pytest.fixture
def servers(adb_server: RealServer, other_adb_server: RealServer) -> list[AdbServer]:
    return [parse_server(one.address) for one in (adb_server, other_adb_server)]


@pytest.fixture
def nobody() -> AdbServer:
    """A server on a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return AdbServer("127.0.0.1", free.getsockname()[1])


def test_phones_of_all_servers_are_selected_and_used_through_their_own(
    switch_on: SwitchOn, other_adb_server: RealServer, servers: list[AdbServer], nobody: AdbServer
) -> None:
    near, far = switch_on(), switch_on(server=other_adb_server)
    assert [device.serial for device in select_devices("all").devices] == [near.serial]
    selection = select_devices("all", servers)
    assert [device.serial for device in selection.devices] == [near.serial, far.serial]
    for device, phone in zip(selection.devices, (near, far), strict=True):
        with device.workspace("test") as workspace:
            workspace.write("file", phone.serial.encode())
            (file,) = phone.storage.rglob("files/file")
            assert file.read_bytes() == workspace.read("file") == phone.serial.encode()
    assert [one.serial for one in select_devices("auto", servers[1:]).devices] == [far.serial]
    assert [one.serial for one in select_devices(far.serial, servers).devices] == [far.serial]
    with pytest.raises(SeveralDevices, match=re.escape(f"{far.serial} at {servers[1]}")):
        select_devices("auto", servers)
    with pytest.raises(NoSuchDevice, match="There is no phone 'R58M'"):
        select_devices("R58M", servers)

    # A server that does not run is named; no local server is started in place of a remote one.
    partly = select_devices("all", [nobody, *servers])
    assert len(partly.devices) == 2
    assert partly.note.startswith(f"Skipped: The adb server {nobody} does not respond")
    for choice in ("auto", "all", "R58M"):
        with pytest.raises(NoServer, match=rf"{nobody} does not respond .*adb start-server"):
            select_devices(choice, [nobody])
    with pytest.raises(NoSuchDevice, match=rf"attached: .*{nobody} does not respond"):
        select_devices("R58M", [nobody, *servers])
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((nobody.host, nobody.port), timeout=5)

    console = Console(file=StringIO(), width=300)
    assert not print_devices(console, [*servers, nobody])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for shown in (f"{near.serial} at {servers[0]}", f"{far.serial} at {servers[1]}", str(nobody)):
        assert shown in text


def test_a_phone_has_one_lock_whichever_server_it_is_used_through(
    loopback_phone: LoopbackPhone, other_adb_server: RealServer, servers: list[AdbServer]
) -> None:
    other_adb_server.adb("connect", loopback_phone.serial)
    phones = [Phone(loopback_phone.serial, server) for server in servers]
    with phones[0].workspace("test"), pytest.raises(InUse):
        phones[1].open_workspace("test")
    with pytest.raises(SeveralServers, match=rf"{servers[0]} and {servers[1]}\. Give only"):
        select_devices(loopback_phone.serial, servers)
    # Without its own number, it may be another phone.
    assert len(select_devices("all", servers).devices) == 2
    loopback_phone.set_property("ro.serialno", "8ABC")
    selection = select_devices("all", servers)
    assert [device.facts().identity for device in selection.devices] == ["8ABC"]
    assert "is also connected as" in selection.note
    other_adb_server.adb("disconnect", loopback_phone.serial)


@pytest.mark.usefixtures("switch_on")
def test_with_a_server_this_computer_is_not_measured_instead(
    servers: list[AdbServer], adb_server: RealServer
) -> None:
    del adb_server
    with pytest.raises(NoSuchDevice, match="No attached phone is ready"):
        select_devices("auto", servers)
    assert select_devices("host", servers).devices[0].serial == "host"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("lab1:5038", AdbServer("lab1", 5038)),
        ("lab-1.example", AdbServer("lab-1.example", 5037)),
        ("10.0.0.7:1", AdbServer("10.0.0.7", 1)),
        ("[::1]:5038", AdbServer("::1", 5038)),
    ],
)
def test_addresses_are_read_as_they_are_written(text: str, server: AdbServer) -> None:
    assert parse_server(text) == server
    assert parse_server(str(server)) == server


@pytest.mark.parametrize("text", ["", ":5037", "lab1:0", "lab1:65536", "lab1:adb", "a b", "::1"])
def test_bad_addresses_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--adb-server is .* Allowed: HOST:PORT"):
        parse_server(text)


@pytest.mark.parametrize(
    ("variables", "server"),
    [
        ({}, AdbServer("127.0.0.1", 5037, is_own=True)),
        ({"ADB_SERVER_SOCKET": "tcp:lab1:5038"}, AdbServer("lab1", 5038, is_own=True)),
        ({"ADB_SERVER_SOCKET": "tcp:5038"}, AdbServer("127.0.0.1", 5038, is_own=True)),
        ({"ANDROID_ADB_SERVER_ADDRESS": "lab1"}, AdbServer("lab1", 5037, is_own=True)),
    ],
)
def test_the_variables_of_adb_are_followed(
    variables: dict[str, str], server: AdbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert own_server() == server
    assert server.is_started == (server.host == "127.0.0.1")


def test_a_socket_that_is_not_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB_SERVER_SOCKET", "localabstract:adb")
    with pytest.raises(UsageError, match=r"ADB_SERVER_SOCKET is 'localabstract:adb'"):
        attached_phones()


def test_a_tunnel_to_a_server_that_does_not_run_is_named() -> None:
    """The near end of a tunnel accepts connections, and closes them."""
    with socket.create_server(("127.0.0.1", 0)) as tunnel:

        def close_all() -> None:
            with suppress(OSError):
                while True:
                    tunnel.accept()[0].close()

        threading.Thread(target=close_all, daemon=True).start()
        server = AdbServer("127.0.0.1", tunnel.getsockname()[1])
        with pytest.raises(NoServer, match=rf"{server} closed the connection .* the tunnel to it"):
            select_devices("all", [server])
