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
    of_base = f"x {results.base}"
    headings = ["network", "mIoU, published", "ms here [95 %]", f"{of_base} here [95 %]"]
    headings += ["on the front here"]
    for phone in results.phones:
        headings += [f"{phone}, ms", of_base, "on the front"]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for point in results.points:
        cells = [point.title, f"{point.score} %", median(point.latency), ratio(point.ratio)]
        cells.append(_yes(point.on_front))
        for phone in results.phones:
            on = point.phones.get(phone)
            cells += [f"{on.latency_ms:g}", f"{on.ratio:.2f}", _yes(on.on_front)] if on else "---"
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- Omitted: {one.title}, {one.reason}." for one in results.left_out)]
    return "\n".join(lines)


def _yes(is_true: bool) -> str:
    return "yes" if is_true else "no"


if __name__ == "__main__":
    main()
