"""The inputs on which files are compared with PyTorch: a diverse set of images.

Some faults are visible on only one of them: a branch taken only for white, a sum that overflows, or
padding that matters only beside an edge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from torch import nn

from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.models.inputs import input_shape
from seaformer.tasks import Preprocessing

NOISE_SEEDS = (0, 1)
"""Seeds of the noise for a network that takes features."""

NOISE = 1
"""Index of an input with all different values, which matching tensors by their values requires."""

ON_DRIVERS = 3
"""Number of inputs for half precision and for accelerators, whose software drivers are slow: the
photo, noise and white, or the noise for a network that takes features."""

BLOCK = 32
"""Side of the blocks of coarse noise in pixels; a block spans several strides."""

DRAWN: Mapping[str, Callable[[int, int], np.ndarray]] = MappingProxyType(
    {
        "noise, seed 0": lambda height, width: _noise(height, width, block=1),
        "white": lambda height, width: np.full((height, width, 3), 255),
        "noise in blocks": lambda height, width: _noise(height, width, block=BLOCK),
        "edges": lambda height, width: _edges(height, width),
        "black": lambda height, width: np.zeros((height, width, 3)),
        "one color": lambda height, width: np.full((height, width, 3), (200, 30, 90)),
    }
)
"""Name -> function of height and width that returns [height, width, 3], 0..255."""

PLAIN = ("white", "black", "one color")
"""Images of a single color: one near-tie decides the class of nearly all positions, so the arg-max
is not informative."""


@dataclass(frozen=True)
class VerificationInput:
    """An input of the exported file.

    Attributes:
        name: description.
        values: float32 [1, channels, height, width], preprocessed for the exported file.
        has_classes: whether the arg-max of the output is informative.
    """

    name: str
    values: np.ndarray
    has_classes: bool


def images(
    preprocessing: Preprocessing, size: tuple[int, int], inside: bool
) -> list[VerificationInput]:
    """Return the photo and the drawn images.

    Args:
        preprocessing: preprocessing of the model's input.
        size: height and width of the input.
        inside: whether the exported file normalizes the image itself, and so takes 0..255.
    """
    pixels = {"photograph": prepare(read_image(sample_photograph()), preprocessing, size)}
    channels = preprocessing.channels
    pixels |= {name: draw(*size)[..., :channels].astype(np.float32) for name, draw in DRAWN.items()}
    return [
        VerificationInput(
            name,
            np.ascontiguousarray(
                (image if inside else normalize(image, preprocessing)).transpose(2, 0, 1)[None]
            ),
            name not in PLAIN,
        )
        for name, image in pixels.items()
    ]


def features(model: nn.Module, size: tuple[int, int]) -> list[VerificationInput]:
    """Return standard normal noise for a network that takes features."""
    shape = input_shape(model, size)
    return [
        VerificationInput(
            f"noise, seed {seed}",
            np.random.default_rng(seed).standard_normal(shape).astype(np.float32),
            has_classes=False,
        )
        for seed in NOISE_SEEDS
    ]


def _noise(height: int, width: int, block: int) -> np.ndarray:
    rows, columns = -(-height // block), -(-width // block)
    values = np.random.default_rng(0).integers(0, 256, (rows, columns, 3))
    return values.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]


def _edges(height: int, width: int) -> np.ndarray:
    """Black and white stripes whose width grows from left to right, inverted in the lower half."""
    stripes = np.floor(np.sqrt(np.arange(width))) % 2
    below = np.arange(height) >= height // 2
    return 255.0 * np.logical_xor(stripes[None, :], below[:, None])[..., None].repeat(3, axis=2)
