"""`seaformer-benchmark pareto` from its checked options to its files."""

from dataclasses import replace
from pathlib import Path

from seaformer.benchmark.devices.selection import select_one
from seaformer.benchmark.request import MODELS_NAME, Request, check_output
from seaformer.benchmark.run import run
from seaformer.benchmark.studies.pareto.networks import export_networks
from seaformer.benchmark.studies.pareto.pareto_page import write_pareto_page
from seaformer.benchmark.studies.pareto.points import summarise
from seaformer.benchmark.studies.pareto.schema import (
    CSV_NAME,
    FILE_NAME,
    PAGE_NAME,
    LeftOut,
    ParetoResults,
)
from seaformer.benchmark.studies.pareto.table import print_pareto, to_csv
from seaformer.benchmark.table import print_results
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.files import atomic_write


def compare_networks(request: Request) -> None:
    """Export the networks unless files are given, measure, show, and write what was found.

    Args:
        request: of a benchmark; without paths, the networks are exported.

    Raises:
        UsageError: a file exists and may not be overwritten, or several devices are meant.
        SeaformerError: nothing was measured, or not all of it.
        KeyboardInterrupt: Ctrl-C; what was measured until then is written.
    """
    folder = request.output
    check_output(folder, request.force, (FILE_NAME, CSV_NAME, PAGE_NAME))
    selection = select_one(request.device, "networks")
    console, progress = Console(), Console(stderr=True)
    if selection.note:
        console.print(selection.note)
    left_out: tuple[LeftOut, ...] = ()
    if not request.paths:
        paths, left_out = export_networks(
            request.backend.suffix,
            folder / MODELS_NAME,
            force=request.force,
            tell=lambda text: progress.print(text, style="dim"),
        )
        if not paths:
            raise SeaformerError(f"nothing could be exported: {left_out[0].reason}")
        request = replace(request, paths=paths)
    finished = run(request, selection.devices, progress)
    measured = finished.results[0]
    print_results(console, measured)
    results = summarise(measured, finished.paths[0].name, left_out)
    _write(folder, results)
    console.print()
    print_pareto(console, results)
    console.print()
    console.print(f"results: {folder / FILE_NAME} and {CSV_NAME}", soft_wrap=True)
    console.print(f"page: {folder / PAGE_NAME}", soft_wrap=True)
    if measured.stopped_by == "interrupt":
        raise KeyboardInterrupt
    if finished.problems:
        raise SeaformerError(" ".join(finished.problems))


def _write(folder: Path, results: ParetoResults) -> None:
    with atomic_write(folder / CSV_NAME) as draft:
        draft.write_text(to_csv(results), encoding="utf-8")
    with atomic_write(folder / FILE_NAME) as draft:
        draft.write_text(results.text(), encoding="utf-8")
    write_pareto_page(folder / PAGE_NAME, results)
