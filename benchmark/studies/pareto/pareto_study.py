"""Published mIoU over latency measured here: what to measure, and what it shows."""

from collections.abc import Sequence

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request, require_our_runner
from seaformer.benchmark.studies.pareto.networks import networks
from seaformer.benchmark.studies.pareto.pareto_page import write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_results import STEM, NetworkLeftOut, ParetoResults
from seaformer.benchmark.studies.pareto.pareto_table import print_pareto, to_csv
from seaformer.benchmark.studies.pareto.points import summarise
from seaformer.benchmark.studies.study import DocumentStudy, Finished, Planned, Rendering


class ParetoStudy(DocumentStudy[ParetoResults]):
    """Networks of which mIoU and latency are published, in one benchmark."""

    compared = "networks"
    rendering = Rendering(STEM, to_csv, write_pareto_page, print_pareto)

    def __init__(self, options: Options) -> None:
        """Check what was asked for.

        Raises:
            UsageError: a value does not go with another one.
            SeaformerError: a file is missing or cannot be used.
        """
        require_our_runner(options, self.compared)
        super().__init__(make_request(options))

    def plan(self) -> Sequence[Planned]:
        """Return the models that are given, or else all that something is published of."""
        return [Planned(self.given_models() or networks())]

    def summarise(self, finished: Finished) -> ParetoResults:
        """Put the networks that were measured beside what is published of them."""
        (measured,) = finished.measured
        left_out = [
            NetworkLeftOut(title=one.export.title, reason=one.reason) for one in finished.left_out
        ]
        return summarise(measured.results, measured.path.name, left_out)
