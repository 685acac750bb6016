"""Power from readings of sensors that are known."""

import pytest

from seaformer.benchmark.runner.record import Span
from seaformer.benchmark.studies.energy.gauges import AllRailsGauge, ChargeGauge, RailGauge

REST_W, WORK_W = 2.0, 5.0
VOLT = 4.0


def counted(
    seconds: float = 30.0, sample_s: float = 0.1, period_s: float = 1.0, watt: float = WORK_W
) -> list[Span]:
    """Return spans of a phone that uses a power; its counters have a value every `period_s`."""
    spans = []
    for index in range(round(seconds / sample_s)):
        ended_s = (index + 1) * sample_s
        joule = watt * (ended_s // period_s * period_s)
        spans.append(
            Span(
                model="m0", index=index, cycle=0, is_idle=False,
                started_ns=round(1e9 * index * sample_s), ended_ns=round(1e9 * ended_s),
                durations_ns=(), missed_frames=0, frequency_khz=None, temperature_c=None,
                thermal_status=None, battery_current=None, battery_voltage=round(1000 * VOLT),
                battery_charge=3_000_000 - round(joule / VOLT / 3.6e-3),
                rails_uws=(round(0.8e6 * joule), 7, round(0.1e6 * joule)),
                rails_ms=(round(1000 * (ended_s // period_s * period_s)),) * 3,
            )
        )  # fmt: skip
    return spans


def test_the_power_from_a_charge_is_its_slope() -> None:
    spans = counted()
    gauge = ChargeGauge.of(spans)
    assert gauge.volt == VOLT
    assert gauge.unit == "uAh"
    assert gauge.power_mw(spans) == pytest.approx(1000 * WORK_W, rel=0.005)
    # Whole periods count: the time before the first new value, and after the last one, does not.
    assert gauge.power_mw(spans[13:-7]) == pytest.approx(1000 * WORK_W, rel=0.005)
    assert gauge.new_values(spans) == 30
    assert gauge.period_s(spans) == pytest.approx(1.0)
    assert gauge.step(spans) == pytest.approx(1e6 * WORK_W / VOLT / 3600, rel=0.01)


def test_the_power_of_rails_is_by_their_own_clock() -> None:
    spans = counted(period_s=0.7)
    assert RailGauge(0).power_mw(spans) == pytest.approx(800 * WORK_W, rel=0.005)
    assert RailGauge(2).power_mw(spans) == pytest.approx(100 * WORK_W, rel=0.005)
    assert AllRailsGauge().power_mw(spans) == pytest.approx(900 * WORK_W, rel=0.005)
    assert RailGauge(1).new_values(spans) == 0  # it is off
