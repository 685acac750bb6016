"""Energy: a model that runs and rests alternately, while the current of the battery is read."""

import random

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.device import Conditions
from seaformer.benchmark.measure.runner_session import (
    CHECK_WARMUP_RUNS,
    RunnerError,
    RunnerSession,
)
from seaformer.benchmark.results.schema import Results, StoppedBy
from seaformer.benchmark.runner.plan import PlannedActivity

CYCLES = 8
"""Rounds of rest and work of a model: enough for an interval."""

SAMPLE_S = 0.1
"""Time between two readings; sensors of batteries have new values every 0.25 to 30 s."""

WIRELESS = (
    "Unplug it and measure over wireless adb: 'adb tcpip 5555', 'adb connect ADDRESS:5555' with "
    "the address of the phone in the Wi-Fi, then --device ADDRESS:5555."
)


class EnergySession(RunnerSession):
    """A benchmark in which each model rests and runs alternately, each for `Options.energy_s`."""

    @property
    def limit_s(self) -> float:
        """The usual time limit, which covers cooling down, and the planned turns."""
        return self.options.time_limit_s + len(self.candidates) * self._activity.total_s

    @property
    def _activity(self) -> PlannedActivity:
        assert self.options.energy_s is not None
        return PlannedActivity(
            active_s=self.options.energy_s,
            idle_s=self.options.energy_s,
            cycles=CYCLES,
            sample_s=SAMPLE_S,
        )

    def run(self) -> Results:
        """Measure; raise RunnerError if the device does not discharge its battery."""
        self._require_discharging(self.device.conditions())
        return super().run()

    def _measure(self, candidates: list[Candidate]) -> StoppedBy:
        """Run the models in random order."""
        self.warmup_runs, self.runs_per_round = CHECK_WARMUP_RUNS, 1
        self.progress.expect(self.device.serial, None)
        for one in random.Random(self.options.seed).sample(candidates, len(candidates)):
            self.cool()
            self._require_discharging(self.conditions)
            seconds = self._activity.total_s
            self.progress.describe(
                self.device.serial, f"{one.path.name}: work and rest for {seconds:.0f} s"
            )
            with self.tolerating(one):
                done = self._round(
                    "energy",
                    self._planned([one]),
                    self._setting_of(one),
                    self.warmup_runs,
                    activity=self._activity,
                )
                assert done.conditions_after is not None
                self._require_discharging(done.conditions_after)
        return "runs"

    def _require_discharging(self, conditions: Conditions) -> None:
        if conditions.is_charging is None:
            raise RunnerError(
                f"{self.device} does not report whether it is charging, so its energy cannot be "
                "measured. Use a phone with a battery."
            )
        if conditions.is_charging:
            raise RunnerError(
                f"{self.device} is charging, so the current of its battery is not what it uses. "
                f"{WIRELESS}"
            )
