"""A phone over adb: the real client and server, and the phone of `loopback_phone`."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from device_scripts import ECHO, EVIL_ARGUMENTS, HANG, echoed, write_script
from endless_phone import endless_phone
from loopback_phone.adb_server import AdbServer
from loopback_phone.phone import LoopbackPhone
from loopback_phone.waiting import wait_until

from seaformer.benchmark.devices import phone as devices_phone
from seaformer.benchmark.devices.cores import classify
from seaformer.benchmark.devices.doctor import (
    CHECKS,
    FAIL,
    OK,
    WARN,
    DeviceUnderTest,
    examine,
    findings_of,
)
from seaformer.benchmark.devices.errors import (
    Canceled,
    ExecRefused,
    FileRefused,
    NoPermission,
    NoSuchDevice,
    NoUniqueSerial,
    OldAndroid,
    SeveralDevices,
    TimedOut,
    TooHot,
    Unauthorized,
    WrongProcessor,
)
from seaformer.benchmark.devices.facts import CONDITIONS_SCRIPT
from seaformer.benchmark.devices.heat import wait_until_cool
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.devices.listing import print_devices
from seaformer.benchmark.devices.parsers import COMMAND_LIMIT_S
from seaformer.benchmark.devices.phone import Phone, PhoneWorkspace
from seaformer.benchmark.devices.selection import select_devices
from seaformer.benchmark.devices.server import attached_phones
from seaformer.console import Console
from seaformer.errors import UsageError

SHELL = "/system/bin/sh"
LIMIT_S = 120.0


@pytest.fixture
def phone(loopback_phone: LoopbackPhone) -> Phone:
    return Phone(loopback_phone.serial)


@pytest.fixture
def workspace(phone: Phone) -> Iterator[PhoneWorkspace]:
    with phone.workspace("test") as opened:
        assert isinstance(opened, PhoneWorkspace)
        yield opened


def _place(workspace: PhoneWorkspace, tmp_path: Path, name: str, text: str) -> None:
    workspace.place(write_script(tmp_path / "script", SHELL, text), name, executable=True)


def _on(loopback_phone: LoopbackPhone, workspace: PhoneWorkspace) -> Path:
    """Return a workspace's folder as a path of this computer."""
    return loopback_phone.storage / Path(workspace.path).relative_to("/data/local/tmp")


def _printed(show: Callable[[Console], object], width: int = 200) -> str:
    text = StringIO()
    show(Console(file=text, width=width))
    return text.getvalue()


# ---- facts and conditions


def test_a_phone_is_listed_with_its_facts_cores_and_conditions(
    phone: Phone, loopback_phone: LoopbackPhone
) -> None:
    facts = phone.facts()
    assert facts.serial == loopback_phone.serial
    assert (facts.manufacturer, facts.model) == ("Loopback", "Loopback 865")
    assert (facts.soc, facts.os, facts.sdk, facts.abi) == ("SM8250", "Android 13", 33, "arm64-v8a")
    assert [str(one) for one in classify(facts.cores)] == [
        "prime (7, 2.84 GHz)",
        "big (4-6, 2.42 GHz)",
        "little (0-3, 1.80 GHz)",
    ]
    assert phone.is_emulated
    text = _printed(print_devices)
    for expected in (
        loopback_phone.serial,
        "host",
        "ready, emulated: not latency",
        "Loopback 865",
        "SM8250",
        "Android 13",
        "prime (7, 2.84 GHz)",
        "80 %, charging",
        "skin 31.0 °C",
    ):
        assert expected in text
    loopback_phone.set_heat(status=1, skin_c=41.5)
    loopback_phone.set_battery(percent=55, is_charging=False)
    before = phone.conditions()
    assert (before.saves_power, before.is_screen_on) == (False, True)
    loopback_phone.set_power(saves=True, wakefulness="Dozing")
    now = phone.conditions()
    assert (now.saves_power, now.is_screen_on) == (True, False)
    assert (now.thermal_status, now.temperature_c) == (1, 41.5)
    assert (now.battery_percent, now.is_charging) == (55, False)
    assert now.core_khz[7] == 2841600


def test_values_of_a_hanging_service_are_unknown(
    phone: Phone, loopback_phone: LoopbackPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = f"timeout -k 1 {COMMAND_LIMIT_S} dumpsys"
    assert limit in CONDITIONS_SCRIPT
    longer = CONDITIONS_SCRIPT.replace(limit, "timeout -k 1 0.5 dumpsys")
    monkeypatch.setattr(devices_phone, "CONDITIONS_SCRIPT", longer)
    loopback_phone.let_services_hang()
    now = phone.conditions()
    assert (now.thermal_status, now.battery_percent, now.is_screen_on) == (None, None, None)
    assert now.saves_power is False
    assert now.core_khz[7] == 2841600
    assert now.free_bytes is not None


# ---- files and programs


def test_names_and_arguments_reach_a_program_unchanged(
    workspace: PhoneWorkspace, loopback_phone: LoopbackPhone, tmp_path: Path
) -> None:
    names = ("-rf", "it's `touch pwned`\n$(touch pwned)")
    for name in names:
        _place(workspace, tmp_path, name, ECHO)
        seen: list[str] = []
        done = workspace.execute(name, EVIL_ARGUMENTS, time_limit_s=LIMIT_S, on_line=seen.append)
        assert done.exit_status == 3
        assert done.stdout_lines == echoed(EVIL_ARGUMENTS)
        assert tuple(seen) == done.stdout_lines
        assert done.stderr == "to stderr\n"
    assert {path.name for path in _on(loopback_phone, workspace).iterdir()} == set(names)


def test_a_file_is_sent_once_and_again_if_it_is_corrupted(
    workspace: PhoneWorkspace, loopback_phone: LoopbackPhone, tmp_path: Path
) -> None:
    local = tmp_path / "model"
    local.write_bytes(bytes(range(256)) * 1000)  # more than one message of the protocol
    assert workspace.place(local, "model")
    assert not workspace.place(local, "model")
    assert workspace.read("model") == local.read_bytes()
    (_on(loopback_phone, workspace) / "model").write_bytes(b"corrupted")
    assert workspace.place(local, "model")
    assert workspace.read("model") == local.read_bytes()


def test_a_phone_is_left_clean_unless_files_are_kept(
    phone: Phone, loopback_phone: LoopbackPhone
) -> None:
    with phone.workspace("one") as workspace:
        workspace.write("file", b"1")
    assert loopback_phone.left_files() == []
    with phone.workspace("one", keep=True) as kept:
        kept.write("file", b"1")
    with phone.workspace("one") as again:
        assert again.read("file") == b"1"
    assert loopback_phone.left_files() == []


def test_files_that_cannot_be_read_or_run_are_named_with_the_reason(
    workspace: PhoneWorkspace, tmp_path: Path
) -> None:
    with pytest.raises(FileRefused, match=f"refuses '{workspace.path}/nothing': .*No such file"):
        workspace.read("nothing")
    workspace.write("data", b"\0")
    with pytest.raises(ExecRefused, match="data: can't execute: Permission denied"):
        workspace.execute("data", [], time_limit_s=LIMIT_S)
    _place(workspace, tmp_path, "dies", "echo begun\nkill -9 $$\n")
    done = workspace.execute("dies", [], time_limit_s=LIMIT_S)
    assert (done.signal, done.stdout_lines) == (9, ("begun",))


def test_at_the_time_limit_a_program_and_its_children_are_killed(
    workspace: PhoneWorkspace, loopback_phone: LoopbackPhone, tmp_path: Path
) -> None:
    _place(workspace, tmp_path, "hangs", HANG)
    seen: list[str] = []
    with pytest.raises(TimedOut, match=r"'hangs' took longer than 6 s\."):
        workspace.execute("hangs", [], time_limit_s=6, on_line=seen.append)
    assert seen == ["begun"]
    wait_until(lambda: not loopback_phone.programs(), "nothing runs on the phone")


def test_another_thread_can_stop_a_program_and_the_folder_is_removed(
    phone: Phone, loopback_phone: LoopbackPhone, tmp_path: Path
) -> None:
    def work() -> None:
        with phone.workspace("test") as workspace:
            assert isinstance(workspace, PhoneWorkspace)
            _place(workspace, tmp_path, "hangs", HANG)
            workspace.execute("hangs", [], time_limit_s=LIMIT_S, on_line=lambda _: phone.cancel())

    with pytest.raises(Canceled):
        work()
    wait_until(lambda: not loopback_phone.programs(), "nothing runs on the phone")
    assert loopback_phone.left_files() == []


# ---- selection


def test_a_single_phone_is_selected_and_several_need_a_choice(
    switch_on: Callable[..., LoopbackPhone], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = switch_on()
    assert [device.serial for device in select_devices("auto").devices] == [first.serial]
    second = switch_on()
    with pytest.raises(SeveralDevices, match=re.escape(second.serial)) as caught:
        select_devices("auto")
    assert first.serial in str(caught.value)
    assert isinstance(caught.value, UsageError)
    both = {first.serial, second.serial}
    assert {device.serial for device in select_devices("all").devices} == both
    assert select_devices(second.serial).devices[0].serial == second.serial
    monkeypatch.setenv("ANDROID_SERIAL", first.serial)
    assert select_devices("auto").devices[0].serial == first.serial
    with pytest.raises(NoSuchDevice, match="There is no phone 'R58M'; attached: ") as unknown:
        select_devices("R58M")
    assert all(serial in str(unknown.value) for serial in both)
    monkeypatch.delenv("ANDROID_SERIAL")
    first.unplug()
    assert [device.serial for device in select_devices("auto").devices] == [second.serial]


def test_a_phone_that_is_not_ready_is_skipped_with_the_reason(
    switch_on: Callable[..., LoopbackPhone],
) -> None:
    closed = switch_on(authorizes=False)
    for choice in ("auto", closed.serial):
        with pytest.raises(Unauthorized, match="accept 'Allow USB debugging'"):
            select_devices(choice)
    open_one = switch_on()
    selection = select_devices("auto")
    assert [device.serial for device in selection.devices] == [open_one.serial]
    assert closed.serial in selection.note
    assert "Allow USB debugging" in _printed(print_devices)


def test_a_phone_with_another_processor_is_refused(
    switch_on: Callable[..., LoopbackPhone],
) -> None:
    emulator = switch_on(abi="x86_64")
    with pytest.raises(WrongProcessor, match=r"The ABI of the phone .* is x86_64"):
        select_devices("auto")
    text = _printed(lambda console: examine(emulator.serial, console))
    assert "arm64-v8a" in text


def test_an_android_without_exit_statuses_is_refused(
    switch_on: Callable[..., LoopbackPhone],
) -> None:
    old = switch_on(has_shell_v2=False)
    with pytest.raises(OldAndroid, match=r"Android version before 7\. .*Android 7 or later"):
        select_devices(old.serial)


LISTS = {  # adb's short list, and the long one, which pads the serial with blanks
    "host:devices": (
        "adb-R58 (2)._adb-tls-connect._tcp\tdevice\n"
        "adb-R58\tdevice\n"
        "(no serial number)\tdevice\n"
        "0123456789ABCDEF\tdevice\n"
        "0123456789ABCDEF\tunauthorized\n"
        "5A\tno permissions (missing udev rules?); see [http://x]\n"
    ),
    "host:devices-l": (
        "adb-R58 (2)._adb-tls-connect._tcp device product:a model:Pixel_8 device:b transport_id:7\n"
        "adb-R58                device product:a model:Mi_10 device:b transport_id:8\n"
        "(no serial number)     device usb:1-2 model:Unnamed transport_id:9\n"
        "0123456789ABCDEF       device usb:1-3 model:Clone transport_id:10\n"
        "0123456789ABCDEF       unauthorized usb:1-4 transport_id:11\n"
        "5A                     no permissions (missing udev rules?); see [http://x]\n"
    ),
    "host-serial:adb-R58 (2)._adb-tls-connect._tcp:features": "shell_v2",
    "host-serial:adb-R58:features": "shell_v2",
}


def test_empty_duplicate_and_spaced_serials_are_distinguished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real adb server cannot be made to list such phones."""
    with endless_phone(answers=LISTS) as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        phones = attached_phones()
        assert [(phone.serial, phone.model) for phone in phones] == [
            ("adb-R58 (2)._adb-tls-connect._tcp", "Pixel 8"),
            ("adb-R58", "Mi 10"),
            ("(no serial number)", "Unnamed"),
            ("0123456789ABCDEF", "Clone"),
            ("0123456789ABCDEF", None),
            ("5A", None),
        ]
        problems = [phone.problem for phone in phones]
        kinds = [None, None, NoUniqueSerial, NoUniqueSerial, NoUniqueSerial, NoPermission]
        assert [problem and type(problem) for problem in problems] == kinds
        assert "no serial number" in str(problems[2])
        assert "Several phones have the serial number 0123456789ABCDEF" in str(problems[3])
        for phone in phones[:2]:
            assert Phone(phone.serial).serial == phone.serial
        with pytest.raises(NoUniqueSerial, match="adb connect"):
            select_devices("0123456789ABCDEF")


@pytest.mark.usefixtures("switch_on")
def test_without_a_phone_this_computer_is_used_and_reported() -> None:
    selection = select_devices("auto")
    assert [type(device) for device in selection.devices] == [Host]
    assert selection.note == "No phone is attached. Measuring on this computer."
    with pytest.raises(NoSuchDevice, match="no phone is attached"):
        select_devices("R58M")
    with pytest.raises(NoSuchDevice, match="No attached phone is ready"):
        select_devices("all")
    assert "developer options" in _printed(print_devices)


@pytest.mark.parametrize("port", ["", "adb", "0", "65536", "-1"])
def test_an_invalid_port_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", port)
    with pytest.raises(UsageError, match=f"ANDROID_ADB_SERVER_PORT is '{port}'"):
        attached_phones()


def test_without_adb_this_computer_is_used(
    monkeypatch: pytest.MonkeyPatch, adb_server: AdbServer
) -> None:
    del adb_server
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")  # nothing listens there
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/nowhere/adb")
    selection = select_devices("auto")
    assert [type(device) for device in selection.devices] == [Host]
    assert "adb does not start" in selection.note


# ---- heat


def test_the_wait_for_a_hot_phone_to_cool_is_limited(
    phone: Phone, loopback_phone: LoopbackPhone
) -> None:
    loopback_phone.set_heat(status=2, skin_c=44.0)
    reports: list[str] = []

    def cool_down(text: str) -> None:
        reports.append(text)
        loopback_phone.set_heat(status=0, skin_c=30.0)

    assert wait_until_cool(phone, 32.0, 60.0, cool_down).temperature_c == 30.0
    assert len(reports) == 1
    assert reports[0].startswith("cooling down: thermal status 2 (moderate)")
    loopback_phone.set_heat(status=0, skin_c=36.2)
    with pytest.raises(TooHot, match=r"is still too hot: skin 36.2 °C, not below 35 °C\."):
        wait_until_cool(phone, None, 0.0, pytest.fail)


# ---- doctor


def test_the_doctor_passes_a_good_phone_and_leaves_nothing_there(
    phone: Phone, loopback_phone: LoopbackPhone
) -> None:
    findings = dict(findings_of(phone))
    assert list(findings) == [check.name for check in CHECKS]
    states = {name: finding.state for name, finding in findings.items()}
    assert states.pop("processor") == WARN  # emulated
    assert set(states.values()) == {OK}, findings
    assert loopback_phone.left_files() == []


def test_the_doctor_reports_problems_with_remedies(
    switch_on: Callable[..., LoopbackPhone],
) -> None:
    faulty = switch_on(executes=False, storage_mb=8)
    faulty.set_heat(status=3)
    faulty.set_battery(percent=9, is_charging=False)
    verdicts: list[bool] = []
    text = _printed(lambda console: verdicts.append(examine(faulty.serial, console)))
    assert verdicts == [False]
    assert re.search(r"execution +fail .*noexec", text)
    assert re.search(r"space +fail +0.0 GB free +Free 100 MB", text)
    assert re.search(r"runner +skipped +needs 'execution'", text)


def test_the_doctor_warns_about_power_saving(phone: Phone, loopback_phone: LoopbackPhone) -> None:
    loopback_phone.set_battery(percent=3)
    loopback_phone.set_power(saves=True, wakefulness="Asleep")
    power = ("battery", "power saving", "screen")
    tested = DeviceUnderTest(phone, PhoneWorkspace.__new__(PhoneWorkspace))
    found = {check.name: check.examine(tested) for check in CHECKS if check.name in power}
    assert {name: finding.state for name, finding in found.items()} == dict.fromkeys(power, WARN)


def test_the_doctor_passes_this_computer() -> None:
    findings = dict(findings_of(Host()))
    assert {name for name, finding in findings.items() if finding.state == FAIL} == set()
    assert findings["tiny model"].state == OK


def test_commands_do_not_print_messages_of_adb(adb_server: AdbServer) -> None:
    # adb says "daemon not running; starting now" when it has to start its server.
    adb_server.stop()
    try:
        code = "from seaformer.benchmark.devices.server import *; print(attached_phones())"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **adb_server.settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("()\n", "")
    finally:
        adb_server.stop()
        adb_server.start()
