"""The table of latency beside a load, on the terminal and on the page."""

from seaformer.benchmark.devices.cores import core_list
from seaformer.benchmark.results.schema import Results
from seaformer.reporting.numbers import NONE, median, number, ratio


def headings(results: Results) -> tuple[str, ...]:
    """Return the headings; empty without --beside."""
    load = results.protocol.load
    if load is None:
        return ()
    unit = "emulated ms, NO LATENCY" if results.emulated else "ms [95 %]"
    return (
        f"model, in {unit}",
        "alone",
        "beside",
        "beside / alone [95 %]",
        f"{load.unit} of the load",
        "per second",
        "on core",
    )


def rows(results: Results) -> list[tuple[str, tuple[str, ...]]]:
    """Return the id of each model that was measured beside the load, and its cells."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for model in results.models:
        if (beside := model.beside) is None or model.times is None or model.is_wrong:
            continue
        cells = (
            median(model.times.run),
            median(beside.run),
            NONE if results.emulated else ratio(beside.ratio),
            str(beside.load_count),
            number(beside.load_per_s),
            core_list(beside.load_cores) or NONE,
        )
        found.append((model.id, cells))
    return found
