"""What files are compared with PyTorch on: images that have little in common.

A fault can show on one of them alone: a branch that white takes, a sum that overflows, padding that
only an edge beside it makes visible.
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
"""Of the noise that a network of features gets."""

NOISE = 1
"""Place of an input whose values all differ, as matching tensors by their values needs."""

ON_DRIVERS = 3
"""How many of the inputs half precision and other accelerators, whose drivers in software are slow,
are verified on: the photograph, noise and white, or the noise that a network of features gets."""

BLOCK = 32
"""Side in pixels of the blocks of coarse noise, whose every value spans several strides."""

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
"""Height and width -> [height, width, 3], 0..255."""

PLAIN = ("white", "black", "one color")
"""Images whose inside is one value: a single near-tie decides the class of nearly all positions, so
the arg-max says little there."""


@dataclass(frozen=True)
class VerificationInput:
    """An input of the exported file.

    Attributes:
        name: what it shows.
        values: float32 [1, channels, height, width], as the exported file takes it.
        has_classes: whether the arg-max of what comes out says something.
    """

    name: str
    values: np.ndarray
    has_classes: bool


def images(
    preprocessing: Preprocessing, size: tuple[int, int], inside: bool
) -> list[VerificationInput]:
    """The photograph, and drawn images.

    Args:
        preprocessing: how a photograph becomes the input.
        size: height and width of the input.
        inside: whether the exported file normalises the image itself, and so takes 0..255.
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
    """Standard normal noise, for a network that takes features."""
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
    """Stripes in black and white whose width grows from left to right, turned over below."""
    stripes = np.floor(np.sqrt(np.arange(width))) % 2
    below = np.arange(height) >= height // 2
    return 255.0 * np.logical_xor(stripes[None, :], below[:, None])[..., None].repeat(3, axis=2)
