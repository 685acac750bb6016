"""Write the results of `seaformer-benchmark pareto` as a table of docs/measurements.md.

PYTHONPATH=tests/support python -m bench.networks [--document FILE] [--output DIR]
"""

import argparse
import subprocess
import sys
from pathlib import Path

from bench.machine import write_section
from seaformer.benchmark.studies.pareto.pareto_results import STEM, ParetoResults
from seaformer.reporting.numbers import median, ratio

BENCHMARK = Path(sys.executable).with_name("seaformer-benchmark")


def main() -> None:
    """Measure, print the table, and update the document if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/bench/pareto"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    command = [BENCHMARK, "pareto", "--device", "host", "--force", "--output", arguments.output]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    results = ParetoResults.model_validate_json((arguments.output / f"{STEM}.json").read_bytes())
    text = table(results)
    print(text)
    if arguments.document:
        write_section(arguments.document, "networks", text)


def table(results: ParetoResults) -> str:
    """Format a row for each network, in the order of published mIoU."""
    lines = [
        f"| network | mIoU, published | ms here [95 %] | x {results.base} here [95 %] | paper, "
        f"Snapdragon 865, ms | paper, x {results.base} | on the front: here, paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for point in results.points:
        paper = point.paper
        assert paper is not None  # all networks of the default are in the paper's figure
        here, there = ("yes" if on else "no" for on in (point.on_front, paper.on_front))
        lines.append(
            f"| {point.title} | {point.score:.1f} % | {median(point.latency)} | "
            f"{ratio(point.ratio)} | {paper.latency_ms:g} | {paper.ratio:.2f} | {here}, {there} |"
        )
    lines += ["", *(f"- Omitted: {one.title}, {one.reason}." for one in results.left_out)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
