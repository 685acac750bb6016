"""Energy on the terminal and as CSV."""

from statistics import median

from seaformer.benchmark.presentation.csv_text import csv_text, ends
from seaformer.benchmark.presentation.paper_table import NOT_MEASURED, WRONG
from seaformer.benchmark.studies.energy.energy_results import EnergyModel, EnergyResults
from seaformer.benchmark.studies.long_runs import print_long_runs
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, number, significant
from seaformer.statistics.bootstrap import Interval


def headings(results: EnergyResults) -> tuple[str, ...]:
    """Return the headings of the table, on the terminal and on the page."""
    unit = "emulated, NO ENERGY OF A DEVICE" if results.emulated else "mJ per inference [95 %]"
    return ("model", unit, "at rest W", "at work W", "rounds", "sensor period s", "resolution mA")


def cells(model: EnergyModel) -> tuple[str, ...]:
    """Return the cells of a model, after its name."""
    sensor = model.sensor
    known = (
        number(sensor.period_s if sensor else None, 2),
        NONE
        if sensor is None or sensor.resolution_ma is None
        else significant(sensor.resolution_ma),
    )
    if model.energy_mj is None:
        return (WRONG if model.wrong_output else NOT_MEASURED, NONE, NONE, NONE, *known)
    return (
        _energy(model.energy_mj, model.interval_mj),
        number(median(one.idle_mw for one in model.cycles) / 1e3, 2),
        number(median(one.active_mw for one in model.cycles) / 1e3, 2),
        str(len(model.cycles)),
        *known,
    )


def _energy(energy_mj: float, interval: Interval | None) -> str:
    text = significant(energy_mj)
    if interval is None:
        return text
    return f"{text} [{significant(interval.low)}, {significant(interval.high)}]"


def print_energy(console: Console, results: EnergyResults) -> None:
    """Print conditions, a row for each model, and caveats."""
    print_long_runs(
        console,
        results,
        headings(results),
        [(model.title, *cells(model)) for model in results.models],
        "The phone is emulated: this is not the energy of a device.",
        [(model.title, model.not_measurable) for model in results.models],
    )


def to_csv(results: EnergyResults) -> str:
    """Write a row for every model."""
    return csv_text(
        [
            {
                "model": one.file,
                "emulated": results.emulated,
                "energy_mj": one.energy_mj,
                **ends("energy", one.interval_mj, "_mj"),
                "cycles": len(one.cycles),
                "sensor_period_s": one.sensor and one.sensor.period_s,
                "sensor_resolution_ma": one.sensor and one.sensor.resolution_ma,
                "not_measurable": one.not_measurable,
                "wrong_output": one.wrong_output,
            }
            for one in results.models
        ]
    )
