"""Results of a benchmark with given latencies and modules."""

from benchmark_parts import candidate, make_results, times_around

from seaformer.benchmark.results.breakdown import UNATTRIBUTED, Breakdown, Row
from seaformer.benchmark.results.schema import Results

FLOAT = candidate(0, "models/seaformer_float.tflite")


BYTES = candidate(1, "models/seaformer_bytes.tflite", "int8")


def results_of(float_ms: float = 20.0, bytes_ms: float = 10.0, **changes: object) -> Results:
    """Return results of a float model and its int8 version."""
    times = {"m0": times_around(float_ms, 1), "m1": times_around(bytes_ms, 2)}
    return make_results([FLOAT, BYTES], times, **changes)  # type: ignore[arg-type]


def row(path: str, ms: float | None, **changes: object) -> Row:
    """Return a row of a breakdown; a path with a dot is a submodule of the part before the dot."""
    parent, _, last = path.rpartition(".")
    plain = Row(
        path=path, parent=parent, depth=1 + path.count("."), title=last, kind="module", ops=1,
        ms=ms, interval_ms=None, share=None if ms is None else ms / 20, check_ms=None,
        check_interval_ms=None, agrees=None, macs=None, macs_share=None, gflops=None,
    )  # fmt: skip
    return plain.model_copy(update=changes)


def broken_down(results: Results, *rows: Row, emulated: bool = False) -> Results:
    """Give the first model a breakdown with these rows below the network."""
    network = row("", 20.0, parent=None, depth=0, title="network", kind="network", share=1.0)
    breakdown = Breakdown(
        method="profile", emulated=emulated, total_ms=20.0, total_interval_ms=None,
        unattributed_share=0.01, profile_overhead=0.02, profile_runs=10, rows=(network, *rows),
        operators=(), cuts=(), disagreements=(), notes=(),
    )  # fmt: skip
    first = results.models[0].model_copy(update={"breakdown": breakdown})
    return results.model_copy(update={"models": (first, *results.models[1:])})


PARTS = (
    row("stem", 10.0, title="STEM"),
    row("stem.conv", 4.0),
    row("stem.stage1", 6.0),
    row("context_branch", 9.8, title="context branch"),
    row(UNATTRIBUTED, 0.2, parent="", depth=1, title="unattributed", kind="unattributed"),
)
