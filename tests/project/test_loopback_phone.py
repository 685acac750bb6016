"""The loopback phone, used with the real adb client."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from loopback_phone import android_facts
from loopback_phone.phone import LoopbackPhone
from loopback_phone.waiting import wait_until

STORAGE = "/data/local/tmp"


def shell(phone: LoopbackPhone, command: str | bytes) -> subprocess.CompletedProcess:
    return phone.adb_server.adb("-s", phone.serial, "shell", command)


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    path = tmp_path / "big file"
    path.write_bytes(os.urandom(8 << 20))
    return path


def push(phone: LoopbackPhone, file: Path) -> subprocess.CompletedProcess:
    return phone.adb_server.adb("-s", phone.serial, "push", str(file), f"{STORAGE}/pushed")


def test_shell_commands_have_separate_output_errors_and_exit_status(loopback_phone):
    done = shell(loopback_phone, "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_the_status_of_a_program_killed_by_a_signal_is_128_plus_the_signal(loopback_phone):
    assert shell(loopback_phone, "kill -9 $$").returncode == 128 + signal.SIGKILL


def test_programs_are_for_arm64(loopback_phone):
    assert shell(loopback_phone, "uname -m").stdout == b"aarch64\n"
    header = (loopback_phone.storage.parents[2] / "system/bin/toybox").read_bytes()[:20]
    assert header[18:20] == (183).to_bytes(2, "little")  # EM_AARCH64


def test_a_command_reads_input_of_this_computer(loopback_phone):
    data = os.urandom(300_000)
    done = loopback_phone.adb_server.adb(
        "-s", loopback_phone.serial, "shell", "cat", input=data, stdin=None
    )
    assert done.stdout == data


def test_a_file_is_unchanged_after_push_and_pull(loopback_phone, big_file, tmp_path):
    name = 'it\'s "a" $(file)\n— of ours'
    adb, serial = loopback_phone.adb_server.adb, loopback_phone.serial
    assert adb("-s", serial, "push", str(big_file), f"{STORAGE}/{name}").returncode == 0
    assert (loopback_phone.storage / name).read_bytes() == big_file.read_bytes()
    back = tmp_path / "back"
    assert adb("-s", serial, "pull", f"{STORAGE}/{name}", str(back)).returncode == 0
    assert back.read_bytes() == big_file.read_bytes()


def test_folders_are_pushed_and_pulled_with_their_files(loopback_phone, tmp_path):
    folder = tmp_path / "folder"
    for name in ("a", "b/c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    adb, serial = loopback_phone.adb_server.adb, loopback_phone.serial
    assert adb("-s", serial, "push", str(folder), STORAGE).returncode == 0
    assert adb("-s", serial, "pull", f"{STORAGE}/folder", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back/b/c").read_text() == "b/c"
    assert {str(path) for path in loopback_phone.left_files()} >= {"folder/a", "folder/b/c"}


def test_permissions_of_pushed_files_are_preserved(loopback_phone, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/system/bin/sh\necho ran\n")
    script.chmod(0o755)
    push(loopback_phone, script)
    assert shell(loopback_phone, f"{STORAGE}/pushed").stdout == b"ran\n"


def test_a_missing_file_is_an_error(loopback_phone, tmp_path):
    adb, serial = loopback_phone.adb_server.adb, loopback_phone.serial
    done = adb("-s", serial, "pull", f"{STORAGE}/nothing", str(tmp_path))
    assert done.returncode != 0
    assert b"No such file" in done.stderr


def test_it_reports_an_emulated_snapdragon_865(loopback_phone):
    listed = shell(loopback_phone, "getprop").stdout.decode().splitlines()
    expected = android_facts.properties("arm64-v8a").items()
    assert listed == [f"[{name}]: [{value}]" for name, value in expected]
    assert shell(loopback_phone, "getprop ro.boot.qemu").stdout == b"1\n"
    frequencies = shell(loopback_phone, "cat /sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq")
    assert [int(line) for line in frequencies.stdout.split()] == [
        khz for _, khz in android_facts.CORES
    ]
    assert shell(loopback_phone, "nproc").stdout == b"8\n"


def test_heat_and_battery_can_be_set(loopback_phone):
    loopback_phone.set_heat(status=3, skin_c=44.5)
    heat = shell(loopback_phone, "dumpsys thermalservice").stdout.decode()
    assert "Thermal Status: 3\n" in heat
    assert "mValue=44.5, mType=3, mName=skin, mStatus=3" in heat
    loopback_phone.set_battery(percent=9, temperature_c=38.2, is_charging=False)
    battery = shell(loopback_phone, "dumpsys battery").stdout.decode()
    assert "  level: 9\n" in battery
    assert "  temperature: 382\n" in battery
    assert "Can't find service" in shell(loopback_phone, "dumpsys nothing").stdout.decode()


def test_programs_get_requested_cores_that_are_online(loopback_phone):
    done = shell(loopback_phone, "taskset 80 sh -c 'taskset -p $$'")
    assert done.stdout.strip().endswith(b"current affinity mask: 80")
    loopback_phone.set_online_cores("0-6")
    refused = shell(loopback_phone, "taskset 80 true")
    assert refused.returncode != 0
    assert b"Invalid argument" in refused.stderr


def test_a_phone_sees_only_its_own_processes(loopback_phone):
    listed = shell(loopback_phone, "ps -A -o PID,ARGS").stdout.decode().splitlines()
    assert "boot.sh" in listed[1]
    assert len(listed) == 4  # heading, process 1, daemon, ps


def test_a_full_phone_refuses_a_file_and_removes_its_part(switch_on, big_file):
    phone = switch_on(storage_mb=4)
    done = push(phone, big_file)
    assert done.returncode != 0
    assert b"No space left on device" in done.stderr
    assert phone.left_files() == []


def test_a_phone_mounted_noexec_runs_no_programs(switch_on, tmp_path):
    phone = switch_on(executes=False)
    script = tmp_path / "script"
    script.write_text("#!/system/bin/sh\n")
    script.chmod(0o755)
    push(phone, script)
    done = shell(phone, f"{STORAGE}/pushed")
    assert done.returncode == 126
    assert b"ermission denied" in done.stderr


def test_a_phone_without_authorization_stays_unauthorized(switch_on):
    phone = switch_on(authorizes=False)
    assert phone.adb_server.states() == {phone.serial: "unauthorized"}
    assert b"unauthorized" in shell(phone, "true").stderr


def test_two_phones_are_independent(switch_on):
    first, second = switch_on(), switch_on(abi="x86_64")
    assert first.adb_server.states() == {first.serial: "device", second.serial: "device"}
    assert shell(second, "getprop ro.product.cpu.abi").stdout == b"x86_64\n"
    shell(first, f"touch {STORAGE}/mine")
    assert second.left_files() == []
    more_than_one = first.adb_server.adb("shell", "true")
    assert b"more than one device" in more_than_one.stderr


def test_a_phone_unplugged_during_a_push_removes_the_partial_file(loopback_phone, big_file):
    loopback_phone.cable.when(b"SEND", 1 << 20, loopback_phone.unplug)
    assert push(loopback_phone, big_file).returncode != 0
    wait_until(lambda: loopback_phone.left_files() == [], "the phone dropped the file")
    assert loopback_phone.adb_server.states() == {}
    loopback_phone.plug_in()
    assert shell(loopback_phone, "echo back").stdout == b"back\n"


def test_unplugging_during_a_pull_ends_the_transfer(loopback_phone, big_file, tmp_path):
    push(loopback_phone, big_file)
    loopback_phone.cable.when(b"RECV", 1 << 20, loopback_phone.unplug)
    done = loopback_phone.adb_server.adb(
        "-s", loopback_phone.serial, "pull", f"{STORAGE}/pushed", str(tmp_path / "back")
    )
    assert done.returncode != 0


def running(phone: LoopbackPhone, command: str) -> threading.Thread:
    thread = threading.Thread(target=shell, args=(phone, command))
    thread.start()
    phone.wait_for("sleep")
    return thread


def test_unplugging_hangs_up_the_shell_but_not_its_children(loopback_phone):
    """The real daemon does the same; a command has to end its children itself."""
    thread = running(loopback_phone, "sleep 1000 & wait")
    loopback_phone.unplug()
    thread.join()
    wait_until(lambda: loopback_phone.program_called("wait") is None, "the shell ended")
    assert loopback_phone.program_called("sleep") is not None


def test_a_thawed_cable_continues(loopback_phone):
    loopback_phone.cable.freeze()
    answers: list[subprocess.CompletedProcess] = []
    thread = threading.Thread(target=lambda: answers.append(shell(loopback_phone, "echo late")))
    thread.start()
    thread.join(timeout=0.5)
    assert answers == []
    loopback_phone.cable.thaw()
    thread.join()
    assert answers[0].stdout == b"late\n"


def test_a_frozen_phone_that_is_plugged_in_again_is_offline(loopback_phone):
    loopback_phone.cable.pull_out()
    loopback_phone.cable.freeze()
    loopback_phone.cable.plug_in()
    wait_until(
        lambda: loopback_phone.adb_server.states().get(loopback_phone.serial) == "offline",
        "the server shows the phone as offline",
    )


def test_a_program_can_be_killed_from_outside(loopback_phone):
    thread = running(loopback_phone, "sleep 1000")
    loopback_phone.wait_for("sleep").send_signal(signal.SIGKILL)
    thread.join()
    assert loopback_phone.programs() == []


def test_switching_off_ends_all_programs(switch_on):
    phone = switch_on()
    thread = running(phone, "sleep 1000")
    program = phone.wait_for("sleep")
    phone.switch_off()
    thread.join()
    wait_until(lambda: not program.is_running(), "the program ended with the phone")


def test_a_restarted_server_lists_the_phone_after_a_connect(loopback_phone):
    loopback_phone.adb_server.kill()
    loopback_phone.adb_server.start()
    loopback_phone.connect()
    assert shell(loopback_phone, "echo back").stdout == b"back\n"
