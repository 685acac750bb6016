"""What `--table accelerators` found, as JSON; the runs are in the results.json of each row."""

from seaformer.artifact.accelerators import AcceleratorName
from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.benchmark.results.schema import Coverage, Parity
from seaformer.statistics.bootstrap import Ratio, Summary

STEM = "accelerators"
"""Name of the files, before .json, .csv and .html."""


class AcceleratorRow(FrozenModel):
    """A file on an accelerator.

    Attributes:
        title: of the row: what computes, with which threads or precision.
        accelerator: "cpu", "gpu" or "npu".
        not_run: why it was not measured, and what to do; null if it was.
        backend: as given to --backend; null, as all that follows, if it was not measured.
        file: as it was measured.
        precision: of the file.
        driver: what computes in the place of the device's own driver.
        results: path of the results.json, from the folder of this object.
        latency: null if what computes is emulated, or if the output is wrong.
        emulated: the same where it is emulated: no latency.
        ratio: of its latency to that of the first row that has one; null if either has none.
        compile_ms: from the file to ready to run.
        first_inference_ms: after that.
        parity: its output against that of this computer's CPU.
        coverage: how much of it the accelerator took; null on the CPU.
        added_peak_bytes: what it adds to the memory of a process; null if unknown. Memory that a
            driver keeps for itself is not in it.
        energy_mj: of a run; null as long as nothing measures it.
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
    """The whole object.

    Attributes:
        warnings: what a reader of the numbers has to know.
        rows: in the order of the table.
        problem: why it is not complete; null if it is.
    """

    warnings: tuple[str, ...]
    rows: tuple[AcceleratorRow, ...]
    problem: str | None = None

    @property
    def fastest(self) -> AcceleratorRow | None:
        """The row of the lowest median latency; None if none has a latency."""
        timed = [row for row in self.rows if row.latency is not None]
        return min(timed, key=lambda row: row.latency.median_ms if row.latency else 0, default=None)
