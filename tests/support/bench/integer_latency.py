"""Measure the latency of int8 files relative to fp32, a table of docs/measurements.md.

    PYTHONPATH=tests/support python -m bench.integer_latency [--document FILE] [--output DIR]

Each variant at 512x512 in both precisions, interleaved in one benchmark per format: one thread, on
this computer. The ranges come from noise, which does not affect latency.
"""

import argparse
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from bench.breakdown import run
from bench.latency import median_latency
from bench.machine import write_section
from seaformer.artifact.precisions import FORMATS
from seaformer.benchmark.results.schema import ModelResult, Results, read_results
from seaformer.export.quantize.latency import processor
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.reporting.numbers import ratio

PRECISIONS = ("fp32", "int8")


def main() -> None:
    """Export, measure, print the table, and update the document if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/bench/integers"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    formats = [part for name in FORMATS for part in ("--format", name)]
    precisions = [part for name in PRECISIONS for part in ("--precision", name)]
    calibration = ("--calibration", "random", "--calibration-samples", 4)
    for variant in VARIANTS:
        run("seaformer-export", "--variant", variant, *formats, *precisions, *calibration,
            "--output", arguments.output, "--force")  # fmt: skip
    lines = [
        "| file | fp32, ms | int8, ms | int8 / fp32 | MB | XNNPACK partitions |",
        "|---|---|---|---|---|---|",
        *(line for name in FORMATS for line in rows(arguments.output, FORMATS[name].suffix)),
    ]
    text = "\n".join([f"Processor: {processor()}.", "", *lines])
    print(text)
    if arguments.document:
        write_section(arguments.document, "integers", text)


def rows(folder: Path, suffix: str) -> list[str]:
    """Benchmark all variants in one format; return a line of the table for each."""
    stems = [f"seaformer_{name}_ade20k_512x512" for name in VARIANTS]
    files = [folder / f"{stem}_{precision}{suffix}" for stem in stems for precision in PRECISIONS]
    output = folder / f"benchmark{suffix}"
    run("seaformer-benchmark", *files, "--device", "host", "--output", output, "--force")
    results = read_results(output)
    pairs = zip(results.models[::2], results.models[1::2], strict=True)
    return [row(results, folder, *pair) for pair in pairs]


def row(results: Results, folder: Path, fp32: ModelResult, int8: ModelResult) -> str:
    """Format the two files of a variant."""
    paired = results.ratio(int8.id, fp32.id)
    assert paired is not None
    medians = f"{median_latency(fp32)} | {median_latency(int8)}"
    path = folder / Path(int8.file).name
    return (
        f"| `{path.name}` | {medians} | {ratio(paired)} | {path.stat().st_size / 1e6:.2f} | "
        f"{partitions(path)} |"
    )


def partitions(file: Path) -> str:
    """Return the number of partitions that XNNPACK computes; "-" for an .onnx file."""
    if file.suffix != ".tflite":
        return "-"
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    names = [operator["op_name"] for operator in interpreter._get_ops_details()]
    return str(names.count("DELEGATE"))


if __name__ == "__main__":
    main()
