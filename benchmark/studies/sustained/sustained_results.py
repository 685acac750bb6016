"""Results of `seaformer-benchmark --sustain` as a JSON object.

All inferences and readings are in the results.json next to it. As there, a time from an emulated
processor is not a latency.
"""

from seaformer.benchmark.results.base import FrozenModel, LongRunsDocument
from seaformer.statistics.bootstrap import Summary

STEM = "sustained"
"""Name of the files without .json, .csv or .html."""


class Moment(FrozenModel):
    """About a second of a sustained run.

    Attributes:
        seconds: time from the start of the run to its end.
        inferences: number of inferences that ended in it.
        median_ms: their median time; null without inferences. Not a latency if the device is
            emulated, like `slowest_ms`.
        slowest_ms: the longest of their times.
        missed_frames: frames that were not processed.
        clock_khz: clock of the processor at its end; null if unknown.
        temperature_c: temperature of the hottest sensor of the processor; null if unknown.
        thermal_status: Android's thermal status, 0 to 6; null if unknown.
    """

    seconds: float
    inferences: int
    median_ms: float | None
    slowest_ms: float | None
    missed_frames: int
    clock_khz: int | None
    temperature_c: float | None
    thermal_status: int | None


class SteadyState(FrozenModel):
    """The part of a run in which the latency no longer changes.

    Attributes:
        from_s: its start, in seconds since the start of the run.
        times: summary of the inferences in the second half of the run; its `rounds` are batches of
            consecutive seconds. Not a latency if the device is emulated.
        missed_share: share of the frames that were missed in the second half, 0..1; null without a
            frame rate.
    """

    from_s: float
    times: Summary
    missed_share: float | None


class Throttling(FrozenModel):
    """The first moment at which the device throttled, in seconds, and the evidence."""

    at_s: float
    evidence: str


class SustainedModel(FrozenModel):
    """The sustained run of a model.

    Attributes:
        id: id of the model in results.json.
        file: path of the file, as it was given.
        title: display name.
        place: chronological number of its run, from 1; null if it did not run.
        ran_s: how long it ran, in seconds.
        complete: whether it ran as long as requested.
        inferences: number of inferences.
        first_ms: median time in its first second, on a cool device; null without inferences.
        steady: null if no steady state was reached.
        arrived_frames: frames that arrived; null without a frame rate.
        missed_frames: frames that were not processed; null without a frame rate.
        throttling: null if it did not throttle, or if that cannot be known.
        reports_throttling: whether the device reports its clock or its thermal status. With a
            frame rate, only the thermal status counts: the clock also falls because of pauses.
        wrong_output: whether its output differs from the reference, so that it was not measured.
        problem: why it did not run, or not to the end; may be empty.
        curve: latency and state of the device over time.
    """

    id: str
    file: str
    title: str
    place: int | None
    ran_s: float
    complete: bool
    inferences: int
    first_ms: float | None
    steady: SteadyState | None
    arrived_frames: int | None
    missed_frames: int | None
    throttling: Throttling | None
    reports_throttling: bool
    wrong_output: bool
    problem: str
    curve: tuple[Moment, ...]

    @property
    def slowdown(self) -> float | None:
        """Steady-state median over the median of the first second."""
        if self.steady is None or not self.first_ms:
            return None
        return self.steady.times.median_ms / self.first_ms


class SustainedResults(LongRunsDocument):
    """Results of sustained runs.

    Attributes:
        sustain_s: requested seconds for each model.
        frame_rate: frames per second that arrived; null if the inferences were back to back.
        models: the models, in the order they were given.
    """

    sustain_s: float
    frame_rate: float | None
    models: tuple[SustainedModel, ...]
