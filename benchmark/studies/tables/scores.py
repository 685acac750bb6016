"""Accuracy of all files of a table on the same images.

An export evaluates files differently: floating point on the inputs of its verification, slow
kernels on fewer images than fast ones. Those figures are not comparable in one column.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.results.schema import Accuracy
from seaformer.cli.evaluate import PROGRESS
from seaformer.datasets.shapes import SPLITS, TASK, write
from seaformer.evaluation.paired_images import compare_images
from seaformer.evaluation.paired_scores import PairedScores
from seaformer.own_commands import run_command
from seaformer.tasks import get_task
from seaformer.temporary_folders import temporary_folder

SPLIT = "val"


def score_trained(
    candidates: Sequence[Candidate], show: Callable[[str], None], scenes: int = SPLITS[SPLIT]
) -> tuple[Candidate, ...]:
    """Evaluate trained files of the procedural task against the fp32 file, on the same scenes.

    All files use all scenes, even with slow kernels: on 50 of the 500 scenes, int8 seems 0.10
    points better than fp32.

    Args:
        candidates: models of one network; models of another task are returned unchanged.
        show: progress callback.
        scenes: number of scenes.

    Raises:
        SeaformerError: the evaluation failed.
    """
    reference = next((one for one in candidates if one.precision == "fp32"), None)
    others = [
        one
        for one in candidates
        if one is not reference and one.facts.task == TASK and not one.facts.is_random
    ]
    if reference is None or not others:
        return tuple(candidates)
    show(f"evaluating {', '.join(one.precision for one in others)}")
    with temporary_folder("scores") as folder:
        write(folder / "scenes", 1, validation=scenes)
        report = _evaluate(reference.path, others, folder / "scenes", folder / "report", show)
        measured = _accuracies(report)
    accuracies = dict(zip((one.id for one in others), measured, strict=True))
    return tuple(
        replace(one, facts=one.facts.model_copy(update={"accuracy": accuracies[one.id]}))
        if one.id in accuracies
        else one
        for one in candidates
    )


def _evaluate(
    reference: Path,
    others: Sequence[Candidate],
    scenes: Path,
    report: Path,
    show: Callable[[str], None],
) -> Path:
    """Evaluate; return the file with the results."""
    options = ["--reference", str(reference), "--data", str(scenes)]
    models = [str(one.path) for one in others]
    (file,) = run_command("seaformer-evaluate", [*models, *options, "--report", str(report)], show)
    return file


def _accuracies(report: Path) -> list[Accuracy]:
    """Read the accuracy of every model except the reference from the results of an evaluation."""
    found = json.loads(report.read_text(encoding="utf-8"))
    _, *models = found["models"]
    compared = compare_images(report.with_name(PROGRESS), get_task(TASK))
    inputs = f"{found['pictures']} procedural scenes ({SPLIT})"
    return [
        _accuracy(inputs, paired, model["agreement"])
        for paired, model in zip(compared, models, strict=True)
    ]


def _accuracy(inputs: str, paired: PairedScores, agreement: float) -> Accuracy:
    """The accuracy of a file compared with fp32."""
    low, high = paired.interval_points
    return Accuracy(
        reference="the fp32 file",
        inputs=inputs,
        agreement=agreement,
        score=paired.percent,
        score_inputs=inputs,
        reference_score=paired.reference_percent,
        difference_points=paired.difference_points,
        low_points=low,
        high_points=high,
    )
