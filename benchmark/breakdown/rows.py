"""The rows of a breakdown."""

from typing import Any

from seaformer.benchmark.breakdown.estimate import Estimate
from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.breakdown.methods import MethodTimes
from seaformer.benchmark.breakdown.tree import Node
from seaformer.benchmark.results.breakdown import POST_PROCESSING, UNATTRIBUTED, Row
from seaformer.benchmark.results.schema import Times
from seaformer.statistics.bootstrap import Interval

MEGA = 1e6


def make_rows(
    tree: Node, graph: Graph, main: MethodTimes, check: MethodTimes | None, times: Times
) -> tuple[Row, ...]:
    """Create all rows: network, modules, unattributed time and post-processing.

    Times are from the method `main`; `check` is a second method, None if it was not used.
    """
    assert times.run is not None
    total_ms = times.run.median_ms
    all_macs = sum(operator.macs for operator in graph.operators)

    def row(time: Estimate | None, **members: Any) -> Row:
        if time is None:
            return Row(ms=None, interval_ms=None, share=None, **members)
        share = time.ms / total_ms
        return Row(ms=time.ms, interval_ms=time.interval_ms, share=share, **members)

    rows = []
    for node, depth, parent in tree.walk():
        macs = sum(graph.operators[index].macs for index in node.operators)
        kind = "own" if node.is_own else "module"
        time, checked = main.time(node), None if check is None else check.time(node)
        if not depth:
            kind, time, checked = "network", Estimate(total_ms, times.run.interval_ms), None
        rows.append(
            row(
                time,
                path=node.path,
                parent=parent,
                depth=depth,
                title=node.title,
                section=node.section,
                kind=kind,
                ops=len(node.operators),
                check_ms=None if checked is None else checked.ms,
                check_interval_ms=None if checked is None else checked.interval_ms,
                agrees=time.agrees(checked) if time and checked else None,
                macs=macs,
                macs_share=macs / all_macs if all_macs else None,
                gflops=2 * macs / time.ms / MEGA if time and time.ms > 0 and macs else None,
            )
        )
    kind = "unattributed"
    rows.append(
        row(main.rest(), path=UNATTRIBUTED, parent="", depth=1, title=kind, kind=kind, ops=0)
    )
    if times.mask is not None:
        after = Estimate(times.mask.median_ms, times.mask.interval_ms)
        title = "post-processing: arg-max (in C, to the full-size mask)"
        rows.append(
            row(after, path=POST_PROCESSING, parent=None, depth=0, title=title, kind="tail", ops=0)
        )
    return tuple(rows)


def disagreement(row: Row) -> str:
    """Describe the disagreement of the methods in a row where both have intervals."""
    return (
        f"{row.title} ({row.path}): profile {_with_interval(row.ms, row.interval_ms)}, "
        f"truncated-model timing {_with_interval(row.check_ms, row.check_interval_ms)}"
    )


def _with_interval(ms: float | None, interval: Interval | None) -> str:
    assert interval is not None
    return f"{ms:.2f} ms [{interval.low:.2f}, {interval.high:.2f}]"
