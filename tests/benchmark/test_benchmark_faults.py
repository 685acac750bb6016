"""Faults of phones: a one-line error, no hang, no files left there, no results lost."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from loopback_phone.phone import LoopbackPhone
from loopback_phone.waiting import wait_until
from phone_benchmarks import Benchmark, assert_left_clean, benchmark

from seaformer.benchmark.devices.errors import TimedOut
from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.runner.libraries import library_for


@pytest.fixture
def tflite(phone_export: Path) -> Path:
    return next(phone_export.glob("*.tflite"))


@pytest.fixture
def model(phone_export: Path, tmp_path: Path) -> Path:
    """Return a model for commands that end before they read it."""
    path = tmp_path / "model.tflite"
    shutil.copy(next(phone_export.glob("*.tflite")), path)
    return path


# ---- before anything is measured


def test_an_unauthorized_phone_is_not_skipped(switch_on, model, tmp_path):
    phone = switch_on(authorizes=False)
    ended = benchmark(tmp_path, model)
    assert ended.status == 1
    assert phone.serial in ended.error
    assert "Allow USB debugging" in ended.error
    assert not (tmp_path / "results").exists()


def test_an_offline_phone_is_named(loopback_phone, model, tmp_path):
    loopback_phone.cable.pull_out()
    loopback_phone.cable.freeze()
    loopback_phone.cable.plug_in()
    states = loopback_phone.adb_server.states
    wait_until(lambda: states().get(loopback_phone.serial) == "offline", "it is offline")
    ended = benchmark(tmp_path, model, "--device", loopback_phone.serial)
    assert ended.status == 1
    assert "does not respond" in ended.error


def test_with_two_phones_one_must_be_chosen(switch_on, model, tmp_path):
    phones = [switch_on(), switch_on()]
    ended = benchmark(tmp_path, model)
    assert ended.status == 2
    assert all(phone.serial in ended.error for phone in phones)
    assert "--device" in ended.error


def test_the_error_about_a_missing_phone_lists_the_attached_ones(loopback_phone, model, tmp_path):
    ended = benchmark(tmp_path, model, "--device", "R58M123456")
    assert ended.status == 2
    assert "R58M123456" in ended.error
    assert loopback_phone.serial in ended.error


def test_an_x86_phone_is_refused(switch_on, model, tmp_path):
    phone = switch_on(abi="x86_64")
    ended = benchmark(tmp_path, model)
    assert ended.status == 1
    assert "x86_64" in ended.error
    assert "arm64-v8a" in ended.error
    assert_left_clean(phone)


def test_no_files_are_left_on_a_full_phone(switch_on, model, tmp_path):
    phone = switch_on(storage_mb=16)
    ended = benchmark(tmp_path, model)
    assert ended.status == 1
    assert "no space" in ended.error
    assert_left_clean(phone)


def test_a_phone_that_runs_no_programs_is_refused(switch_on, model, tmp_path):
    phone = switch_on(executes=False)
    ended = benchmark(tmp_path, model)
    assert ended.status == 1
    assert "refuses to run" in ended.error
    assert "noexec" in ended.error
    assert_left_clean(phone)


@pytest.mark.slow
def test_offline_cores_of_a_phone_are_named(loopback_phone, model, tmp_path):
    loopback_phone.set_online_cores("0-6")
    ended = benchmark(tmp_path, model, "--cores", "prime")
    assert ended.status != 0
    assert "--cores" in ended.error
    assert_left_clean(loopback_phone)


@pytest.mark.slow
def test_a_phone_unplugged_while_files_are_sent(loopback_phone, model, tmp_path):
    loopback_phone.cable.when(b"SEND", 5 << 20, loopback_phone.unplug)
    ended = benchmark(tmp_path, model)
    assert ended.status == 1
    assert "is disconnected" in ended.error
    assert not (tmp_path / "results").exists()
    assert loopback_phone.programs() == []


@pytest.mark.slow
def test_a_phone_unplugged_while_outputs_are_fetched(loopback_phone, model, tmp_path):
    loopback_phone.cable.when(b"RECV", 0, loopback_phone.unplug)
    ended = benchmark(tmp_path, model)
    assert ended.status == 1
    assert "is disconnected" in ended.error
    assert loopback_phone.programs() == []


def test_ctrl_c_while_files_are_sent_leaves_nothing(loopback_phone, model, tmp_path):
    running = Benchmark(tmp_path, model)
    loopback_phone.cable.when(b"SEND", 5 << 20, running.press_ctrl_c)
    ended = running.ended()
    assert ended.status == 130
    assert ended.error == "error: interrupted"
    assert_left_clean(loopback_phone)
    assert not running.results.exists()


# ---- wrong runtimes


def a_truncated_library(folder: Path) -> Path:
    whole = library_for("litert", "android-arm64", None).path
    path = folder / whole.name
    path.write_bytes(whole.read_bytes()[: 20 << 20])
    return path


def a_library_without_the_functions(folder: Path) -> Path:
    """Return an Android library for arm64 other than LiteRT: the runner itself."""
    from seaformer.benchmark.runner.binaries import runner_for

    return Path(shutil.copy(runner_for("android-arm64"), folder / "libother.so"))


def an_older_library(folder: Path) -> Path:
    """Return a LiteRT without one of its functions, as an older version would be."""
    whole = library_for("litert", "android-arm64", None).path
    name = b"LiteRtCreateEnvironment\0"
    content = whole.read_bytes()
    assert content.count(b"\0" + name) == 1
    path = folder / whole.name
    path.write_bytes(content.replace(b"\0" + name, b"\0" + b"LiteRtCreateSurrounding\0"))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_truncated_library, "beyond the end of the file"),
        (a_library_without_the_functions, "no function"),
        (an_older_library, "LiteRtCreateEnvironment"),
    ],
)
@pytest.mark.slow
def test_a_wrong_runtime_is_refused_and_not_run(
    loopback_phone, model, tmp_path, make: Callable[[Path], Path], message: str
):
    ended = benchmark(tmp_path, model, "--runtime-library", make(tmp_path))
    assert ended.status == 1
    assert message in ended.error
    assert "--runtime-library" in ended.error
    assert_left_clean(loopback_phone)


# ---- wrong outputs


def test_a_wrong_output_has_no_latency(loopback_phone, tflite, tmp_path):
    def corrupt(block: bytes) -> bytes:
        return block[:1000] + bytes(4000) + block[5000:] if len(block) > 5000 else block

    loopback_phone.cable.when(b"RECV", 0, lambda: loopback_phone.cable.alter(corrupt))
    running = Benchmark(tmp_path, tflite, "--runs", "1")
    ended = running.ended()
    assert ended.status == 1
    assert "wrong output" in ended.error
    result = running.saved().models[0]
    assert result.parity is not None
    assert not result.parity.passed
    assert (result.latency, result.emulated) == (None, None)
    assert_left_clean(loopback_phone)


# ---- while measuring


Fault = Callable[[LoopbackPhone, Benchmark, psutil.Process], None]


def unplug(phone: LoopbackPhone, _command: Benchmark, _runner: psutil.Process) -> None:
    phone.unplug()


def leave_the_network(phone: LoopbackPhone, _command: Benchmark, _runner: psutil.Process) -> None:
    phone.cable.pull_out()


def end_runner(number: signal.Signals) -> Fault:
    return lambda _phone, _command, runner: runner.send_signal(number)


def restart_server(phone: LoopbackPhone, _command: Benchmark, _runner: psutil.Process) -> None:
    phone.adb_server.kill()
    phone.adb_server.start()
    phone.connect()


def garble(phone: LoopbackPhone, _command: Benchmark, _runner: psutil.Process) -> None:
    phone.cable.alter(lambda block: block.replace(b'"durations_ns"', b'"durat\xff\x00\x1b[m"s"'))


def press_ctrl_c(_phone: LoopbackPhone, command: Benchmark, _runner: psutil.Process) -> None:
    command.press_ctrl_c(times=20)


# fault, exit status, text of the error, whether the phone can be cleaned
FAULTS = {
    "unplugged": (unplug, 1, "is disconnected", False),
    "out of the network's reach": (leave_the_network, 1, "is disconnected", False),
    "out of memory": (end_runner(signal.SIGKILL), 1, "killed by signal 9", True),
    "crashed": (end_runner(signal.SIGSEGV), 1, "killed by signal 11", True),
    "server restarted": (restart_server, 1, "adb server", True),
    "garbage in the output": (garble, 1, "damaged", True),
    "repeated Ctrl-C": (press_ctrl_c, 130, "interrupted", True),
}


LONG = ("out of the network's reach", "out of memory", "crashed", "server restarted")


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in FAULTS]
)
def test_measurements_before_a_fault_are_saved(loopback_phone, tflite, tmp_path, fault: str):
    happen, status, message, is_reachable = FAULTS[fault]
    running = Benchmark(tmp_path, tflite, "--runs", "10")
    running.wait_until_it_prints(" 1 of 10 runs")
    happen(loopback_phone, running, running.wait_for_runner(loopback_phone))
    ended = running.ended()
    assert ended.status == status, ended.errors
    assert message in ended.error
    wait_until(lambda: loopback_phone.programs() == [], "nothing runs on the phone")
    if is_reachable:
        assert loopback_phone.left_files() == []

    saved = running.saved()
    assert not saved.complete
    assert saved.stopped_by == ("interrupt" if status == 130 else "problem")
    assert saved.problem
    result = saved.models[0]
    assert result.parity is not None
    assert result.parity.passed
    assert result.latency is None
    assert result.emulated is not None
    assert result.emulated.run is not None
    assert 1 <= result.emulated.run.runs < 10


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_for_a_hanging_phone(loopback_phone, tflite, tmp_path):
    running = Benchmark(tmp_path, tflite, "--runs", "10")
    running.wait_for_runner(loopback_phone)
    loopback_phone.cable.freeze()
    running.press_ctrl_c()
    ended = running.ended()
    assert ended.status == 130
    loopback_phone.cable.thaw()
    wait_until(lambda: loopback_phone.programs() == [], "the phone ended the runner by itself")


@pytest.mark.slow
def test_the_time_limit_ends_the_wait_for_a_hanging_phone(loopback_phone, tflite, tmp_path):
    running = Benchmark(tmp_path, tflite, "--runs", "10", "--time-limit", "60")
    running.wait_until_it_prints(" 1 of 10 runs")
    running.wait_for_runner(loopback_phone)
    loopback_phone.cable.freeze()
    ended = running.ended()
    assert ended.status == 1, ended.errors
    assert f"The phone {loopback_phone.serial} hangs" in ended.error
    assert "may still run" in ended.error
    loopback_phone.cable.thaw()
    wait_until(lambda: loopback_phone.programs() == [], "the phone ended the runner by itself")

    saved = running.saved()
    assert (saved.complete, saved.stopped_by) == (False, "problem")
    result = saved.models[0]
    assert result.latency is None
    assert result.emulated is not None
    assert result.emulated.run is not None
    assert 1 <= result.emulated.run.runs < 10


def test_the_wait_for_a_hanging_phone_ends(loopback_phone, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/system/bin/sh\necho begun\nsleep 1000\n")
    lines: list[str] = []

    def hang(line: str) -> None:
        lines.append(line)
        loopback_phone.cable.freeze()

    workspace = Phone(loopback_phone.serial).open_workspace("hanging")
    workspace.place(program, "program", executable=True)
    with pytest.raises(TimedOut, match=r"hangs.* may still run"):
        workspace.execute("program", [], time_limit_s=5, on_line=hang)
    assert lines == ["begun"]
    loopback_phone.cable.thaw()
    wait_until(lambda: loopback_phone.programs() == [], "the phone ended it by itself")
    workspace.close(keep=False)
    assert loopback_phone.left_files() == []
