"""Measure 4-bit weights with and without quantization-aware fine-tuning, docs/quantization.md.

    PYTHONPATH=tests/support python -m bench.quantization_aware [--document FILE] [--output DIR]

The built-in weights of the procedural scenes are quantized with ranges from images, fine-tuned with
the rounding of the file and, for comparison, fine-tuned for as many steps without it. All files are
compared with the fp32 file of the built-in weights on the same scenes, which neither training nor
calibration used. They are measured in one benchmark, interleaved.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from bench.breakdown import run
from bench.latency import median_latency
from bench.machine import write_section
from seaformer.benchmark.results.schema import read_results
from seaformer.datasets.shapes import write
from seaformer.export.quantize.latency import processor
from seaformer.reporting.numbers import ratio
from seaformer.training.recipe import RECIPES

BUILT_IN = "shapes"
STEM = "seaformer_tiny_shapes_256x256"
TRAINING_SCENES = 800


@dataclass(frozen=True)
class Row:
    """A file of the table.

    Attributes:
        weights: how its weights were trained, as text for the table.
        checkpoint: name of the run that trained them, or of the built-in weights.
        precision: its precision.
        ranges: how the ranges of its activations were chosen.
    """

    weights: str
    checkpoint: str
    precision: str
    ranges: str

    def file(self, folder: Path) -> Path:
        """Path of the exported file."""
        return folder / self.checkpoint / f"{STEM}_{self.precision}.tflite"


ROWS = (
    Row("built-in", BUILT_IN, "fp32", "-"),
    Row("built-in", BUILT_IN, "int8", "images"),
    Row("built-in", BUILT_IN, "int4-weights", "images"),
    Row("fine-tuned without rounding", "plain", "int4-weights", "images"),
    Row("fine-tuned with rounding", "rounded", "int4-weights", "learned"),
)


def main() -> None:
    """Train, export, evaluate, benchmark, print the table, and update the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/bench/quantization_aware"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    parser.add_argument("--scenes", type=int, default=500, help="validation scenes")
    parser.add_argument("--steps", type=int, help="training steps; default: from the recipe")
    arguments = parser.parse_args()
    folder: Path = arguments.output
    recipe = RECIPES["shapes"].for_quantization()
    steps = arguments.steps or recipe.iterations
    if not (folder / "training").exists():
        write(folder / "training", TRAINING_SCENES, validation=8)
    for row in ROWS:
        if row.checkpoint != BUILT_IN:
            train(folder, row, steps, recipe.learning_rate)
    for checkpoint in dict.fromkeys(row.checkpoint for row in ROWS):
        export(folder, checkpoint)
    text = table(folder, steps, arguments.scenes)
    print(text)
    if arguments.document:
        write_section(arguments.document, "quantization-aware", text)


def train(folder: Path, row: Row, steps: int, learning_rate: float) -> None:
    """Fine-tune the built-in weights, unless that has been done."""
    output = folder / f"train-{row.checkpoint}"
    if (output / "last.safetensors").exists():
        return
    quantization = ("--quantization", row.precision) if row.ranges == "learned" else ()
    run("seaformer-train", "--variant", "tiny", "--data", folder / "training", "--task", BUILT_IN,
        "--weights", BUILT_IN,
        "--iterations", steps, "--lr", learning_rate, "--validate-every", steps, "--device", "cpu",
        *quantization, "--output", output)  # fmt: skip


def export(folder: Path, checkpoint: str) -> None:
    """Export the files of a checkpoint, unless that has been done."""
    rows = [row for row in ROWS if row.checkpoint == checkpoint]
    if all(row.file(folder).exists() for row in rows):
        return
    trained = folder / f"train-{checkpoint}" / "last.safetensors"
    precisions = [part for row in rows for part in ("--precision", row.precision)]
    run("seaformer-export", "--weights", BUILT_IN if checkpoint == BUILT_IN else trained,
        *precisions, "--accept-loss", "--output", folder / checkpoint)  # fmt: skip


def table(folder: Path, steps: int, scenes: int) -> str:
    """Evaluate and benchmark the files; return the text of the section."""
    data = folder / "scenes"
    if not data.exists():
        write(data, 1, validation=scenes)
    files = [row.file(folder) for row in ROWS]
    report = folder / "evaluation"
    run("seaformer-evaluate", *files[1:], "--reference", files[0], "--data", data, "--report",
        report, "--force")  # fmt: skip
    models = json.loads((report / "results.json").read_text())["models"]
    output = folder / "benchmark"
    run("seaformer-benchmark", *files, "--device", "host", "--output", output, "--force")
    results = read_results(output)
    lines = [
        f"SeaFormer-Tiny, `.tflite`, 256x256, on {scenes} procedural scenes (val), with the "
        f"difference in mIoU from the fp32 file of the built-in weights. Fine-tuning took {steps} "
        f"steps of {RECIPES['shapes'].batch_size} images. Latency on one thread of "
        f"{processor()}.",
        "",
        "| weights | precision | ranges | mIoU, % | difference, points | MB | ms | ms / fp32 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row, file, model, timed in zip(ROWS, files, models, results.models, strict=True):
        change = model["difference"]
        paired = results.ratio(timed.id, results.models[0].id)
        lines.append(
            f"| {row.weights} | {row.precision} | {row.ranges} | "
            f"{100 * model['scores']['miou']:.2f} | "
            + (f"{change['points']:+.2f} ({change['low']:+.2f} to {change['high']:+.2f})"
               if change else "-")
            + f" | {file.stat().st_size / 1e6:.2f} | {median_latency(timed)} | "
            f"{'1' if paired is None else ratio(paired)} |"
        )  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    main()
