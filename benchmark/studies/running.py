"""Running a study: exports, benchmarks on one or several devices at once, files, exit status."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from seaformer.benchmark.candidates.candidate import Candidate, open_candidate
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.selection import Selection, select_devices, select_one
from seaformer.benchmark.measure.beside_load import LOAD_ID
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.measure.request import Request, check_output
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.history_page import write_history
from seaformer.benchmark.results.schema import REPORT_NAME, Results
from seaformer.benchmark.studies.results_folder import ResultsFolder, reserved
from seaformer.benchmark.studies.sessions import measure
from seaformer.benchmark.studies.study import (
    Export,
    Failed,
    Finished,
    LeftOut,
    Measured,
    Planned,
    Study,
)
from seaformer.cli.command import INTERRUPTED, print_error
from seaformer.console import Console, silent_console
from seaformer.errors import SeaformerError, explanation, quoted
from seaformer.extras import MissingExtraError
from seaformer.interrupts import came, deferred, heeded
from seaformer.names import path_in
from seaformer.own_commands import run_command

EXPORTING = "export"
"""Shown instead of a device in the progress display."""

KEPT = "the measurements so far are kept"


def measure_quietly(study: Study) -> tuple[Results, ...]:
    """Measure and write the results into the folder of the request without printing.

    Returns:
        The results of every device.

    Raises:
        UsageError, SeaformerError: as for `run_study`.
        KeyboardInterrupt: Ctrl-C; the measurements so far are in the folder.
    """
    devices = _select(study).devices
    with reserved(study.request.output):
        check_output(study.request.output, study.request.options.force, study.file_names)
        finished = run(study, devices, silent_console())
    if finished.interrupted:
        raise KeyboardInterrupt
    if finished.problems:
        raise SeaformerError(" ".join(finished.problems))
    return finished.results


def _select(study: Study) -> Selection:
    """Check the folder of the results, and select the devices."""
    check_output(study.request.output, study.request.options.force, study.file_names)
    options = study.request.options
    if study.compared:
        return select_one(options.device, study.compared, options.adb_servers)
    return select_devices(options.device, options.adb_servers)


def run_study(study: Study) -> int:
    """Run a study from exports to files.

    Returns:
        The exit status.

    Raises:
        UsageError: a file exists and may not be overwritten, or the devices are unsuitable.
        SeaformerError: not everything was measured.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    request = study.request
    console = Console()
    with _noted(study):
        selection = _select(study)
    if selection.note:
        console.print(selection.note)
    with reserved(request.output):
        check_output(request.output, request.options.force, study.file_names)
        with _noted(study):
            finished = run(study, selection.devices, Console(stderr=True))
        problems = list(finished.problems)
        status = 0
        try:
            for results in finished.results:
                study.show_benchmark(console, results)
            if finished.measured:
                status = study.render(console, finished)
            if len(selection.devices) > 1:
                _write_by_device(study, finished, console)
        except OSError as error:
            saved = "".join(f" '{path}' is written." for path in finished.paths)
            problems.append(f"Not everything was printed or saved ({explanation(error)}).{saved}")
    if finished.interrupted:
        print_error(" ".join((f"interrupted; {KEPT}", *problems)))
        return INTERRUPTED
    if problems:
        raise SeaformerError(" ".join(problems))
    return status


def _write_by_device(study: Study, finished: Finished, console: Console) -> None:
    """Merge the results of several devices on one page, with the problems of the others."""
    sources = [Source(str(one.path), one.results) for one in finished.measured]
    if sources:
        page = study.request.output / REPORT_NAME
        write_history(page, sources, finished.problems, study.options.command)
        console.print(f"report of all devices: {page}", soft_wrap=True)


@contextmanager
def _noted(study: Study) -> Iterator[None]:
    try:
        yield
    except SeaformerError as error:
        study.note_failure(str(error))
        raise


def run(study: Study, devices: Sequence[Device], console: Console) -> Finished:
    """Export the models of a study, measure them on every device, and write the results of each.

    Raises:
        UsageError: results of a device exist and may not be overwritten.
        SeaformerError: a required model cannot be exported, or nothing was measured.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    at_settings = [(device, study.settings(device)) for device in devices]
    plan = study.plan()
    folders = [_folders(study.request.output / one.folder, devices) for one in plan]
    if len(devices) > 1:
        for folder in chain.from_iterable(folders):
            check_output(folder.path, study.options.force, study.file_names)
    models = dict.fromkeys(model for one in plan for model in (*one.models, one.load))
    exports = [model for model in models if isinstance(model, Export)]
    with Progress(console) as progress:
        files_by_export, left_out = export_all(
            exports, study.request, study.does_without, partial(progress.describe, EXPORTING)
        )
    measured: list[Measured] = []
    failed: list[Failed] = []
    problems: list[str] = []
    interrupted = False
    for planned, places in zip(plan, folders, strict=True):
        files = _files(planned.models, files_by_export)
        if not files:
            continue
        request = planned.request or study.request
        try:
            with deferred():
                with Progress(console) as progress:
                    with heeded():
                        candidates, damaged = _open(study, request, files, progress)
                        load = _open_load(planned.load, study.options.seed, files_by_export)
                    saves = [place.save for place in places]
                    outcome = measure(request, candidates, at_settings, progress, saves, load)
                problems += [*damaged, *outcome.problems]
                for number, results in outcome.results:
                    problems += _problems(results)
                    measured.append(_written(planned, places[number], results, problems))
                interrupted = outcome.interrupted or came()
        except Exception as error:
            if len(plan) == 1:
                raise
            reason = explanation(error)
            if study.records_failures:
                failed.append(Failed(planned, reason))
                continue
            exported = [
                one for one in planned.models if isinstance(one, Export) and one in files_by_export
            ]
            left_out += [LeftOut(one, reason) for one in exported]
            problems += [reason] * (not exported)
        except KeyboardInterrupt:
            if not measured:
                raise
            interrupted = True
        if interrupted:
            break
    if not measured and not problems:
        reasons = dict.fromkeys([one.reason for one in left_out] + [one.reason for one in failed])
        raise SeaformerError(f"nothing could be measured: {' '.join(reasons)}")
    return Finished(tuple(measured), tuple(left_out), tuple(problems), interrupted, tuple(failed))


def export_all(
    exports: Sequence[Export], request: Request, does_without: bool, show: Callable[[str], None]
) -> tuple[dict[Export, tuple[Path, ...]], list[LeftOut]]:
    """Export model files one after another, for the backend and folder of a request.

    Returns:
        The files of each export, and the omitted models with the error of the export.

    Raises:
        MissingExtraError: exporting is not installed.
        SeaformerError: an export failed, and the study needs it.
    """
    usual = ["--format", request.backend.suffix.removeprefix(".")]
    usual += ["--force"] * request.options.force
    files_by_export: dict[Export, tuple[Path, ...]] = {}
    left_out = []
    for one in exports:
        show(f"exporting {one.title}")
        try:
            arguments = [*one.arguments, *usual, "--output", str(request.models_folder)]
            files_by_export[one] = tuple(
                sorted(run_command("seaformer-export", arguments, partial(_show_stage, show, one)))
            )
        except MissingExtraError:
            raise
        except SeaformerError as error:
            if not does_without:
                raise
            left_out.append(LeftOut(one, str(error)))
    return files_by_export, left_out


def _show_stage(show: Callable[[str], None], export: Export, stage: str) -> None:
    show(f"{export.title}: {stage}")


def _files(
    models: Iterable[Path | Export], files_by_export: Mapping[Export, tuple[Path, ...]]
) -> list[Path]:
    """The files of a benchmark that could be exported."""
    files: list[Path] = []
    for model in models:
        files += (model,) if isinstance(model, Path) else files_by_export.get(model, ())
    return files


def _open(
    study: Study, request: Request, files: Sequence[Path], progress: Progress
) -> tuple[Sequence[Candidate], list[str]]:
    """Open the models of a benchmark; return them, and the problems of the omitted ones.

    Raises:
        SeaformerError: none can be opened, or they cannot be compared.
    """
    opened, problems = [], []
    accelerator = request.backend.accelerator
    for number, path in enumerate(files):
        try:
            opened.append(open_candidate(path, number, study.options.seed, accelerator))
        except SeaformerError as error:
            if len(files) == 1:
                raise
            problems.append(str(error))
    if not opened:
        raise SeaformerError(" ".join(problems))
    return study.arrange(opened, partial(progress.describe, EXPORTING)), problems


def _open_load(
    load: Path | Export | None, seed: int, files_by_export: Mapping[Export, tuple[Path, ...]]
) -> Candidate | None:
    """Open the model that runs beside the others.

    Raises:
        SeaformerError: it cannot be exported or opened.
    """
    if load is None:
        return None
    files = _files([load], files_by_export)
    if not files:
        raise SeaformerError("the model of --beside cannot be exported. Give a file.")
    return replace(open_candidate(files[0], 0, seed), id=LOAD_ID)


def _written(
    planned: Planned, folder: ResultsFolder, results: Results, problems: list[str]
) -> Measured:
    """Write the results of a device; a failure to write them is added to `problems`."""
    is_saved = True
    try:
        folder.write(results)
    except SeaformerError as error:
        is_saved = False
        problems.append(str(error))
    return Measured(planned, results, folder.file, is_saved)


def _folders(output: Path, devices: Sequence[Device]) -> list[ResultsFolder]:
    """Return the folder for each device: `output` itself for one device, else its subfolders."""
    if len(devices) == 1:
        return [ResultsFolder(output)]
    names = [
        # The serial of a phone on the network is an address, with a colon before the port.
        re.sub(r"[^A-Za-z0-9._-]", "_", device.serial)
        for device in devices
    ]
    for place, name in enumerate(names):
        if name in names[:place]:
            names[place] = f"{name}_{place}"
    return [
        ResultsFolder(
            path_in(
                output,
                name,
                f"the folder for the device of serial number {quoted(device.serial)}",
                "Measure it separately with --device.",
            )
        )
        for name, device in zip(names, devices, strict=True)
    ]


def _problems(results: Results) -> list[str]:
    found = [
        f"'{model.file}' has a wrong output on {results.device.serial}; its latency was "
        "discarded. See the parity in the results."
        for model in results.models
        if model.is_wrong
    ]
    if results.problem is not None and results.stopped_by != "interrupt":
        found.append(f"{results.problem} The measurements so far are kept.")
    return found
