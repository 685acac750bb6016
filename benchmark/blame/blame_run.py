"""Running `seaformer-benchmark --blame`: from options to files, output and exit status."""

import time
from datetime import UTC, datetime

import numpy as np

from seaformer.benchmark.blame.blame_request import (
    BlameRequest,
    make_blame_request,
    require_truncatable,
)
from seaformer.benchmark.blame.blame_search import Search, search
from seaformer.benchmark.blame.prefix_trials import PrefixTrials
from seaformer.benchmark.candidates.candidate import Candidate, open_candidate
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.selection import select_one
from seaformer.benchmark.inference.device_inference import Inference, Settings, open_inference
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.measure.session import described
from seaformer.benchmark.presentation.blame_terminal import print_blame
from seaformer.benchmark.report.blame_page import write_blame_page
from seaformer.benchmark.results.blame_results import (
    BLAME_NAME,
    BLAME_PAGE_NAME,
    BlameResults,
)
from seaformer.benchmark.results.schema import RuntimeUsed
from seaformer.benchmark.studies.results_folder import reserved
from seaformer.cli.command import FAILED, INTERRUPTED, print_error
from seaformer.console import Console
from seaformer.extraction.differences import Tolerance
from seaformer.extraction.extractor import Extractor
from seaformer.extraction.graph_description import GraphDescription, modules
from seaformer.files import atomic_write, refuse_existing, write_text
from seaformer.interrupts import deferred
from seaformer.runtimes import open_session
from seaformer.temporary_folders import temporary_folder

CUT_OFF, INTERRUPT = "the search was killed", "interrupted"


def blame(options: Options) -> int:
    """Run a search from the options.

    Returns:
        The exit status: 0 if nothing differs.

    Raises:
        UsageError: options cannot be combined, or a file would be overwritten.
        SeaformerError: the device fails, or the file cannot be run on this computer.
    """
    request = make_blame_request(options)
    selection = select_one(options.device, "tensors of truncated models", options.adb_servers)
    console = Console()
    if selection.note:
        console.print(selection.note)
    with reserved(request.output):
        with Progress(Console(stderr=True)) as progress:
            results = BlameRun(request, selection.devices[0], progress).run()
        print_blame(console, results, request.output)
    if results.problem is not None:
        kept = f"The trials so far are in {request.output / BLAME_NAME}."
        print_error(f"{results.problem.rstrip('.')}. {kept}")
        return INTERRUPTED if results.problem == INTERRUPT else FAILED
    return 0 if results.verdict == "agrees" else FAILED


class BlameRun:
    """One search on a device; its results are saved after every trial, and at the end."""

    _results: BlameResults | None = None

    def __init__(self, request: BlameRequest, device: Device, progress: Progress) -> None:
        self._request, self._device, self._progress = request, device, progress

    def run(self) -> BlameResults:
        """Search, and write the files.

        Returns:
            The results; if the search stopped early, those so far, with the reason in `problem`.

        Raises:
            SeaformerError: it failed before the first trial.
            KeyboardInterrupt: it was interrupted before the first trial.
        """
        problem, found = None, Search("unfinished")
        try:
            found = self._search()
        except Exception as error:
            problem = described(error, self._device.serial)
            if not self._has_trials:
                raise
        except KeyboardInterrupt:
            problem = INTERRUPT
            if not self._has_trials:
                raise
        assert self._results is not None
        with deferred():
            return self._written(self._results, found, problem)

    @property
    def _has_trials(self) -> bool:
        return self._results is not None and bool(self._results.trials)

    def _search(self) -> Search:
        request, options = self._request, self._request.options
        self._describe("running it on this computer")
        candidate = open_candidate(request.file, 0, options.seed)
        entry = candidate.input
        given = np.frombuffer(candidate.tensor, entry.dtype).reshape(entry.shape)
        with (
            Extractor(request.file) as extractor,
            open_session(request.file) as reference,
            temporary_folder("blame") as folder,
        ):
            require_truncatable(request.file, extractor.graph)
            tolerance = request.tolerance(extractor.graph, candidate.metadata)
            self._describe("sending files")
            settings = Settings(
                threads=options.threads,
                cores=options.cores,
                in_half=options.half,
                wait_s=options.time_limit_s,
                runtime_library=options.runtime_library,
                keep=options.keep,
                requires_full_acceleration=options.require_full_acceleration,
                of_accelerator=options,
            )
            with open_inference(
                self._device, request.backend, settings, self._describe, [candidate]
            ) as inference:
                self._results = self._begun(candidate, extractor.graph, tolerance, inference)
                trials = PrefixTrials(
                    request.file,
                    extractor,
                    reference,
                    given,
                    inference,
                    tolerance,
                    folder,
                    deadline=time.monotonic() + options.time_limit_s,
                    on_trial=lambda: self._save(trials),
                )
                module_of = modules(candidate.metadata, extractor.graph)
                return search(trials, module_of, self._describe)

    def _begun(
        self,
        candidate: Candidate,
        graph: GraphDescription,
        tolerance: Tolerance,
        inference: Inference,
    ) -> BlameResults:
        request, library = self._request, inference.library
        return BlameResults(
            created_at=datetime.now(UTC),
            command=request.options.command,
            complete=False,
            problem=CUT_OFF,
            model=str(request.file),
            sha256=candidate.sha256,
            device=self._device.facts(),
            emulated=self._device.is_emulated or inference.accelerator.is_emulated,
            accelerator=request.accelerator,
            backend=request.backend.name,
            runtime=RuntimeUsed(
                name=request.backend.title,
                version=library.version,
                file=library.path.name,
                sha256=library.sha256,
                driver=inference.accelerator.driver,
            ),
            half=request.computes_half,
            soc=request.options.soc,
            reference=f"{candidate.runtime} on this computer",
            input=candidate.input,
            operators=len(graph.computing),
            min_db=tolerance.min_db,
            trials=(),
            verdict="unfinished",
        )

    def _save(self, trials: PrefixTrials) -> None:
        assert self._results is not None
        self._results = self._results.model_copy(update={"trials": tuple(trials.done)})
        write_text(self._request.output / BLAME_NAME, self._results.text())

    def _written(self, results: BlameResults, found: Search, problem: str | None) -> BlameResults:
        """Write the model of the faulty operator, the document and the page."""
        folder, blamed = self._request.output, found.blamed
        if blamed is not None and found.model is not None:
            suffix = self._request.file.suffix.lower()
            path = folder / f"operator_{blamed.index:03d}_{blamed.type.lower()}{suffix}"
            force = self._request.options.force
            refuse_existing(path, force)
            with atomic_write(path, replace=force) as draft:
                draft.write_bytes(found.model)
            blamed = blamed.model_copy(update={"file": path.name})
        results = results.model_copy(
            update={
                "complete": problem is None,
                "problem": problem,
                "verdict": found.verdict,
                "blamed": blamed,
                "suspects": found.suspects,
            }
        )
        write_text(folder / BLAME_NAME, results.text())
        write_blame_page(folder / BLAME_PAGE_NAME, results)
        return results

    def _describe(self, text: str) -> None:
        self._progress.describe(self._device.serial, text)
