"""Sustained runs: every model for minutes, one after the other, cooling down in between."""

import random
from statistics import median

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.measure.runner_session import CHECK_WARMUP_RUNS, RunnerSession
from seaformer.benchmark.results.schema import StoppedBy
from seaformer.benchmark.runner.plan import PlannedActivity
from seaformer.benchmark.runner.record import Span

COOL_RUNS = 10
"""Timed runs before a sustained run, on the cool device, as in a usual benchmark."""


class SustainedSession(RunnerSession):
    """A benchmark in which each model runs for `Options.sustain_s` in one process."""

    _name = ""
    _begin_ns: int | None = None

    @property
    def limit_s(self) -> float:
        """The usual time limit, which covers cooling down, and the time of the sustained runs."""
        return self.options.time_limit_s + len(self.candidates) * self._sustain_s

    @property
    def _sustain_s(self) -> float:
        assert self.options.sustain_s is not None
        return self.options.sustain_s

    def _measure(self, candidates: list[Candidate]) -> StoppedBy:
        """Run the models in random order."""
        self.warmup_runs, self.runs_per_round = CHECK_WARMUP_RUNS, COOL_RUNS
        self.progress.expect(self.device.serial, None)
        for one in random.Random(self.options.seed).sample(candidates, len(candidates)):
            self.cool()
            self._name, self._begin_ns = one.path.name, None
            with self.tolerating(one):
                self._round(
                    "sustain",
                    self._planned([one]),
                    self._setting_of(one),
                    self.warmup_runs,
                    runs_per_block=COOL_RUNS,
                    activity=PlannedActivity(
                        active_s=self._sustain_s, frame_rate=self.options.frame_rate
                    ),
                )
        return "runs"

    def on_span(self, span: Span) -> None:
        """Show time, latency, clock and temperature."""
        if self._begin_ns is None:
            self._begin_ns = span.started_ns
        seconds = (span.ended_ns - self._begin_ns) / 1e9
        parts = [f"{self._name}: {seconds:.0f} of {self._sustain_s:.0f} s"]
        if span.durations_ns:
            parts.append(f"{median(span.durations_ns) / 1e6:.2f} ms")
        if span.frequency_khz is not None:
            parts.append(f"{span.frequency_khz / 1e6:.2f} GHz")
        if span.temperature_c is not None:
            parts.append(f"{span.temperature_c:.0f} °C")
        self.progress.describe(self.device.serial, ", ".join(parts))
