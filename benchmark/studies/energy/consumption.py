"""Energy of an inference, from readings of the battery during rest and work."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from seaformer.benchmark.results.schema import ModelResult, Round
from seaformer.benchmark.runner.record import Span
from seaformer.benchmark.studies.energy.energy_results import Cycle, EnergyModel, Sensor
from seaformer.statistics.bootstrap import interval_of_medians

SETTLING = 0.2
"""Share of every phase that is omitted at its start: sensors lag, and clocks settle."""

MIN_SAMPLES = 5
"""Minimum number of new values of the sensor in a phase of rest or work."""

LEAST_UA = 20_000
"""A phone that is on draws more than 20 mA: a driver with smaller values reports mA instead of the
kernel's unit, microamperes."""

LEAST_UV = 100_000
"""A driver with smaller values reports mV instead of microvolts: batteries have 3 to 9 V."""


@dataclass(frozen=True)
class _Phase:
    """The evaluated spans of a phase of rest or work."""

    spans: Sequence[Span]

    @property
    def seconds(self) -> float:
        return (self.spans[-1].ended_ns - self.spans[0].started_ns) / 1e9

    @property
    def inferences(self) -> int:
        return sum(len(span.durations_ns) for span in self.spans)

    @property
    def new_values(self) -> int:
        return _new_values(self.spans)

    def power_mw(self, unit_ua: float) -> float:
        """Mean power, with every span weighted by its length."""
        powers, lengths = [], []
        for span in self.spans:
            if span.battery_current is not None and span.battery_voltage is not None:
                volt = span.battery_voltage / (1e6 if span.battery_voltage >= LEAST_UV else 1e3)
                powers.append(abs(span.battery_current) * unit_ua * volt / 1e3)
                lengths.append(span.ended_ns - span.started_ns)
        return float(np.average(powers, weights=lengths))


def consumption(model: ModelResult, rounds: Sequence[Round], seed: int) -> EnergyModel:
    """Compute the energy of a model.

    Args:
        model: its results.
        rounds: all rounds of the benchmark.
        seed: seed of the bootstrap.
    """
    runs = [
        one.spans
        for one in rounds
        if one.purpose == "energy" and one.spans and one.spans[0].model == model.id
    ]
    spans = runs[0] if runs else ()
    phases = _phases(spans)
    sensor, why = None, model.note or "it did not run"
    cycles: tuple[Cycle, ...] = ()
    if spans:
        known = [one for one in spans if one.battery_current is not None]
        if not known:
            why = (
                "the current of the battery cannot be read in /sys/class/power_supply: it has no "
                "sensor, or permission is denied"
            )
        elif any(one.battery_voltage is None for one in known):
            why = "the voltage of the battery cannot be read in /sys/class/power_supply"
        elif len({one.battery_current > 0 for one in known if one.battery_current}) == 2:
            why = "the current changed its direction: the battery was charged in the meantime"
        else:
            sensor = _sensor(spans, phases)
            fewest = sensor.fewest_samples
            if not phases:
                why = "no cycle of rest and work was complete"
            elif fewest < MIN_SAMPLES:
                why = (
                    f"not measurable: {fewest} samples. The sensor has too few new values; give "
                    "longer phases, such as --energy 2m"
                )
            else:
                why, cycles = "", tuple(_cycle(*both, sensor) for both in phases)
    values = [np.array([one.energy_mj]) for one in cycles]
    return EnergyModel(
        id=model.id,
        file=model.file,
        title=model.label,
        energy_mj=median(one.energy_mj for one in cycles) if cycles else None,
        interval_mj=interval_of_medians([values], lambda medians: medians, seed)
        if cycles
        else None,
        sensor=sensor,
        cycles=cycles,
        not_measurable="" if model.is_wrong else why,
        wrong_output=model.is_wrong,
    )


def _phases(spans: Sequence[Span]) -> list[tuple[_Phase, _Phase]]:
    """Return the two phases of every complete cycle, rest and work, without their settling time."""
    both: dict[int, dict[bool, list[Span]]] = {}
    for span in spans:
        both.setdefault(span.cycle, {True: [], False: []})[span.is_idle].append(span)
    last = max(both, default=0)
    found = []
    for cycle, parts in both.items():
        # The last work phase may be incomplete; then it is short.
        is_cut = cycle == last and _seconds(parts[False]) < 0.9 * _seconds(parts[True])
        if parts[True] and parts[False] and not is_cut:
            found.append((_Phase(_settled(parts[True])), _Phase(_settled(parts[False]))))
    return found


def _seconds(spans: Sequence[Span]) -> float:
    return (spans[-1].ended_ns - spans[0].started_ns) / 1e9 if spans else 0.0


def _settled(spans: Sequence[Span]) -> Sequence[Span]:
    first_ns, last_ns = spans[0].started_ns, spans[-1].ended_ns
    from_ns = first_ns + SETTLING * (last_ns - first_ns)
    return [span for span in spans if span.started_ns >= from_ns] or spans[-1:]


def _new_values(spans: Sequence[Span]) -> int:
    return sum(one.battery_current != other.battery_current for one, other in pairwise(spans))


def _sensor(spans: Sequence[Span], phases: Sequence[tuple[_Phase, _Phase]]) -> Sensor:
    values = sorted({span.battery_current for span in spans if span.battery_current is not None})
    is_milli = median(map(abs, values)) < LEAST_UA
    changes = _new_values(spans)
    steps = [other - one for one, other in pairwise(values)]
    return Sensor(
        period_s=_seconds(spans) / changes if changes else None,
        resolution_ma=min(steps) / (1 if is_milli else 1e3) if steps else None,
        fewest_samples=min((one.new_values for both in phases for one in both), default=0),
        unit="mA" if is_milli else "uA",
    )


def _cycle(rest: _Phase, work: _Phase, sensor: Sensor) -> Cycle:
    unit_ua = 1e3 if sensor.unit == "mA" else 1.0
    # Microamperes times volts are microwatts.
    idle_mw, active_mw = rest.power_mw(unit_ua), work.power_mw(unit_ua)
    return Cycle(
        idle_mw=idle_mw,
        active_mw=active_mw,
        inferences=work.inferences,
        energy_mj=(active_mw - idle_mw) * work.seconds / work.inferences,
    )
