"""Benchmarks of one or several devices at once, and the files they end in."""

import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.backends import OFFICIAL_TOOL
from seaformer.benchmark.breakdown.exports import write_exports
from seaformer.benchmark.candidate import Candidate, open_candidate
from seaformer.benchmark.csv_export import to_csv
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.official_tool.session import ToolSession
from seaformer.benchmark.own_runner import RunnerSession
from seaformer.benchmark.progress import Progress
from seaformer.benchmark.report.benchmark_page import Source, write_report
from seaformer.benchmark.request import (
    CSV_NAME,
    MODELS_NAME,
    REPORT_NAME,
    Request,
    check_output,
)
from seaformer.benchmark.results import FILE_NAME, Results
from seaformer.benchmark.session import Session
from seaformer.benchmark.studies.tables.models import arrange, make_models
from seaformer.benchmark.studies.tables.scores import score_floats
from seaformer.benchmark.studies.tables.settings import settings
from seaformer.console import Console
from seaformer.errors import SeaformerError, quoted
from seaformer.files import atomic_write
from seaformer.names import path_in

EXPORTING = "export"
"""Stands where devices do in the display of progress."""

_TICK_S = 0.2


@dataclass(frozen=True)
class Finished:
    """What came out.

    Attributes:
        results: of every device that measured anything.
        paths: of their results.json, likewise.
        problems: what went wrong, a sentence or two for each device or model.
    """

    results: tuple[Results, ...]
    paths: tuple[Path, ...]
    problems: tuple[str, ...]


def run(request: Request, devices: Sequence[Device], console: Console) -> Finished:
    """Measure on every device, several at once, and write the results of each.

    Args:
        request: what is asked for.
        devices: one or more.
        console: for the progress.

    Raises:
        UsageError: results of a device exist and may not be overwritten.
        SeaformerError: a model cannot be used, no folder can be named after a device, or the only
            device measured nothing.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    _check_settings(request, devices)
    if len(devices) > 1:
        for device in devices:
            check_output(_folder_of(device.serial, request.output), request.force)
    with Progress(console) as progress:
        if not request.paths:
            candidates = _make(request, progress)
        else:
            candidates = _open(request, request.paths)
        kind = ToolSession if request.backend.name == OFFICIAL_TOOL else RunnerSession
        sessions = [kind(device, request, candidates, progress) for device in devices]
        if len(sessions) == 1:
            results = [sessions[0].run()]
            problems: list[str] = []
        else:
            results, problems = _run_together(sessions)
    paths = [_write(request, one, len(devices) > 1) for one in results]
    for one in results:
        problems += _problems(one)
    return Finished(tuple(results), tuple(paths), tuple(problems))


def _check_settings(request: Request, devices: Sequence[Device]) -> None:
    """Refuse a table that has nothing to compare on a device, before files are made for it."""
    if request.table is not None and request.table.has_settings:
        for device in devices:
            cores = device.facts().cores
            settings(request.table, device.serial, cores, request.cores, request.threads)


def _make(request: Request, progress: Progress) -> tuple[Candidate, ...]:
    """Export what a table needs."""
    assert request.table is not None  # else there are paths

    def tell(text: str) -> None:
        progress.describe(EXPORTING, text)

    paths = make_models(
        request.table,
        request.variant,
        request.backend.suffix,
        request.output / MODELS_NAME,
        request.force,
        tell,
    )
    return score_floats(_open(request, paths), tell)


def _open(request: Request, paths: Sequence[Path]) -> tuple[Candidate, ...]:
    candidates = tuple(
        open_candidate(path, number, request.seed) for number, path in enumerate(paths)
    )
    return candidates if request.table is None else arrange(request.table, candidates)


def _run_together(sessions: Sequence[Session]) -> tuple[list[Results], list[str]]:
    """Run every session in a thread of its own; Ctrl-C ends them all, and each cleans up."""
    with ThreadPoolExecutor(len(sessions)) as pool:
        futures = [pool.submit(session.run) for session in sessions]
        try:
            for future in futures:
                _wait(future)
        except KeyboardInterrupt:
            for session in sessions:
                session.device.cancel()
    results, problems = [], []
    for future in futures:
        error = future.exception()
        if error is None:
            results.append(future.result())
        elif isinstance(error, SeaformerError):
            problems.append(str(error))
        else:
            raise error
    return results, problems


def _wait(future: "Future[Results]") -> None:
    # Without a limit, waiting for a thread does not notice Ctrl-C on every system.
    while not future.done():
        try:
            future.exception(timeout=_TICK_S)
        except TimeoutError:
            continue


def _write(request: Request, results: Results, is_one_of_several: bool) -> Path:
    """Write the results of a device; return the path of the JSON."""
    folder = request.output
    if is_one_of_several:
        folder = _folder_of(results.device.serial, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / CSV_NAME) as draft:
        draft.write_text(to_csv(results), encoding="utf-8")
    with atomic_write(folder / FILE_NAME) as draft:
        draft.write_text(results.text(), encoding="utf-8")
    write_exports(folder, results)
    write_report(folder / REPORT_NAME, [Source(FILE_NAME, results)])
    return folder / FILE_NAME


def _folder_of(serial: str, output: Path) -> Path:
    """Return the folder for the results of one of several devices, named after it."""
    return path_in(
        output,
        # Of a phone on the network it is an address with a colon before the port.
        re.sub(r"[^A-Za-z0-9._-]", "_", serial),
        f"the folder for the device of serial number {quoted(serial)}",
        "Measure it alone: name it with --device.",
    )


def _problems(results: Results) -> list[str]:
    found = [
        f"'{model.file}' gives a wrong output on {results.device.serial}, so its time is not "
        "believed. See the parity in the results."
        for model in results.models
        if model.is_wrong
    ]
    if results.problem is not None and results.stopped_by != "interrupt":
        found.append(f"{results.problem} What was measured until then is kept.")
    return found
