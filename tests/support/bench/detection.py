"""Measure the built-in detector in every format and precision, a table of docs/detection.md.

    PYTHONPATH=tests/support python -m bench.detection [--document FILE] [--only WORD]

Needs the extras models and npu, and a Vulkan driver (apt-get install chromium). The scenes are
drawn from a seed that was not used for training or for selecting the weights.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.accelerators import worst
from bench.machine import write_section
from seaformer.artifact.metadata import Comparison, Metadata
from seaformer.artifact.precisions import FORMATS, PRECISIONS
from seaformer.datasets.shapes import write_coco
from seaformer.evaluation.results import MeasuredInterval, ModelResult, Results

SCRIPTS = Path(sys.executable).parent
WEIGHTS = "shapes-detection"
SCENES, SEED = 200, 1
CHIP = "SM8650"
"""Snapdragon whose NPU the files are compiled for and emulated."""


EXPORTS = (
    "--format tflite --precision fp32 --precision fp16 --precision dynamic-int8 --precision int8 "
    "--precision int16x8 --precision w8a8",
    "--format onnx --precision dynamic-int8 --precision int8 --precision fp32 --accelerator cpu",
    "--format onnx --precision fp32 --precision fp16 --precision w8a8 --precision w8a16 "
    f"--accelerator cpu,npu --soc {CHIP}",
)
"""Arguments of each call of seaformer-export; each has fp32 files, to compare the others with."""

Described = dict[Path, Metadata]
"""Exported files and their metadata."""


def main() -> None:
    """Export, evaluate, print the table, and write it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--document", type=Path, help="file whose section to update")
    parser.add_argument("--only", default="", help="only the exports that contain this")
    arguments = parser.parse_args()
    rows: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "scenes"
        write_coco(data, 1, validation=SCENES, seed=SEED)
        for place, options in enumerate(EXPORTS):
            if arguments.only in options:
                rows |= measure(options, data, Path(folder) / str(place))
    order = [(f, p) for f in reversed(list(FORMATS)) for p in PRECISIONS if (f, p) in rows]
    text = table([rows[key] for key in order])
    print(text)
    if arguments.document:
        write_section(arguments.document, "detection", text)


def measure(options: str, data: Path, folder: Path) -> dict[tuple[str, str], str]:
    """Return a row for each format and precision of an export."""
    run("seaformer-export", "--weights", WEIGHTS, *options.split(), "--output", str(folder))
    described = {
        path.with_suffix(""): Metadata.model_validate_json(path.read_text())
        for path in sorted(folder.glob("*.json"))
    }
    files = {path: one for path, one in described.items() if one.compilation is None}
    reference = next(path for path, one in files.items() if one.precision == "fp32")
    results = evaluate(reference, [path for path in files if path != reference], data, folder)
    by_name = {result.file: result for result in results}
    return {
        (one.format, one.precision): row(path, by_name[str(path)], described)
        for path, one in files.items()
    }


def evaluate(
    reference: Path, others: Sequence[Path], data: Path, folder: Path
) -> tuple[ModelResult, ...]:
    """Compare files with the reference on the scenes."""
    run(
        *("seaformer-evaluate", *map(str, others), "--reference", str(reference)),
        *("--data", str(data), "--report", str(folder / "report")),
    )
    results = (folder / "report" / "results.json").read_text()
    return Results.model_validate_json(results).models


def run(command: str, *arguments: str) -> None:
    """Run one of our commands; its progress goes to stderr."""
    print("+", command, *arguments, file=sys.stderr)
    subprocess.run([SCRIPTS / command, *arguments], check=True, stdout=sys.stderr)


def table(rows: Sequence[str]) -> str:
    """Format the section of docs/detection.md."""
    return "\n".join(
        [
            f"On {SCENES} scenes. Changes are in points relative to the fp32 file of the same "
            "format, with 95 % intervals over the scenes. CPU, GPU and NPU: lowest SQNR and lowest "
            "share of detections in common of all inputs, against PyTorch in float64.",
            "",
            f"| file | MB | AP50 | change in AP50 | change in AP | CPU | GPU | NPU ({CHIP}) |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def row(path: Path, result: ModelResult, described: Described) -> str:
    """Format a row: accuracy on the scenes, and parity on each processor."""
    own = described[path]
    intervals = {one.measure: one for one in result.intervals}
    compiled = [
        one
        for one in described.values()
        if (one.format, one.precision) == (own.format, own.precision)
    ]
    cells = [
        f"`{FORMATS[own.format].suffix}` {own.precision}",
        f"{path.stat().st_size / 1e6:.2f}",
        f"{100 * (result.scores.ap50 or 0):.2f} %",
        change(intervals["ap50"]),
        change(intervals["ap"]),
        parity(own.parity.comparisons),
        *(on_accelerator(compiled, where) for where in ("gpu", "npu")),
    ]
    return f"| {' | '.join(cells)} |"


def change(interval: MeasuredInterval) -> str:
    """Format a difference from the reference with its interval."""
    one = interval.change
    if one is None or one.points is None or one.low is None or one.high is None:
        return "-"
    return f"{one.points:+.2f} ({one.low:+.2f} to {one.high:+.2f})"


def parity(comparisons: tuple[Comparison, ...]) -> str:
    """Format the lowest SQNR, and the lowest share of detections in common."""
    sqnr_db, _ = worst(comparisons)
    shares = [one.detection_agreement for one in comparisons if one.detection_agreement is not None]
    parts = [] if sqnr_db is None else [f"{sqnr_db:.1f} dB"]
    return ", ".join(parts + ([f"{100 * min(shares):.1f} %"] if shares else []))


def on_accelerator(described: Sequence[Metadata], name: str) -> str:
    """Format the parity on an accelerator, or the status of a file that is not verified there."""
    found = [one for metadata in described for one in metadata.accelerators if one.name == name]
    if not found:
        return "-"
    return parity(found[0].comparisons) if found[0].status == "verified" else found[0].status


if __name__ == "__main__":
    main()
