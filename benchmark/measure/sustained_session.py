"""Sustained runs: each model for minutes, one after the other, with cooling in between."""

from statistics import median

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.measure.long_session import LongSession
from seaformer.benchmark.runner.plan import PlannedActivity
from seaformer.benchmark.runner.record import Span


class SustainedSession(LongSession):
    """A benchmark in which each model runs for `Options.sustain_s` in one process.

    A few timed runs precede it, on the cool device, as in a usual benchmark.
    """

    purpose = "sustain"
    timed_runs = 10

    _name = ""
    _begin_ns: int | None = None

    @property
    def activity(self) -> PlannedActivity:
        """Inferences back to back, or at a frame rate."""
        assert self.options.sustain_s is not None
        return PlannedActivity(active_s=self.options.sustain_s, frame_rate=self.options.frame_rate)

    def begin(self, candidate: Candidate) -> None:
        """Reset the progress display."""
        self._name, self._begin_ns = candidate.path.name, None

    def on_span(self, span: Span) -> None:
        """Show time, latency, clock and temperature."""
        if self._begin_ns is None:
            self._begin_ns = span.started_ns
        seconds = (span.ended_ns - self._begin_ns) / 1e9
        parts = [f"{self._name}: {seconds:.0f} of {self.activity.active_s:.0f} s"]
        if span.durations_ns:
            parts.append(f"{median(span.durations_ns) / 1e6:.2f} ms")
        if span.frequency_khz is not None:
            parts.append(f"{span.frequency_khz / 1e6:.2f} GHz")
        if span.temperature_c is not None:
            parts.append(f"{span.temperature_c:.0f} °C")
        self.progress.describe(self.device.serial, ", ".join(parts))
