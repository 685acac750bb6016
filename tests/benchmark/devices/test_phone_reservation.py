"""A phone is reserved for one benchmark at a time, across computers."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from threading import Thread

import pytest
from device_scripts import write_script
from loopback_phone.phone import LoopbackPhone
from loopback_phone.waiting import wait_until

from seaformer.benchmark.devices import reservation
from seaformer.benchmark.devices.errors import InUse
from seaformer.benchmark.devices.phone import Phone, PhoneWorkspace
from seaformer.benchmark.devices.reservation import EXPIRY_S

SHELL = "/system/bin/sh"
HOLD = """
import sys
from pathlib import Path
from subprocess import PIPE
from seaformer.benchmark.devices.phone import Phone
with Phone(sys.argv[1]).workspace("test") as workspace:
    workspace.place(Path(sys.argv[2]), "program", executable=True)
    workspace.execute("program", [], time_limit_s=600, on_line=lambda line: print(line, flush=True))
"""


@pytest.fixture
def phone(loopback_phone: LoopbackPhone) -> Phone:
    return Phone(loopback_phone.serial)


@pytest.fixture
def holder(
    loopback_phone: LoopbackPhone, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Return a function that starts a process which runs a program on the phone."""
    program = write_script(tmp_path / "program", SHELL, "echo begun\nsleep 600\n")
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, loopback_phone.serial, str(program)]
        started.append(subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "begun\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _folders(loopback_phone: LoopbackPhone) -> list[Path]:
    return sorted((loopback_phone.storage / "seaformer").glob("*"))


def _move_to_another_host(folder: Path) -> None:
    """Make the owner a process of another host, whose processes are unknown here."""
    owner = folder / "owner"
    lines = owner.read_text().splitlines()
    owner.write_text(f"{'0' * 8}{lines[0][8:]}\n{lines[1]}\n")


def _age(folder: Path, by_s: int) -> None:
    """Age the last heartbeat, by the phone's clock."""
    beat = folder / "beat"
    beat.write_text(f"{int(beat.read_text()) - by_s}\n")


def test_a_phone_in_use_is_refused_with_its_owner(phone, holder, loopback_phone) -> None:
    process = holder()
    (folder,) = _folders(loopback_phone)
    for by_s in (EXPIRY_S - 20, -EXPIRY_S + 10):  # old, and written after the other process looked
        _age(folder, by_s)
        with pytest.raises(InUse, match=f"process {process.pid}'"):
            phone.open_workspace("test")
    assert _folders(loopback_phone) == [folder]
    assert process.poll() is None


def test_a_phone_in_use_is_waited_for_until_it_is_released(phone, loopback_phone) -> None:
    first = Phone(loopback_phone.serial).open_workspace("first")
    reports: list[str] = []

    def release(text: str) -> None:
        reports.append(text)
        first.close(keep=False)

    with phone.workspace("second", wait_s=60, describe=release) as second:
        second.write("file", b"2")
    assert len(reports) == 1
    assert f"process {os.getpid()}'" in reports[0]
    assert loopback_phone.left_files() == []


def test_of_many_attempts_at_once_only_one_gets_the_phone(loopback_phone) -> None:
    got: list[PhoneWorkspace] = []
    refused: list[InUse] = []

    def try_it() -> None:
        try:
            got.append(Phone(loopback_phone.serial).open_workspace("test"))
        except InUse as error:
            refused.append(error)

    threads = [Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) <= 1
    assert len(got) + len(refused) == 6
    for workspace in got:
        workspace.close(keep=False)
    assert loopback_phone.left_files() == []


def test_after_kill_9_the_phone_is_free_at_once_on_the_same_host(
    phone, holder, loopback_phone
) -> None:
    process = holder()
    (folder,) = _folders(loopback_phone)
    process.kill()
    process.wait()
    with phone.workspace("test"):
        assert not folder.exists()
        wait_until(lambda: loopback_phone.program_called("sleep") is None, "the program has ended")
    assert loopback_phone.left_files() == []


def test_after_kill_9_on_another_host_the_phone_is_free_when_the_heartbeat_has_expired(
    phone, holder, loopback_phone
) -> None:
    process = holder()
    (folder,) = _folders(loopback_phone)
    _move_to_another_host(folder)
    process.kill()
    process.wait()
    wait_until(lambda: loopback_phone.programs() == [], "the phone ended the program by itself")
    with pytest.raises(InUse):
        phone.open_workspace("test")
    _age(folder, EXPIRY_S)
    with phone.workspace("test") as workspace:
        assert _folders(loopback_phone) == [
            loopback_phone.storage / Path(workspace.path).parent.relative_to("/data/local/tmp")
        ]
    assert loopback_phone.left_files() == []


def test_an_owner_with_an_expired_heartbeat_ends_and_the_next_one_gets_the_phone(
    phone, holder, loopback_phone
) -> None:
    process = holder()
    (folder,) = _folders(loopback_phone)
    _age(folder, EXPIRY_S)  # as if its connection had been lost
    with phone.workspace("test") as workspace:
        workspace.write("file", b"2")
        wait_until(lambda: loopback_phone.program_called("sleep") is None, "the program has ended")
        _, errors = process.communicate(timeout=60)
        assert "TakenOver" in errors
        assert "had no heartbeat" in errors
        assert workspace.read("file") == b"2"
    assert loopback_phone.left_files() == []


def test_an_unreadable_heartbeat_counts_as_new(phone, loopback_phone) -> None:
    """Such as in a folder that is being created, or that an earlier version left."""
    beats = {"0123456789abcdef": None, "run-1": "", "run-2": "half", "run-3": "-5"}
    folders = [loopback_phone.storage / "seaformer" / name for name in beats]
    for folder, beat in zip(folders, beats.values(), strict=True):
        folder.mkdir(parents=True)
        (folder / "model.tflite").write_bytes(b"model")
        if beat is not None:
            (folder / "beat").write_text(beat)
    with pytest.raises(InUse, match="in use by 'unknown'"):
        phone.open_workspace("test")
    for folder in folders:
        _age(folder, EXPIRY_S)
    (folders[-1] / "beat").write_text("99999999999")  # from before the phone was restarted
    with phone.workspace("test"):
        assert not any(folder.exists() for folder in folders)
    assert loopback_phone.left_files() == []


def test_the_heartbeat_is_renewed_after_lost_ones(phone, loopback_phone, monkeypatch) -> None:
    monkeypatch.setattr(reservation, "BEAT_S", 0.1)
    with phone.workspace("test"):
        loopback_phone.unplug()
        (beat,) = loopback_phone.storage.glob("seaformer/*/beat")
        beat.write_text("1\n")
        loopback_phone.plug_in()
        wait_until(lambda: beat.read_text() not in ("", "1\n"), "there is a new heartbeat")


def test_a_reservation_survives_a_lost_connection(phone, loopback_phone) -> None:
    with phone.workspace("test") as workspace:
        workspace.write("file", b"1")
        loopback_phone.unplug()
        loopback_phone.plug_in()
        with pytest.raises(InUse):
            Phone(loopback_phone.serial).open_workspace("other")
        assert workspace.read("file") == b"1"
    assert loopback_phone.left_files() == []
