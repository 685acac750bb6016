"""Energy of an inference, from readings of sensors during rest and work."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from seaformer.benchmark.devices.power import STAY_AWAKE
from seaformer.benchmark.results.rounds import ASLEEP_S, slept_s
from seaformer.benchmark.results.schema import ModelResult, Round
from seaformer.benchmark.runner.record import PowerSensors, Span
from seaformer.benchmark.studies.energy.energy_results import (
    Cycle,
    EnergyModel,
    RailEnergy,
    Rails,
    Sensor,
)
from seaformer.benchmark.studies.energy.gauges import (
    AllRailsGauge,
    ChargeGauge,
    CurrentGauge,
    Gauge,
    RailGauge,
)
from seaformer.statistics.bootstrap import Interval, interval_of_medians

SETTLING = 0.2
"""Share of every phase that is omitted at its start: sensors lag, and clocks settle."""

MIN_SAMPLES = 5
"""Minimum number of new values of the sensor in a phase of rest or work."""

_NO_SENSORS = PowerSensors("kernel", None, None, ())
"""Of results of earlier versions, which read the kernel's files only."""


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


_Phases = Sequence[tuple[_Phase, _Phase]]
"""Rest and work of every complete cycle."""


def consumption(model: ModelResult, rounds: Sequence[Round], seed: int) -> EnergyModel:
    """Compute the energy of a model.

    Args:
        model: its results.
        rounds: all rounds of the benchmark.
        seed: seed of the bootstrap.
    """
    runs = [
        one
        for one in rounds
        if one.purpose == "energy" and one.spans and one.spans[0].model == model.id
    ]
    spans = runs[0].spans if runs else ()
    sensors = (runs[0].sensors if runs else None) or _NO_SENSORS
    phases = _phases(spans)
    sensor, why, rails = None, model.note or "it did not run", None
    cycles: tuple[Cycle, ...] = ()
    if spans:
        gauge, why = _battery(spans, sensors)
        if (asleep := slept_s(spans)) > ASLEEP_S:
            gauge = None
            why = f"the phone slept for {asleep:.1f} s meanwhile. {STAY_AWAKE.rstrip('.')}"
        if gauge is not None:
            sensor, why, cycles = _measured(gauge, sensors.battery, spans, phases)
        if asleep <= ASLEEP_S:
            rails = _rails(sensors, spans, phases, seed)
    return EnergyModel(
        id=model.id,
        file=model.file,
        title=model.label,
        energy_mj=median(one.energy_mj for one in cycles) if cycles else None,
        interval_mj=_interval(cycles, seed),
        sensor=sensor,
        cycles=cycles,
        not_measurable="" if model.is_wrong else why,
        wrong_output=model.is_wrong,
        rails=rails,
    )


def _battery(spans: Sequence[Span], sensors: PowerSensors) -> tuple[Gauge | None, str]:
    """Return the sensor of the battery, or None and the reason."""
    currents = [one.battery_current for one in spans if one.battery_current is not None]
    charges = [one.battery_charge for one in spans if one.battery_charge is not None]
    if not currents and not charges:
        return None, _no_battery(sensors)
    known = [one for one in spans if (one.battery_current, one.battery_charge) != (None, None)]
    if any(one.battery_voltage is None for one in known):
        return None, "the voltage of the battery cannot be read"
    if currents:
        if len({current > 0 for current in currents if current}) == 2:
            return None, "the current changed its direction: the battery was charged meanwhile"
        return CurrentGauge.of(spans), ""
    if any(later > earlier for earlier, later in pairwise(charges)):
        return None, "the charge of the battery rose: it was charged meanwhile"
    return ChargeGauge.of(spans), ""


def _no_battery(sensors: PowerSensors) -> str:
    refused = sensors.refused or "/sys/class/power_supply has no current"
    return (
        f"the current of the battery cannot be read ({refused}), and Android's battery service "
        "reports neither current nor charge"
    )


def _measured(
    gauge: Gauge, source: str | None, spans: Sequence[Span], phases: _Phases
) -> tuple[Sensor, str, tuple[Cycle, ...]]:
    """Return the sensor as observed, and all cycles, or the reason why there are none."""
    fewest = min(
        (max(0, gauge.new_values(one.spans) - gauge.intervals) for both in phases for one in both),
        default=0,
    )
    step = gauge.step(spans)
    sensor = Sensor(
        source="service" if source == "service" else "kernel",
        period_s=gauge.period_s(spans),
        resolution_ma=step and step / (1 if gauge.unit == "mA" else 1e3)
        if isinstance(gauge, CurrentGauge)
        else None,
        resolution=step,
        fewest_samples=fewest,
        unit=gauge.unit,
    )
    if not phases:
        return sensor, "no cycle of rest and work was complete", ()
    if fewest < MIN_SAMPLES:
        why = (
            f"not measurable: {fewest} samples. The sensor has too few new values; make rest and "
            "work longer, such as --energy 2m"
        )
        return sensor, why, ()
    return sensor, "", tuple(_cycle(*both, gauge) for both in phases)


def _rails(
    sensors: PowerSensors, spans: Sequence[Span], phases: _Phases, seed: int
) -> Rails | None:
    """Compute the energy on the power rails; None if there are none."""
    names = sensors.rails
    if not names or any(len(span.rails_uws) != len(names) for span in spans):
        return None
    sensor, why, cycles = _measured(AllRailsGauge(), sensors.rails_from, spans, phases)
    each = []
    for place, name in enumerate(names):
        # A rail that is off never changes.
        _, _, own = _measured(RailGauge(place), sensors.rails_from, spans, phases)
        if cycles and own:
            energy = median(one.energy_mj for one in own)
            each.append(RailEnergy(name=name, energy_mj=energy, interval_mj=_interval(own, seed)))
    return Rails(
        energy_mj=median(one.energy_mj for one in cycles) if cycles else None,
        interval_mj=_interval(cycles, seed),
        sensor=sensor,
        not_measurable=why,
        each=tuple(sorted(each, key=lambda one: -one.energy_mj)),
    )


def _interval(cycles: Sequence[Cycle], seed: int) -> Interval | None:
    values = [np.array([one.energy_mj]) for one in cycles]
    return interval_of_medians([values], lambda medians: medians, seed) if cycles else None


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


def _cycle(rest: _Phase, work: _Phase, gauge: Gauge) -> Cycle:
    idle_mw, active_mw = gauge.power_mw(rest.spans), gauge.power_mw(work.spans)
    return Cycle(
        idle_mw=idle_mw,
        active_mw=active_mw,
        inferences=work.inferences,
        energy_mj=(active_mw - idle_mw) * work.seconds / work.inferences,
    )
