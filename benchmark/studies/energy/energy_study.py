"""The study of energy: one benchmark in which each model alternates between rest and work."""

from typing import Any

from seaformer.benchmark.results.schema import Results
from seaformer.benchmark.studies.energy.consumption import consumption
from seaformer.benchmark.studies.energy.energy_page import write_energy_page
from seaformer.benchmark.studies.energy.energy_results import STEM, EnergyResults
from seaformer.benchmark.studies.energy.energy_table import print_energy, to_csv
from seaformer.benchmark.studies.long_runs import LongRunsStudy
from seaformer.cli.command import FAILED


class EnergyStudy(LongRunsStudy[EnergyResults]):
    """The energy of models, one after the other."""

    option = "--energy"
    compared = "energies"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_energy_page)
    show = staticmethod(print_energy)

    def summarize_models(self, measured: Results, **common: Any) -> EnergyResults:
        """Compute the energy of every model."""
        assert self.options.energy_s is not None
        models = (consumption(one, measured.rounds, self.options.seed) for one in measured.models)
        return EnergyResults(phase_s=self.options.energy_s, models=tuple(models), **common)

    def exit_status(self, summary: EnergyResults) -> int:
        """Return a failure if no energy was measurable, on the battery or on rails."""
        measured = (
            one.energy_mj is not None or (one.rails and one.rails.energy_mj is not None)
            for one in summary.models
        )
        return 0 if any(measured) else FAILED
