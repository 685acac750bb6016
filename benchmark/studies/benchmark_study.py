"""The default study: the latency of given models, and its comparison with earlier results."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.benchmark.devices.cores import Setting, choose_cores
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.options import REGRESSION, Options
from seaformer.benchmark.measure.request import Request, make_request
from seaformer.benchmark.presentation.terminal import print_comparison, print_next
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.comparison_page import write_comparison_page
from seaformer.benchmark.results.comparison import (
    compare,
    require_comparable,
    require_pair,
    require_same_device,
)
from seaformer.benchmark.results.schema import COMPARISON_NAME, FILE_NAME, read_results
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.benchmark.studies.study import Finished, Planned, Study
from seaformer.console import Console
from seaformer.errors import UsageError


class BenchmarkStudy(Study):
    """A single benchmark of given models, and its comparison with older results."""

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: a value is out of range or cannot be combined with another one.
            SeaformerError: a file is missing or cannot be used.
        """
        super().__init__(self.make_request(options))
        self._old = None if options.compare is None else read_results(options.compare)
        if self._old is not None:
            backend, anyway = self.request.backend.name, options.compare_anyway
            require_comparable(self._old, backend, options.threads, options.half, anyway)
            files = [model.name for model in self.request.models if isinstance(model, Path)]
            if files and len(files) == len(self.request.models):
                require_pair(files, self._old)

    @property
    def file_names(self) -> Sequence[str]:
        """Name of the page of the comparison."""
        return () if self.options.compare is None else (COMPARISON_NAME,)

    def settings(self, device: Device) -> Sequence[Setting]:
        """Check that older results are from the same device; the request determines the setting."""
        if self._old is not None:
            asked = self.options
            cores = choose_cores(device.facts().cores, asked.cores, asked.threads).mask
            is_one = asked.table is None
            anyway = asked.compare_anyway
            require_same_device(device.serial, cores if is_one else None, self._old, anyway)
        return ()

    def make_request(self, options: Options) -> Request:
        """Validate the options without a table."""
        if not options.models:
            raise UsageError(
                "no MODEL was given. Give a .tflite or .onnx from seaformer-export, or a --table, "
                f"which exports its own models: {', '.join(KINDS)}."
            )
        if options.variant is not None:
            raise UsageError("--variant is only for a --table that exports its models. Omit it.")
        return make_request(options)

    def plan(self) -> Sequence[Planned]:
        """Return the given models."""
        return [Planned(self.given_models())]

    def render(self, console: Console, finished: Finished) -> int:
        """Print the comparison with older results, write its page, and print what to do next."""
        status = 0
        if self._old is not None:
            old = Source(str(self.options.compare), self._old)
            tolerance, anyway = self.options.tolerance, self.options.compare_anyway
            for one in finished.measured:
                against_old = compare(one.results, self._old, tolerance, anyway)
                print_comparison(console, against_old)
                if any(each.is_regression for each in against_old):
                    status = REGRESSION
                if one.is_saved:
                    page, new = one.path.with_name(COMPARISON_NAME), Source(FILE_NAME, one.results)
                    write_comparison_page(page, new, old, against_old, tolerance)
                    console.print(f"comparison: {page}", soft_wrap=True)
        print_next(console, finished.paths, finished.results)
        return status
