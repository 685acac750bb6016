"""Breakdowns of real benchmarks on this computer: their content and their sums."""

import csv
import io
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting import Done, assert_one_line, environment, run_export
from hypothesis import given, settings
from hypothesis import strategies as st
from once import Once
from small_models import write_onnx

from seaformer.benchmark.breakdown.estimate import (
    Estimates,
    median_rounds,
    middle_half,
    middle_rounds,
)
from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.benchmark.breakdown.model_profiling import ModelProfiling
from seaformer.benchmark.breakdown.tree import build_tree
from seaformer.benchmark.candidates.candidate import open_candidate
from seaformer.benchmark.presentation.breakdown_files import to_trace, write_breakdowns
from seaformer.benchmark.results.breakdown import UNATTRIBUTED, Breakdown, Row
from seaformer.benchmark.results.schema import Results, read_results
from seaformer.errors import SeaformerError
from seaformer.runtimes import open_session

BENCHMARK = Path(sys.executable).with_name("seaformer-benchmark")
RUNS = 5
"""One run per round; the minimum number of rounds that gives intervals."""
SUFFIXES = ("tflite", "onnx")


def run_benchmark(*arguments: str | Path, cwd: Path) -> Done:
    return subprocess.run(
        [BENCHMARK, *map(str, arguments), "--device", "host"],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=SUFFIXES)
def folder(request: pytest.FixtureRequest, once: Once, tiny_export: Path) -> Path:
    """Return a folder with the files of the command, and its output in printed.txt."""
    model = next(tiny_export.glob(f"*fp32.{request.param}"))

    def fill(new: Path) -> None:
        options = ("--breakdown", "--runs", str(RUNS), "--output", ".")
        done = run_benchmark(model, *options, cwd=new)
        assert done.returncode == 0, done.stderr
        (new / "printed.txt").write_text(done.stdout)

    return once(f"breakdown_{request.param}", fill)


@pytest.fixture
def results(folder: Path) -> Results:
    return read_results(folder)


@pytest.fixture
def breakdown(results: Results) -> Breakdown:
    found = results.models[0].breakdown
    assert found is not None
    return found


def only(breakdown: Breakdown, kind: str) -> Row:
    (row,) = (row for row in breakdown.rows if row.kind == kind)
    return row


@pytest.mark.slow
def test_modules_and_the_unattributed_rest_add_up_to_the_unprofiled_latency(
    results: Results, breakdown: Breakdown
) -> None:
    times = results.models[0].latency
    assert times is not None
    assert times.run is not None
    network = only(breakdown, "network")
    assert network.ms == breakdown.total_ms == times.run.median_ms
    for row in breakdown.rows:
        parts = breakdown.children(row.path) if row.kind in ("network", "module") else ()
        if parts:
            assert sum(part.ms or 0 for part in parts) == pytest.approx(row.ms, abs=1e-9)
            assert sum(part.ops for part in parts) == row.ops
    assert only(breakdown, "unattributed").path == UNATTRIBUTED
    shares = [part.share or 0 for part in breakdown.children("")]
    assert sum(shares) == pytest.approx(1)


def test_the_profile_is_aligned_and_checked_by_truncated_models(breakdown: Breakdown) -> None:
    assert breakdown.method == "profile"
    assert breakdown.profile_overhead is not None
    assert breakdown.profile_runs > 0
    assert breakdown.cuts[-1].operators > breakdown.cuts[0].operators
    by_path = {row.path: row for row in breakdown.rows}
    for path in ("stem", "context_branch", "spatial_branch", "light_head"):
        row = by_path[path]
        assert row.check_ms is not None
        assert row.interval_ms is not None
        assert row.check_interval_ms is not None
        differing = (
            row.interval_ms.low > row.check_interval_ms.high
            or row.check_interval_ms.low > row.interval_ms.high
        )
        assert row.agrees is not differing
        named = [sentence for sentence in breakdown.disagreements if f"({path})" in sentence]
        assert bool(named) is differing


@pytest.mark.parametrize(
    ("peer", "size"),
    [
        pytest.param("segformer-b0", "64", marks=pytest.mark.slow),
        pytest.param("attention-mixformer", "14", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_profiles_of_networks_whose_operators_are_fused_are_aligned(
    peer: str, size: str, suffix: str, once: Once, tmp_path: Path
) -> None:
    """A square is fused into its mean, a scale into its product, several slices into one split."""

    def export(folder: Path) -> None:
        formats = ("--format", "tflite", "--format", "onnx")
        done = run_export("--model", peer, *formats, "--input-size", size, cwd=folder)
        assert done.returncode == 0, done.stderr

    (model,) = once(f"{peer}_{size}", export).rglob(f"*.{suffix}")
    options = ("--breakdown", "--runs", str(RUNS), "--output", ".")
    done = run_benchmark(model, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = read_results(tmp_path).models[0].breakdown
    assert found is not None
    assert found.method == "profile"
    assert not any("was not used" in note for note in found.notes)


def test_the_rows_match_the_paper(breakdown: Breakdown) -> None:
    first = [(row.title, row.kind) for row in breakdown.children("")]
    assert first == [
        ("STEM", "module"),
        ("context branch", "module"),
        ("spatial branch (fusion)", "module"),
        ("light segmentation head", "module"),
        ("unattributed", "unattributed"),
    ]
    assert only(breakdown, "tail").ms > 0  # type: ignore[operator]
    attention = "context_branch.stage4.blocks.0.attention"
    titles = {row.title for row in breakdown.rows if row.path.startswith(f"{attention}.")}
    assert {
        "qkv",
        "squeeze",
        "attention: products, softmax",
        "detail enhancement kernel",
        "projection",
    } <= titles


def test_macs_are_counted_and_attributed(results: Results, breakdown: Breakdown) -> None:
    network = only(breakdown, "network")
    assert network.macs == sum(one.macs or 0 for one in breakdown.operators)
    assert sum(row.macs or 0 for row in breakdown.children("")) == network.macs
    # The count of the network includes two MACs per element of a BatchNorm; the file has none.
    of_network = results.models[0].facts.macs
    assert of_network is not None
    assert network.macs is not None
    assert 0.9 * of_network < network.macs < of_network
    stem = next(row for row in breakdown.rows if row.path == "stem")
    assert stem.ms is not None
    assert stem.macs is not None
    assert stem.gflops == pytest.approx(2 * stem.macs / stem.ms / 1e6)


def test_every_operator_has_its_runs(results: Results, breakdown: Breakdown) -> None:
    rounds = [one for one in results.rounds if one.purpose == "measure"]
    assert len(rounds) == RUNS
    for one in breakdown.operators:
        assert {len(runs) for runs in one.runs_us} == {breakdown.profile_runs // RUNS}
        assert len(one.runs_us) == RUNS
    heavy = [one for one in breakdown.operators if one.macs]
    assert all(one.kernels for one in heavy)


def test_files_for_other_programs(folder: Path, breakdown: Breakdown) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "breakdown.csv").read_text())))
    assert [row["path"] for row in rows] == [row.path for row in breakdown.rows]
    assert float(rows[0]["ms"]) == breakdown.total_ms
    data = json.loads((folder / "breakdown_m0.model_explorer.json").read_text())
    (graph,) = data.values()
    assert set(graph["results"]) == {one.name for one in breakdown.operators}
    stops = [item["stop"] for item in graph["gradient"]]
    assert (stops[0], stops[-1], sorted(stops)) == (0, 1, stops)


@pytest.mark.parametrize("name", ["/../../evil", "/evil", "\\evil", "a\0", "C:evil", "x" * 300])
def test_an_id_does_not_determine_where_files_are_written(
    results: Results, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "out"
    (folder / "breakdown_").mkdir(parents=True)
    model = results.models[0].model_copy(update={"id": name})
    with pytest.raises(SeaformerError, match="the name of a file of the breakdown is"):
        write_breakdowns(folder, results.model_copy(update={"models": (model,)}))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_out_of_the_folder_is_not_followed(results: Results, tmp_path: Path) -> None:
    folder, victim = tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("mine")
    (folder / "breakdown_m0.trace.json").symlink_to(victim)
    with pytest.raises(SeaformerError, match="is a link to"):
        write_breakdowns(folder, results)
    assert victim.read_text() == "mine"


def test_the_trace_has_nested_slices_for_modules(folder: Path, breakdown: Breakdown) -> None:
    trace = json.loads((folder / "breakdown_m0.trace.json").read_text())
    events = [one for one in trace["traceEvents"] if one["ph"] != "M"]
    assert [one["ts"] for one in events] == sorted(one["ts"] for one in events)
    opened: list[dict[str, Any]] = []
    durations_us: dict[str, float] = defaultdict(float)  # modules can be entered several times
    for one in events:
        assert {"name", "ts", "pid", "tid"} <= set(one)
        if one["ph"] == "B":
            assert ("operator" in one.get("args", {})) <= bool(opened), "operators are in modules"
            assert not opened or "module" in opened[-1]["args"], "and contain nothing"
            opened.append(one)
        else:
            begun = opened.pop()
            assert (one["ph"], one["name"]) == ("E", begun["name"])
            durations_us[begun.get("args", {}).get("module", "")] += one["ts"] - begun["ts"]
    assert not opened
    stem = next(row for row in breakdown.rows if row.path == "stem")
    assert stem.ms is not None
    assert durations_us["stem"] == pytest.approx(1000 * stem.ms, abs=1)


def test_the_terminal_shows_the_tree(folder: Path) -> None:
    printed = " ".join((folder / "printed.txt").read_text().split())
    for words in ("STEM", "context branch", "light segmentation head", "unattributed", "arg-max"):
        assert words in printed
    assert re.search(r"profiling overhead (within noise|[\d.]+ %)", printed)


def test_a_foreign_file_is_refused_before_measuring(tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "foreign.onnx")
    done = run_benchmark(model, "--breakdown", "--output", "out", cwd=tmp_path)
    assert_one_line(done, 1, "'.*foreign.onnx' has no mapping of operators to modules")
    assert not (tmp_path / "out").exists()


def test_the_official_tool_supports_no_breakdown(tiny_export: Path, tmp_path: Path) -> None:
    model = next(tiny_export.glob("*fp32.tflite"))
    tool = ("--backend", "benchmark_model", "--binary", sys.executable)
    done = run_benchmark(model, *tool, "--breakdown", cwd=tmp_path)
    assert_one_line(done, 2, "--breakdown needs our runner, not benchmark_model")


parts_and_drift = st.tuples(
    st.lists(st.floats(0.01, 10), min_size=1, max_size=8),
    st.lists(st.floats(0.5, 2), min_size=5, max_size=12),
)


@settings(deadline=None)  # the first example imports scipy, which is slow
@given(parts_and_drift)
def test_drift_of_all_modules_changes_no_share(
    drawn: tuple[list[float], list[float]],
) -> None:
    parts, drift = map(np.array, drawn)
    whole = parts.sum() * 1.25
    for typical in (middle_rounds, median_rounds):
        found = Estimates(np.outer(parts, drift), whole * drift, 20.0, 0, typical)
        for number, part in enumerate(parts):
            estimate = found.sum([number])
            assert estimate.interval_ms is not None
            truth = 20.0 * part / whole
            assert estimate.ms == pytest.approx(truth)
            assert estimate.interval_ms.low == pytest.approx(truth)
            assert estimate.interval_ms.high == pytest.approx(truth)
        assert found.rest().ms == pytest.approx(4.0)


def test_an_interruption_in_every_run_is_attributed() -> None:
    runs = np.ones((8, 1, 8)) + 8 * np.eye(8)[:, None, :]  # every run takes 16 in total
    assert middle_half(runs).sum() == pytest.approx(16)
    shares = runs[:, 0, :]
    found = Estimates(shares, np.full(8, 16.0), 16.0, 0, middle_rounds)
    assert found.rest().ms == pytest.approx(0)


def test_an_outlier_run_is_not_counted_in_any_module() -> None:
    runs = np.array([[[1.0, 1.0, 9.0, 1.0]], [[2.0, 2.0, 9.0, 2.0]]])
    np.testing.assert_allclose(middle_half(runs), [[1.0], [2.0]])


def test_few_rounds_give_no_interval_and_too_large_sums_a_negative_rest() -> None:
    found = Estimates(
        np.array([[3.0, 3.0], [2.0, 2.0]]), np.array([4.0, 4.0]), 8.0, 0, middle_rounds
    )
    assert (found.sum([0, 1]).ms, found.sum([0, 1]).interval_ms) == (10.0, None)
    assert found.rest().ms == -2.0
    assert found.sum([0]).agrees(found.sum([1])) is None


def operator(index: int, module: str) -> Operator:
    return Operator(index, "ADD", f"n{index}", module, (), (f"t{index}",), 0)


modules = st.lists(
    st.lists(st.sampled_from("abc"), max_size=4).map(".".join), min_size=1, max_size=25
)


@given(modules)
def test_every_operator_is_in_one_child_of_every_row_with_children(paths: list[str]) -> None:
    tree = build_tree([operator(i, path) for i, path in enumerate(paths)], "network")
    rows: list[Any] = [node for node, _, _ in tree.walk()]
    assert tree.operators == list(range(len(paths)))
    assert len({row.path for row in rows}) == len(rows)
    for row in rows:
        if row.children:
            below = [index for part in row.children for index in part.operators]
            assert sorted(below) == sorted(row.operators)
            assert len(row.children) > 1 or row is tree


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_precision_has_the_modules_in_the_order_of_the_network(
    tiny_export: Path, suffix: str
) -> None:
    """A half-precision file starts with operators that unpack weights, in any order."""
    trees = []
    for precision in ("fp32", "fp16"):
        path = next(tiny_export.glob(f"*{precision}.{suffix}"))
        graph = open_graph(path, open_session(path).metadata)
        trees.append(build_tree(graph.operators, "network"))
    single, half = ([node.path for node, _, _ in tree.walk()] for tree in trees)
    assert half == single
    parts = [part.path for part in trees[1].children]
    assert parts == ["stem", "context_branch", "spatial_branch", "light_head"]
    assert [part.path for part in trees[1].children[0].children] == [
        "stem.normalize", "stem.conv", "stem.stage1", "stem.stage2",
    ]  # fmt: skip


def test_truncated_models_give_a_breakdown_without_a_profile(
    results: Results, tmp_path: Path
) -> None:
    model = results.models[0]
    study = ModelProfiling(open_candidate(Path(model.file), 0, 0), tmp_path)
    assert model.latency is not None
    found = study.breakdown(results.rounds, model.latency, emulated=False, seed=0)
    assert found is not None
    assert found.method == "prefix"
    assert found.profile_overhead is None
    assert "the profile was not used" in found.notes[0]
    parts = found.children("")
    assert sum(part.ms or 0 for part in parts) == pytest.approx(found.total_ms)
    known = {row.path: row.ms for row in found.rows}
    assert known["stem"] is not None
    assert known["stem.stage1.1.expand"] is None
    assert json.loads(to_trace(found, "model"))["traceEvents"]
