"""Engines, images and references for the tests of quantization."""

from collections.abc import Sequence
from pathlib import Path

from exporting import read_metadata

from seaformer.artifact.embedding import content_of
from seaformer.artifact.precisions import FORMATS
from seaformer.datasets.shapes import ShapesDataset
from seaformer.export.convert import tflite_file
from seaformer.export.quantize.calibration import Images, network_inputs
from seaformer.export.quantize.tflite_engine import TFLiteEngine
from seaformer.quantization import ranges
from seaformer.quantization.ranges import Activation
from seaformer.tasks import get_task

TFLITE = FORMATS["tflite"]


def scenes(count: int, size: tuple[int, int], split: str = "val") -> Images:
    """Return procedural scenes of a size, with their ground truth."""
    drawn = ShapesDataset(split, size)
    return Images(f"{count} scenes", count, drawn.__getitem__)


def calibrated(
    file: Path, task: str, images: int = 8
) -> tuple[TFLiteEngine, dict[str, Activation]]:
    """Return the engine of an exported .tflite that normalizes inside, calibrated on scenes."""
    metadata = read_metadata(file)
    operators = metadata.operators
    model = tflite_file.with_module_names(content_of(file), [row.module for row in operators])
    engine = TFLiteEngine(model, operators, (0.0, 255.0))
    height, width = metadata.input.size
    calibration = scenes(images, (height, width), "train")
    inputs = network_inputs(calibration, get_task(task).preprocessing, (height, width), inside=True)
    seen = engine.observe(inputs)
    engine.ranges = ranges.choose(seen, "average")
    return engine, seen


def stretched(engine: TFLiteEngine, tensors: Sequence[str], factor: float) -> None:
    """Widen the ranges of tensors by a factor, so that 8 bits are too coarse."""
    engine.ranges = {
        name: (factor * low, factor * high) if name in tensors else (low, high)
        for name, (low, high) in engine.ranges.items()
    }
