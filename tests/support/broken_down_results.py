"""Results of a benchmark with known latencies and modules."""

from dataclasses import replace

from benchmark_parts import candidate, make_results, times_around

from seaformer.benchmark.devices.device import Conditions, Temperature
from seaformer.benchmark.results.breakdown import UNATTRIBUTED, Breakdown, Row
from seaformer.benchmark.results.schema import Results

FLOAT = candidate(0, "models/seaformer_float.tflite")


BYTES = candidate(1, "models/seaformer_bytes.tflite", "int8")


def results_of(float_ms: float = 20.0, bytes_ms: float = 10.0, **changes: object) -> Results:
    """Return results of a float model and its int8 version."""
    times = {"m0": times_around(float_ms, 1), "m1": times_around(bytes_ms, 2)}
    return make_results([FLOAT, BYTES], times, **changes)  # type: ignore[arg-type]


def row(path: str, ms: float | None, **changes: object) -> Row:
    """Return a row of a breakdown; its parent is the part of the path before the last dot."""
    parent, _, last = path.rpartition(".")
    plain = Row(
        path=path, parent=parent, depth=1 + path.count("."), title=last, kind="module", ops=1,
        ms=ms, interval_ms=None, share=None if ms is None else ms / 20, check_ms=None,
        check_interval_ms=None, agrees=None, macs=None, macs_share=None, gflops=None,
    )  # fmt: skip
    return plain.model_copy(update=changes)


def broken_down(results: Results, *rows: Row, emulated: bool = False) -> Results:
    """Add a breakdown to the first model, with these rows below the network."""
    network = row("", 20.0, parent=None, depth=0, title="network", kind="network", share=1.0)
    breakdown = Breakdown(
        method="profile", emulated=emulated, total_ms=20.0, total_interval_ms=None,
        unattributed_share=0.01, profile_overhead=0.02, profile_runs=10, rows=(network, *rows),
        operators=(), cuts=(), disagreements=(), notes=(),
    )  # fmt: skip
    first = results.models[0].model_copy(update={"breakdown": breakdown})
    return results.model_copy(update={"models": (first, *results.models[1:])})


def warmed(results: Results) -> Results:
    """Let the device show its clock and get warmer, and throttle in its last round."""
    rounds = []
    for one in results.rounds:
        blocks = tuple(
            replace(
                block,
                started_ns=10**9 * (2 * one.index + place),
                frequency_khz_before=2_841_600,
                frequency_khz_after=2_841_600,
                temperature_c_before=40.0 + one.index,
                temperature_c_after=40.5 + one.index,
            )
            for place, block in enumerate(one.blocks)
        )
        skin = Temperature("skin", "skin", 30.0 + one.index)
        after = Conditions(results.created_at, (skin,), 0, 80, False, {}, None)
        is_last = one is results.rounds[-1]
        change = {"blocks": blocks, "conditions_after": after, "used": not is_last}
        change["throttled"] = "the clock fell" if is_last else None
        rounds.append(one.model_copy(update=change))
    return results.model_copy(update={"rounds": tuple(rounds)})


PARTS = (
    row("stem", 10.0, title="STEM"),
    row("stem.conv", 4.0),
    row("stem.stage1", 6.0),
    row("context_branch", 9.8, title="context branch"),
    row(UNATTRIBUTED, 0.2, parent="", depth=1, title="unattributed", kind="unattributed"),
)
