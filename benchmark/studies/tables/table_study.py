"""`--table`: a table from given files, or from files exported for it."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import Setting, choose_cores, classify
from seaformer.benchmark.devices.device import Core, Device
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import Request, make_request, require_our_runner
from seaformer.benchmark.results.table_kinds import KINDS, THREADS, Kind
from seaformer.benchmark.studies.benchmark_study import BenchmarkStudy
from seaformer.benchmark.studies.study import Export, Planned, Show
from seaformer.benchmark.studies.tables.arrangement import arrange
from seaformer.benchmark.studies.tables.scores import score_trained
from seaformer.errors import UsageError, look_up
from seaformer.models.seaformer.variants import get_variant

DEFAULT_VARIANT = "tiny"
TRAINED_VARIANT = "tiny"
TRAINED_WEIGHTS = "shapes"
"""Bundled weights, with bundled scenes for calibration and scoring."""


class TableStudy(BenchmarkStudy):
    """A table, which is part of the results and the report of its single benchmark."""

    def make_request(self, options: Options) -> Request:
        """Validate the options with a table."""
        self.kind = look_up(KINDS, "table", options.table or "")
        _check(self.kind, options)
        return make_request(options, self.kind.runs, self.kind.name)

    def plan(self) -> Sequence[Planned]:
        """Return the given models, or else the exports that the table needs."""
        return [Planned(self.given_models() or self._exports())]

    def settings(self, device: Device) -> Sequence[Setting]:
        """Return the settings of a table of threads or of cores."""
        super().settings(device)
        if not self.kind.has_settings:
            return ()
        cores, asked = device.facts().cores, self.options
        return settings_of(self.kind, device.serial, cores, asked.cores, asked.threads)

    def arrange(self, candidates: Sequence[Candidate], show: Show) -> Sequence[Candidate]:
        """Sort the models in the order of the table, and score those exported for it."""
        arranged = arrange(self.kind, candidates)
        return arranged if self.options.models else score_trained(arranged, show)

    def _exports(self) -> list[Path | Export]:
        variants = self.kind.variants or (self.options.variant or DEFAULT_VARIANT,)
        return [Export(variant, self._arguments(variant)) for variant in variants]

    def _arguments(self, variant: str) -> tuple[str, ...]:
        """Return the arguments for seaformer-export."""
        arguments = ["--variant", variant]
        for size in self.kind.sizes:
            arguments += ["--input-size", size]
        if self.kind.precisions:
            format = self.request.backend.suffix.removeprefix(".")
            for precision in PRECISIONS.values():
                if format in precision.formats and not precision.for_npu:
                    arguments += ["--precision", precision.name]
            if variant == TRAINED_VARIANT:
                arguments += ["--weights", TRAINED_WEIGHTS]
            else:
                arguments += ["--calibration", "random", "--accept-loss"]
        return tuple(arguments)


def settings_of(
    kind: Kind, device: str, cores: Sequence[Core], chosen: str | None, threads: int
) -> tuple[Setting, ...]:
    """Return the settings of a table on a device; none for a table of files.

    `chosen` is the value of --cores, None for the fastest; `threads` is the value of --threads; the
    name of the device is for error messages.

    Raises:
        UsageError: there is only one setting, so nothing to compare; or cores do not exist.
    """
    if kind.varies == "threads":
        most = len(cores if chosen is None else choose_cores(cores, chosen, 1).cores)
        found = tuple(
            Setting(count, choose_cores(cores, chosen, count)) for count in THREADS if count <= most
        )
        why = "has one core to run on" if chosen is None else f"has one core in --cores {chosen}"
    elif kind.varies == "cores":
        names = [one.name for one in classify(cores)]
        found = tuple(Setting(threads, choose_cores(cores, name, threads)) for name in names)
        why = "reports only one class of cores"
    else:
        return ()
    if len(found) < 2:
        raise UsageError(
            f"--table {kind.name}: {device} {why}, so there is nothing to compare. Choose another "
            "--device, or measure without --table."
        )
    return found


def _check(kind: Kind, options: Options) -> None:
    """Check that options can be combined with a table.

    Raises:
        UsageError: an option cannot be combined with it.
    """
    option, models = f"--table {kind.name}", options.models
    require_our_runner(options, option)
    if options.variant is not None:
        get_variant(options.variant)
        if models or kind.variants:
            why = "MODEL determines the variant" if models else "the table has every variant"
            raise UsageError(f"--variant cannot be combined with {option}: {why}. Omit it.")
    if kind.has_settings and len(models) > 1:
        raise UsageError(
            f"{option} measures one file with several settings, but {len(models)} were given. Give "
            "one, or none to export one."
        )
    if not kind.has_settings and len(models) == 1:
        raise UsageError(
            f"{option} compares files that differ in their {kind.varies}, but only one was given. "
            "Give two or more, or none to export them."
        )
    if kind.varies == "threads" and options.threads != 1:
        raise UsageError(f"--threads cannot be combined with {option}, which varies it. Omit it.")
    if kind.varies == "cores" and options.cores is not None:
        raise UsageError(f"--cores cannot be combined with {option}, which varies it. Omit it.")
    if kind.has_settings and options.breakdown:
        raise UsageError(
            f"--breakdown cannot be combined with {option}: it needs a single setting. Omit it."
        )
