"""seaformer-benchmark on this computer: the real runner, runtimes and files, and simulated faults.

Only the official tool has a stand-in, because no package registry has its binary: a script that
prints what a real one printed. It shows that command line, launcher and results fit together.
"""

import json
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_parts import (
    EmulatedComputer,
    HotComputer,
    KillingComputer,
    UnpluggedComputer,
    WrongComputer,
    measure,
)
from click.testing import CliRunner, Result
from interrupting import interrupted
from junitparser import JUnitXml
from official_tool_samples import CLASSIC, CLASSIC_HELP, SHOWING_HELP

from seaformer.benchmark.cli import main
from seaformer.benchmark.devices.device import DeviceFacts
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.measure.backends import BACKENDS
from seaformer.benchmark.results.exit_status import REGRESSION
from seaformer.benchmark.results.schema import read_results
from seaformer.errors import SeaformerError, UsageError
from seaformer.statistics.bootstrap import MIN_ROUNDS

RUNS = 10


@pytest.fixture(scope="module")
def tflite(users_export: Path) -> Path:
    return next(users_export.glob("*.tflite"))


@pytest.fixture(scope="module")
def onnx(users_export: Path) -> Path:
    return next(users_export.glob("*.onnx"))


@pytest.fixture(scope="module")
def pair(tflite: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the model, and a copy whose name is special to a shell."""
    folder = tmp_path_factory.mktemp("models")
    awkward = folder / 'it\'s a $(touch evil) "model"\n.tflite'
    shutil.copy(tflite, awkward)
    return [tflite, awkward]


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(pair: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """Return the result of the command for two models on this computer, and its folder."""
    folder = tmp_path_factory.mktemp("finished")
    result = command(*pair, "--device", "host", "--runs", RUNS, "--output", folder)
    return result, folder


def test_two_models_on_this_computer(finished: tuple[Result, Path], pair: list[Path]) -> None:
    result, folder = finished
    assert result.exit_code == 0, result.stderr
    results = read_results(folder)
    assert (results.complete, results.stopped_by, results.problem) == (True, "runs", None)
    assert [Path(model.file).name for model in results.models] == [path.name for path in pair]
    for model in results.models:
        assert model.parity is not None
        assert model.parity.passed
        assert model.input.source == "photograph"
        times = model.times
        assert times is not None
        assert times.run is not None
        assert (times.run.runs, times.run.rounds) == (RUNS, RUNS)
        assert times.run.interval_ms is not None
        assert model.peak_memory_bytes is not None
        assert model.memory is not None
        assert model.memory.peak_bytes is not None
        assert 0 < model.memory.compiled_bytes <= model.memory.peak_bytes < 20e6
    assert (results.emulated, results.device.serial, results.threads) == (False, "host", 1)
    assert results.ratios[0].ratio.value > 0
    assert not list(folder.rglob("evil"))
    assert not Path("evil").exists()


def test_the_output_of_the_command(finished: tuple[Result, Path], pair: list[Path]) -> None:
    result, folder = finished
    lines = result.stdout.splitlines()
    assert lines[0].startswith("host: ")
    assert "LiteRT" in lines[0]
    assert "temperature" in lines[0]
    assert "ratio [95 %]" in result.stdout
    assert "exact" in result.stdout  # the same runtime on the same computer
    assert "+ full-size mask" in result.stdout
    last = [line.strip() for line in lines if line.startswith("  seaformer-")]
    assert last[0].startswith("seaformer-benchmark ")
    assert f"--compare {folder}/results.json" in last[0]
    assert str(pair[0]) in last[0]
    assert (folder / "results.csv").read_text().count("it's a $(touch evil)") == 1


def test_models_are_interleaved_on_their_cores(finished: tuple[Result, Path]) -> None:
    results = read_results(finished[1])
    measured = [one for one in results.rounds if one.purpose == "measure"]
    assert all(one.used and one.complete for one in measured)
    orders = {tuple(block.model for block in one.blocks) for one in measured}
    assert orders == {("m0", "m1"), ("m1", "m0")}
    used = {cpu for one in measured for block in one.blocks for cpu in block.cpus}
    assert used <= set(results.cores.cores)
    checks = [one for one in results.rounds if one.purpose == "check"]
    assert [len(one.loaded) for one in checks] == [1, 1]
    assert not any(one.used for one in checks)


def test_onnx_files_run_in_onnx_runtime(onnx: Path, tmp_path: Path) -> None:
    (results,) = measure([onnx], [Host()], tmp_path, runs=2).results
    assert (results.backend, results.runtime.name) == ("onnxruntime", "ONNX Runtime")
    assert results.models[0].parity is not None
    assert results.models[0].parity.agreement == 1
    assert results.models[0].latency is not None


def test_a_file_without_metadata_is_measured_on_noise_with_a_note(
    tflite: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.tflite"
    with zipfile.ZipFile(tflite) as archive:
        end = min(entry.header_offset for entry in archive.infolist())
    foreign.write_bytes(tflite.read_bytes()[:end])
    (results,) = measure([foreign], [Host()], tmp_path / "out", runs=1).results
    model = results.models[0]
    assert (model.precision, model.input.source) == ("unknown", "noise")
    assert "no metadata" in model.note
    assert model.parity is not None
    assert model.parity.passed
    assert model.latency is not None


def test_a_wrong_output_has_no_latency_and_fails(pair: list[Path], tmp_path: Path) -> None:
    finished = measure(pair, [WrongComputer()], tmp_path, runs=2)
    wrong, right = finished.results[0].models
    assert wrong.is_wrong
    assert wrong.latency is None
    assert right.latency is not None
    assert not any(
        block.model == wrong.id
        for one in finished.results[0].rounds
        if one.purpose == "measure"
        for block in one.blocks
    )
    assert re.search("wrong output on host", " ".join(finished.problems))


def test_times_of_an_emulated_device_are_not_latency(tflite: Path, tmp_path: Path) -> None:
    (results,) = measure([tflite], [EmulatedComputer()], tmp_path, runs=2).results
    assert results.emulated
    assert results.models[0].latency is None
    assert results.models[0].emulated is not None
    assert read_results(tmp_path) == results


@pytest.mark.parametrize(
    ("kind", "message"),
    [(KillingComputer, "killed by signal 9"), (UnpluggedComputer, "is disconnected")],
)
def test_measurements_before_a_fault_are_saved(
    kind: type[Host], message: str, pair: list[Path], tmp_path: Path
) -> None:
    # Long blocks: the runner must not finish before it is killed.
    finished = measure(pair, [kind()], tmp_path, runs=2000)
    results = read_results(tmp_path)
    assert (results.complete, results.stopped_by) == (False, "problem")
    assert re.search(message, results.problem or "")
    assert re.search(message, " ".join(finished.problems))
    measured = [one for one in results.rounds if one.purpose == "measure"]
    assert [one.complete for one in measured] == [True, False]
    assert len(measured[1].blocks) == 1
    assert all(model.latency is not None for model in results.models)


def test_a_throttled_round_is_repeated(tflite: Path, tmp_path: Path) -> None:
    (results,) = measure([tflite], [HotComputer(1)], tmp_path, runs=2).results
    measured = [one for one in results.rounds if one.purpose == "measure"]
    assert [one.used for one in measured] == [False, True, True]
    assert "moderate" in (measured[0].throttled or "")
    times = results.models[0].latency
    assert times is not None
    assert times.run is not None
    assert times.run.runs == 2
    assert "1 of 3 rounds, and such rounds were measured again" in results.warnings[0]


def test_a_throttled_round_is_used_if_requested(tflite: Path, tmp_path: Path) -> None:
    (results,) = measure([tflite], [HotComputer(1)], tmp_path, runs=2, keep_throttled=True).results
    measured = [one for one in results.rounds if one.purpose == "measure"]
    assert [one.used for one in measured] == [True, True]
    assert "and such rounds were used" in results.warnings[0]


def test_a_device_that_throttles_in_every_round_fails(tflite: Path, tmp_path: Path) -> None:
    finished = measure([tflite], [HotComputer(99)], tmp_path, runs=2)
    (results,) = finished.results
    assert (results.complete, results.stopped_by) == (False, "problem")
    assert "--keep-throttled" in finished.problems[0]
    assert results.models[0].latency is None
    assert len([one for one in results.rounds if one.throttled]) == 3


def test_it_stops_when_the_interval_is_small_enough(tflite: Path, tmp_path: Path) -> None:
    (results,) = measure([tflite], [Host()], tmp_path, runs=None, until="99%").results
    assert (results.complete, results.stopped_by) == (True, "precision")
    times = results.models[0].latency
    assert times is not None
    assert times.run is not None
    assert times.run.rounds >= MIN_ROUNDS
    assert (times.run.relative_half_width or 1) <= 0.99


def test_it_stops_at_the_time_limit_and_reports_the_interval(tflite: Path, tmp_path: Path) -> None:
    options = {"runs": None, "until": "0.0001%", "time_limit_s": 4.0}
    finished = measure([tflite], [Host()], tmp_path, **options)
    (results,) = finished.results
    assert (results.complete, results.stopped_by) == (True, "time limit")
    assert not finished.problems
    assert any("the time limit was reached first" in warning for warning in results.warnings)


def test_runs_that_exceed_the_time_limit_fail(tflite: Path, tmp_path: Path) -> None:
    finished = measure([tflite], [Host()], tmp_path, runs=100_000, time_limit_s=4.0)
    (results,) = finished.results
    assert (results.complete, results.stopped_by) == (False, "time limit")
    assert "--time-limit" in finished.problems[0]


class FirstComputer(Host):
    """This computer with the name of a phone on the network."""

    serial = "192.168.0.7:5555"

    def facts(self) -> DeviceFacts:
        return replace(super().facts(), serial="192.168.0.7:5555")


@pytest.mark.slow
def test_each_of_several_devices_gets_its_results(pair: list[Path], tmp_path: Path) -> None:
    devices = [FirstComputer(), KillingComputer()]
    finished = measure(pair, devices, tmp_path, runs=3000)
    assert sorted(path.parent.name for path in finished.paths) == ["192.168.0.7_5555", "host"]
    good, failed = (read_results(path) for path in finished.paths)
    assert (good.complete, failed.complete) == (True, False)
    assert len(finished.problems) == 1


class NamedComputer(Host):
    """This computer with the serial number that a phone reports."""

    def __init__(self, serial: str) -> None:
        super().__init__()
        self.serial = serial

    def facts(self) -> DeviceFacts:
        return replace(super().facts(), serial=self.serial)


@pytest.mark.parametrize(
    "serial", ["..", ".", "", "-rf", "NUL", "com1.5555", "a.", "../..", "x" * 256]
)
def test_a_serial_number_does_not_determine_where_results_are_written(
    tflite: Path, tmp_path: Path, serial: str
) -> None:
    output = tmp_path / "in" / "out"
    with pytest.raises(SeaformerError, match=r"Allowed: .*separately with --device"):
        measure([tflite], [NamedComputer(serial), Host()], output, runs=1)
    assert not list(tmp_path.iterdir())


def test_separators_in_a_serial_number_are_replaced_in_its_folder(
    tflite: Path, tmp_path: Path
) -> None:
    finished = measure([tflite], [NamedComputer("../\\x"), Host()], tmp_path / "out", runs=1)
    assert sorted(path.parent.name for path in finished.paths) == ["..__x", "host"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_as_the_folder_of_a_device_is_refused(tflite: Path, tmp_path: Path) -> None:
    output, outside = tmp_path / "out", tmp_path / "outside"
    output.mkdir()
    outside.mkdir()
    (output / "R58").symlink_to(outside)
    with pytest.raises(SeaformerError, match="is a link to"):
        measure([tflite], [NamedComputer("R58"), Host()], output, runs=1)
    assert not list(outside.iterdir())


def test_results_of_one_of_several_devices_are_not_overwritten(
    tflite: Path, tmp_path: Path
) -> None:
    old = tmp_path / "R58" / "results.json"
    old.parent.mkdir()
    old.write_text("mine")
    devices = [NamedComputer("R58"), Host()]
    with pytest.raises(UsageError, match=r"R58/results\.json' exists.*--force"):
        measure([tflite], devices, tmp_path, runs=1)
    assert old.read_text() == "mine"
    measure([tflite], devices, tmp_path, runs=1, force=True)
    assert read_results(old).device.serial == "R58"


def test_a_device_that_measures_nothing_does_not_stop_the_others(
    tflite: Path, tmp_path: Path
) -> None:
    one_core = FirstComputer()
    finished = measure([tflite], [one_core, UnreachableComputer()], tmp_path, runs=1)
    assert len(finished.results) == 1
    assert "is disconnected" in finished.problems[0]


class UnreachableComputer(Host):
    """Behaves like a phone that is disconnected."""

    def facts(self) -> None:  # type: ignore[override]
        raise SeaformerError("The phone is disconnected.")


def test_measurements_before_ctrl_c_are_saved(tflite: Path, tmp_path: Path) -> None:
    arguments = [tflite, "--device", "host", "--runs", "5000", "--output", tmp_path / "out"]
    status, errors = interrupted(*arguments)
    assert status == 130, errors
    assert "error: interrupted" in errors
    results = read_results(tmp_path / "out")
    assert (results.complete, results.stopped_by) == (False, "interrupt")
    assert results.models[0].latency is not None


def test_the_same_model_is_not_a_regression(
    finished: tuple[Result, Path], tflite: Path, tmp_path: Path
) -> None:
    old = finished[1] / "results.json"
    result = command(
        tflite, "--device", "host", "--runs", RUNS, "--output", tmp_path, "--compare", old,
        "--tolerance", "90%",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert re.search("distinguishable|faster|slower", result.stdout)
    page = tmp_path / "comparison.html"
    assert f"comparison: {page}" in result.stdout
    assert tflite.name in page.read_text("utf-8").replace("<wbr>", "")
    for name in ("results.json", "results.csv", "report.html"):
        (tmp_path / name).unlink()
    again = command(tflite, "--device", "host", "--output", tmp_path, "--compare", old)
    assert again.exit_code == 2
    assert "comparison.html' exists" in again.stderr


def test_a_regression_has_its_own_exit_status(
    finished: tuple[Result, Path], tflite: Path, tmp_path: Path
) -> None:
    data = json.loads((finished[1] / "results.json").read_text())
    for one in data["rounds"]:
        for block in one["blocks"]:
            block["durations_ns"] = [value // 1000 for value in block["durations_ns"]]
    old = tmp_path / "old.json"
    old.write_text(json.dumps(data))
    result = command(
        tflite, "--device", "host", "--runs", RUNS, "--output", tmp_path / "new", "--compare", old,
        "--junit", tmp_path / "new" / "junit.xml",
    )  # fmt: skip
    assert result.exit_code == REGRESSION, result.stderr
    assert "slower: regression" in result.stdout
    # The second model of the older benchmark was not measured again.
    last = result.stdout.splitlines()[-1]
    assert last.startswith("gate: regression: 1 regression, 1 not compared, at a tolerance of 3 %")
    assert read_results(tmp_path / "new").complete
    (suite,) = JUnitXml.fromfile(str(tmp_path / "new" / "junit.xml"))
    assert (suite.name, suite.tests, suite.failures, suite.skipped) == ("host", 2, 1, 1)


def test_a_failure_before_measuring_is_in_the_junit_file(
    finished: tuple[Result, Path], tflite: Path, tmp_path: Path
) -> None:
    junit = tmp_path / "junit.xml"
    result = command(
        tflite, "--device", "host", "--threads", "200", "--output", tmp_path / "new",
        "--compare", finished[1], "--compare-anyway", "--junit", junit,
    )  # fmt: skip
    assert result.exit_code == 2
    (suite,) = JUnitXml.fromfile(str(junit))
    assert "200 threads do not fit" in next(iter(suite)).result[0].message
    again = command(tflite, "--compare", finished[1], "--junit", junit)
    assert again.exit_code == 2
    assert "junit.xml' exists" in again.stderr


def test_results_are_overwritten_only_by_force(finished: tuple[Result, Path], tflite: Path) -> None:
    before = (finished[1] / "results.json").read_bytes()
    result = command(tflite, "--device", "host", "--output", finished[1])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--force" in result.stderr
    assert (finished[1] / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["devces"], 2, "Did you mean 'devices'"),
        (["no.tflite"], 1, "there is no model file 'no.tflite'"),
        (["{text}"], 2, "not an exported model"),
        (["{model}", "{onnx}"], 2, "backend litert cannot run"),
        (["{model}", "--backend", "litrt"], 2, "Did you mean 'litert'"),
        (["{model}", "--backend", "onnxruntime"], 2, "runs .onnx files"),
        (["{model}", "--backend", "benchmark_model"], 2, "needs --binary"),
        (["{model}", "--binary", "{model}"], 2, "other backends do not accept it"),
        (["{model}", "--runs", "5", "--until", "1%"], 2, "--runs cannot be combined with --until"),
        (["{model}", "--until", "one"], 2, "--until is 'one'"),
        (["{model}", "--tolerance", "3"], 2, "--tolerance is '3'"),
        (["{model}", "--strict"], 2, "--strict needs --compare"),
        (["{model}", "--junit", "junit.xml"], 2, "--junit needs --compare"),
        (["{model}", "--compare", "/proc/self/task"], 1, "there is no results.json in the folder"),
        (["{model}", "--compare", "no.json"], 1, "there is no file 'no.json'"),
        (["{model}", "--runtime-library", "no.so"], 2, "--runtime-library 'no.so'"),
        (["{model}", "--output", "{text}"], 2, "is not a folder"),
        (["{model}", "--device", "host", "--output", "/proc/seaformer"], 2, "is not writable"),
        (["{model}", "--threads", "200", "--device", "host"], 2, "200 threads do not fit"),
        (["{model}", "--cores", "fast", "--device", "host"], 2, "--cores is 'fast'"),
        (["--runs", "5"], 2, "no MODEL was given"),
    ],
)
def test_bad_requests_are_one_line_errors(
    arguments: list[str], status: int, message: str, tflite: Path, onnx: Path, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no model")
    named = {"model": tflite, "onnx": onnx, "text": text}
    words = [argument.format(**named) for argument in arguments]
    if "--output" not in words:
        words += ["--output", str(tmp_path / "out")] if words != ["devces"] else []
    result = command(*words)
    assert result.exit_code == status, result.output
    assert message in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [result.stderr.splitlines()[-1]]
    assert not (tmp_path / "out").exists()


def test_a_damaged_model_is_refused(tflite: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(tflite.read_bytes()[:100])
    with pytest.raises(SeaformerError, match="cannot open"):
        measure([damaged], [Host()], tmp_path / "out")


def test_help_shows_the_default_command_and_the_others() -> None:
    result = command("--help")
    assert result.exit_code == 0
    for words in ("MODEL...", "--until", *BACKENDS, "Other commands", "devices", "doctor"):
        assert words in result.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from seaformer.benchmark.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'pydantic', 'rich.table', 'adbutils', 'torch', 'onnxruntime'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def stand_in(folder: Path, help_text: str, *, writes_output: bool = False) -> Path:
    """Write a script that prints recorded output of the real tool, and its arguments."""
    tool = folder / "tool"
    lines = ["#!/bin/sh", 'case "$1" in --help) cat <<EOF', help_text, "EOF", "exit 1;; esac"]
    lines += [f"cat '{CLASSIC}'", f"printf '%s\\n' \"$@\" > '{folder}/arguments'"]
    if writes_output:
        lines.append('for a in "$@"; do case "$a" in --output_filepath=*) '
                     'echo nonsense > "${a#*=}";; esac; done')  # fmt: skip
    tool.write_text("\n".join(lines) + "\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return tool


def test_the_official_tool_gives_no_interval_and_reports_that(tflite: Path, tmp_path: Path) -> None:
    tool = stand_in(tmp_path, CLASSIC_HELP)
    result = command(
        tflite, "--device", "host", "--backend", "benchmark_model", "--binary", tool, "--output",
        tmp_path / "out", "--runs", "7",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    (model,) = read_results(tmp_path / "out").models
    assert model.latency is not None
    assert model.latency.run is None
    assert model.latency.tool is not None
    assert model.latency.tool.mean_ms == pytest.approx(15.5176)
    assert model.latency.load_ms == pytest.approx(32.163)
    assert model.parity is None
    assert "not compared" in model.note
    assert "mean ms" in result.stdout
    assert "median" not in result.stdout
    assert "--num_runs=7" in (tmp_path / "arguments").read_text().splitlines()


def test_an_official_tool_that_provides_its_output_is_verified(
    tflite: Path, tmp_path: Path
) -> None:
    tool = stand_in(tmp_path, SHOWING_HELP, writes_output=True)
    with pytest.raises(SeaformerError, match="an output of 9 bytes"):
        measure(
            [tflite], [Host()], tmp_path / "out", backend="benchmark_model", binary=tool, runs=7
        )


def test_a_program_other_than_the_official_tool_is_refused(tflite: Path, tmp_path: Path) -> None:
    options = {"backend": "benchmark_model", "binary": stand_in(tmp_path, "usage: ls"), "runs": 1}
    with pytest.raises(SeaformerError, match="not benchmark_model"):
        measure([tflite], [Host()], tmp_path / "out", **options)
    with pytest.raises(UsageError, match="--until needs individual runs"):
        measure([tflite], [Host()], tmp_path / "out", **(options | {"runs": None, "until": "1%"}))
