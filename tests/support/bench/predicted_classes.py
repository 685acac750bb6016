"""Compare the exact mask with PP-MobileSeg's upsampling of predicted classes only.

    PYTHONPATH=tests/support python -m bench.predicted_classes [--rounds N] [--document FILE]

Both run on the same logits on one thread, interleaved, in CPU time; a ratio is the median of the
ratios of all rounds. The logits are those of the packaged weights for scenes that they were not
trained on, of Tiny with random weights of 150 classes, and noise.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from native_argmax import NativeArgmax
from predicted_classes import NativePredictedClasses, by_torch

from bench.machine import machine_name, write_section
from bench.upsample_argmax import CLASSES, SIDE, SIZE, interleaved, ratio, smooth
from seaformer.datasets.shapes import render
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.models.create import create_model
from seaformer.tasks import get_task

SCENES = 8
EXACT, THEIRS, THEIRS_IN_TORCH = "exact", "predicted classes", "predicted classes, PyTorch"


def main() -> None:
    """Measure, print, and update the document if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "| logits | predicted classes | exact, ms | speedup over predicted classes, in C | over "
        "predicted classes, in PyTorch | wrong pixels of predicted classes |",
        "|---|---|---|---|---|---|",
    ]
    lines += [row(name, each, arguments.rounds) for name, each in logits_by_name().items()]
    text = f"{machine_name()}.\n\n" + "\n".join(lines)
    print(text)
    if arguments.document:
        write_section(arguments.document, "predicted-classes", text)


def logits_by_name() -> dict[str, list[np.ndarray]]:
    """Return name -> logits [C, h, w], one or several of a kind."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((CLASSES, SIDE, SIDE), np.float32)
    return {
        f"trained, {SCENES} scenes": [of_scene("shapes", "shapes", i) for i in range(SCENES)],
        "random weights, scene": [of_scene("ade20k", "random", 0)],
        "smooth, sigma 8": [smooth(noise, 8)],
        "smooth, sigma 4": [smooth(noise, 4)],
        "smooth, sigma 2": [smooth(noise, 2)],
        "noise": [noise],
    }


def of_scene(task_name: str, weights: str, scene: int) -> np.ndarray:
    """Return the logits of Tiny for a procedural scene of 512x512."""
    task = get_task(task_name)
    image, _ = render(seed=1, index=scene, size=SIZE)
    network_input = normalize(prepare(image, task.preprocessing, SIZE), task.preprocessing)
    model = create_model("tiny", task, weights)
    with torch.no_grad():
        return model(torch.from_numpy(network_input.transpose(2, 0, 1)[None].copy()))[0].numpy()


def by_torch_numpy(logits: torch.Tensor) -> np.ndarray:
    """Return the mask of their method as an array."""
    return by_torch(logits, SIZE).numpy()


def row(name: str, each: list[np.ndarray], rounds: int) -> str:
    """Measure logits of one kind; return their row of the table, with the medians over them."""
    native, theirs = NativeArgmax(), NativePredictedClasses()
    exact_ms, in_c, in_torch, wrong, counts = [], [], [], [], []
    for logits in each:
        methods: dict[str, Callable[[], np.ndarray]] = {
            EXACT: native.prepare(np.ascontiguousarray(logits.transpose(1, 2, 0)), SIZE, "HWC"),
            THEIRS: theirs.prepare(logits, SIZE),
            THEIRS_IN_TORCH: partial(by_torch_numpy, torch.from_numpy(logits)),
        }
        times = interleaved(methods, rounds)
        exact_ms.append(1e3 * median(times[EXACT]))
        in_c.append(ratio(times[THEIRS], times[EXACT]))
        in_torch.append(ratio(times[THEIRS_IN_TORCH], times[EXACT]))
        wrong.append(float(np.mean(methods[EXACT]() != methods[THEIRS]())))
        counts.append(len(np.unique(logits.argmax(0))))
    shape = "x".join(map(str, each[0].shape))
    worst = "" if len(each) == 1 else f", at most {max(wrong):.3%}"
    return (
        f"| {name}, {shape} | {median(counts):g} | {median(exact_ms):.2f} | {median(in_c):.1f} | "
        f"{median(in_torch):.0f} | {median(wrong):.3%}{worst} |"
    )


if __name__ == "__main__":
    main()
