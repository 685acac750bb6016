"""`--beside`: latency while a load runs on other cores."""

import csv
import io
import json
import os
from pathlib import Path

import psutil
import pytest
from benchmark_parts import (
    KillingComputer,
    WatchedComputer,
    candidate,
    make_results,
    measure,
    times_around,
)
from loopback_phone.heat_model import COOL, WarmPhone
from one_operator import Case, build, input_tensor, write_small_model
from page_gallery import beside_load
from phone_benchmarks import Benchmark, assert_left_clean, benchmark

from seaformer.benchmark.devices.cores import choose_beside
from seaformer.benchmark.devices.device import Core
from seaformer.benchmark.presentation.results_csv import to_csv
from seaformer.benchmark.presentation.terminal import print_results
from seaformer.benchmark.report.benchmark_verdict import verdict
from seaformer.benchmark.results.schema import read_results
from seaformer.console import Console
from seaformer.errors import UsageError

two_processors = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="there is no other processor"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_small_model(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.tflite"
    path.write_bytes(build(Case("NEG", (input_tensor(1, 32),))))
    return path


class LoadedComputer(WatchedComputer):
    """Looks at the process of the load when the runner describes it."""

    def __init__(self) -> None:
        super().__init__()
        self.affinities: set[tuple[int, ...]] = set()
        self.loads: set[psutil.Process] = set()

    def see(self, line: str) -> None:
        found = json.loads(line)
        if found["type"] == "load":
            load = psutil.Process(found["pid"])
            self.affinities.add(tuple(load.cpu_affinity()))
            self.loads.add(load)


@two_processors
@pytest.mark.parametrize("load", ["camera-load", "other.tflite"])
def test_models_are_measured_alone_and_beside_a_load(other, tmp_path, load):
    computer = LoadedComputer()
    model = tmp_path / "large.tflite"  # a run takes so long that the load completes some
    model.write_bytes(build(Case("ABS", (input_tensor(1, 1 << 20),))))
    beside = load if load == "camera-load" else str(other)
    output, runs = tmp_path / "results", 10 if load == "camera-load" else 200
    finished = measure([model], [computer], output, beside=beside, runs=runs)
    assert finished.problems == ()
    results = read_results(output)
    used = results.protocol.load
    assert used is not None
    assert used.kind == ("camera" if load == "camera-load" else "model")
    assert not set(used.cores.cores) & set(results.cores.cores)
    # The system agrees on where the load may run, and nothing is left of it.
    assert computer.affinities == {used.cores.cores}
    assert not any(one.is_running() for one in computer.loads)
    measured = [one for one in results.rounds if one.purpose == "measure"]
    assert {one.load.pid for one in measured if one.load} == {one.pid for one in computer.loads}

    (one,) = results.models
    assert one.latency is not None
    assert one.latency.run is not None
    times = one.beside
    assert times is not None
    assert times.run.runs == one.latency.run.runs == runs
    if load != "camera-load":  # of which no frame may arrive in a millisecond
        assert times.ratio is not None
        assert times.ratio.interval is not None
        assert set(times.load_cores) <= set(used.cores.cores)
        assert times.load_count > 0
    page = (output / "report.html").read_text()
    assert "Beside a load" in page
    assert str(used).split(",")[0] in page


@two_processors
def test_nothing_is_left_of_the_load_of_a_killed_runner(model, tmp_path):
    finished = measure([model], [KillingComputer()], tmp_path / "out", beside="camera-load")
    (results,) = finished.results
    assert results.stopped_by == "problem"
    pids = [one.load.pid for one in results.rounds if one.load is not None]
    assert pids
    for process in psutil.process_iter():
        assert process.pid not in pids or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_the_true_slowdown_on_a_phone_is_found(loopback_phone, model, other, tmp_path):
    """An inference takes 1.25 times as long while another core works too."""
    heat = COOL.__class__(trip_c=1000.0, contention=0.25)
    with WarmPhone(loopback_phone, heat):
        ended = benchmark(tmp_path, model, "--beside", other, "--runs", "50")
    assert ended.status == 0, ended.errors
    assert_left_clean(loopback_phone)
    assert "emulated ms, NO LATENCY" in ended.output
    results = read_results(tmp_path / "results")
    (one,) = results.models
    assert one.beside is not None
    ratio = one.beside.ratio
    assert ratio is not None
    assert ratio.interval is not None
    assert ratio.interval.low < 1.25 < ratio.interval.high
    assert ratio.interval.half_width < 0.05
    assert results.cores.name == "prime"
    assert results.protocol.load is not None
    assert results.protocol.load.cores.name == "big"
    # The emulated process of a core runs on the first core of its mask.
    assert one.beside.load_cores == (4,)
    assert one.beside.load_per_s == pytest.approx(40, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "unplugged"])
def test_the_load_on_a_phone_ends_when_the_benchmark_stops(loopback_phone, model, tmp_path, how):
    with WarmPhone(loopback_phone, COOL):
        running = Benchmark(tmp_path, model, "--beside", "camera-load", "--runs", "2000")
        running.wait_until_it_prints("measuring")
        running.wait_for_runner(loopback_phone)
        if how == "Ctrl-C":
            running.press_ctrl_c()
        else:
            loopback_phone.unplug()
        ended = running.ended()
    assert ended.status == (130 if how == "Ctrl-C" else 1)
    assert loopback_phone.programs() == []


def test_the_load_gets_the_fastest_other_cores() -> None:
    phone = [Core(core, 1_800_000 if core < 4 else 2_400_000) for core in range(7)]
    phone.append(Core(7, 2_800_000))
    chosen, load = choose_beside(phone, None, 1, 1)
    assert (chosen.cores, load.cores, load.name) == ((7,), (4, 5, 6), "big")
    chosen, load = choose_beside(phone, "4-6", 2, 2)
    assert (chosen.cores, load.cores) == ((4, 5, 6), (0, 1, 2, 3, 7))
    alike = [Core(core, None) for core in range(4)]
    chosen, load = choose_beside(alike, None, 2, 2)
    assert (chosen.cores, load.cores) == ((0, 1), (2, 3))
    for cores, text, threads in ((alike, None, 3), (alike, "all", 1), (alike[:1], None, 1)):
        with pytest.raises(UsageError, match="--beside needs"):
            choose_beside(cores, text, threads, threads)


def test_the_ratio_is_shown_where_it_is_proven(capsys) -> None:
    files = ("a.tflite", "b.tflite")
    models = [candidate(number, file) for number, file in enumerate(files)]
    times = {one.id: times_around(20.0, place) for place, one in enumerate(models)}
    results = beside_load(make_results(models, times), {"m0": 1.3, "m1": None})
    one, unproven = (model.beside for model in results.models)
    assert one is not None
    assert one.ratio is not None
    assert one.ratio.interval is not None
    assert one.ratio.value == pytest.approx(1.3, rel=0.01)
    assert one.ratio.interval.low < 1.3 < one.ratio.interval.high
    assert unproven is not None
    assert unproven.ratio is None
    print_results(Console(width=200), results)
    assert "beside the work of a camera: 30 frames of 1280x720 per second" in (
        capsys.readouterr().out
    )
    (sentence,) = (text for text in verdict(results) if "camera" in text)
    assert sentence.startswith("a.tflite takes 1.30x (1.")
    assert sentence.endswith("as long beside the work of a camera as alone.")
    first, second = csv.DictReader(io.StringIO(to_csv(results)))
    assert float(first["beside_ratio"]) == pytest.approx(1.3, rel=0.01)
    assert second["beside_ratio"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--beside", "missing.tflite"), "there is no model file 'missing.tflite'"),
        (("--beside", "camera-load", "--table", "cores"), "--table cannot be combined"),
        (("--beside", "camera-load", "--sustain", "10s"), "--beside cannot be combined"),
        (("--beside", "camera-load", "--backend", "litert-gpu"), "--beside is for models on the"),
    ],
)
def test_bad_requests_are_refused(model, tmp_path, arguments, message):
    ended = benchmark(tmp_path, model, "--device", "host", *arguments)
    assert ended.status != 0
    assert message in ended.error
    assert not (tmp_path / "results").exists()
