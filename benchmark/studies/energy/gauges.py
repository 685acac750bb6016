"""Sensors of power, and the mean power that they report over a phase of rest or work.

A battery reports its current, or only its charge; power rails report the energy that they have used
so far. A sensor is read more often than it has new values, so values repeat.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from seaformer.benchmark.runner.record import Span

LEAST_UA = 20_000
"""A phone that is on draws more than 20 mA: a driver with smaller values reports mA instead of the
kernel's unit, microamperes."""

LEAST_UV = 100_000
"""A driver with smaller values reports mV instead of microvolts: batteries have 3 to 9 V."""

_MJ_PER_UAH_VOLT = 3.6
"""Millijoules of a microampere-hour at one volt."""


class Gauge(ABC):
    """A sensor as it was read in a run."""

    @abstractmethod
    def value(self, span: Span) -> int | None:
        """Return its reading at the end of a span; None if it could not be read."""

    @abstractmethod
    def power_mw(self, spans: Sequence[Span]) -> float:
        """Return the mean power over spans that have enough new values."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """Return the unit of its values."""

    @property
    @abstractmethod
    def intervals(self) -> int:
        """Number of new values that only start an interval: 1 for counters, 0 for currents."""

    def new_values(self, spans: Sequence[Span]) -> int:
        """Return the number of new values in spans."""
        return sum(one != other for one, other in pairwise(map(self.value, spans)))

    def period_s(self, spans: Sequence[Span]) -> float | None:
        """Return the mean time between two new values; None if there were none."""
        changes = self.new_values(spans)
        seconds = (spans[-1].ended_ns - spans[0].started_ns) / 1e9
        return seconds / changes if changes else None

    def step(self, spans: Sequence[Span]) -> int | None:
        """Return the smallest difference of two values, in `unit`; None if there was only one."""
        values = sorted({value for span in spans if (value := self.value(span)) is not None})
        return min((other - one for one, other in pairwise(values)), default=None)


@dataclass(frozen=True)
class CurrentGauge(Gauge):
    """The current of the battery; `is_milli` is whether its values are in mA."""

    is_milli: bool

    @classmethod
    def of(cls, spans: Sequence[Span]) -> "CurrentGauge":
        """Recognize the unit of the readings, of which there is at least one."""
        known = [abs(one.battery_current) for one in spans if one.battery_current is not None]
        return cls(median(known) < LEAST_UA)

    unit = property(lambda self: "mA" if self.is_milli else "uA")
    intervals = 0

    def value(self, span: Span) -> int | None:
        """Return the current, in its unit."""
        return span.battery_current

    def power_mw(self, spans: Sequence[Span]) -> float:
        """Return the mean of current times voltage, with every span weighted by its length."""
        powers, lengths = [], []
        unit_ua = 1e3 if self.is_milli else 1.0
        for span in spans:
            volt = _volt(span)
            if span.battery_current is not None and volt is not None:
                # Microamperes times volts are microwatts.
                powers.append(abs(span.battery_current) * unit_ua * volt / 1e3)
                lengths.append(span.ended_ns - span.started_ns)
        return float(np.average(powers, weights=lengths))


class CounterGauge(Gauge):
    """A value that counts energy; its power is between the first and the last new value."""

    intervals = 1

    @abstractmethod
    def millijoule(self, span: Span) -> float:
        """Return the energy used so far, up to a constant."""

    @abstractmethod
    def seconds(self, span: Span) -> float:
        """Return when the value was measured."""

    def power_mw(self, spans: Sequence[Span]) -> float:
        """Return the difference of the first and the last new value over the time between them."""
        new = [other for one, other in pairwise(spans) if self.value(one) != self.value(other)]
        first, last = new[0], new[-1]
        used_mj = self.millijoule(last) - self.millijoule(first)
        return used_mj / (self.seconds(last) - self.seconds(first))


@dataclass(frozen=True)
class ChargeGauge(CounterGauge):
    """The charge of the battery, as its fuel gauge counts it; `volt` is the mean voltage."""

    volt: float

    @classmethod
    def of(cls, spans: Sequence[Span]) -> "ChargeGauge":
        """Take the voltage from the spans."""
        return cls(float(np.mean([volt for one in spans if (volt := _volt(one)) is not None])))

    unit = "uAh"

    def value(self, span: Span) -> int | None:
        """Return the charge."""
        return span.battery_charge

    def millijoule(self, span: Span) -> float:
        """Return the charge as energy; it falls while the battery is used."""
        return -(span.battery_charge or 0) * self.volt * _MJ_PER_UAH_VOLT

    def seconds(self, span: Span) -> float:
        """Return when the span ended."""
        return span.ended_ns / 1e9


@dataclass(frozen=True)
class RailGauge(CounterGauge):
    """The energy of one power rail, by its index."""

    rail: int

    unit = "uWs"

    def value(self, span: Span) -> int | None:
        """Return the energy."""
        return span.rails_uws[self.rail]

    def millijoule(self, span: Span) -> float:
        """Return the energy."""
        return span.rails_uws[self.rail] / 1e3

    def seconds(self, span: Span) -> float:
        """Return the time of the sensor."""
        return span.rails_ms[self.rail] / 1e3


@dataclass(frozen=True)
class AllRailsGauge(CounterGauge):
    """The energy of all power rails together."""

    unit = "uWs"

    def value(self, span: Span) -> int | None:
        """Return the sum."""
        return sum(span.rails_uws)

    def millijoule(self, span: Span) -> float:
        """Return the sum."""
        return sum(span.rails_uws) / 1e3

    def seconds(self, span: Span) -> float:
        """Return the mean of their times: meters of several chips are read one after another."""
        return sum(span.rails_ms) / len(span.rails_ms) / 1e3


def _volt(span: Span) -> float | None:
    if span.battery_voltage is None:
        return None
    return span.battery_voltage / (1e6 if span.battery_voltage >= LEAST_UV else 1e3)
