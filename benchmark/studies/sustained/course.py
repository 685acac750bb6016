"""The course of a sustained run, from the spans of its record."""

from collections.abc import Sequence
from statistics import median

import numpy as np

from seaformer.benchmark.devices.heat import STATUS_NAMES
from seaformer.benchmark.measure.runner_session import LOWEST_SHARE_OF_CLOCK
from seaformer.benchmark.results.schema import ModelResult, Round
from seaformer.benchmark.runner.record import Span
from seaformer.benchmark.studies.sustained.sustained_results import (
    Moment,
    SteadyState,
    SustainedModel,
    Throttling,
)
from seaformer.statistics.steady_state import (
    batches,
    onset,
    summarize_batches,
    summarized,
)

SHORTEST_SHARE = 0.99
"""A run is complete if it lasted this share of the requested time, which need not be a multiple of
the duration of an inference."""


def course(
    model: ModelResult,
    rounds: Sequence[Round],
    sustain_s: float,
    frame_rate: float | None,
    seed: int,
) -> SustainedModel:
    """Summarize the sustained run of a model.

    Args:
        model: its results.
        rounds: all rounds of the benchmark.
        sustain_s: requested seconds.
        frame_rate: frames per second that arrived; None if inferences were back to back.
        seed: seed of the bootstrap.
    """
    runs = [one for one in rounds if one.purpose == "sustain" and one.spans]
    place = next((n for n, one in enumerate(runs) if one.spans[0].model == model.id), None)
    spans = () if place is None else runs[place].spans
    begin_ns = spans[0].started_ns if spans else 0
    ran_s = (spans[-1].ended_ns - begin_ns) / 1e9 if spans else 0.0
    return SustainedModel(
        id=model.id,
        file=model.file,
        title=model.label,
        place=None if place is None else place + 1,
        ran_s=ran_s,
        complete=place is not None and runs[place].complete and ran_s >= SHORTEST_SHARE * sustain_s,
        inferences=sum(len(span.durations_ns) for span in spans),
        first_ms=_median_ms(spans[0]) if spans else None,
        steady=_steady(spans, frame_rate, seed),
        arrived_frames=None if frame_rate is None or not spans else _arrived(spans),
        missed_frames=None if frame_rate is None or not spans else _missed(spans),
        throttling=_throttling(spans, begin_ns, frame_rate),
        reports_throttling=any(
            span.thermal_status is not None
            or (frame_rate is None and span.frequency_khz is not None)
            for span in spans
        ),
        wrong_output=model.is_wrong,
        problem=model.note if place is None else "",
        curve=tuple(_moment(span, begin_ns) for span in spans),
    )


def _moment(span: Span, begin_ns: int) -> Moment:
    return Moment(
        seconds=(span.ended_ns - begin_ns) / 1e9,
        inferences=len(span.durations_ns),
        median_ms=_median_ms(span),
        slowest_ms=max(span.durations_ns) / 1e6 if span.durations_ns else None,
        missed_frames=span.missed_frames,
        clock_khz=span.frequency_khz,
        temperature_c=span.temperature_c,
        thermal_status=span.thermal_status,
    )


def _median_ms(span: Span) -> float | None:
    return median(span.durations_ns) / 1e6 if span.durations_ns else None


def _steady(spans: Sequence[Span], frame_rate: float | None, seed: int) -> SteadyState | None:
    # The last span is shorter: its few inferences would have as much weight as those of others.
    whole = [span for span in spans[:-1] if span.durations_ns]
    first = onset([median(span.durations_ns) for span in whole])
    if first is None:
        return None
    steady = whole[summarized(len(whole)) :]
    times = [np.array(span.durations_ns, dtype=np.float64) / 1e6 for span in steady]
    return SteadyState(
        from_s=(whole[first].started_ns - spans[0].started_ns) / 1e9,
        times=summarize_batches(batches(times), seed),
        missed_share=None if frame_rate is None else _missed(steady) / _arrived(steady),
    )


def _arrived(spans: Sequence[Span]) -> int:
    return _missed(spans) + sum(len(span.durations_ns) for span in spans)


def _missed(spans: Sequence[Span]) -> int:
    return sum(span.missed_frames for span in spans)


def _throttling(
    spans: Sequence[Span], begin_ns: int, frame_rate: float | None
) -> Throttling | None:
    top_khz = 0
    for span in spans:
        at_s = (span.ended_ns - begin_ns) / 1e9
        if span.thermal_status:
            status = f"thermal status {span.thermal_status}"
            if span.thermal_status < len(STATUS_NAMES):
                status += f" ({STATUS_NAMES[span.thermal_status]})"
            return Throttling(at_s=at_s, evidence=status)
        khz = span.frequency_khz
        if khz is None or frame_rate is not None:
            continue
        top_khz = max(top_khz, khz)
        if khz < LOWEST_SHARE_OF_CLOCK * top_khz:
            fell = f"clock fell from {top_khz / 1e6:.2f} to {khz / 1e6:.2f} GHz"
            return Throttling(at_s=at_s, evidence=fell)
    return None
