"""Running each model for minutes in one process, one after the other, with cooling in between."""

import random
from abc import abstractmethod
from typing import ClassVar

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.measure.runner_session import CHECK_WARMUP_RUNS, RunnerSession
from seaformer.benchmark.results.schema import Purpose, Round, StoppedBy
from seaformer.benchmark.runner.plan import PlannedActivity


class LongSession(RunnerSession):
    """A benchmark in which each round is an activity of one model.

    Attributes:
        purpose: purpose of these rounds.
        timed_runs: number of timed runs before the activity.
    """

    purpose: ClassVar[Purpose]
    timed_runs: ClassVar[int] = 1

    @property
    @abstractmethod
    def activity(self) -> PlannedActivity:
        """What to do with each model."""

    def begin(self, candidate: Candidate) -> None:
        """Prepare the round of a model, after cooling down."""

    def end(self, done: Round) -> None:
        """Check the finished round of a model."""

    @property
    def limit_s(self) -> float:
        """The usual time limit, which covers cooling down, plus the time of the activities."""
        return self.options.time_limit_s + len(self.candidates) * self.activity.total_s

    def _measure(self, candidates: list[Candidate]) -> StoppedBy:
        """Run the models in random order."""
        self.warmup_runs, self.runs_per_round = CHECK_WARMUP_RUNS, self.timed_runs
        self.progress.expect(self.device.serial, None)
        for one in random.Random(self.options.seed).sample(candidates, len(candidates)):
            self.cool()
            self.begin(one)
            with self.tolerating(one):
                done = self._round(
                    self.purpose,
                    self._planned([one]),
                    self._setting_of(one),
                    self.warmup_runs,
                    runs_per_block=self.timed_runs,
                    activity=self.activity,
                )
                self.end(done)
        return "runs"
