"""The study of one network on every accelerator of a device.

Every row is a separate benchmark, because backends do not share a process, so ratios are between
consecutive benchmarks.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import (
    make_request,
    require_our_runner,
    resolve_model,
)
from seaformer.benchmark.presentation.terminal import device_line
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.benchmark.studies.accelerators.accelerators_page import write_accelerators_page
from seaformer.benchmark.studies.accelerators.accelerators_results import (
    STEM,
    AcceleratorResults,
    AcceleratorRow,
)
from seaformer.benchmark.studies.accelerators.accelerators_rows import ROWS, RowKind, without_npu
from seaformer.benchmark.studies.accelerators.accelerators_table import (
    print_accelerators,
    to_csv,
)
from seaformer.benchmark.studies.study import (
    DocumentStudy,
    Export,
    Finished,
    Measured,
    Planned,
)
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError
from seaformer.models.seaformer.variants import get_variant
from seaformer.statistics.bootstrap import Ratio, unpaired_ratio

DEFAULT_VARIANT = "tiny"


class AcceleratorsStudy(DocumentStudy[AcceleratorResults]):
    """Accelerators, with a benchmark for each row and file."""

    compared = "accelerators"
    records_failures = True
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_accelerators_page)
    show = staticmethod(print_accelerators)

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: options cannot be combined.
            SeaformerError: a file is missing or cannot be used.
        """
        require_our_runner(options, self.compared)
        _check(options)
        kind = KINDS["accelerators"]
        plain = replace(options, models=(), require_full_acceleration=False)
        request = make_request(without_npu(plain), kind.runs, kind.name)
        models = options.models or (Path(f"seaformer-{options.variant or DEFAULT_VARIANT}"),)
        super().__init__(replace(request, models=tuple(map(resolve_model, models))))
        self._asked = options
        self._created_at = datetime.now(UTC)
        self._kinds: dict[str, RowKind] = {}  # folder -> the row that is measured in it
        self._reasons: dict[str, str] = {}  # folder -> why its row cannot be measured

    def plan(self) -> Sequence[Planned]:
        """Return a benchmark for every row and every file it supports."""
        plan = []
        for kind in ROWS:
            fitting = [
                (place, model, backend)
                for place, model in enumerate(self.request.models)
                if (backend := kind.backend(model)) is not None
            ]
            if not fitting:
                self._kinds[kind.name] = kind
                self._reasons[kind.name] = kind.missing
            for place, model, backend in fitting:
                folder = kind.name if len(fitting) == 1 else f"{kind.name}-{place + 1}"
                self._kinds[folder] = kind
                try:
                    request = make_request(kind.options(self._asked, model, backend), self.runs)
                except SeaformerError as error:
                    self._reasons[folder] = str(error)
                    continue
                request = replace(request, output=self.request.output)
                source = model if isinstance(model, Path) else Export(model, ("--model", model))
                plan.append(Planned([source], folder, request))
        if not plan:
            raise SeaformerError(
                f"nothing can be measured: {' '.join(dict.fromkeys(self._reasons.values()))}"
            )
        return plan

    @property
    def runs(self) -> int:
        """Default number of timed runs of each row."""
        return KINDS["accelerators"].runs

    def show_benchmark(self, console: Console, results: object) -> None:
        """Print nothing for a single row."""

    def summarize(self, finished: Finished) -> AcceleratorResults:
        """Combine the rows, with the reason for those that could not be run."""
        measured = {one.planned.folder: one for one in finished.measured}
        reasons = self._reasons | {one.planned.folder: one.reason for one in finished.failed}
        base = next(
            (one for one in measured.values() if one.results.models[0].latency is not None), None
        )
        rows = []
        for folder, kind in self._kinds.items():
            if folder in measured:
                rows.append(self._row(kind, measured[folder], base))
            else:
                reason = reasons.get(folder, "the study was interrupted.")
                rows.append(
                    AcceleratorRow(title=kind.title, accelerator=kind.accelerator, not_run=reason)
                )
        first = finished.results[0]
        warnings = (warning for one in finished.results for warning in one.warnings)
        return AcceleratorResults(
            created_at=self._created_at,
            command=self.options.command,
            conditions=device_line(first),
            emulated=first.device.is_emulated,
            warnings=tuple(dict.fromkeys(warnings)),
            rows=tuple(rows),
            problem="interrupted" if finished.interrupted else None,
        )

    def _row(self, kind: RowKind, one: Measured, base: Measured | None) -> AcceleratorRow:
        results = one.results
        (model,) = results.models
        times = model.times
        return AcceleratorRow(
            title=kind.title,
            accelerator=kind.accelerator,
            backend=results.backend,
            file=model.file,
            precision=model.precision,
            driver=results.runtime.driver,
            results=str(one.path.relative_to(self.request.output)),
            latency=None if model.latency is None else model.latency.run,
            emulated=None if model.emulated is None else model.emulated.run,
            ratio=self._ratio(one, base),
            compile_ms=None if times is None else times.load_ms,
            first_inference_ms=None if times is None else times.first_inference_ms,
            parity=model.parity,
            coverage=model.coverage,
            added_peak_bytes=model.added_peak_bytes,
        )

    def _ratio(self, one: Measured, base: Measured | None) -> Ratio | None:
        if base is None or one.results.models[0].latency is None:
            return None
        if one is base:
            return Ratio(1.0, None)
        times, before = (
            run_times(each.results.rounds, each.results.models[0].id) for each in (one, base)
        )
        return unpaired_ratio(times, before, self.options.seed)


def _check(options: Options) -> None:
    """Check that options can be combined with the table.

    Raises:
        UsageError: an option cannot be combined with it.
    """
    for option, is_given in (
        ("--backend", options.backend is not None),
        ("--threads", options.threads != 1),
        ("--half", options.half),
        ("--breakdown", options.breakdown),
        ("--compare", options.compare is not None),
        ("--runtime-library", options.runtime_library is not None),
    ):
        if is_given:
            raise UsageError(
                f"{option} cannot be combined with --table accelerators, whose rows vary it. Omit "
                "it."
            )
    if options.variant is not None:
        get_variant(options.variant)
        if options.models:
            raise UsageError(
                "--variant cannot be combined with MODEL, which determines it. Omit one of them."
            )
