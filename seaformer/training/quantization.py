"""Quantization-aware fine-tuning: a network that rounds like its exported file."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from seaformer.artifact.precisions import PRECISIONS
from seaformer.console import Console
from seaformer.models.entry import Network
from seaformer.quantization.preparation import (
    calibrate,
    fake_quantize,
    learned_ranges,
    require_supported,
    set_ranges,
)
from seaformer.tasks import Task
from seaformer.training.scenes import Scenes, TrainingData
from seaformer.training.validation import prepared

CALIBRATION_IMAGES = 100
"""Number of training images from which the first ranges are chosen."""

_BATCH = 4


def quantize(
    model: nn.Module,
    network: Network,
    found: TrainingData,
    precision: str,
    console: Console,
    *,
    is_resumed: bool,
) -> None:
    """Prepare a network with its weights for a training with fake quantization, in place.

    Args:
        model: the network, on the CPU.
        network: its row in the registry.
        found: training images, from which the first ranges are chosen.
        precision: name of the precision to train for.
        console: to print to.
        is_resumed: whether the ranges come from the state of the run instead.

    Raises:
        UsageError: the network is not supported.
        SeaformerError: an activation is not finite, or an image cannot be read.
    """
    require_supported(model, network.name)
    row = PRECISIONS[precision]
    fake_quantize(model, row, found.task.preprocessing)
    if not is_resumed:
        images = _images(found.training, found.task)
        count = calibrate(model, images, str(row.range_method))
        shown = min(CALIBRATION_IMAGES, len(found.training))
        console.print(f"{precision}: {count} ranges from {shown} training images")


def quantize_as_stored(model: nn.Module, weights: Path, task: Task) -> None:
    """Make a network with the weights of a checkpoint round with its learned ranges, if any."""
    learned = learned_ranges(weights)
    if learned is not None:
        fake_quantize(model, PRECISIONS[learned.precision], task.preprocessing)
        set_ranges(model, learned)


def _images(scenes: Scenes, task: Task) -> Iterator[Tensor]:
    count = min(CALIBRATION_IMAGES, len(scenes))
    places = [place * len(scenes) // count for place in range(count)]
    for start in range(0, count, _BATCH):
        images = [scenes[place][0] for place in places[start : start + _BATCH]]
        yield prepared(images, task)
