"""Results of `--table accelerators` as JSON; the runs are in the results.json of each row."""

from seaformer.artifact.accelerators import AcceleratorName
from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.benchmark.results.schema import Coverage, Parity
from seaformer.statistics.bootstrap import Ratio, Summary

STEM = "accelerators"
"""Name of the files without .json, .csv or .html."""


class AcceleratorRow(FrozenModel):
    """A file on an accelerator.

    Attributes:
        title: title of the row: accelerator, with threads or precision.
        accelerator: "cpu", "gpu" or "npu".
        not_run: why it was not measured, with advice; null if it was.
        backend: value of --backend; null, like all members below, if it was not measured.
        file: the measured file.
        precision: precision of the file.
        driver: software used instead of the device's own driver.
        results: path of the results.json, relative to the folder of this file.
        latency: null if the accelerator is emulated, or if the output is wrong.
        emulated: the times on an emulated accelerator, which are not latency.
        ratio: its latency / latency of the first row with one; null if either has none.
        compile_ms: time from opening the file until it is ready to run.
        first_inference_ms: the first inference after that.
        parity: its output compared with the output of this computer's CPU.
        coverage: how much of it the accelerator ran; null on the CPU.
        added_peak_bytes: memory that it adds to a process, excluding the driver's memory; null if
            unknown.
        energy_mj: energy of a run; null, because it is not measured yet.
    """

    title: str
    accelerator: AcceleratorName
    not_run: str | None = None
    backend: str | None = None
    file: str | None = None
    precision: str | None = None
    driver: str | None = None
    results: str | None = None
    latency: Summary | None = None
    emulated: Summary | None = None
    ratio: Ratio | None = None
    compile_ms: float | None = None
    first_inference_ms: float | None = None
    parity: Parity | None = None
    coverage: Coverage | None = None
    added_peak_bytes: int | None = None
    energy_mj: float | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether the output was compared and is wrong."""
        return self.parity is not None and not self.parity.passed


class AcceleratorResults(StudyDocument):
    """Results of all rows.

    Attributes:
        warnings: caveats about the numbers.
        rows: results of the accelerators, in the order of the table.
        problem: why it is incomplete; null if it is complete.
    """

    warnings: tuple[str, ...]
    rows: tuple[AcceleratorRow, ...]
    problem: str | None = None

    @property
    def fastest(self) -> AcceleratorRow | None:
        """The row with the lowest median latency; None if no row has a latency."""
        timed = [row for row in self.rows if row.latency is not None]
        return min(timed, key=lambda row: row.latency.median_ms if row.latency else 0, default=None)
