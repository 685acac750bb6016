"""The sensors of power that the runner finds in a folder like /sys."""

from pathlib import Path

import pytest
from rounds import add_probe, basic_plan, run_plan

from seaformer.benchmark.runner.plan import PlannedActivity
from seaformer.benchmark.runner.record import Record

# As Pixel phones print it (parseEnergyContents of IioEnergyMeterDataProvider.cpp), and an older
# version of them.
METER = "t=349894\nCH0(T=349894)[S10M_VDD_TPU], 5578756\nCH3(T=349894)[S2M_VDD_CPUCL2], 30203502\n"
OLD_METER = "351223\nVSYS_PWR_MODEM,29110940\n"


def record_of(folder: Path, sysfs: Path) -> Record:
    plan = basic_plan(
        "litert",
        add_probe(folder, "litert"),
        sysfs=str(sysfs),
        blocks=1,
        activity=PlannedActivity(active_s=0.01, idle_s=0.01, sample_s=0.005),
    )
    record = run_plan(folder, plan).record
    assert record.complete, record.problem
    return record


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_battery_and_the_rails_are_read_from_the_kernel(tmp_path: Path) -> None:
    sysfs = tmp_path / "sys"
    for name, text in {
        "type": "Battery",
        "current_now": "-350000",
        "voltage_now": "4100000",
    }.items():
        write(sysfs / "class/power_supply/bms" / name, f"{text}\n")
    write(sysfs / "bus/iio/devices/iio:device0/energy_value", METER)
    write(sysfs / "bus/iio/devices/iio:device3/energy_value", OLD_METER)
    record = record_of(tmp_path, sysfs)
    sensors = record.sensors
    assert sensors is not None
    assert (sensors.battery, sensors.refused, sensors.rails_from) == ("kernel", None, "kernel")
    assert sensors.rails == ("S10M_VDD_TPU", "S2M_VDD_CPUCL2", "VSYS_PWR_MODEM")
    for span in record.spans:
        assert (span.battery_current, span.battery_voltage) == (-350_000, 4_100_000)
        assert span.rails_uws == (5_578_756, 30_203_502, 29_110_940)
        assert span.rails_ms == (349_894, 349_894, 351_223)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda supply: write(supply / "type", "Mains\n"), "has no battery"),
        (lambda supply: write(supply / "type", "Battery\n"), "current_now: No such file"),
        (
            lambda supply: (write(supply / "type", "Battery\n"), (supply / "current_now").mkdir()),
            "current_now: Is a directory",
        ),
        (lambda supply: supply, "power_supply: No such file"),
    ],
)
def test_why_the_battery_cannot_be_read_is_stated(make, reason: str, tmp_path: Path) -> None:
    make(tmp_path / "sys/class/power_supply/usb")
    sensors = record_of(tmp_path, tmp_path / "sys").sensors
    assert sensors is not None
    assert (sensors.battery, sensors.rails_from, sensors.rails) == (None, None, ())
    assert reason in sensors.refused
