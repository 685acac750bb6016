"""Measure what a teacher adds to a student at half the resolution, a table of docs/training.md.

    PYTHONPATH=tests/support python -m bench.distillation [--document FILE] [--json FILE]

SeaFormer-Tiny on the procedural scenes: the built-in weights, trained at 256 x 256, are fine-tuned
for 128 x 128, from the labels alone or also with the same weights at 256 x 256 as the teacher. Runs
with the same seed see the same scenes; the labels have 256 x 256 pixels in all of them. A finished
run is not repeated, so that an interrupted measurement can be continued. It takes about a quarter
of an hour on one core, and a third more with `--longer`.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import nn

from bench.breakdown import run
from bench.latency import median_latency
from bench.machine import machine_name, write_section
from seaformer.benchmark.results.schema import read_results
from seaformer.console import Console
from seaformer.datasets.shapes import ShapesDataset
from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.evaluation.paired_scores import miou
from seaformer.models.resolve import as_network
from seaformer.reporting.numbers import ratio
from seaformer.statistics.bootstrap import Interval, interval_over_images
from seaformer.tasks import Task, get_task
from seaformer.training.checkpoints import CheckpointOptions, Origin, RunFolder
from seaformer.training.distillation import Student
from seaformer.training.distillation_plan import plan_distillation
from seaformer.training.initial_weights import initial_network
from seaformer.training.recipe import get_recipe
from seaformer.training.training_loop import train
from seaformer.training.validation import predict, predictions

NETWORK = as_network("tiny")
TASK = get_task("shapes")
SIZE = (128, 128)
WEIGHTS = "shapes"
LEARNING_RATE = 1e-3
"""A fifth of the recipe's, which is for random weights. It was not tuned; all runs use it."""

CPU = torch.device("cpu")
SEED = 0
"""Random seed of the bootstrap."""

LABELS, TEACHER, LONGER = "labels alone", "labels and teacher", "labels alone, as much time"

Counts = npt.NDArray[np.int64]
Make = Callable[[nn.Module], Student]


class FirstScenes:
    """The first scenes of the validation split."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.scenes = ShapesDataset("val")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.scenes[index]


def main() -> None:
    """Train, score and measure; print the table, and write the requested files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=500, help="of the validation split")
    parser.add_argument(
        "--longer",
        action="store_true",
        help="train also without the teacher for as much processor time as with it",
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench/distillation"))
    parser.add_argument("--json", type=Path, default=Path("build/bench/distillation.json"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = measure(arguments)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    text = table(results)
    print(text)
    if arguments.document:
        write_section(arguments.document, "distillation", text)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train and score all students, and measure the latency."""
    folder, scenes, steps = arguments.output, FirstScenes(arguments.scenes), arguments.steps
    plan = plan_distillation(WEIGHTS, SIZE, NETWORK, TASK, get_recipe(TASK, "tiny").crop, CPU)
    small = plan.task(TASK)

    def student(network: nn.Module) -> Student:
        return Student(network, SIZE)

    makers: dict[str, Make] = {LABELS: student, TEACHER: plan.student}
    if arguments.longer:
        makers[LONGER] = student
    seconds: dict[str, list[float]] = {arm: [] for arm in makers}
    counts: dict[str, list[Counts]] = {arm: [] for arm in makers}
    step_counts = {LABELS: steps, TEACHER: steps}

    def path_of(arm: str, seed: int) -> Path:
        return folder / f"{arm.replace(',', '').replace(' ', '-')}-{step_counts[arm]}-{seed}"

    def do(arm: str, seed: int) -> None:
        path = path_of(arm, seed)
        cpu_s, scored = trained(path, makers[arm], small, step_counts[arm], seed, scenes)
        seconds[arm].append(cpu_s)
        counts[arm].append(scored)

    for seed in range(arguments.seeds):
        do(LABELS, seed)
        do(TEACHER, seed)
    step_counts[LONGER] = round(steps * sum(seconds[TEACHER]) / sum(seconds[LABELS]))
    if arguments.longer:
        for seed in range(arguments.seeds):
            do(LONGER, seed)

    teacher = plan.teacher.network
    fixed = {
        "teacher": (TASK, score(teacher, scenes, TASK)),
        "the same weights, not fine-tuned": (small, score(teacher, scenes, small)),
    }
    return {
        "schema_version": 1,
        "machine": machine_name(),
        "scenes": len(scenes),
        "fixed": [
            {"name": name, "size": task.preprocessing.input_size, **scores([scored])}
            for name, (task, scored) in fixed.items()
        ],
        "arms": [
            {"name": arm, "steps": step_counts[arm], "cpu_s": seconds[arm], **scores(counts[arm])}
            for arm in makers
        ],
        "differences": [
            {"base": base, **difference(counts[base], counts[TEACHER])}
            for base in makers
            if base != TEACHER
        ],
        "latency": latency(folder, path_of(TEACHER, 0) / "last.safetensors"),
    }


def trained(
    path: Path, make: Make, task: Task, steps: int, seed: int, scenes: FirstScenes
) -> tuple[float, Counts]:
    """Fine-tune a student; return the processor time in seconds, and its counts."""
    time_file, counts_file = path / "cpu_s.json", path / "counts.npy"
    if not counts_file.exists():
        path.mkdir(parents=True, exist_ok=True)
        recipe = replace(get_recipe(TASK, "tiny").lasting(steps), learning_rate=LEARNING_RATE)
        keeping = CheckpointOptions(validate_every=steps)
        folder = RunFolder(path, NETWORK, task, recipe, Origin("shapes", WEIGHTS, seed), keeping)
        model = make(initial_network(NETWORK, task, WEIGHTS, seed))
        start = time.process_time()
        training = ShapesDataset("train", seed=seed)
        # The one scene is never used to choose weights: the only validation is after the last step.
        train(model, training, FirstScenes(1), folder, Accelerator(cpu=True), Console())
        time_file.write_text(json.dumps(time.process_time() - start))
        np.save(counts_file, score(model.network, scenes, task))
    return json.loads(time_file.read_text()), np.load(counts_file)


def score(network: nn.Module, scenes: FirstScenes, task: Task) -> Counts:
    """Count pixels by scene and class: correct, in the ground truth, and predicted.

    The counts are [scenes, 3, classes].
    """
    rows = []
    for _, truth, predicted in predictions(predict, network, scenes, task, Accelerator(cpu=True)):
        matrix = ConfusionMatrix(task.num_classes)
        matrix.update(truth, predicted)
        pixels = matrix.counts
        rows.append([pixels.diagonal(), pixels.sum(axis=1), pixels.sum(axis=0)])
    return np.array(rows)


def scores(runs: list[Counts]) -> dict[str, Any]:
    """Return the mIoU of each run and their mean, in percent, with its interval over the scenes."""
    counts = np.stack(runs, axis=1)
    interval = interval_over_images(counts, lambda sums: 100 * miou(sums).mean(axis=1), SEED)
    of_runs = 100 * miou(counts.sum(axis=0))
    return {"miou": of_runs.tolist(), "mean": float(of_runs.mean()), "interval": ends(interval)}


def difference(base: list[Counts], runs: list[Counts]) -> dict[str, Any]:
    """Return mIoU minus mIoU of the base, in points: of each seed, and the mean with interval.

    Scenes are drawn for both together, and runs are paired by their seeds.
    """
    counts = np.stack([np.stack(base, axis=1), np.stack(runs, axis=1)], axis=1)

    def mean(sums: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        resampled = 100 * miou(sums)
        return np.asarray((resampled[:, 1] - resampled[:, 0]).mean(axis=1))

    of_base, of_runs = 100 * miou(counts.sum(axis=0))
    points = of_runs - of_base
    interval = interval_over_images(counts, mean, SEED)
    return {"points": points.tolist(), "mean": float(points.mean()), "interval": ends(interval)}


def ends(interval: Interval) -> list[float]:
    """Return the ends of an interval."""
    return [interval.low, interval.high]


def latency(folder: Path, student: Path) -> dict[str, str]:
    """Export the network at both sizes, and measure the files interleaved, on one thread."""
    run("seaformer-export", "--weights", WEIGHTS, "--output", folder, "--force")
    run("seaformer-export", "--weights", student, "--output", folder, "--force")
    files = [folder / f"seaformer_tiny_shapes_{side}x{side}_fp32.tflite" for side in (256, SIZE[0])]
    run("seaformer-benchmark", *files, "--device", "host", "--output", folder / "latency",
        "--force")  # fmt: skip
    results = read_results(folder / "latency")
    large, small = results.models
    return {
        "teacher_ms": median_latency(large),
        "student_ms": median_latency(small),
        "ratio": ratio(results.ratio(small.id, large.id)),
    }


def table(results: dict[str, Any]) -> str:
    """Format the section of docs/training.md."""
    lines = [
        "| | input | steps | processor time | mIoU on "
        f"{results['scenes']} scenes [95 %] | by seed |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["fixed"]:
        height, width = row["size"]
        lines.append(f"| {row['name']} | {height}x{width} | - | - | {estimate(row)} | - |")
    for row in results["arms"]:
        seeds = ", ".join(f"{value:.1f}" for value in row["miou"])
        cpu_s = sum(row["cpu_s"]) / len(row["cpu_s"])
        lines.append(
            f"| {row['name']} | {SIZE[0]}x{SIZE[1]} | {row['steps']} | {cpu_s:.0f} s | "
            f"{estimate(row)} | {seeds} |"
        )
    lines.append("")
    for row in results["differences"]:
        low, high = row["interval"]
        seeds = ", ".join(f"{value:+.2f}" for value in row["points"])
        lines.append(
            f"- Labels and teacher minus {row['base']}: {row['mean']:+.2f} points [{low:+.2f}, "
            f"{high:+.2f}]; by seed {seeds}."
        )
    times = results["latency"]
    lines += [
        f"- Latency of the `.tflite` in fp32, one thread, in ms: {times['teacher_ms']} at 256x256, "
        f"{times['student_ms']} at {SIZE[0]}x{SIZE[1]}; ratio {times['ratio']}. The teacher is not "
        "part of the exported network.",
        "",
        f"{results['machine']}, not a phone. Means of {len(results['arms'][0]['miou'])} seeds. "
        "Intervals are over the scenes, for these runs; the differences between the seeds show how "
        "much training itself varies.",
    ]
    return "\n".join(lines)


def estimate(row: dict[str, Any]) -> str:
    """Format a mean in percent with its interval."""
    low, high = row["interval"]
    return f"{row['mean']:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
