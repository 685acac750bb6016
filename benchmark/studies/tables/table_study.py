"""`--table`: a table of the paper, of files that are given or exported for it."""

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
"""Come with the package, and with scenes to calibrate and to score with."""


class TableStudy(BenchmarkStudy):
    """A table. It stands in the results and the report of its one benchmark."""

    def make_request(self, options: Options) -> Request:
        """Check what is asked for with a table."""
        self.kind = look_up(KINDS, "table", options.table or "")
        _check(self.kind, options)
        return make_request(options, self.kind.runs, self.kind.name)

    def plan(self) -> Sequence[Planned]:
        """Return the models that are given, or else what the table needs."""
        return [Planned(self.given_models() or self._exports())]

    def settings(self, device: Device) -> Sequence[Setting]:
        """Return the settings of a table of threads or of cores."""
        super().settings(device)
        if not self.kind.has_settings:
            return ()
        cores, asked = device.facts().cores, self.options
        return settings_of(self.kind, device.serial, cores, asked.cores, asked.threads)

    def arrange(self, candidates: Sequence[Candidate], show: Show) -> Sequence[Candidate]:
        """Bring the models into the order of the table, and score those that were made for it."""
        arranged = arrange(self.kind, candidates)
        return arranged if self.options.models else score_trained(arranged, show)

    def _exports(self) -> list[Path | Export]:
        variants = self.kind.variants or (self.options.variant or DEFAULT_VARIANT,)
        return [Export(variant, self._arguments(variant)) for variant in variants]

    def _arguments(self, variant: str) -> tuple[str, ...]:
        """Return what seaformer-export is asked for."""
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

    `chosen` and `threads` are as given to --cores, None for the fastest, and --threads; the name of
    the device is for errors.

    Raises:
        UsageError: there is only one setting, so nothing to compare; or the cores are not there.
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
        why = "has one class of cores, as far as it says their frequencies"
    else:
        return ()
    if len(found) < 2:
        raise UsageError(
            f"--table {kind.name}: {device} {why}, so there is nothing to compare. Choose another "
            "--device, or measure without --table."
        )
    return found


def _check(kind: Kind, options: Options) -> None:
    """Check what goes with a table.

    Raises:
        UsageError: something does not.
    """
    option, models = f"--table {kind.name}", options.models
    require_our_runner(options, option)
    if options.variant is not None:
        get_variant(options.variant)
        if models or kind.variants:
            who = "MODEL says" if models else "the table has every variant of"
            raise UsageError(f"--variant does not go with {option}: {who} what is measured.")
    if kind.has_settings and len(models) > 1:
        raise UsageError(
            f"{option} measures one file with several settings; {len(models)} are given. Give one, "
            "or none for a file of its own."
        )
    if not kind.has_settings and len(models) == 1:
        raise UsageError(
            f"{option} compares files that differ in their {kind.varies}; one is given. Give two "
            "or more, or none for files of its own."
        )
    if kind.varies == "threads" and options.threads != 1:
        raise UsageError(f"--threads does not go with {option}, which tries several. Leave it out.")
    if kind.varies == "cores" and options.cores is not None:
        raise UsageError(f"--cores does not go with {option}, which tries all. Leave it out.")
    if kind.has_settings and options.breakdown:
        raise UsageError(f"--breakdown does not go with {option}: it is of one setting.")
