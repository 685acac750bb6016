"""Latency of a measured model in the tables of the benches."""

from seaformer.benchmark.results.schema import ModelResult
from seaformer.reporting.numbers import median


def median_latency(model: ModelResult) -> str:
    """Format the median latency of one inference, with its interval; "-" if it has none."""
    return median(None if model.latency is None else model.latency.run)
