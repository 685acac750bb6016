"""Measure the latency of each module of every variant, with both runtimes.

    PYTHONPATH=tests/support python -m bench.breakdown [--document FILE] [--output DIR]

512x512, fp32, one thread, on this computer; the four variants are interleaved in one benchmark.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.machine import write_section
from seaformer.benchmark.results.breakdown import UNATTRIBUTED, Breakdown, Row
from seaformer.benchmark.results.published import FIGURES
from seaformer.benchmark.results.schema import ModelResult, Results, read_results
from seaformer.models.seaformer.variants import VARIANTS

BIN = Path(sys.executable).parent
SUFFIXES = (".tflite", ".onnx")


def main() -> None:
    """Export, measure, print the tables, and update the document if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/bench/breakdown"))
    parser.add_argument("--runs", type=int, default=50, help="of each variant")
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    for variant in VARIANTS:
        run("seaformer-export", "--variant", variant, "--format", "tflite", "--format", "onnx",
            "--output", arguments.output, "--force")  # fmt: skip
    results = [measure(arguments.output, suffix, arguments.runs) for suffix in SUFFIXES]
    text = "\n\n".join(map(table, results))
    print(text)
    if arguments.document:
        write_section(arguments.document, "breakdown", text)


def run(command: str, *arguments: object) -> None:
    """Run a command of the package."""
    print("+", command, *arguments, file=sys.stderr)
    subprocess.run([BIN / command, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def measure(folder: Path, suffix: str, runs: int) -> Results:
    """Benchmark the four variants in one format."""
    files = [folder / f"seaformer_{name}_ade20k_512x512_fp32{suffix}" for name in VARIANTS]
    output = folder / suffix.removeprefix(".")
    run("seaformer-benchmark", *files, "--breakdown", "--device", "host", "--runs", runs,
        "--output", output, "--force")  # fmt: skip
    return read_results(output)


def table(results: Results) -> str:
    """Format a table of modules and variants: shares of the latency, and of the MACs."""
    models = results.models
    lines = [
        f"{results.runtime.name} {results.runtime.version}: share of the latency; in brackets, of "
        "the multiply-accumulates:",
        "",
        f"| | {' | '.join(FIGURES[f'seaformer-{variant_of(model)}'].title for model in models)} |",
        f"|---|{'---|' * len(models)}",
    ]
    for row in breakdown_of(models[0]).children(""):
        lines.append(f"| {row.title} | {' | '.join(share(m, row.path) for m in models)} |")
    first, published = models[0], FIGURES[f"seaformer-{variant_of(models[0])}"].paper_ms
    ratios = ["1.00"] + [f"{results.ratio(m.id, first.id).value:.2f}" for m in models[1:]]  # type: ignore[union-attr]
    phone = [FIGURES[f"seaformer-{variant_of(model)}"].paper_ms for model in models]
    lines += [
        cells("total, ms", [f"{breakdown_of(model).total_ms:.1f}" for model in models]),
        cells("total, x Tiny", ratios),
        cells("paper, Snapdragon 865, x Tiny", [f"{ms / published:.2f}" for ms in phone]),
        cells("rows on which the two methods disagree", [disagreements(model) for model in models]),
        cells("profiling overhead", [overhead(model) for model in models]),
    ]
    return "\n".join(lines)


def cells(title: str, values: Sequence[str]) -> str:
    """Format one row of the table."""
    return f"| {title} | {' | '.join(values)} |"


def share(model: ModelResult, path: str) -> str:
    """Format the shares of a module, such as "52.1 % (42.2 %)"."""
    row: Row = next(row for row in breakdown_of(model).rows if row.path == path)
    text = "-" if row.share is None else f"{100 * row.share:.1f} %"
    return (
        text
        if row.macs_share is None or path == UNATTRIBUTED
        else f"{text} ({100 * row.macs_share:.1f} %)"
    )


def disagreements(model: ModelResult) -> str:
    """Count the rows whose intervals of profiling and of truncated-model timing do not overlap."""
    rows = [row for row in breakdown_of(model).rows if row.agrees is not None]
    return f"{sum(row.agrees is False for row in rows)} of {len(rows)}"


def overhead(model: ModelResult) -> str:
    """Format the relative overhead of profiled runs."""
    value = breakdown_of(model).profile_overhead
    return "-" if value is None else f"{100 * value:+.1f} %"


def breakdown_of(model: ModelResult) -> Breakdown:
    """Return the breakdown of a model; it has to have one."""
    assert model.breakdown is not None
    return model.breakdown


def variant_of(model: ModelResult) -> str:
    """Return the variant of a model; it has to be a SeaFormer."""
    assert model.facts.variant is not None
    return model.facts.variant


if __name__ == "__main__":
    main()
