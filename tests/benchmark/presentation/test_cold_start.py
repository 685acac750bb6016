"""The cold start of models in the report."""

from pathlib import Path

import pytest
from benchmark_parts import WRONG, candidate, make_results, measure, times_around
from page_gallery import cached_starts, started_anew
from rounds import BACKENDS, add_probe, basic_plan, run_plan

from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.presentation.cold_start import STEPS, cache_ratio, cold_starts
from seaformer.benchmark.presentation.terminal import print_results
from seaformer.benchmark.report.benchmark_page import Source, write_report
from seaformer.console import Console


def test_only_the_first_model_of_a_process_starts_cold(tmp_path: Path) -> None:
    files = ("first.tflite", "second.tflite")
    models = [candidate(number, file) for number, file in enumerate(files)]
    times = {one.id: times_around(20.0, place) for place, one in enumerate(models)}
    results = started_anew(make_results(models, times))
    (one,) = cold_starts(results)
    assert (one.model, one.processes) == ("m0", len(results.rounds))
    steps = dict(zip(STEPS, one.steps, strict=True))
    assert steps["process start"].startswith("20.00")
    assert steps["runtime library"].startswith("12.00")
    # Loading took 10 ms, of which 6.0 to 6.9 are compiling.
    assert steps["compile"].startswith("6.45 [")
    assert steps["load"].startswith("3.55 [")
    assert steps["first inference"].startswith("30.00")
    assert steps["second inference"].startswith("21.00")
    page = tmp_path / "report.html"
    write_report(page, [Source("results.json", results)])
    assert "Files are in the page cache" in page.read_text()


def test_results_of_earlier_runners_and_wrong_outputs_have_no_cold_start() -> None:
    models = [candidate(0, "a.tflite")]
    times = {"m0": times_around(20.0, 0)}
    assert cold_starts(make_results(models, times)) == ()
    wrong = started_anew(make_results(models, times, parities={"m0": WRONG}))
    assert cold_starts(wrong) == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_runner_reports_the_steps_of_a_start(backend: str, tmp_path: Path) -> None:
    record = run_plan(tmp_path, basic_plan(backend, add_probe(tmp_path, backend))).record
    assert record.header is not None
    assert record.header.process_start_ms is not None
    assert record.header.process_start_ms < 60_000
    (loaded,) = record.models
    if backend == "litert":
        assert loaded.compile_ms is not None
        assert 0 < loaded.compile_ms < loaded.load_ms
    else:  # ONNX Runtime creates a session in one call
        assert loaded.compile_ms is None


def test_the_time_with_a_cache_is_compared_pair_by_pair(tmp_path: Path, capsys) -> None:
    models = [candidate(0, "first.tflite"), candidate(1, "second.tflite")]
    times = {one.id: times_around(20.0, place) for place, one in enumerate(models)}
    results = cached_starts(started_anew(make_results(models, times)), 0.5)
    plain, cached = cold_starts(results)
    assert (plain.with_cache, cached.with_cache) == (False, True)
    assert (plain.processes, cached.processes) == (len(times["m0"]) + 10, 10)
    assert plain.ratio == "-"
    # Of 20 + 12 + 10 + 30 + 21 ms, loading takes 10, of which half is left.
    assert cached.ratio.startswith("0.946 [")
    assert cached.total.startswith("88.00")
    assert cached.cache_bytes == 1_500_000
    print_results(Console(width=200), results)
    assert "cold start, cache: a file with weights" in capsys.readouterr().out
    page = tmp_path / "report.html"
    write_report(page, [Source("results.json", results)])
    assert "with / without cache" in page.read_text()
    assert "10 processes, with the cache of 1.50 MB" in page.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_cold_starts_are_measured_with_and_without_a_cache(
    suffix: str, tiny_export: Path, tmp_path: Path
) -> None:
    (file,) = tiny_export.glob(f"*_fp32{suffix}")
    finished = measure([file], [Host()], tmp_path / "out", runs=5, cold_start=True)
    assert finished.problems == ()
    (results,) = finished.results
    plain, cached = cold_starts(results)
    assert cached.processes == 10
    assert plain.processes == 1 + 5 + 10  # the check, the rounds, the starts
    assert cached.cache_bytes > 1_000_000
    assert [one.purpose for one in results.rounds].count("fill") == 1
    ratio = cache_ratio(results, results.models[0])
    assert ratio is not None
    assert ratio.interval is not None
