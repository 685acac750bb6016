"""Measurements are saved, however a benchmark ends: by signals, full disks or faults.

The benchmarks run on this computer, with a model whose inference takes microseconds.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmark_parts import EmulatedComputer, measure
from exporting import environment
from faulty_hosts import ChangedPlan, CrashingComputer, StoppedClock, UnsupportedComputer, named
from interrupting import BENCHMARK, interrupted
from rounds import SOURCES

from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.results.schema import FILE_NAME, UNFINISHED_NAME, read_results
from seaformer.benchmark.studies import results_folder
from seaformer.benchmark.studies.results_folder import LOCK_NAME
from seaformer.errors import SeaformerError

PROBE = SOURCES / "probe.tflite"
LONG = (PROBE, "--device", "host", "--runs", "100000")

INT, TERM, HUP, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Return two models with the same content."""
    return [Path(shutil.copy(PROBE, tmp_path / name)) for name in ("a.tflite", "b.tflite")]


# ---- signals


@pytest.mark.parametrize(
    "signals", [(INT,) * 20, (HUP, HUP, TERM)], ids=["20 times Ctrl-C", "HUP and TERM"]
)
def test_signals_end_the_benchmark_and_measurements_are_saved(
    tmp_path: Path, signals: Sequence[signal.Signals]
) -> None:
    status, errors = interrupted(*LONG, "--output", tmp_path / "out", signals=signals)
    assert status == 130, errors
    assert "Traceback" not in errors
    assert errors.rstrip().endswith("error: interrupted; the measurements so far are kept")
    results = read_results(tmp_path / "out")
    assert (results.complete, results.stopped_by) == (False, "interrupt")
    assert results.models[0].latency is not None
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {FILE_NAME, "results.csv", "report.html"}


def test_rounds_before_kill_9_are_saved_and_not_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "out"
    status, _ = interrupted(*LONG, "--output", output, signals=(KILL,))
    assert status == -KILL
    unfinished = output / UNFINISHED_NAME
    results = read_results(output)
    assert not results.complete
    assert "killed while measuring" in str(results.problem)
    assert results.models[0].latency is not None
    again = _run(PROBE, "--device", "host", "--runs", "1", "--output", output)
    assert again.returncode == 2
    assert f"'{unfinished}' exists" in again.stderr
    forced = _run(PROBE, "--device", "host", "--runs", "1", "--output", output, "--force")
    assert forced.returncode == 0, forced.stderr
    assert not unfinished.exists()
    assert read_results(output).complete


IN_ORDER = """
import os, signal
from seaformer.interrupts import came, deferred, heeded, one_interrupt
def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
with one_interrupt():
    with deferred():
        send(signal.SIGTERM, signal.SIGINT)
        print("saved", came())
        try:
            with heeded():
                print("not reached")
        except KeyboardInterrupt:
            print("interrupted")
        send(signal.SIGHUP)
    send(signal.SIGINT)
    print("cleaned up")
send(signal.SIGINT, signal.SIGTERM)
print("ended")
"""


def test_a_signal_during_saving_is_deferred_and_later_ones_are_ignored() -> None:
    assert _run_python(IN_ORDER) == ["saved True", "interrupted", "cleaned up", "ended"]


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{IN_ORDER}"
    code = code.replace("SIGTERM, signal.SIGINT", "SIGHUP")
    assert _run_python(code)[:2] == ["saved False", "not reached"]


def _run_python(code: str) -> list[str]:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


# ---- the folder of the results


def test_two_benchmarks_cannot_share_a_folder(tmp_path: Path) -> None:
    endless = ("--until", "0.0001%", "--output", str(tmp_path / "out"))
    first = subprocess.Popen(
        [BENCHMARK, str(PROBE), "--device", "host", *endless],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stderr is not None
    while "measuring" not in first.stderr.readline():
        pass
    second = _run(PROBE, "--device", "host", "--output", tmp_path / "out", "--force")
    assert second.returncode == 2
    assert f"in use by another benchmark (process {first.pid})" in second.stderr
    first.send_signal(INT)
    first.communicate(timeout=60)
    assert not (tmp_path / "out" / LOCK_NAME).exists()


def test_rounds_and_table_survive_a_full_disk_at_the_end(tmp_path: Path) -> None:
    """On a file system of less than twice the size of the results."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = f"{BENCHMARK} {PROBE} --device host --runs 200 --output {disk}/out"
    script = f"mount -t tmpfs -o size=48k tmpfs {disk} || exit 77; {command}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this system does not let users mount")
    assert done.returncode == 1, done.stderr
    assert "median ms" in done.stdout
    assert "No space left on device" in done.stderr.splitlines()[-1]
    (saved,) = tmp_path.glob("seaformer-results-*/results.json")
    assert f"'{saved}' has the measurements" in done.stderr
    timed = [block for one in read_results(saved).rounds for block in one.blocks]
    assert sum(len(block.durations_ns) for block in timed) == 200


def test_results_are_saved_even_if_the_table_cannot_be_printed(
    tmp_path: Path,
) -> None:
    with Path("/dev/full").open("w") as full:
        command = [BENCHMARK, str(PROBE), "--device", "host", "--runs", "1", "--output", "out"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "(No space left on device). 'out/results.json' is written." in error
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert read_results(tmp_path / "out").complete


def test_results_without_a_folder_are_saved_as_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    class Replacing(EmulatedComputer):
        """Replaces the folder with a file during the first check of the device."""

        def conditions(self):  # type: ignore[no-untyped-def]
            shutil.rmtree(output, ignore_errors=True)
            output.write_text("mine")
            return super().conditions()

    finished = measure([PROBE], [Replacing()], output, runs=2)
    assert len(finished.results) == 1
    assert finished.paths == ()
    assert "Not all results can be saved" in finished.problems[0]
    assert output.read_text() == "mine"
    (saved,) = tmp_path.glob("seaformer-results-*/results.json")
    assert f"'{saved}' has the measurements" in finished.problems[0]
    assert read_results(saved) == finished.results[0]


# ---- devices and models


def test_an_unexpected_fault_of_one_device_does_not_affect_the_others(
    pair: list[Path], tmp_path: Path
) -> None:
    devices = [named(Host, "R58"), named(UnsupportedComputer, "R59")]
    finished = measure(pair, devices, tmp_path / "out", runs=10)
    good, broken = (read_results(path) for path in finished.paths)
    assert [path.parent.name for path in finished.paths] == ["R58", "R59"]
    assert good.complete
    assert not broken.complete
    assert broken.models[0].latency is not None
    assert len(finished.problems) == 1
    assert "R59: unexpected KeyError: 'skin' (a bug in seaformer" in finished.problems[0]


def test_a_fault_before_measuring_is_reported_with_the_results_of_others(
    tmp_path: Path,
) -> None:
    broken = named(UnsupportedComputer, "R59")
    broken.looks_until_failure = 0
    finished = measure([PROBE], [named(Host, "R58"), broken], tmp_path / "out", runs=1)
    assert [one.device.serial for one in finished.results] == ["R58"]
    assert "R59: unexpected KeyError" in finished.problems[0]


def test_results_survive_a_fault_in_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("axis")

    monkeypatch.setattr(results_folder, "write_report", fail)
    devices = [named(Host, "R58"), named(Host, "R59")]
    finished = measure([PROBE], devices, tmp_path / "out", runs=1)
    assert [one.device.serial for one in finished.results] == ["R58", "R59"]
    for device, problem in zip(devices, finished.problems, strict=True):
        file = tmp_path / "out" / device.serial / FILE_NAME
        assert read_results(file).complete
        assert "unexpected KeyError" in problem
        assert f"'{file}' has the measurements" in problem


def test_devices_with_similar_names_have_separate_folders(tmp_path: Path) -> None:
    devices = [named(Host, "R58:1"), named(Host, "R58 1")]
    finished = measure([PROBE], devices, tmp_path / "out", runs=1)
    assert len(finished.paths) == len(set(finished.paths)) == 2
    assert [read_results(path).device.serial for path in finished.paths] == ["R58:1", "R58 1"]


def test_a_model_that_crashes_in_its_check_does_not_stop_the_others(
    pair: list[Path], tmp_path: Path
) -> None:
    finished = measure(pair, [CrashingComputer("m0")], tmp_path / "out", runs=2)
    (results,) = finished.results
    assert (results.complete, results.stopped_by) == (False, "runs")
    crashed, good = results.models
    assert (crashed.parity, crashed.latency) == (None, None)
    assert "killed by signal 9" in crashed.note
    assert good.latency is not None
    assert good.latency.run is not None
    assert good.latency.run.runs == 2
    assert f"'{pair[0]}': the runner on host was killed by signal 9" in finished.problems[0]


def test_a_model_that_cannot_be_opened_here_does_not_stop_the_others(
    pair: list[Path], tmp_path: Path
) -> None:
    pair[0].write_bytes(b"no model")
    finished = measure(pair, [Host()], tmp_path / "out", runs=2)
    (results,) = finished.results
    assert [model.file for model in results.models] == [str(pair[1])]
    assert str(pair[0]) in finished.problems[0]
    pair[1].write_bytes(b"none either")
    with pytest.raises(SeaformerError, match=r"a\.tflite.*b\.tflite"):
        measure(pair, [Host()], tmp_path / "other", runs=2)


def test_a_stopped_clock_is_reported_and_the_check_saved(tmp_path: Path) -> None:
    finished = measure([PROBE], [StoppedClock()], tmp_path / "out", runs=2)
    (results,) = finished.results
    assert results.models[0].parity is not None
    assert results.models[0].latency is None
    assert "the clock of the device does not advance" in finished.problems[0]
    assert read_results(tmp_path / "out") == results


def test_a_round_that_differs_from_its_plan_does_not_count(tmp_path: Path) -> None:
    finished = measure([PROBE], [ChangedPlan()], tmp_path / "out", runs=10)
    (results,) = finished.results
    assert "threads: 2, planned: 1" in finished.problems[0]
    assert {one.header.threads for one in results.rounds if one.header is not None} == {1}
    assert results.models[0].latency is not None


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [BENCHMARK, *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
