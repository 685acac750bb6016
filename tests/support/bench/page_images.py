"""Render the images of pages in the documents, light and dark, from the results of `make bench`.

    PYTHONPATH=tests/support python -m bench.page_images [--results DIR]

It needs Chromium.
"""

import argparse
from pathlib import Path

from browser import browser
from locations import ROOT
from PIL import Image

from seaformer.benchmark.report.benchmark_page import Source, write_report
from seaformer.benchmark.results.schema import FILE_NAME, read_results
from seaformer.benchmark.studies.pareto.pareto_page import write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_results import STEM, ParetoResults
from seaformer.temporary_folders import temporary_folder

PLOTS = ROOT / "benchmark/report/plots"
WIDTH = 1100
COLORS = 200

SELECTORS = {
    "breakdown": "#b0-modules + .card",
    "pareto": "section[aria-labelledby=plots]",
}
"""Name of an image -> the part of its page."""


def main() -> None:
    """Render the pages again, and save all images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("build/bench"))
    results: Path = parser.parse_args().results
    with temporary_folder("images") as folder, browser() as opened:
        write_breakdown(folder / "breakdown.html", results / "breakdown" / "tflite")
        write_pareto(folder / "pareto.html", results / "pareto")
        for name, selector in SELECTORS.items():
            for scheme, ending in (("light", ""), ("dark", "_dark")):
                path = PLOTS / f"{name}{ending}.png"
                opened.open(folder / f"{name}.html", WIDTH, scheme)
                opened.screenshot(path, selector)
                with Image.open(path) as image:
                    image.convert("RGB").quantize(COLORS).save(path, optimize=True)
                print(f"written: {path}")


def write_breakdown(page: Path, results: Path) -> None:
    """Write the page of the first model, whose modules fit an image."""
    measured = read_results(results)
    first = measured.model_copy(update={"models": measured.models[:1]})
    write_report(page, [Source(FILE_NAME, first)])


def write_pareto(page: Path, results: Path) -> None:
    """Write the page of the networks."""
    text = (results / f"{STEM}.json").read_bytes()
    write_pareto_page(page, ParetoResults.model_validate_json(text))


if __name__ == "__main__":
    main()
