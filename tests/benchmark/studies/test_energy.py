"""`seaformer-benchmark --energy` on an emulated phone whose true energy is known."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_parts import candidate, make_results, times_around
from loopback_phone.heat_model import COOL, RAILS, WarmPhone
from one_operator import write_small_model
from page_gallery import energy_rounds
from phone_benchmarks import assert_left_clean, benchmark

from seaformer.benchmark.runner.record import PowerSensors, Span
from seaformer.benchmark.studies.energy.consumption import consumption
from seaformer.benchmark.studies.energy.energy_results import EnergyModel, EnergyResults
from seaformer.statistics.bootstrap import Interval


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_small_model(tmp_path)


def energy(folder: Path) -> EnergyResults:
    return EnergyResults.model_validate_json((folder / "results/energy.json").read_text())


@pytest.mark.slow
def test_the_true_energy_of_an_inference_is_found(loopback_phone, model, tmp_path):
    loopback_phone.set_battery(is_charging=False)
    with WarmPhone(loopback_phone, COOL):
        ended = benchmark(tmp_path, model, "--energy", "5s")
    assert ended.status == 0, ended.errors
    assert_left_clean(loopback_phone)
    assert "emulated, NO ENERGY OF A DEVICE" in ended.output
    (one,) = energy(tmp_path).models
    assert one.interval_mj is not None
    assert one.interval_mj.low < COOL.active_w * COOL.inference_ms < one.interval_mj.high
    assert one.interval_mj.half_width < 8
    assert len(one.cycles) == 8
    assert one.sensor is not None
    assert one.sensor.unit == "uA"
    assert one.sensor.period_s == pytest.approx(0.25, rel=0.3)
    assert "The processor is emulated" in (tmp_path / "results/energy.html").read_text()


def assert_is_within(energy_mj: float, interval: Interval) -> None:
    """Check an interval of rails, which is narrow.

    Between two inferences, for less than 1 % of the time, the modeled core works too.
    """
    assert interval.low < 1.01 * energy_mj
    assert energy_mj < interval.high
    assert interval.half_width < 0.05 * energy_mj


@pytest.mark.slow
@pytest.mark.parametrize(
    ("battery", "rails"), [("service current", "kernel"), ("service charge", "service")]
)
def test_the_true_energy_is_found_where_the_kernel_refuses(
    loopback_phone, model, tmp_path, battery, rails
):
    """Android's service reports the current, or only the charge; and rails are read both ways."""
    loopback_phone.set_battery(is_charging=False)
    with WarmPhone(loopback_phone, COOL, battery, rails):
        ended = benchmark(tmp_path, model, "--energy", "10s")
    assert ended.status == 0, ended.errors
    assert_left_clean(loopback_phone)
    (one,) = energy(tmp_path).models
    true_mj = COOL.active_w * COOL.inference_ms
    assert one.interval_mj is not None
    assert one.interval_mj.low < true_mj < one.interval_mj.high
    assert one.interval_mj.half_width < 12
    assert one.sensor is not None
    assert one.sensor.source == "service"
    assert one.sensor.unit == ("uA" if battery == "service current" else "uAh")
    assert 0.9 < one.sensor.period_s < 2
    assert one.rails is not None
    assert one.rails.interval_mj is not None
    assert_is_within(0.95 * true_mj, one.rails.interval_mj)
    assert one.rails.sensor.source == rails
    found = {rail.name: rail for rail in one.rails.each}
    assert list(found) == ["S2M_VDD_CPUCL2", "S5S_VDDQ_MEM"]  # the third one is off
    for name, rail in found.items():
        assert rail.interval_mj is not None
        assert_is_within(RAILS[name][1] * true_mj, rail.interval_mj)
    assert "power rails" in ended.output


@pytest.mark.slow
def test_a_sensor_that_never_changes_gives_no_number(loopback_phone, model, tmp_path):
    """Neither the kernel nor the service reports a current, and the charge is the same."""
    loopback_phone.set_battery(is_charging=False)
    ended = benchmark(tmp_path, model, "--energy", "5s", "--time-limit", "200")
    assert ended.status == 1
    assert "not measurable: 0 samples" in ended.output
    assert energy(tmp_path).models[0].energy_mj is None


@pytest.mark.parametrize("percent", [80, 100])
def test_a_phone_that_is_connected_to_a_charger_is_refused(
    loopback_phone, model, tmp_path, percent
):
    loopback_phone.set_battery(percent=percent, is_charging=True)
    ended = benchmark(tmp_path, model, "--energy", "5s")
    assert ended.status == 1
    assert "is charging, or full and connected to a charger" in ended.error
    assert "adb tcpip 5555" in ended.error
    assert not (tmp_path / "results").exists()


def of_spans(spans: tuple[Span, ...], sensors: PowerSensors | None = None) -> EnergyModel:
    results = make_results([candidate(0, "a.tflite")], {"m0": times_around(20.0, 0)})
    run = results.rounds[0].model_copy(
        update={"purpose": "energy", "spans": spans, "sensors": sensors}
    )
    return consumption(results.models[0], [run], 0)


def test_the_energy_is_the_difference_of_work_and_rest() -> None:
    """3 W above rest, at 40 inferences per second: 75 mJ."""
    held = 0
    for seed in range(10):
        found = of_spans(energy_rounds("m0", seed=seed))
        assert found.interval_mj is not None
        assert found.interval_mj.half_width < 2
        held += found.interval_mj.low < 75.0 < found.interval_mj.high
    assert held >= 8  # of 10, at 95 %


def test_the_unit_of_the_driver_is_recognized() -> None:
    micro, milli = (of_spans(energy_rounds("m0", unit=unit)) for unit in (1.0, 1e-3))
    assert micro.sensor is not None
    assert milli.sensor is not None
    assert (micro.sensor.unit, milli.sensor.unit) == ("uA", "mA")
    assert milli.energy_mj == pytest.approx(micro.energy_mj, rel=0.01)
    assert micro.sensor.period_s == pytest.approx(0.5, rel=0.1)
    assert micro.cycles[0].idle_mw == pytest.approx(2000, rel=0.05)


def test_a_sensor_that_is_too_slow_gives_no_number() -> None:
    found = of_spans(energy_rounds("m0", period_s=5.0))
    assert found.energy_mj is None
    assert found.cycles == ()
    assert found.not_measurable.startswith("not measurable: 1 samples")


def test_a_battery_that_is_charged_in_between_gives_no_number() -> None:
    spans = energy_rounds("m0")
    plugged = tuple(replace(one, battery_current=400_000) for one in spans[-50:])
    found = of_spans((*spans[:-50], *plugged))
    assert found.energy_mj is None
    assert "changed its direction" in found.not_measurable


def test_a_cycle_that_was_cut_off_does_not_count() -> None:
    assert len(of_spans(energy_rounds("m0")[:-60]).cycles) == 7
    assert of_spans(energy_rounds("m0", cycles=1)[:-60]).not_measurable == (
        "no cycle of rest and work was complete"
    )


def test_a_battery_that_cannot_be_read_gives_no_number_but_the_reason() -> None:
    spans = tuple(
        replace(one, battery_current=None, battery_voltage=None) for one in energy_rounds("m0")
    )
    refused = "/sys/class/power_supply/battery/current_now: Permission denied"
    found = of_spans(spans, PowerSensors(None, refused, None, ()))
    assert found.energy_mj is None
    assert found.sensor is None
    assert found.not_measurable == (
        f"the current of the battery cannot be read ({refused}), and Android's battery service "
        "reports neither current nor charge"
    )


def test_rails_are_measured_also_without_a_battery() -> None:
    """As in the first test: 3 W above rest on all rails together, 2.4 W of them on the first."""
    spans = energy_rounds("m0", rails=True)
    spans = tuple(replace(one, battery_current=None, battery_voltage=None) for one in spans)
    names = ("S2M_VDD_CPUCL2", "S5S_VDDQ_MEM")
    found = of_spans(spans, PowerSensors(None, None, "kernel", names))
    assert found.energy_mj is None
    assert found.rails is not None
    assert found.rails.energy_mj == pytest.approx(75.0, rel=0.01)
    assert [one.name for one in found.rails.each] == list(names)
    assert [one.energy_mj for one in found.rails.each] == pytest.approx([60.0, 15.0], rel=0.01)


def test_a_charge_that_rises_gives_no_number() -> None:
    spans = tuple(
        replace(one, battery_current=None, battery_charge=3_000_000 + place)
        for place, one in enumerate(energy_rounds("m0"))
    )
    found = of_spans(spans, PowerSensors("service", "denied", None, ()))
    assert found.energy_mj is None
    assert "it was charged meanwhile" in found.not_measurable


def test_a_phone_that_sleeps_gives_no_number() -> None:
    spans = tuple(
        replace(one, asleep_ns=10**9 if place < 70 else 4 * 10**9)
        for place, one in enumerate(energy_rounds("m0", rails=True))
    )
    found = of_spans(spans, PowerSensors("kernel", None, "kernel", ("A", "B")))
    assert found.energy_mj is None
    assert found.rails is None
    assert found.not_measurable.startswith("the phone slept for 3.0 s meanwhile")
