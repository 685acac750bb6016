"""The plot of latencies beside a load, relative to the latencies alone."""

from seaformer.benchmark.report.ratios import HEIGHT, ratio_row, ratio_scale
from seaformer.benchmark.results.schema import Results
from seaformer.reporting.plots import Rows


def beside_plot(results: Results) -> Rows | None:
    """Draw the ratios; None without any, and if the device is emulated."""
    found = [
        (results.names[model.id], model.beside.ratio)
        for model in results.models
        if model.beside is not None and model.beside.ratio is not None and not model.is_wrong
    ]
    if results.emulated or not found:
        return None
    scale = ratio_scale([ratio for _, ratio in found])
    rows = tuple(ratio_row(name, "alone", one, one.verdict(), scale) for name, one in found)
    return Rows(scale, "latency relative to the latency alone", HEIGHT, rows)
