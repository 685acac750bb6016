"""The rows of a breakdown."""

from seaformer.benchmark.breakdown.estimate import Estimate
from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.breakdown.methods import MethodTimes
from seaformer.benchmark.breakdown.tree import Node
from seaformer.benchmark.results.breakdown import TAIL, UNATTRIBUTED, Row, RowKind
from seaformer.benchmark.results.schema import Times

MEGA = 1e6


def make_rows(
    tree: Node, graph: Graph, main: MethodTimes, check: MethodTimes | None, times: Times
) -> tuple[Row, ...]:
    """Make all rows: the network, the modules, the rest, and the tail behind the inference.

    Args:
        tree: of the modules.
        graph: the file.
        main: the method that times are by.
        check: the other one; None if it was not used.
        times: of the model, by our runner.
    """
    assert times.run is not None
    total_ms = times.run.median_ms
    all_macs = sum(operator.macs for operator in graph.operators)
    rows = []
    for node, depth, parent in tree.walk():
        macs = sum(graph.operators[index].macs for index in node.operators)
        kind: RowKind = "own" if node.is_own else "module"
        time, checked = main.time(node), None if check is None else check.time(node)
        if not depth:
            kind, time, checked = "network", Estimate(total_ms, times.run.interval_ms), None
        rows.append(
            Row(
                path=node.path,
                parent=parent,
                depth=depth,
                title=node.title,
                section=node.section,
                kind=kind,
                ops=len(node.operators),
                ms=None if time is None else time.ms,
                interval_ms=None if time is None else time.interval_ms,
                share=None if time is None else time.ms / total_ms,
                check_ms=None if checked is None else checked.ms,
                check_interval_ms=None if checked is None else checked.interval_ms,
                agrees=time.agrees(checked) if time and checked else None,
                macs=macs,
                macs_share=macs / all_macs if all_macs else None,
                gflops=2 * macs / time.ms / MEGA if time and time.ms > 0 and macs else None,
            )
        )
    rows.append(_extra(UNATTRIBUTED, "", 1, "unattributed", main.estimates.rest(), total_ms))
    if times.mask is not None:
        tail = Estimate(times.mask.median_ms, times.mask.interval_ms)
        rows.append(_extra(TAIL, None, 0, "tail", tail, total_ms))
    return tuple(rows)


TITLES: dict[RowKind, str] = {
    "unattributed": "unattributed",
    "tail": "arg-max tail (in C, to the full-size mask)",
}


def _extra(
    path: str, parent: str | None, depth: int, kind: RowKind, time: Estimate, total_ms: float
) -> Row:
    """Make a row that is no module."""
    return Row(
        path=path,
        parent=parent,
        depth=depth,
        title=TITLES[kind],
        kind=kind,
        ops=0,
        ms=time.ms,
        interval_ms=time.interval_ms,
        share=time.ms / total_ms,
    )


def disagreement(row: Row) -> str:
    """Say what the methods disagree on."""
    return (
        f"{row.title} ({row.path}): profile {_with_interval(row.ms, row.interval_ms)}, prefix "
        f"{_with_interval(row.check_ms, row.check_interval_ms)}"
    )


def _with_interval(ms: float | None, interval: object) -> str:
    low, high = (getattr(interval, end) for end in ("low", "high"))
    return f"{ms:.2f} ms [{low:.2f}, {high:.2f}]"
