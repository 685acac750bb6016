"""mIoU of files in floating point: an export measures it of quantized ones only."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.datasets.shapes import SPLITS, TASK, write
from seaformer.own_commands import run_command
from seaformer.temporary_folders import temporary_folder

SPLIT = "val"


def score_floats(
    candidates: Sequence[Candidate], show: Callable[[str], None]
) -> tuple[Candidate, ...]:
    """Evaluate trained files of the procedural task in less than fp32 that do not say their mIoU.

    Candidates are of one network; others come back as they are. `show` takes how far it is.

    Raises:
        SeaformerError: the evaluation failed.
    """
    fp32 = next((one for one in candidates if one.precision == "fp32"), None)
    unscored = [
        one
        for one in candidates
        if one is not fp32
        and one.facts.task == TASK
        and not one.facts.is_random
        and one.facts.accuracy is not None
        and one.facts.accuracy.score is None
    ]
    if fp32 is None or not unscored:
        return tuple(candidates)
    show(f"evaluating {', '.join(one.precision for one in unscored)}")
    with temporary_folder("scores") as folder:
        scores = _evaluate(fp32.path, [one.path for one in unscored], folder, show)
    return tuple(
        _scored(one, scores[str(one.path)], scores[str(fp32.path)]) if one in unscored else one
        for one in candidates
    )


def _evaluate(
    fp32: Path, others: Sequence[Path], folder: Path, show: Callable[[str], None]
) -> dict[str, float]:
    """File -> mIoU in percent, on the scenes that quantized files are scored on too."""
    scenes = folder / "scenes"
    write(scenes, 1, validation=SPLITS[SPLIT])
    options = ["--reference", str(fp32), "--data", str(scenes), "--report", str(folder / "report")]
    (file,) = run_command("seaformer-evaluate", [*map(str, others), *options], show)
    results = json.loads(file.read_text(encoding="utf-8"))
    return {one["file"]: 100 * one["scores"]["miou"] for one in results["models"]}


def _scored(one: Candidate, score: float, reference_score: float) -> Candidate:
    assert one.facts.accuracy is not None  # else it is not scored
    accuracy = one.facts.accuracy.model_copy(
        update={
            "score": score,
            "score_inputs": f"{SPLITS[SPLIT]} procedural scenes ({SPLIT})",
            "reference_score": reference_score,
            "difference_points": score - reference_score,
        }
    )
    return replace(one, facts=one.facts.model_copy(update={"accuracy": accuracy}))
