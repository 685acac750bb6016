"""A breakdown in formats for other programs: CSV, Perfetto trace, Model Explorer node data."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seaformer.benchmark.presentation.csv_text import csv_text, ends
from seaformer.benchmark.results.breakdown import POST_PROCESSING, UNATTRIBUTED, Breakdown, Row
from seaformer.benchmark.results.schema import Results
from seaformer.files import write_text
from seaformer.names import path_in

GRADIENT = (("#ffffff", 0.0), ("#fecc5c", 0.2), ("#e31a1c", 1.0))
"""Colors of operators in Model Explorer, from the fastest to the slowest."""

GRAPH = "main"


def to_csv(breakdowns: Sequence[tuple[str, Breakdown]]) -> str:
    """Write one row per module of every named model; unknown values are empty."""
    rows = [
        {"model": name, "method": breakdown.method, "emulated": breakdown.emulated} | _cells(row)
        for name, breakdown in breakdowns
        for row in breakdown.rows
    ]
    return csv_text(rows)


def _cells(row: Row) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in row:
        if name == "interval_ms":
            cells |= {"low_ms": value and value.low, "high_ms": value and value.high}
        elif name == "check_interval_ms":
            cells |= ends("check", value, "_ms")
        else:
            cells[name] = value
    return cells


def to_trace(breakdown: Breakdown, name: str) -> str:
    """Write one inference of a named model as a trace for Perfetto and chrome://tracing.

    Operators are consecutive slices in file order, each with its typical time, inside the slices
    of their modules; the unattributed time and the arg-max come last. Truncated-model timing does
    not measure single operators, so its slices are the segments between truncated models.

    Format: Trace Event Format, in microseconds. Each slice is a pair of events, one for its begin
    ("B") and one for its end ("E"). With complete events ("X"), viewers would nest slices of the
    same duration in arbitrary order. They would also nest consecutive slices if rounding put the
    end of the first after the beginning of the second.
    """
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": name}},
    ]
    titles = {row.path: row.title for row in breakdown.rows}
    now_ms = 0.0
    open_modules: list[str] = []
    for label, module, ms, arguments in _slices(breakdown):
        wanted = _ancestry(module, titles)
        while open_modules and open_modules[-1] not in wanted:
            events.append(_event("E", titles[open_modules.pop()], now_ms))
        for path in wanted[len(open_modules) :]:
            open_modules.append(path)
            events.append(_event("B", titles[path], now_ms, {"module": path}))
        events.append(_event("B", label, now_ms, arguments))
        now_ms += ms
        events.append(_event("E", label, now_ms))
    events += [_event("E", titles[path], now_ms) for path in reversed(open_modules)]
    for row in breakdown.rows:
        if row.path in (UNATTRIBUTED, POST_PROCESSING) and row.ms is not None and row.ms > 0:
            events.append(_event("B", row.title, now_ms))
            now_ms += row.ms
            events.append(_event("E", row.title, now_ms))
    unit = "emulated: not latency" if breakdown.emulated else "typical times, in order"
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"note": unit}}
    return json.dumps(document, indent=1) + "\n"


def _slices(breakdown: Breakdown) -> list[tuple[str, str, float, dict[str, Any]]]:
    """Label, module, time and arguments of each slice, in order."""
    if breakdown.method == "profile":
        return [
            (
                one.type,
                one.module,
                one.ms or 0.0,
                {
                    "operator": one.index,
                    "name": one.name,
                    "macs": one.macs,
                    "kernels": ", ".join(one.kernels),
                },
            )
            for one in breakdown.operators
            if one.ms
        ]
    before, slices = 0.0, []
    for cut in breakdown.cuts:
        slices.append(("cut", cut.end, max(cut.median_ms - before, 0.0), {"cut": cut.id}))
        before = max(cut.median_ms, before)
    return slices


def _ancestry(module: str, titles: dict[str, str]) -> list[str]:
    names = module.split(".") if module else []
    paths = [".".join(names[: end + 1]) for end in range(len(names))]
    return [path for path in paths if path in titles]


def _event(
    kind: str, label: str, at_ms: float, arguments: dict[str, Any] | None = None
) -> dict[str, Any]:
    event = {"name": label, "ph": kind, "ts": round(1000 * at_ms, 3), "pid": 1, "tid": 1}
    return event | ({} if arguments is None else {"args": arguments})


def to_node_data(breakdown: Breakdown) -> str:
    """Write the latency of operators for Model Explorer ("Load node data"), in milliseconds.

    Its format: graph -> `results`, which maps the name of any output tensor of a node to a value,
    and a `gradient` of colors between the smallest value, at stop 0, and the largest, at stop 1.
    Source: node_data_builder.py of google-ai-edge/model-explorer. Operators without a time are
    omitted.
    """
    results = {one.name: {"value": one.ms} for one in breakdown.operators if one.ms is not None}
    gradient = [{"stop": stop, "bgColor": color} for color, stop in GRADIENT]
    return json.dumps({GRAPH: {"results": results, "gradient": gradient}}, indent=1) + "\n"


def write_breakdowns(folder: Path, results: Results) -> None:
    """Write the files of all breakdowns into a folder; if there is none, write nothing.

    `breakdown.csv` has all models; each has a trace and node data under its id.

    Raises:
        SeaformerError: an id cannot be part of a file name.
        OSError: a file cannot be written.
    """
    found = [(model, model.breakdown) for model in results.models if model.breakdown is not None]
    texts = {}
    if found:
        texts["breakdown.csv"] = to_csv([(model.file, part) for model, part in found])
    for model, part in found:
        texts[f"breakdown_{model.id}.trace.json"] = to_trace(part, model.title)
        if part.method == "profile":
            texts[f"breakdown_{model.id}.model_explorer.json"] = to_node_data(part)
    where = "the name of a file of the breakdown"
    paths = {path_in(folder, name, where): text for name, text in texts.items()}
    for path, text in paths.items():
        write_text(path, text)
