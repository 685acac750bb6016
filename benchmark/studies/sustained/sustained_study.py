"""The study of sustained runs: one benchmark, in which each model runs for minutes."""

from typing import Any

from seaformer.benchmark.results.schema import Results
from seaformer.benchmark.studies.long_runs import LongRunsStudy
from seaformer.benchmark.studies.sustained.course import course
from seaformer.benchmark.studies.sustained.sustained_page import write_sustained_page
from seaformer.benchmark.studies.sustained.sustained_results import STEM, SustainedResults
from seaformer.benchmark.studies.sustained.sustained_table import print_sustained, to_csv


class SustainedStudy(LongRunsStudy[SustainedResults]):
    """Models that run for minutes, one after the other."""

    option = "--sustain"
    compared = "sustained runs"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_sustained_page)
    show = staticmethod(print_sustained)

    def summarize_models(self, measured: Results, **common: Any) -> SustainedResults:
        """Summarize the run of every model."""
        sustain_s, frame_rate = self.options.sustain_s, self.options.frame_rate
        assert sustain_s is not None
        models = (
            course(one, measured.rounds, sustain_s, frame_rate, self.options.seed)
            for one in measured.models
        )
        return SustainedResults(
            sustain_s=sustain_s, frame_rate=frame_rate, models=tuple(models), **common
        )
