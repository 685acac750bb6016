"""The page of energy: millijoules per inference, and every cycle of rest and work."""

from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.studies.energy.energy_results import EnergyModel, EnergyResults, Rails
from seaformer.benchmark.studies.energy.energy_table import (
    cells,
    headings,
    rail_cells,
    unit,
)
from seaformer.reporting.numbers import significant
from seaformer.reporting.page import Command, Page


@dataclass(frozen=True)
class EnergyPage(Page, template="energy.html"):
    """The page of energy: headings of its table, models with cells, and rails."""

    results: EnergyResults
    headings: tuple[str, ...]
    rows: list[tuple[EnergyModel, tuple[str, ...]]]
    unit: str
    rails: list[tuple[EnergyModel, list[tuple[str, str]]]]


def write_energy_page(path: Path, results: EnergyResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    page = EnergyPage(
        verdict=verdict(results),
        commands=[Command(results.command)],
        results=results,
        headings=headings(results),
        rows=[(model, cells(model)) for model in results.models],
        unit=unit(results),
        rails=[
            (model, rail_cells(model.rails)) for model in results.models if model.rails is not None
        ],
    )
    page.write(path)


def verdict(results: EnergyResults) -> list[str]:
    """State the energy of each model, or why it has none."""
    if results.emulated:
        return ["No energy can be stated: the phone is emulated."]
    return [
        *([_of_model(model) for model in results.models] or ["No model ran."]),
        *(_on_rails(model.title, model.rails) for model in results.models if model.rails),
    ]


def _of_model(model: EnergyModel) -> str:
    if model.wrong_output:
        return f"{model.title} has a wrong output."
    if model.energy_mj is None:
        return f"No energy can be stated for {model.title}: {model.not_measurable}."
    interval = model.interval_mj
    text = f"An inference of {model.title} takes {significant(model.energy_mj)} mJ above rest"
    if interval is None:
        return f"{text}; there were too few rounds for an interval."
    return f"{text} ({significant(interval.low)} to {significant(interval.high)})."


def _on_rails(title: str, rails: Rails) -> str:
    if rails.energy_mj is None:
        return f"No energy on power rails can be stated for {title}: {rails.not_measurable}."
    text = f"On the phone's power rails, {title} takes {significant(rails.energy_mj)} mJ above rest"
    if rails.interval_mj is None:
        return f"{text}; there were too few rounds for an interval."
    return (
        f"{text} ({significant(rails.interval_mj.low)} to {significant(rails.interval_mj.high)})."
    )
