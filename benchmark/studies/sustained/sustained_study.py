"""The study of sustained runs: one benchmark, in which each model runs for minutes."""

from collections.abc import Sequence
from datetime import UTC, datetime

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request, require_our_runner
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.schema import Results
from seaformer.benchmark.studies.study import DocumentStudy, Finished, Planned
from seaformer.benchmark.studies.sustained.course import course
from seaformer.benchmark.studies.sustained.long_runs import refuse_options_of_rounds
from seaformer.benchmark.studies.sustained.sustained_page import write_sustained_page
from seaformer.benchmark.studies.sustained.sustained_results import STEM, SustainedResults
from seaformer.benchmark.studies.sustained.sustained_table import print_sustained, to_csv
from seaformer.console import Console


class SustainedStudy(DocumentStudy[SustainedResults]):
    """Models that run for minutes, one after the other."""

    compared = "sustained runs"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_sustained_page)
    show = staticmethod(print_sustained)

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: a value is out of range or cannot be combined with --sustain.
            SeaformerError: a file is missing or cannot be used.
        """
        refuse_options_of_rounds(options, "--sustain")
        super().__init__(make_request(options))
        require_our_runner(options, "--sustain")
        self._created_at = datetime.now(UTC)

    def plan(self) -> Sequence[Planned]:
        """Return the given models."""
        return [Planned(self.given_models())]

    def show_benchmark(self, console: Console, results: Results) -> None:
        """Print nothing: `show` prints the runs."""

    def summarize(self, finished: Finished) -> SustainedResults:
        """Summarize the run of every model."""
        (measured,) = finished.measured
        results, options = measured.results, self.options
        assert options.sustain_s is not None
        return SustainedResults(
            created_at=self._created_at,
            command=options.command,
            conditions=conditions_line(results),
            emulated=results.emulated,
            interrupted=finished.interrupted,
            sustain_s=options.sustain_s,
            frame_rate=options.frame_rate,
            results=str(measured.path.relative_to(self.request.output)),
            problem=results.problem,
            warnings=results.warnings,
            models=tuple(
                course(one, results.rounds, options.sustain_s, options.frame_rate, options.seed)
                for one in results.models
            ),
        )
