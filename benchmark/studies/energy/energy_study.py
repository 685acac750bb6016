"""The study of energy: one benchmark, in which each model runs and rests alternately."""

from collections.abc import Sequence
from datetime import UTC, datetime

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request, require_our_runner
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.schema import Results
from seaformer.benchmark.studies.energy.consumption import consumption
from seaformer.benchmark.studies.energy.energy_page import write_energy_page
from seaformer.benchmark.studies.energy.energy_results import STEM, EnergyResults
from seaformer.benchmark.studies.energy.energy_table import print_energy, to_csv
from seaformer.benchmark.studies.study import DocumentStudy, Finished, Planned
from seaformer.benchmark.studies.sustained.long_runs import refuse_options_of_rounds
from seaformer.cli.command import FAILED
from seaformer.console import Console


class EnergyStudy(DocumentStudy[EnergyResults]):
    """The energy of models, one after the other."""

    compared = "energies"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_energy_page)
    show = staticmethod(print_energy)

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: a value is out of range or cannot be combined with --energy.
            SeaformerError: a file is missing or cannot be used.
        """
        refuse_options_of_rounds(options, "--energy")
        super().__init__(make_request(options))
        require_our_runner(options, "--energy")
        self._created_at = datetime.now(UTC)

    def plan(self) -> Sequence[Planned]:
        """Return the given models."""
        return [Planned(self.given_models())]

    def show_benchmark(self, console: Console, results: Results) -> None:
        """Print nothing: `show` prints the energies."""

    def summarize(self, finished: Finished) -> EnergyResults:
        """Compute the energy of every model."""
        (measured,) = finished.measured
        results, options = measured.results, self.options
        assert options.energy_s is not None
        return EnergyResults(
            created_at=self._created_at,
            command=options.command,
            conditions=conditions_line(results),
            emulated=results.emulated,
            interrupted=finished.interrupted,
            phase_s=options.energy_s,
            results=str(measured.path.relative_to(self.request.output)),
            problem=results.problem,
            warnings=results.warnings,
            models=tuple(consumption(one, results.rounds, options.seed) for one in results.models),
        )

    def render(self, console: Console, finished: Finished) -> int:
        """Write the files; return a failure if no energy was measurable."""
        status = super().render(console, finished)
        models = self.summarize(finished).models
        return status if any(one.energy_mj is not None for one in models) else FAILED
