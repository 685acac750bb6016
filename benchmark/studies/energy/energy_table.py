"""Energy on the terminal and as CSV."""

from statistics import median

from rich.table import Table
from rich.text import Text

from seaformer.benchmark.presentation.csv_text import csv_text, ends
from seaformer.benchmark.presentation.paper_table import NOT_MEASURED, WRONG
from seaformer.benchmark.studies.energy.energy_results import (
    EnergyModel,
    EnergyResults,
    Rails,
    Sensor,
)
from seaformer.benchmark.studies.long_runs import print_long_runs
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, number, significant
from seaformer.statistics.bootstrap import Interval

ALL_RAILS = "all rails"


def headings(results: EnergyResults) -> tuple[str, ...]:
    """Return the headings of the table, on the terminal and on the page."""
    return (
        "model",
        unit(results),
        "at rest W",
        "at work W",
        "rounds",
        "sensor",
        "its period s",
        "its resolution",
    )


def unit(results: EnergyResults) -> str:
    """Return the heading of energies."""
    return "emulated, NO ENERGY OF A DEVICE" if results.emulated else "mJ per inference [95 %]"


def cells(model: EnergyModel) -> tuple[str, ...]:
    """Return the cells of a model, after its name."""
    known = _sensor(model.sensor)
    if model.energy_mj is None:
        return (WRONG if model.wrong_output else NOT_MEASURED, NONE, NONE, NONE, *known)
    return (
        _energy(model.energy_mj, model.interval_mj),
        number(median(one.idle_mw for one in model.cycles) / 1e3, 2),
        number(median(one.active_mw for one in model.cycles) / 1e3, 2),
        str(len(model.cycles)),
        *known,
    )


def rail_cells(rails: Rails) -> list[tuple[str, str]]:
    """Return the name of each rail, all together first, and its energy."""
    if rails.energy_mj is None:
        return [(ALL_RAILS, NOT_MEASURED)]
    return [
        (ALL_RAILS, _energy(rails.energy_mj, rails.interval_mj)),
        *((one.name, _energy(one.energy_mj, one.interval_mj)) for one in rails.each),
    ]


def _sensor(sensor: Sensor | None) -> tuple[str, str, str]:
    if sensor is None:
        return NONE, NONE, NONE
    step = sensor.resolution
    return (
        sensor.title,
        number(sensor.period_s, 2),
        NONE if step is None else f"{significant(step)} {sensor.unit}",
    )


def _energy(energy_mj: float, interval: Interval | None) -> str:
    text = significant(energy_mj)
    if interval is None:
        return text
    return f"{text} [{significant(interval.low)}, {significant(interval.high)}]"


def print_energy(console: Console, results: EnergyResults) -> None:
    """Print conditions, a row for each model, power rails, and caveats."""
    print_long_runs(
        console,
        results,
        headings(results),
        [(model.title, *cells(model)) for model in results.models],
        "The phone is emulated: this is not the energy of a device.",
        [(model.title, model.not_measurable) for model in results.models],
    )
    for model in results.models:
        if model.rails is not None:
            period, step = _sensor(model.rails.sensor)[1:]
            console.print(
                f"{model.title} on power rails ({model.rails.sensor.source}, period {period} s, "
                f"resolution {step}):",
                soft_wrap=True,
            )
            table = Table(box=None, pad_edge=False)
            table.add_column("rail", overflow="fold")
            table.add_column(unit(results), justify="right")
            for name, energy in rail_cells(model.rails):
                table.add_row(Text(name), energy)
            console.print(table)
            if model.rails.not_measurable:
                console.print(f"power rails: {model.rails.not_measurable}", soft_wrap=True)


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
                "sensor": one.sensor and one.sensor.title,
                "sensor_period_s": one.sensor and one.sensor.period_s,
                "sensor_resolution_ma": one.sensor and one.sensor.resolution_ma,
                "not_measurable": one.not_measurable,
                "wrong_output": one.wrong_output,
                "rails_energy_mj": one.rails and one.rails.energy_mj,
                **ends("rails_energy", one.rails.interval_mj if one.rails else None, "_mj"),
            }
            for one in results.models
        ]
    )
