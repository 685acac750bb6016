"""The default study: the latency of given models, and its comparison with earlier results."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.beside_load import choose
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import Request, make_request
from seaformer.benchmark.presentation.junit import to_junit
from seaformer.benchmark.presentation.terminal import conditions_line, print_comparison, print_next
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.comparison_page import write_comparison_page
from seaformer.benchmark.results.comparison import (
    browser_cautions,
    compare,
    require_comparable,
    require_pair,
    require_same_device,
)
from seaformer.benchmark.results.gate import Case, cases_of, exit_status, summary_line
from seaformer.benchmark.results.schema import COMPARISON_NAME, FILE_NAME
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.benchmark.studies.baselines import baseline_of, read_baselines
from seaformer.benchmark.studies.study import Finished, Measured, Planned, Study, as_source
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import refuse_existing, write_text


class BenchmarkStudy(Study):
    """A single benchmark of given models, and its comparison with older results."""

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: a value is out of range or cannot be combined with another one.
            SeaformerError: a file is missing or cannot be used.
        """
        super().__init__(self.make_request(options))
        if options.junit is not None and options.junit.parent.is_dir():
            refuse_existing(options.junit, options.force)
        self._old = () if options.compare is None else read_baselines(options.compare)
        for old in self._old:
            backend, anyway = self.request.backend.name, options.compare_anyway
            require_comparable(old.results, backend, options.threads, options.half, anyway)
            files = [model.name for model in self.request.models if isinstance(model, Path)]
            if files and len(files) == len(self.request.models):
                require_pair(files, old.results)

    @property
    def file_names(self) -> Sequence[str]:
        """Name of the page of the comparison."""
        return () if self.options.compare is None else (COMPARISON_NAME,)

    def settings(self, device: Device) -> Sequence[Setting]:
        """Check that older results are from the same device; the request determines the setting."""
        old = baseline_of(device.facts(), self._old) if self._old else None
        if old is not None:
            asked = self.options
            cores = choose(device.facts().cores, asked)[0].mask
            is_one = asked.table is None
            anyway = asked.compare_anyway
            require_same_device(device.facts(), cores if is_one else None, old.results, anyway)
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
        """Return the given models, and the load of --beside."""
        load = self.request.load
        return [Planned(self.given_models(), load=None if load is None else as_source(load))]

    def render(self, console: Console, finished: Finished) -> int:
        """Print the comparison with older results, write its files, and print what to do next."""
        if self.options.compare is None:
            print_next(console, finished.paths, finished.results)
            return 0
        cases: list[Case] = []
        errors: list[SeaformerError] = []
        for one in finished.measured:
            compared, error = self._compare(console, one)
            cases += compared
            errors += filter(None, [error])
        if len(self._old) > 1:
            measured = [one.device for one in finished.results]
            cases += [
                Case(
                    one.results.device.identity,
                    name,
                    "not compared",
                    "the device was not measured",
                )
                for one in self._old
                if not any(one.results.device.is_same(device) for device in measured)
                for name in one.results.names.values()
            ]
        problems = [
            *finished.problems,
            *map(str, errors),
            *["interrupted"] * finished.interrupted,
        ]
        self._write_junit(cases, problems, finished)
        print_next(console, finished.paths, finished.results)
        console.print(summary_line(cases, self.options.tolerance), soft_wrap=True)
        if errors and not finished.problems:  # which would be the reason
            raise errors[0]
        return exit_status(cases, self.options.strict)

    def note_failure(self, problem: str) -> None:
        """Write JUnit XML with the problem, so that CI does not show an older one."""
        with suppress(OSError):
            self._write_junit((), [problem], None)

    def _compare(self, console: Console, one: Measured) -> tuple[list[Case], SeaformerError | None]:
        """Compare the results of a device with older ones; write and print the comparison.

        Returns:
            The cases of the gate, and why the two cannot be compared.
        """
        old = baseline_of(one.results.device, self._old)
        tolerance = self.options.tolerance
        if old is None:
            return cases_of(one.results, None, (), tolerance), None
        try:
            compared = compare(one.results, old.results, tolerance, self.options.compare_anyway)
        except SeaformerError as error:
            return cases_of(one.results, old.results, (), tolerance), error
        print_comparison(console, compared, browser_cautions(one.results, old.results))
        if one.is_saved:
            page, new = one.path.with_name(COMPARISON_NAME), Source(FILE_NAME, one.results)
            write_comparison_page(page, new, old, compared, tolerance)
            console.print(f"comparison: {page}", soft_wrap=True)
        return cases_of(one.results, old.results, compared, tolerance), None

    def _write_junit(
        self, cases: Sequence[Case], problems: Sequence[str], finished: Finished | None
    ) -> None:
        path = self.options.junit
        if path is None:
            return
        properties = {
            one.device.identity: {
                "conditions": conditions_line(one),
                "command": one.command,
                "tolerance": f"{self.options.tolerance:g}",
            }
            for one in (finished.results if finished else ())
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, to_junit(cases, problems, self.options.strict, properties))
