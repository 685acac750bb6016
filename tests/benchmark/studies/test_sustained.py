"""`seaformer-benchmark --sustain` on an emulated phone whose true steady state is known."""

import csv
from pathlib import Path

import pytest
from loopback_phone.heat_model import COOL, HIGHEST_KHZ, HeatModel, WarmPhone
from one_operator import Case, build, input_tensor, write_small_model
from phone_benchmarks import Benchmark, assert_left_clean, benchmark

from seaformer.benchmark.results.schema import read_results
from seaformer.benchmark.studies.sustained.sustained_results import SustainedResults


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_small_model(tmp_path)


def sustained(folder: Path) -> SustainedResults:
    return SustainedResults.model_validate_json((folder / "results/sustained.json").read_text())


def test_the_true_steady_state_of_a_phone_that_throttles_is_found(loopback_phone, model, tmp_path):
    heat = HeatModel()
    with WarmPhone(loopback_phone, heat):
        ended = benchmark(tmp_path, model, "--sustain", "11s")
    assert ended.status == 0, ended.errors
    assert_left_clean(loopback_phone)
    assert "emulated, NO LATENCY" in ended.output

    results = sustained(tmp_path)
    assert results.emulated
    (one,) = results.models
    assert one.complete
    assert one.steady is not None
    interval = one.steady.times.interval_ms
    assert interval is not None
    assert interval.low < heat.steady_ms < interval.high
    assert interval.half_width < 0.02 * heat.steady_ms
    # From a cool phone to the steady state takes about two seconds.
    assert one.steady.from_s < 5
    assert one.first_ms == pytest.approx(heat.inference_ms, rel=0.08)
    assert one.throttling is not None
    assert one.throttling.at_s < 5
    assert one.curve[-1].clock_khz == pytest.approx(HIGHEST_KHZ * heat.steady_speed(), rel=1e-3)
    assert one.curve[-1].temperature_c == pytest.approx(49.1, abs=0.1)
    assert one.curve[-1].thermal_status == 1
    assert one.missed_frames is None

    with (tmp_path / "results/sustained.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["seconds"]) for row in rows] == [moment.seconds for moment in one.curve]
    page = (tmp_path / "results/sustained.html").read_text()
    assert "The processor is emulated" in page
    # The usual results have the runs on the cool phone, and every inference of the sustained run.
    usual = read_results(tmp_path / "results")
    (run,) = (round for round in usual.rounds if round.purpose == "sustain")
    assert sum(len(span.durations_ns) for span in run.spans) == one.inferences


@pytest.mark.slow
def test_the_frames_that_a_phone_misses_are_counted(loopback_phone, model, tmp_path):
    with WarmPhone(loopback_phone, COOL):
        ended = benchmark(tmp_path, model, "--sustain", "14s", "--frame-rate", "60")
    assert ended.status == 0, ended.errors
    (one,) = sustained(tmp_path).models
    assert one.throttling is None
    assert one.reports_throttling
    assert one.steady is not None
    # One frame is processed every 20 ms, and one arrives every 16.7 ms.
    assert one.steady.missed_share == pytest.approx(1 - 50 / 60, abs=0.02)
    assert one.arrived_frames == pytest.approx(840, abs=3)
    assert "frames missed" in ended.output


@pytest.mark.slow
def test_frames_that_arrive_slowly_are_all_processed(loopback_phone, model, tmp_path):
    with WarmPhone(loopback_phone, COOL):
        ended = benchmark(tmp_path, model, "--sustain", "5s", "--frame-rate", "20")
    assert ended.status == 0, ended.errors
    (one,) = sustained(tmp_path).models
    assert one.missed_frames <= 1
    assert one.inferences == pytest.approx(100, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "unplugged"])
def test_the_curve_is_kept_when_a_run_is_cut(loopback_phone, model, tmp_path, how):
    with WarmPhone(loopback_phone, COOL):
        running = Benchmark(tmp_path, model, "--sustain", "10m")
        running.wait_until_it_prints("4 of 600 s")
        if how == "Ctrl-C":
            running.press_ctrl_c()
        else:
            loopback_phone.unplug()
        ended = running.ended()
    assert ended.status == (130 if how == "Ctrl-C" else 1)
    assert "measurements so far are kept" in ended.error
    results = sustained(tmp_path)
    (one,) = results.models
    assert not one.complete
    assert one.steady is None
    assert 4 <= one.ran_s < 60
    assert len(one.curve) >= 4
    assert not (tmp_path / "results/unfinished.json").exists()


@pytest.mark.slow
def test_models_run_one_after_the_other_and_cool_down_in_between(loopback_phone, model, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(build(Case("NEG", (input_tensor(1, 32),))))
    with WarmPhone(loopback_phone, HeatModel()):
        ended = benchmark(tmp_path, model, other, "--sustain", "5s")
    assert ended.status == 0, ended.errors
    models = sustained(tmp_path).models
    assert sorted(one.place for one in models) == [1, 2]
    # The second one starts on a phone that has cooled down.
    assert all(one.first_ms == pytest.approx(20.0, rel=0.08) for one in models)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sustain", "10"), "--sustain is '10'. Allowed: a number of seconds, minutes or hours"),
        (("--sustain", "1s"), "from 5s to 2h"),
        (("--sustain", "10m", "--runs", "5"), "--runs cannot be combined with --sustain"),
        (("--sustain", "10m", "--table", "cores"), "--table cannot be combined with --sustain"),
        (("--frame-rate", "30"), "--frame-rate is for --sustain"),
    ],
)
def test_bad_requests_are_refused(model, tmp_path, arguments, message):
    ended = benchmark(tmp_path, model, *arguments)
    assert ended.status == 2
    assert message in ended.error
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_a_wall_clock_that_jumps_does_not_matter(loopback_phone, model, tmp_path):
    """As when the phone gets the time from the network."""
    other = tmp_path / "other.tflite"
    other.write_bytes(build(Case("NEG", (input_tensor(1, 32),))))
    with WarmPhone(loopback_phone, COOL) as warm:
        running = Benchmark(tmp_path, model, other, "--sustain", "6s")
        running.wait_until_it_prints("2 of 6 s")
        warm.set_wall_clock(-7200.0)
        running.wait_until_it_prints("4 of 6 s")
        warm.set_wall_clock(3600.0)
        ended = running.ended()
    assert ended.status == 0, ended.errors
    usual = running.saved()
    runs = [one for one in usual.rounds if one.purpose == "sustain"]
    started_s = [one.header.started_unix_ms / 1000 for one in runs]
    assert started_s[1] - started_s[0] > 3600  # it did jump
    for one in sustained(tmp_path).models:
        assert one.ran_s == pytest.approx(6.0, abs=0.2)
        assert one.inferences == pytest.approx(6 / 0.02, rel=0.02)
        assert one.first_ms == pytest.approx(COOL.inference_ms, rel=0.08)
        seconds = [moment.seconds for moment in one.curve]
        assert seconds == sorted(seconds)


@pytest.mark.slow
def test_a_phone_that_sleeps_is_noticed(loopback_phone, model, tmp_path):
    with WarmPhone(loopback_phone, COOL) as warm:
        running = Benchmark(tmp_path, model, "--sustain", "5s")
        running.wait_until_it_prints("2 of 5 s")
        warm.sleep(12.0)
        ended = running.ended()
    assert ended.status == 0, ended.errors
    assert "warning: the device slept for 12.0 s while a model ran" in ended.output
    assert "the device slept for 12.0 s" in (tmp_path / "results/sustained.html").read_text()
