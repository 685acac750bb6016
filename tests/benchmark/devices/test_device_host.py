"""This computer as a device, with real programs."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from device_scripts import ECHO, EVIL_ARGUMENTS, EVIL_NAMES, HANG, echoed, write_script
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seaformer.benchmark.devices.cores import choose_cores
from seaformer.benchmark.devices.device import Conditions, Temperature
from seaformer.benchmark.devices.errors import (
    Canceled,
    DeviceError,
    ExecRefused,
    FileRefused,
    TimedOut,
    UnsupportedHost,
)
from seaformer.benchmark.devices.heat import throttled, too_hot, wait_until_cool
from seaformer.benchmark.devices.host import Host, HostWorkspace, Usage, foreign_load

SHELL = "/bin/sh"


BURN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


@pytest.fixture
def workspace() -> Iterator[HostWorkspace]:
    host = Host()
    with host.workspace("test") as opened:
        assert isinstance(opened, HostWorkspace)
        yield opened


def _place(workspace: HostWorkspace, tmp_path: Path, name: str, text: str) -> None:
    workspace.place(write_script(tmp_path / "script", SHELL, text), name, executable=True)


def _alive(marker: str) -> list[psutil.Process]:
    """Return the live processes that have a text in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and marker in process.environ():
                found.append(process)
        except psutil.Error:
            continue
    return found


def _wait_until_gone(marker: str) -> None:
    deadline = time.monotonic() + 10
    while _alive(marker):
        assert time.monotonic() < deadline, f"still there: {_alive(marker)}"


def test_the_host_reports_its_facts() -> None:
    facts = Host().facts()
    assert facts.serial == "host"
    assert [core.index for core in facts.cores] == sorted(os.sched_getaffinity(0))
    assert facts.memory_bytes == psutil.virtual_memory().total
    assert not facts.is_emulated


def test_load_of_other_programs_is_distinguished_from_the_benchmark() -> None:
    before, after = Usage(10.0, 100.0, 5.0), Usage(12.0, 103.0, 6.0)
    assert foreign_load(before, after) == pytest.approx(1.0)
    assert foreign_load(before, Usage(12.0, 101.0, 6.01)) == 0  # counters advance in steps
    assert foreign_load(before, Usage(10.01, 100.0, 5.0)) is None


def test_programs_of_the_benchmark_are_not_other_load() -> None:
    before = Usage.now()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    after = Usage.now()
    assert after.own_s - before.own_s >= 0.5
    assert after.busy_s - before.busy_s >= 0.4


def test_load_of_other_programs_is_in_the_next_state() -> None:
    host = Host()
    burner = subprocess.Popen([sys.executable, "-c", BURN.replace("0.5", "60")])
    try:
        host.conditions()
        time.sleep(1)
        load = host.conditions().foreign_load
    finally:
        burner.kill()
        burner.wait()
    assert load is not None
    assert 0.1 < load <= psutil.cpu_count() + 0.1


def test_the_host_reports_its_conditions() -> None:
    conditions = Host().conditions()
    assert conditions.free_bytes
    assert conditions.thermal_status is None
    assert set(conditions.core_khz) <= os.sched_getaffinity(0)
    assert abs((datetime.now(UTC) - conditions.taken_at).total_seconds()) < 60


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_and_arguments_reach_a_program_unchanged(
    workspace: HostWorkspace, tmp_path: Path, name: str
) -> None:
    _place(workspace, tmp_path, name, ECHO)
    seen: list[str] = []
    done = workspace.execute(name, EVIL_ARGUMENTS, time_limit_s=30, on_line=seen.append)
    assert done.exit_status == 3
    assert done.stdout_lines == echoed(EVIL_ARGUMENTS)
    assert tuple(seen) == done.stdout_lines
    assert done.stderr == "to stderr\n"
    assert [path.name for path in Path(workspace.path).iterdir()] == [name]


@given(st.lists(st.text(st.characters(blacklist_characters="\0\r", codec="utf-8")), max_size=5))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_arguments_reach_a_program_unchanged(
    workspace: HostWorkspace, tmp_path: Path, arguments: list[str]
) -> None:
    _place(workspace, tmp_path, "echo", ECHO)
    done = workspace.execute("echo", arguments, time_limit_s=30)
    assert done.stdout_lines == echoed(tuple(arguments))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "nul\0"])
def test_names_outside_the_folder_are_refused(workspace: HostWorkspace, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid name of a file"):
        workspace.write(name, b"")


@pytest.mark.parametrize("key", ["", ".", "..", "../x", "a/b", "nul\0"])
def test_keys_outside_the_folder_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not a valid name for a workspace"):
        Host().open_workspace(key)


def test_a_file_is_placed_once_and_again_after_a_change(
    workspace: HostWorkspace, tmp_path: Path
) -> None:
    local = tmp_path / "model"
    local.write_bytes(b"first")
    assert workspace.place(local, "model")
    assert not workspace.place(local, "model")
    local.write_bytes(b"second")
    assert workspace.place(local, "model")
    assert workspace.read("model") == b"second"
    workspace.write("model", b"corrupted")
    assert workspace.place(local, "model")


def test_a_missing_file_cannot_be_read(workspace: HostWorkspace) -> None:
    with pytest.raises(FileRefused, match="nothing' cannot be read: No such file"):
        workspace.read("nothing")


def test_a_file_that_is_not_executable_is_not_run(workspace: HostWorkspace) -> None:
    workspace.write("data", b"\0")
    with pytest.raises(ExecRefused, match=r"data' \(Permission denied\); .*TMPDIR"):
        workspace.execute("data", [], time_limit_s=30)


@pytest.mark.parametrize("keep", [False, True])
def test_a_workspace_is_removed(keep: bool) -> None:
    with Host().workspace("test", keep) as removed:
        removed.write("file", b"")
    assert not Path(removed.path).exists()


def test_the_signal_that_ended_a_program_is_reported(
    workspace: HostWorkspace, tmp_path: Path
) -> None:
    _place(workspace, tmp_path, "dies", "echo begun\nkill -9 $$\n")
    done = workspace.execute("dies", [], time_limit_s=30)
    assert (done.exit_status, done.signal) == (128 + signal.SIGKILL, signal.SIGKILL)
    assert done.stdout_lines == ("begun",)


def test_much_output_on_both_streams_causes_no_deadlock(
    workspace: HostWorkspace, tmp_path: Path
) -> None:
    _place(workspace, tmp_path, "much", "seq 1 40000 >&2\nseq 1 40000\n")
    done = workspace.execute("much", [], time_limit_s=60)
    numbers = [str(number) for number in range(1, 40001)]
    assert list(done.stdout_lines) == numbers
    assert done.stderr.split() == numbers


def test_at_the_time_limit_a_program_and_its_children_are_killed(
    workspace: HostWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAFORMER_TEST_LIMIT", workspace.path)
    _place(workspace, tmp_path, "hangs", HANG)
    seen: list[str] = []
    with pytest.raises(TimedOut, match=r"'hangs' took longer than 0.5 s\."):
        workspace.execute("hangs", [], time_limit_s=0.5, on_line=seen.append)
    assert seen == ["begun"]
    monkeypatch.delenv("SEAFORMER_TEST_LIMIT")
    _wait_until_gone("SEAFORMER_TEST_LIMIT")


def test_the_time_limit_applies_to_a_program_that_closes_its_output(
    workspace: HostWorkspace, tmp_path: Path
) -> None:
    _place(workspace, tmp_path, "quiet", "exec >&- 2>&-\nsleep 1000\n")
    with pytest.raises(TimedOut):
        workspace.execute("quiet", [], time_limit_s=0.5)


def test_another_thread_can_stop_a_program(tmp_path: Path) -> None:
    host = Host()
    with host.workspace("test") as workspace:
        assert isinstance(workspace, HostWorkspace)
        _place(workspace, tmp_path, "hangs", HANG)
        with pytest.raises(Canceled):
            workspace.execute("hangs", [], time_limit_s=60, on_line=lambda _: host.cancel())


def test_an_exception_of_on_line_ends_the_program(workspace: HostWorkspace, tmp_path: Path) -> None:
    _place(workspace, tmp_path, "hangs", HANG)

    def refuse(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError, match="begun"):
        workspace.execute("hangs", [], time_limit_s=60, on_line=refuse)


def test_ctrl_c_ends_the_program_and_removes_its_folder(tmp_path: Path) -> None:
    write_script(tmp_path / "script", SHELL, HANG)
    code = f"""
from pathlib import Path
from seaformer.benchmark.devices.host import Host
with Host().workspace("test") as workspace:
    workspace.place(Path({str(tmp_path / "script")!r}), "hangs", executable=True)
    print(workspace.path, flush=True)
    workspace.execute("hangs", [], time_limit_s=600, on_line=lambda line: print(line, flush=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SEAFORMER_TEST_CTRL_C": "1"},
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert process.stdout.readline() == "begun\n"
    assert folder.is_dir()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in stderr
    assert not folder.exists()
    _wait_until_gone("SEAFORMER_TEST_CTRL_C")


def test_a_program_can_be_bound_to_each_core_of_the_host(
    workspace: HostWorkspace, tmp_path: Path
) -> None:
    _place(workspace, tmp_path, "bound", 'exec taskset "$1" cat /proc/self/status\n')
    cores = Host().facts().cores
    for core in cores:
        choice = choose_cores(cores, f"{core.index}-{core.index}", 1)
        done = workspace.execute("bound", [choice.mask], time_limit_s=30)
        assert f"Cpus_allowed_list:\t{core.index}" in done.stdout_lines


@pytest.mark.parametrize(
    ("system", "machine", "message"),
    [("darwin", "x86_64", "only be measured on phones"), ("linux", "riscv64", "type riscv64")],
)
def test_a_computer_without_a_runner_is_reported(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, message: str
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(UnsupportedHost, match=message):
        Host()


def _subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


@pytest.mark.parametrize("kind", sorted(set(_subclasses(DeviceError)), key=str), ids=str)
def test_every_error_is_one_line_with_the_next_step(kind: type[DeviceError]) -> None:
    message = str(kind("It happened."))
    assert message == f"It happened. {kind.advice}"
    assert kind.advice.endswith(".")
    assert "\n" not in message


# ---- heat


def _conditions(status: int | None, *temperatures: Temperature) -> Conditions:
    return Conditions(datetime.now(UTC), temperatures, status, None, None, {}, None)


@pytest.mark.parametrize(
    ("conditions", "heat"),
    [
        (_conditions(None), None),
        (_conditions(0, Temperature("CPU7", "cpu", 80.0)), None),
        (_conditions(0, Temperature("skin", "skin", 34.9)), None),
        (_conditions(0, Temperature("skin", "skin", 35.0)), "skin 35.0 °C, not below 35 °C"),
        (
            _conditions(None, Temperature("b", "battery", 40.1)),
            "battery 40.1 °C, not below 35",
        ),
        (_conditions(2, Temperature("skin", "skin", 30.0)), r"thermal status 2 \(moderate\)"),
    ],
)
def test_the_reason_for_heat_is_reported(conditions: Conditions, heat: str | None) -> None:
    found = too_hot(conditions, 35.0)
    assert (found is None) == (heat is None)
    if heat is not None:
        assert found is not None
        assert re.match(heat, found)


def test_a_device_throttled_if_it_reported_so_before_or_after() -> None:
    cool, hot, silent = _conditions(0), _conditions(3), _conditions(None)
    assert throttled(cool, cool) is None
    assert throttled(silent, silent) is None
    assert throttled(cool, hot) == "thermal status 3 (severe) after the round"
    assert throttled(hot, cool) == "thermal status 3 (severe) before the round"


def test_a_host_without_a_thermometer_is_not_waited_for() -> None:
    host = Host()
    if host.conditions().temperature is not None:
        pytest.skip("this computer reports the temperature of a skin or battery")
    assert wait_until_cool(host, None, 0.0, pytest.fail).thermal_status is None
