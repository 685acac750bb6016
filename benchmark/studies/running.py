"""Running a study: exports, benchmarks of one or several devices at once, files, exit status."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from seaformer.benchmark.candidates.candidate import open_candidate
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.selection import select_devices, select_one
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.measure.request import Request, check_output
from seaformer.benchmark.presentation.breakdown_files import write_breakdowns
from seaformer.benchmark.presentation.results_csv import to_csv
from seaformer.benchmark.report.benchmark_page import Source, write_report
from seaformer.benchmark.results.schema import CSV_NAME, FILE_NAME, REPORT_NAME, Results
from seaformer.benchmark.studies.sessions import measure
from seaformer.benchmark.studies.study import (
    Export,
    Finished,
    LeftOut,
    Measured,
    Planned,
    Study,
)
from seaformer.cli.command import INTERRUPTED, print_error
from seaformer.console import Console
from seaformer.errors import SeaformerError, quoted
from seaformer.files import write_text
from seaformer.names import path_in
from seaformer.own_commands import run_command

EXPORTING = "export"
"""Stands where devices do in the display of progress."""


def run_study(study: Study) -> int:
    """Do all of it.

    Returns:
        The exit status.

    Raises:
        UsageError: a file exists and may not be overwritten, or the devices do not suit.
        SeaformerError: nothing was measured, or not all of it.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    request = study.request
    check_output(request.output, request.options.force, study.file_names)
    if study.compared:
        selection = select_one(request.options.device, study.compared)
    else:
        selection = select_devices(request.options.device)
    console = Console()
    if selection.note:
        console.print(selection.note)
    finished = run(study, selection.devices, Console(stderr=True))
    for results in finished.results:
        study.show_benchmark(console, results)
    status = 0
    if finished.measured:
        status = study.render(console, finished)
    if finished.interrupted:
        print_error("interrupted; what was measured until then is kept")
        return INTERRUPTED
    if finished.problems:
        raise SeaformerError(" ".join(finished.problems))
    return status


def run(study: Study, devices: Sequence[Device], console: Console) -> Finished:
    """Export what a study needs, measure it on every device, and write the results of each.

    Raises:
        UsageError: results of a device exist and may not be overwritten.
        SeaformerError: a model cannot be used, no folder can be named after a device, or nothing
            was measured.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    at_settings = [(device, study.settings(device)) for device in devices]
    plan = study.plan()
    if len(devices) > 1:
        for device in devices:
            for planned in plan:
                folder = _folder_of(device.serial, study.request.output / planned.folder)
                check_output(folder, study.options.force)
    models = dict.fromkeys(model for one in plan for model in one.models)
    exports = [model for model in models if isinstance(model, Export)]
    with Progress(console) as progress:
        made, left_out = export_all(
            exports, study.request, study.does_without, partial(progress.describe, EXPORTING)
        )
    measured: list[Measured] = []
    problems: list[str] = []
    interrupted = False
    for planned in plan:
        files = _files(planned, made)
        if not files:
            continue
        try:
            with Progress(console) as progress:
                seed, show = study.options.seed, partial(progress.describe, EXPORTING)
                opened = [open_candidate(path, place, seed) for place, path in enumerate(files)]
                candidates = study.arrange(opened, show)
                results, failures = measure(study.request, candidates, at_settings, progress)
        except SeaformerError as error:
            if len(plan) == 1:
                raise
            failed = (model for model in planned.models if model in made)
            left_out += [LeftOut(one, str(error)) for one in failed if isinstance(one, Export)]
            continue
        except KeyboardInterrupt:
            if not measured:
                raise
            interrupted = True
            break
        problems += failures
        for one in results:
            folder = study.request.output / planned.folder
            path = _write(folder, one, len(devices) > 1)
            measured.append(Measured(planned, one, path))
            problems += _problems(one)
            interrupted |= one.stopped_by == "interrupt"
        if interrupted:
            break
    if not measured and not problems:
        reasons = dict.fromkeys(one.reason for one in left_out)
        raise SeaformerError(f"nothing could be measured: {' '.join(reasons)}")
    return Finished(tuple(measured), tuple(left_out), tuple(problems), interrupted)


def export_all(
    exports: Sequence[Export], request: Request, does_without: bool, show: Callable[[str], None]
) -> tuple[dict[Export, tuple[Path, ...]], list[LeftOut]]:
    """Make model files, one export after another, for the backend and in the folder of a request.

    Returns:
        The files of each export, and what was left out with the command's own reason.

    Raises:
        SeaformerError: an export failed, and the study does not do without.
    """
    usual = ["--format", request.backend.suffix.removeprefix(".")]
    usual += ["--force"] * request.options.force
    made: dict[Export, tuple[Path, ...]] = {}
    left_out = []
    for one in exports:
        show(f"exporting {one.title}")
        try:
            arguments = [*one.arguments, *usual, "--output", str(request.models_folder)]
            made[one] = tuple(
                sorted(run_command("seaformer-export", arguments, partial(_show_stage, show, one)))
            )
        except SeaformerError as error:
            if not does_without:
                raise
            left_out.append(LeftOut(one, str(error)))
    return made, left_out


def _show_stage(show: Callable[[str], None], export: Export, stage: str) -> None:
    show(f"{export.title}: {stage}")


def _files(planned: Planned, made: Mapping[Export, tuple[Path, ...]]) -> list[Path]:
    """The files of a benchmark, as far as they could be made."""
    files: list[Path] = []
    for model in planned.models:
        files += (model,) if isinstance(model, Path) else made.get(model, ())
    return files


def _write(folder: Path, results: Results, is_one_of_several: bool) -> Path:
    """Write the results of a device; return the path of the JSON."""
    if is_one_of_several:
        folder = _folder_of(results.device.serial, folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CSV_NAME, to_csv(results))
    write_text(folder / FILE_NAME, results.text())
    write_breakdowns(folder, results)
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
