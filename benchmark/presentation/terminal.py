"""Terminal output of a benchmark: conditions, one row per model, follow-up commands."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seaformer.artifact.accelerators import CPU
from seaformer.artifact.metadata import FEATURES
from seaformer.benchmark.presentation import beside_table
from seaformer.benchmark.presentation.cold_start import cold_starts
from seaformer.benchmark.presentation.paper_table import (
    NOT_MEASURED,
    WRONG,
    PaperTable,
    paper_table,
    time_text,
)
from seaformer.benchmark.results.comparison import Compared
from seaformer.benchmark.results.schema import REPORT_NAME, ModelResult, Parity, Results, Times
from seaformer.console import Console
from seaformer.reporting.numbers import median, milliseconds, number, ratio
from seaformer.statistics.bootstrap import Summary

EMULATED = "emulated"

WIDE = 120
"""Minimum terminal width for intervals next to the numbers of a `--table`, instead of below."""

BREAK = re.compile(r" (?=\[)")
BREAK_OF_HEADING = re.compile(r" (?=\[)|(?<=/)")
"""Line breaks in the table on a narrower terminal: before an interval, after a slash."""


def print_results(console: Console, results: Results) -> None:
    """Print conditions, models and warnings of one device."""
    console.print(conditions_line(results), soft_wrap=True)
    if results.emulated:
        console.print(
            f"{results.emulation}: these times are not latency, and their ratios are meaningless.",
            style="bold yellow",
        )
    table = paper_table(results)
    if table is None:
        console.print(_times_table(results))
        console.print()
        console.print(_facts_table(results))
    else:
        console.print(drawn(table, is_wide=console.width >= WIDE))
        for note in table.notes:
            console.print(note, style="dim", soft_wrap=True)
    if any(model.frame is not None for model in results.models):
        console.print()
        console.print(_frames_table(results))
    if results.protocol.load is not None:
        console.print()
        _print_beside(console, results)
    if results.protocol.cache:
        console.print()
        _print_cold_starts(console, results)
    notes = (f"{model.file_name}: {model.note}" for model in results.models if model.note)
    for note in dict.fromkeys(notes):
        console.print(note, soft_wrap=True)
    for warning in results.warnings:
        console.print(f"warning: {warning}", style="bold yellow", soft_wrap=True)
    if results.problem is not None:
        console.print(f"incomplete: {results.problem}", style="bold red", soft_wrap=True)


def drawn(table: PaperTable, is_wide: bool) -> Table:
    """Lay out a table; on a narrow terminal an interval is below its number."""
    drawn = Table(
        title=table.title,
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=not is_wide,
    )
    headings = [[text] if is_wide else BREAK_OF_HEADING.split(text) for text in table.headings]
    rows = [[[text] if is_wide else BREAK.split(text) for text in row] for row in table.rows]
    for place, column in enumerate(zip(headings, *rows, strict=True)):
        has_intervals = any("[" in line for lines in column for line in lines)
        pieces = (lines if has_intervals else " ".join(lines).split() for lines in column)
        drawn.add_column(
            Group(*headings[place]),
            justify="right" if place else "left",
            no_wrap=has_intervals,
            min_width=max(len(piece) for parts in pieces for piece in parts),
        )
    for row in rows:
        drawn.add_row(*(Group(*map(_line, lines)) for lines in row))
    return drawn


def _line(text: str) -> Text:
    return Text(text, style="bold red" if text in (WRONG, NOT_MEASURED) else "")


def print_comparison(
    console: Console, compared: Sequence[Compared], cautions: Sequence[str] = ()
) -> None:
    """Print the verdict on every model, and what the ratios mean."""
    title = "Compared with the older results"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("new / old [99 %]", justify="right")
    table.add_column("verdict", no_wrap=True)
    for one in compared:
        style = {"slower": "red", "faster": "green"}.get(one.verdict, "")
        table.add_row(one.file, ratio(one.ratio), Text(one.outcome, style=style))
    console.print(table)
    for sentence in cautions:
        console.print(f"warning: {sentence}", style="bold yellow", soft_wrap=True)


def print_next(console: Console, paths: Sequence[Path], results: Sequence[Results]) -> None:
    """Print the paths of the files and follow-up commands; nothing if no file was saved."""
    if not paths:
        return
    console.print()
    for path in paths:
        console.print(f"results: {path} and {path.with_suffix('.csv').name}", soft_wrap=True)
        console.print(f"report: {path.with_name(REPORT_NAME)}", soft_wrap=True)
    console.print("Next:")
    model = results[0].models[0]
    file = shlex.quote(model.file)
    if results[0].accelerator == "npu":
        commands = []  # Commands would need the options for the chip and its libraries.
    elif results[0].table is None:
        commands = [f"seaformer-benchmark {file} --compare {shlex.quote(str(paths[0]))}"]
    else:
        commands = [f"seaformer-benchmark {file} --breakdown"]
    if model.facts.task is not None and model.facts.kind != FEATURES:
        commands.append(f"seaformer-predict PHOTO --model {file}")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True)


def device_line(results: Results) -> str:
    """Describe the device."""
    device = results.device
    parts = [
        " ".join(filter(None, (device.serial + ":", device.manufacturer, device.model))),
        *filter(None, (device.soc, device.os)),
    ]
    return ", ".join(parts)


def conditions_line(results: Results) -> str:
    """Describe device, runtime, settings and temperature."""
    parts = [
        device_line(results),
        f"{results.runtime.name} {results.runtime.version or ''}".strip(),
        *filter(None, (results.computed_on,)),
        f"{results.all_threads} on {results.all_cores}",
        _heat(results),
    ]
    return ", ".join(parts)


def _heat(results: Results) -> str:
    readings = [
        state.temperature_c
        for state in (results.conditions_before, results.conditions_after)
        if state is not None and state.temperature_c is not None
    ]
    status = results.conditions_before.thermal_status
    heat = " to ".join(f"{value:.1f} °C" for value in readings) or "temperature unknown"
    return f"{heat}, thermal status {'unknown' if status is None else status}"


def _times_table(results: Results) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold", min_width=16)
    # A tool that does not report individual runs may not report the median either.
    has_runs = any(model.times and model.times.run for model in results.models)
    named = "median ms [95 %]" if has_runs else "mean ms"
    spread = "p10 .. p90" if has_runs else "min .. max"
    for heading in (EMULATED if results.emulated else named, spread, "ratio [95 %]"):
        table.add_column(heading, justify="right")
    first = next((m for m in results.models if m.times is not None), None)
    for model in results.models:
        times = model.times
        cells = _line(time_text(model)), _spread(times), _ratio_to(results, model, first)
        table.add_row(model.label, *cells)
        classes, mask = (times.classes, times.mask) if times else (None, None)
        for title, after in (("classes, size of logits", classes), ("full-size mask", mask)):
            if after is not None:
                table.add_row(f"  + {title}", median(after), _range(after))
    return table


def _frames_table(results: Results) -> Table:
    """Latency of whole frames by stage for each model."""
    table = Table(box=None, pad_edge=False)
    table.add_column(f"frames of {results.protocol.frame_text}", overflow="fold", min_width=16)
    for heading in (EMULATED if results.emulated else "median ms [95 %]", "p10 .. p90"):
        table.add_column(heading, justify="right")
    for model in results.models:
        if (frame := model.frame) is not None:
            table.add_row(model.label, median(frame.frame_ms), _range(frame.frame_ms))
            for name, stage in frame.stages.items():
                table.add_row(f"  {name}", median(stage), _range(stage))
    return table


def _print_beside(console: Console, results: Results) -> None:
    """Print the load, and latency and ratio beside it for each model."""
    console.print(f"beside {results.protocol.load}:", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(beside_table.headings(results)):
        table.add_column(
            heading,
            justify="right" if place else "left",
            overflow="fold",
            min_width=None if place else 16,
        )
    names = results.names
    for id, cells in beside_table.rows(results):
        table.add_row(names[id], *map(Text, cells))
    console.print(table)


def _print_cold_starts(console: Console, results: Results) -> None:
    """Print how long a start takes, with and without the compilation cache."""
    console.print(f"cold start, cache: {results.protocol.cache}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    unit = EMULATED if results.emulated else "ms [95 %]"
    headings = ("model", "cache", f"until the second result, {unit}", "with / without [95 %]")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    names = results.names
    for one in cold_starts(results):
        cache = "with" if one.with_cache else "without"
        table.add_row(names[one.model], cache, Text(one.total), Text(one.ratio))
    console.print(table)


def _facts_table(results: Results) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold", min_width=16)
    table.add_column("precision", no_wrap=True)
    unit = EMULATED if results.emulated else "ms"
    is_accelerated = results.accelerator != CPU
    loaded = "compile" if is_accelerated else "load"
    coverage = (f"on {results.accelerator}",) * is_accelerated
    for heading in ("MB", f"{loaded} {unit}", f"first {unit}", "+RAM MB", *coverage, "parity"):
        table.add_column(heading, justify="right")
    for model in results.models:
        times, memory = model.times, model.added_peak_bytes
        table.add_row(
            model.label,
            model.precision,
            f"{model.bytes / 1e6:.2f}",
            number(times.load_ms if times else None),
            number(times.first_inference_ms if times else None),
            "-" if memory is None else f"{memory / 1e6:.1f}",
            *(str(model.coverage or "-"),) * is_accelerated,
            parity_text(model.parity),
        )
    return table


def parity_text(parity: Parity | None) -> str:
    """Describe how close the output on the device is to this computer's output."""
    if parity is None:
        return "not compared"
    parts = []
    if parity.sqnr_db is not None and parity.max_abs_error == 0:
        return "exact"
    if parity.sqnr_db is not None:
        parts.append(f"{parity.sqnr_db:.0f} dB")
    if parity.agreement is not None:
        parts.append(f"{100 * parity.agreement:.2f} %")
    return " ".join(parts)


def _spread(times: Times | None) -> str:
    if times is None:
        return "-"
    if times.run is not None:
        return _range(times.run)
    tool = times.tool
    if tool is None or tool.min_ms is None or tool.max_ms is None:
        return "-"
    return f"{milliseconds(tool.min_ms)} .. {milliseconds(tool.max_ms)}"


def _range(summary: Summary) -> str:
    return f"{milliseconds(summary.p10_ms)} .. {milliseconds(summary.p90_ms)}"


def _ratio_to(results: Results, model: ModelResult, first: ModelResult | None) -> str:
    if first is None or model is first:
        return "-" if first is None or results.emulated else "1"
    return ratio(results.ratio(model.id, first.id))
