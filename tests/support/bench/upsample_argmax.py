"""Time upsample_argmax against torch and against RESIZE_BILINEAR + ARG_MAX in a TFLite graph.

All run on one thread, on the same logits, interleaved. A ratio is the median of the ratios of all
rounds, which other load distorts less than times. Times are CPU times: slow methods are interrupted
more often than fast ones, so ratios of wall times would grow with the load.

    PYTHONPATH=tests/support python -m bench.upsample_argmax [--logits FILE.npy]
        [--network FILE.tflite] [--json FILE] [--document docs/measurements.md]

The measured logits are: outputs of networks for scenes that they were not trained on, with 150
classes as in ADE20K (`bench.subclasses`, trained at the first run) and with the 12 classes of the
built-in weights; smooth noise of 150 classes; and white noise, which is the worst case.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import torch
from native_argmax import FLAGS, NativeArgmax
from torch.nn import functional as F

from bench.machine import write_section
from bench.subclasses import WEIGHTS, logits_of, scores, trained_network
from seaformer.datasets.shapes import render
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.models.create import create_model
from seaformer.tasks import get_task

CLASSES, SIDE, SIZE = 150, 64, (512, 512)  # SeaFormer on ADE20K
BASE = "torch"
IN_GRAPH = "in graph"
SCENES = 3  # number of scenes with measured logits
SCORED_SCENES = 50  # for the mIoU of the network with 150 classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logits", type=Path, help="logits of a network, [C, h, w] float32 .npy")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="of bench.subclasses; created if missing"
    )
    parser.add_argument("--network", type=Path, help="compare with the inference of this .tflite")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, help="height and width of masks")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path, help="where to write the results")
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = tuple(arguments.size)
    inference = litert(arguments.network.read_bytes()) if arguments.network else None
    network = trained_network(arguments.weights)
    logits_by_name = logits_in(arguments.logits) if arguments.logits else all_logits(network)
    results = {
        name: measure(logits, size, arguments.rounds, inference)
        for name, logits in logits_by_name.items()
    }
    for name, result in results.items():
        show(name, result)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"flags": FLAGS, "fields": results}, indent=2) + "\n")
    if arguments.document:
        write_section(arguments.document, "upsampling", describe(network) + markdown(results))


def describe(network: torch.nn.Module) -> str:
    """Describe in docs/measurements.md what was measured, and with which network."""
    score = scores(network, SCORED_SCENES)
    return (
        "Trained, 150 classes: Tiny after a few minutes of training (`bench.subclasses`) on "
        "procedural scenes whose classes are shapes in certain colors; on unseen scenes it "
        f"reaches {score.miou:.1%} mIoU and {score.pixel_accuracy:.0%} pixel accuracy, far from "
        "a fully trained network. Trained, 12 classes: the packaged weights.\n\n"
    )


def markdown(results: dict[str, dict]) -> str:
    """Format the table of docs/measurements.md."""
    lines = [
        "| logits | candidates per cell (not dominated) | method | speedup over torch | "
        "speedup over the TFLite graph | share of Tiny's inference |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        classes, height, width = result["shape"]
        network = result["methods"].get("network")
        for method in ("C, HWC", "C, CHW", "NumPy, CHW"):
            row = result["methods"][method]
            share = f"{row['milliseconds'] / network['milliseconds']:.0%}" if network else "-"
            lines.append(
                f"| {name}, {classes}x{height}x{width} | {result['candidates_per_cell']} "
                f"({result['not_dominated_per_cell']}) | "
                f"{method} | {row['times_faster_than_torch']:.0f} | "
                f"{row['times_faster_than_in_graph']:.1f} | {share} |"
            )
    return "\n".join(lines)


def packaged_logits() -> np.ndarray:
    """Return the logits [12, 64, 64] of the built-in weights for a procedural scene of 512x512."""
    task = get_task("shapes")
    image, _ = render(seed=1, index=0, size=SIZE)
    network_input = normalize(prepare(image, task.preprocessing, SIZE), task.preprocessing)
    model = create_model("tiny", task, "shapes")
    with torch.no_grad():
        return model(torch.from_numpy(network_input.transpose(2, 0, 1)[None].copy()))[0].numpy()


def logits_in(file: Path) -> dict[str, np.ndarray]:
    """Return the logits in a file, and noise of their shape."""
    logits = np.ascontiguousarray(np.load(file).squeeze(), dtype=np.float32)
    noise = np.random.default_rng(0).standard_normal(logits.shape, np.float32)
    return {file.name: logits, "noise": noise}


def all_logits(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Return the logits to measure; noise is the worst case."""
    noise = np.random.default_rng(0).standard_normal((CLASSES, SIDE, SIDE), np.float32)
    return {
        **{f"trained, scene {i}": logits_of(network, i)[0] for i in range(SCENES)},
        "trained": packaged_logits(),
        "smooth, sigma 8": smooth(noise, 8),
        "smooth, sigma 4": smooth(noise, 4),
        "smooth, sigma 2": smooth(noise, 2),
        "noise": noise,
    }


def smooth(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Blur planes with a periodic Gaussian, and scale them to the spread of logits."""
    y, x = (np.fft.fftfreq(side) for side in noise.shape[1:])
    gaussian = np.exp(-2 * (np.pi * sigma) ** 2 * (y[:, None] ** 2 + x**2))
    blurred = np.fft.ifft2(np.fft.fft2(noise) * gaussian).real
    return (3 * blurred / blurred.std()).astype(np.float32)


def measure(
    logits: np.ndarray,
    size: tuple[int, int],
    rounds: int,
    inference: Callable[[], object] | None,
) -> dict:
    """Return times, ratios and statistics for one array of logits."""
    batch = torch.from_numpy(logits)[None]
    channels_last = np.ascontiguousarray(logits.transpose(1, 2, 0))
    scale = max(float(np.abs(logits).max()) / 127, 1e-30)
    quantized = np.round(channels_last / scale).astype(np.int8)
    native = NativeArgmax()

    def by_torch() -> np.ndarray:
        resized = F.interpolate(batch, size=size, mode="bilinear", align_corners=False)
        return resized.argmax(1)[0].numpy()

    methods = {
        BASE: by_torch,
        IN_GRAPH: litert(post_processing(logits.shape, size), channels_last[None]),
        "NumPy, CHW": lambda: upsample_argmax(logits, size),
        "NumPy, HWC": lambda: upsample_argmax(channels_last, size, layout="HWC"),
        "C, CHW": native.prepare(logits, size),
        "C, HWC": native.prepare(channels_last, size, "HWC"),
        "C, HWC int8": native.prepare(quantized, size, "HWC"),
    }
    if inference:
        methods["network"] = inference
    times = interleaved(methods, rounds)
    candidates, not_dominated = candidates_of(logits)
    return {
        "shape": list(logits.shape),
        "size": list(size),
        "candidates_per_cell": round(float(candidates.sum(axis=0).mean()), 2),
        "not_dominated_per_cell": round(float(not_dominated.sum(axis=0).mean()), 2),
        "pixels_different_from_torch": int(np.count_nonzero(methods["C, HWC"]() != by_torch())),
        "methods": {
            name: {
                "milliseconds": round(1e3 * median(times[name]), 3),
                "times_faster_than_torch": round(ratio(times[BASE], times[name]), 2),
                "times_faster_than_in_graph": round(ratio(times[IN_GRAPH], times[name]), 2),
            }
            for name in methods
        },
    }


def post_processing(shape: tuple[int, ...], size: tuple[int, int]) -> bytes:
    """Build a .tflite that resizes logits HWC and takes the arg-max."""
    import tensorflow as tf  # slow to import, and not needed for --help

    classes, height, width = shape
    signature = tf.TensorSpec([1, height, width, classes], tf.float32)

    @tf.function(input_signature=[signature])
    def resize_and_choose(logits: tf.Tensor) -> tf.Tensor:
        resized = tf.raw_ops.ResizeBilinear(images=logits, size=size, half_pixel_centers=True)
        return tf.argmax(resized, axis=-1, output_type=tf.int32)

    function = resize_and_choose.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()


def litert(model: bytes, *inputs: np.ndarray) -> Callable[[], object]:
    """Return a function that runs a model, without copying its inputs and outputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=False):
        interpreter.set_tensor(detail["index"], value)
    return interpreter.invoke


def interleaved(methods: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time every method once per round, after a warm-up round."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(rounds + 1):
        for name, run in methods.items():
            start = time.process_time()
            run()
            if number:
                times[name].append(time.process_time() - start)
    return times


def ratio(of: list[float], to: list[float]) -> float:
    return median(a / b for a, b in zip(of, to, strict=True))


def candidates_of(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that the skip rule keeps, and which of these are not dominated.

    Both are bool [C, h - 1, w - 1], by the rules of argmax.py without the margins for rounding.
    """
    corners = np.stack(
        [logits[:, y : y - 1 or None, x : x - 1 or None] for y in (0, 1) for x in (0, 1)]
    )
    kept = corners.max(axis=0) >= corners.min(axis=0).max(axis=0)
    leader = np.where(kept, corners.sum(axis=0), -np.inf).argmax(axis=0)
    leader_corners = np.take_along_axis(corners, leader[None, None], axis=1)
    return kept, kept & (corners >= leader_corners).any(axis=0)


def show(name: str, result: dict) -> None:
    classes, height, width = result["shape"]
    print(
        f"\n{name}: {classes} x {height} x {width} -> {result['size'][0]} x {result['size'][1]}, "
        f"{result['candidates_per_cell']} candidates per cell, "
        f"{result['not_dominated_per_cell']} of them not dominated, "
        f"{result['pixels_different_from_torch']} pixels different from torch"
    )
    print(f"{'':14}{'ms':>9}{'x torch':>9}{'x in graph':>12}")
    for method, row in result["methods"].items():
        print(
            f"{method:14}{row['milliseconds']:9.2f}{row['times_faster_than_torch']:9.1f}"
            f"{row['times_faster_than_in_graph']:12.1f}"
        )


if __name__ == "__main__":
    main()
