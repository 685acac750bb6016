"""The results object: its content, reading and writing it, and the values derived from it."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_parts import (
    RIGHT,
    WRONG,
    candidate,
    make_results,
    times_around,
)
from hypothesis import given
from hypothesis import strategies as st

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.measure.options import parse_share
from seaformer.benchmark.measure.request import DEFAULT_RUNS, MAX_ROUND_S, MAX_ROUNDS, round_sizes
from seaformer.benchmark.presentation.results_csv import to_csv
from seaformer.benchmark.presentation.terminal import WRONG as WRONG_WORDS
from seaformer.benchmark.presentation.terminal import print_comparison, print_results
from seaformer.benchmark.results.comparison import (
    compare,
    require_comparable,
    require_pair,
    require_same_device,
)
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import Results, read_results
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError
from seaformer.statistics.bootstrap import MIN_ROUNDS

FLOAT, BYTES = candidate(0, "float.tflite"), candidate(1, "bytes.tflite", "int8")


def results_of(float_ms: float = 20.0, bytes_ms: float = 10.0, **changes: object) -> Results:
    """Return results of a float model and its int8 version."""
    times = {"m0": times_around(float_ms, 1), "m1": times_around(bytes_ms, 2)}
    return make_results([FLOAT, BYTES], times, **changes)  # type: ignore[arg-type]


def shown(results: Results) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_results(console, results)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def rows_of(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(results))))


@pytest.mark.parametrize(
    "name", ["=1+1.tflite", "+1.tflite", "-1.tflite", "@SUM(1).tflite", "\t=1"]
)
def test_names_are_not_evaluated_by_spreadsheets(name: str) -> None:
    results = make_results([candidate(0, name)], {"m0": times_around(20.0, 1)})
    (row,) = rows_of(results)
    assert row["model"] == f"'{name}"
    assert float(row["latency_median_ms"]) > 0


def test_results_survive_writing_and_reading(tmp_path: Path) -> None:
    results = results_of()
    file = tmp_path / "results.json"
    file.write_text(results.text())
    assert read_results(file) == results
    assert read_results(tmp_path) == results
    assert json.loads(file.read_text())["schema_version"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(schema_version=2), "schema_version"),
        (lambda data: data.pop("rounds"), "rounds"),
        (lambda data: data.update(surprise=1), "surprise"),
        (lambda data: data["models"][0].update(bytes="many"), "models.0.bytes"),
    ],
)
def test_another_schema_is_refused_with_the_name_of_the_member(
    tmp_path: Path, change: object, message: str
) -> None:
    data = json.loads(results_of().text())
    change(data)  # type: ignore[operator]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(data))
    with pytest.raises(SeaformerError, match=f"schema version 1.*{message}"):
        read_results(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeaformerError, match="there is no file"):
        read_results(tmp_path / "nothing.json")


def test_derived_numbers_follow_from_the_raw_data() -> None:
    results = results_of()
    for model in results.models:
        runs = np.concatenate(run_times(results.rounds, model.id))
        times = model.times
        assert times is not None
        assert times.run is not None
        assert times.run.runs == len(runs) == 50
        assert times.run.median_ms == np.median(runs)
    assert results.ratio("m1", "m0") == results.ratios[0].ratio
    assert results.ratios[0].ratio.value == pytest.approx(0.5, rel=0.02)
    assert results.ratio("m0", "m1") == results.ratios[0].ratio.inverse()
    assert results.ratio("m0", "m2") is None


def test_discarded_rounds_are_stored_but_not_counted() -> None:
    results = results_of()
    first = results.rounds[0].model_copy(update={"used": False})
    assert len(run_times((first, *results.rounds[1:]), "m0")) == len(results.rounds) - 1


def test_a_wrong_output_has_no_latency_and_no_ratio() -> None:
    results = results_of(parities={"m0": RIGHT, "m1": WRONG})
    assert results.models[1].is_wrong
    assert results.models[1].latency is None
    assert results.models[0].latency is not None
    assert results.ratios == ()
    assert WRONG_WORDS in shown(results)
    assert rows_of(results)[1]["latency_median_ms"] == ""
    assert rows_of(results)[1]["wrong_output"] == "True"


def test_emulated_times_are_never_shown_as_latency() -> None:
    results = results_of(emulated=True)
    assert all(model.latency is None and model.emulated is not None for model in results.models)
    assert results.ratios == ()
    for row in rows_of(results):
        assert all(not value for name, value in row.items() if name.startswith("latency_"))
        assert float(row["emulated_median_ms"]) > 0
        assert row["ratio_to_first"] == ""
    text = shown(results)
    assert "emulated" in text
    assert "median ms" not in text
    assert "not latency" in text


def test_every_row_of_the_csv_has_its_conditions() -> None:
    for row in rows_of(results_of()):
        for name in ("device", "soc", "backend", "runtime_version", "precision", "threads"):
            assert row[name]
        assert (row["cores"], row["core_mask"]) == ("prime", "80")
        low, median, high = (
            float(row[f"latency_{name}_ms"]) for name in ("median_low", "median", "median_high")
        )
        assert low <= median <= high


def test_the_table_shows_device_conditions_and_ratio() -> None:
    text = shown(results_of())
    for words in (
        "R58: Maker Phone",
        "SM8250",
        "LiteRT 2.3.0",
        "core 7, up to 2.84 GHz",
        "unknown",
    ):
        assert words in text
    assert text.index("R58") < text.index("float.tflite")
    assert "0.5" in next(line for line in text.splitlines() if line.startswith("bytes.tflite"))


@pytest.mark.parametrize(
    ("bytes_ms", "warned"),
    [(10.0, None), (30.0, "is slower than"), (20.0, "is not measurably faster than")],
)
def test_a_quantized_model_that_is_not_faster_is_named(bytes_ms: float, warned: str | None) -> None:
    warnings = results_of(bytes_ms=bytes_ms).warnings
    assert bool(warnings) == bool(warned)
    if warned is not None:
        assert warned in warnings[0]
        assert "bytes.tflite (int8)" in warnings[0]


def test_a_slow_quantized_model_is_reported_in_either_order() -> None:
    times = {"m0": times_around(30.0, 1), "m1": times_around(20.0, 2)}
    models = [candidate(0, "bytes.tflite", "int8"), candidate(1, "float.tflite")]
    (warning,) = make_results(models, times).warnings
    assert warning.startswith("bytes.tflite (int8) is slower than float.tflite")


def test_models_of_different_sizes_are_not_compared() -> None:
    other = BYTES.input.model_copy(update={"shape": (1, 16, 16, 3)})
    models = [FLOAT, candidate(1, "bytes.tflite", "int8", input=other)]
    times = {"m0": times_around(10.0, 1), "m1": times_around(30.0, 2)}
    assert make_results(models, times).warnings == ()


def one(median_ms: float, seed: int, **changes: object) -> Results:
    return make_results([FLOAT], {"m0": times_around(median_ms, seed)}, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("new_ms", "verdict", "passage"),
    [
        (20.0, "not distinguishable", "passed"),
        (15.0, "faster", "passed"),
        # less than the difference between two benchmarks of one file
        (20.3, "not distinguishable", "passed"),
        (20.8, "slower", "passed"),
        (21.0, "slower", "inconclusive"),
        (22.0, "slower", "regression"),
    ],
)
def test_verdicts(new_ms: float, verdict: str, passage: str) -> None:
    (compared,) = compare(one(new_ms, 3), one(20.0, 4), tolerance=0.05)
    assert (compared.verdict, compared.passage) == (verdict, passage)
    assert compared.ratio.value == pytest.approx(new_ms / 20, rel=0.02)
    assert compared.is_same_file
    console = Console(file=io.StringIO(), width=120)
    print_comparison(console, [compared])
    assert verdict in console.file.getvalue()  # type: ignore[attr-defined]


def test_models_are_compared_by_file_name() -> None:
    old = results_of()
    models = [candidate(0, "elsewhere/bytes.tflite", "int8"), candidate(1, "new.tflite")]
    new = make_results(models, {"m0": times_around(10.0, 5), "m1": times_around(9.0, 6)})
    (compared,) = compare(new, old, 0.03)
    assert compared.file == "bytes.tflite"
    with pytest.raises(SeaformerError, match=r"no measured model with the same file.*new\.tflite"):
        compare(new.model_copy(update={"models": new.models[1:]}), old, 0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threads": 4}, "threads 4, previously 1"),
        ({"backend": "onnxruntime"}, "backend onnxruntime, previously litert"),
        ({"cores": one(1, 1).cores.model_copy(update={"mask": "f"})}, "cores f, previously 80"),
    ],
)
def test_different_benchmarks_are_compared_only_if_requested(
    change: dict[str, object], message: str
) -> None:
    new, old = one(20.0, 1, **change), one(20.0, 2)
    with pytest.raises(UsageError, match=f"cannot be compared: {message}"):
        compare(new, old, 0.03)
    assert compare(new, old, 0.03, anyway=True)


def test_one_round_is_inconclusive() -> None:
    new = one(20.0, 1)
    (compared,) = compare(new.model_copy(update={"rounds": new.rounds[:1]}), one(30.0, 2), 0.03)
    assert (compared.verdict, compared.passage) == ("too few rounds", "inconclusive")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threads": 4}, "threads 1, previously 4"),
        ({"backend": "onnxruntime"}, "backend litert, previously onnxruntime"),
        ({"cores": one(1, 1).cores.model_copy(update={"mask": "f"})}, "cores 80, previously f"),
        ({"emulated": True}, "no latencies to compare"),
        ({"rounds": ()}, "no individual runs"),
    ],
)
def test_incomparable_benchmarks_are_detected_before_measuring(
    change: dict[str, object], message: str
) -> None:
    def check(old: Results, anyway: bool = False) -> None:
        require_comparable(old, "litert", threads=1, half=False, anyway=anyway)
        require_same_device(old.device, "80", old, anyway)

    check(one(20.0, 1))
    old = one(20.0, 1).model_copy(update=change)
    with pytest.raises(UsageError, match=message):
        check(old)
    if "before" in message:
        check(old, anyway=True)
    another = replace(old.device, serial="another")
    with pytest.raises(UsageError, match=r"device another \(Phone\), previously R58 \(Phone\)"):
        require_same_device(another, None, old, anyway=False)


def test_a_phone_is_the_same_under_another_address() -> None:
    phone = replace(one(1, 1).device, hardware_serial="8ABC", serial="R58")
    moved = replace(phone, serial="192.168.0.7:5555")
    require_same_device(moved, "80", one(20.0, 1, device=phone), anyway=False)
    # Results of earlier versions do not have its own number.
    require_same_device(phone, "80", one(20.0, 1), anyway=False)
    (compared,) = compare(one(20.0, 1, device=moved), one(20.0, 2, device=phone), 0.03)
    assert compared.verdict == "not distinguishable"
    with pytest.raises(UsageError, match="device"):
        compare(
            one(20.0, 1, device=replace(moved, hardware_serial="9")),
            one(20.0, 2, device=phone),
            0.03,
        )


def test_a_lack_of_common_models_is_detected_before_measuring() -> None:
    old = make_results(
        [candidate(0, "a.tflite"), candidate(1, "b.tflite")],
        {"m0": times_around(10.0, 5), "m1": times_around(9.0, 6)},
    )
    require_pair(["c.tflite", "b.tflite"], old)
    require_pair(["c.tflite"], one(20.0, 1))
    with pytest.raises(UsageError, match=r"none of c\.tflite is in .* a\.tflite, b\.tflite\."):
        require_pair(["c.tflite"], old)


def test_another_input_is_named() -> None:
    noise = FLOAT.input.model_copy(update={"source": "noise"})
    new = make_results([candidate(0, "float.tflite", input=noise)], {"m0": times_around(20.0, 1)})
    with pytest.raises(UsageError, match=r"input of float\.tflite .*noise, previously .*photo"):
        compare(new, one(20.0, 2), 0.03)


def test_emulated_benchmarks_are_not_compared() -> None:
    with pytest.raises(UsageError, match="no latencies to compare"):
        compare(one(20.0, 1, emulated=True), one(20.0, 2, emulated=True), 0.03)


def test_benchmarks_without_individual_runs_are_not_compared() -> None:
    new = one(20.0, 1)
    with pytest.raises(SeaformerError, match="does not have individual runs"):
        compare(new.model_copy(update={"rounds": ()}), one(20.0, 2), 0.03)


@given(st.integers(1, 100_000))
def test_runs_are_spread_evenly_over_rounds(runs: int) -> None:
    sizes = round_sizes(runs)
    assert sum(sizes) == runs
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) <= MAX_ROUNDS
    assert len(sizes) >= min(runs, MIN_ROUNDS)


@given(st.integers(1, 10_000), st.floats(0.001, 100))
def test_a_round_is_short_or_has_a_single_run(runs: int, run_s: float) -> None:
    """Ctrl-C loses the runs of the current round."""
    sizes = round_sizes(runs, run_s)
    assert sum(sizes) == runs
    assert max(sizes) == 1 or max(sizes) * run_s <= MAX_ROUND_S + run_s


def test_rounds_without_a_fixed_end_are_as_short() -> None:
    assert [round_sizes(None, run_s) for run_s in (0.0, 0.01, 10.0, 100.0)] == [
        (5,), (5,), (3,), (1,)
    ]  # fmt: skip


def test_the_usual_benchmark_is_ten_rounds_of_five() -> None:
    assert round_sizes(DEFAULT_RUNS) == round_sizes(DEFAULT_RUNS, 0.02) == (5,) * 10


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.5 %", 0.005), ("12.5%", 0.125)])
def test_percentages(text: str, share: float) -> None:
    assert parse_share("--until", text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["1", "0%", "100%", "-1%", "%", "1%%", "nan%", ""])
def test_invalid_percentages_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--until"):
        parse_share("--until", text)


LOGITS = np.random.default_rng(0).standard_normal((1, 4, 4, 5)).astype(np.float32)


def _model(expected: np.ndarray, precision: str, **changes: Any) -> Candidate:
    return candidate(0, "a.tflite", precision, expected=[expected], **changes)


def test_an_equal_output_passes_every_threshold() -> None:
    for precision in (*PRECISIONS, "unknown"):
        parity = _model(LOGITS, precision).compare([LOGITS])
        assert parity.passed
        assert (parity.agreement, parity.max_abs_error) == (1, 0)


@pytest.mark.parametrize("precision", [*PRECISIONS, "unknown"])
@pytest.mark.parametrize(
    "output",
    [LOGITS[:, ::-1], np.zeros_like(LOGITS), np.full_like(LOGITS, np.nan), -LOGITS, LOGITS * 3],
    ids=["upside down", "zeros", "nan", "negative", "scaled"],
)
def test_a_different_output_passes_no_threshold(precision: str, output: np.ndarray) -> None:
    assert not _model(LOGITS, precision).compare([output]).passed


def test_a_single_infinity_is_wrong() -> None:
    output = LOGITS.copy()
    output[0, 0, 0, 0] = np.inf
    assert not _model(LOGITS, "fp32").compare([output]).passed


def test_single_precision_rounding_passes_only_lower_thresholds() -> None:
    near = LOGITS + 1e-4 * np.random.default_rng(1).standard_normal(LOGITS.shape).astype("f4")
    parity = _model(LOGITS, "fp32").compare([near])
    assert parity.passed
    assert 60 < (parity.sqnr_db or 0) < 100


def test_class_ids_are_compared_by_their_agreement() -> None:
    ids = np.arange(100).reshape(1, 10, 10)
    other = ids.copy()
    other[0, 0] = 7
    parity = _model(ids, "fp32", class_axis=None, gives_class_ids=True).compare([other])
    assert parity.sqnr_db is None
    assert parity.agreement == pytest.approx(0.91)
    assert not parity.passed
