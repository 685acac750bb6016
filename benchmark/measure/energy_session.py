"""Energy: a model with alternating phases of rest and work, while the battery's current is read."""

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.device import Conditions
from seaformer.benchmark.measure.long_session import LongSession
from seaformer.benchmark.measure.runner_session import RunnerError
from seaformer.benchmark.results.schema import Results, Round
from seaformer.benchmark.runner.plan import PlannedActivity

CYCLES = 8
"""Cycles of rest and work of a model: enough for an interval."""

SAMPLE_S = 0.1
"""Time between two readings; sensors of batteries have new values every 0.25 to 30 s."""

WIRELESS = (
    "Unplug it and measure over wireless adb: 'adb tcpip 5555', 'adb connect ADDRESS:5555' with "
    "the phone's Wi-Fi address, then --device ADDRESS:5555."
)


class EnergySession(LongSession):
    """A benchmark in which each model has phases of rest and work, of `Options.energy_s` each."""

    purpose = "energy"

    @property
    def activity(self) -> PlannedActivity:
        """Rest and work of the same length."""
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

    def begin(self, candidate: Candidate) -> None:
        """Check that the battery discharges."""
        self._require_discharging(self.conditions)
        seconds = self.activity.total_s
        self.progress.describe(
            self.device.serial, f"{candidate.path.name}: work and rest for {seconds:.0f} s"
        )

    def end(self, done: Round) -> None:
        """Check that the battery still discharges."""
        assert done.conditions_after is not None
        self._require_discharging(done.conditions_after)

    def _require_discharging(self, conditions: Conditions) -> None:
        if conditions.is_charging is None:
            raise RunnerError(
                f"{self.device} does not report whether it is charging, so its energy cannot be "
                "measured. Use a phone with a battery."
            )
        if conditions.is_charging:
            raise RunnerError(
                f"{self.device} is charging, or full and connected to a charger, so its "
                f"battery's current is not its consumption. {WIRELESS}"
            )
