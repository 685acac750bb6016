"""The inputs for comparing a file: noise, and the bundled photo if the file takes an image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seaformer.artifact.metadata import Interface
from seaformer.errors import SeaformerError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.runtimes.image_session import find_layout
from seaformer.runtimes.session import Array, Session, Tensor, check_input_size
from seaformer.tasks import DEFAULT_TASK, get_task

SEED = 0

MAX_INDEX = 10
"""Upper bound of noise in integers of 32 bits or more: most are indices, such as of words."""


@dataclass(frozen=True)
class Probe:
    """Inputs for a file.

    Attributes:
        name: description, such as "noise".
        inputs: an array for each input of the file.
    """

    name: str
    inputs: tuple[Array, ...]


def make_probes(session: Session) -> list[Probe]:
    """Make the inputs for a file of static shapes.

    Raises:
        SeaformerError: a shape is not static, or too large.
    """
    for tensor in session.inputs:
        if None in tensor.shape:
            raise SeaformerError(
                f"'{session.path}' has a dynamic shape: its input {tensor.name} is "
                f"{list(tensor.shape)}. Export it with a fixed size."
            )
        check_input_size([side or 0 for side in tensor.shape], session.path)
    metadata = session.metadata
    value_range = None if metadata is None else metadata.input.range
    probes = [Probe("noise", noise(session.inputs, value_range))]
    photograph = _photograph(session, metadata)
    if photograph is not None:
        probes.append(Probe("photograph", (photograph,)))
    return probes


def noise(
    tensors: Sequence[Tensor], value_range: tuple[float, float] | None = None
) -> tuple[Array, ...]:
    """Return noise for the given inputs, the same in every call.

    Args:
        tensors: the inputs, with static shapes.
        value_range: bounds of uniform noise for real values; None for standard normal noise.
    """
    generator = np.random.default_rng(SEED)
    return tuple(_noise(generator, tensor, value_range) for tensor in tensors)


def _noise(
    generator: np.random.Generator, tensor: Tensor, value_range: tuple[float, float] | None
) -> Array:
    shape, dtype = tuple(side or 0 for side in tensor.shape), np.dtype(tensor.dtype)
    if dtype.kind == "f" or (tensor.integers is not None and value_range is not None):
        if value_range is None:
            return generator.standard_normal(shape).astype(dtype)
        low, high = value_range
        return tensor.encode(generator.uniform(low, high, shape).astype(np.float32))
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(dtype)
    if dtype.itemsize > 2:
        return generator.integers(0, MAX_INDEX, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def _photograph(session: Session, metadata: Interface | None) -> Array | None:
    """The photo, preprocessed for the file; None if it takes no image or how is not recorded."""
    is_known = metadata is None or (metadata.takes_image and metadata.knows_normalization)
    if len(session.inputs) != 1 or not is_known:
        return None
    tensor = session.inputs[0]
    try:
        channels = 3 if metadata is None else metadata.input.channels
        layout = find_layout(tensor.shape, session.path, channels)
    except SeaformerError:
        return None
    height, width = (tensor.shape[layout.index(axis)] or 0 for axis in "HW")
    task = get_task(DEFAULT_TASK)
    preprocessing = task.preprocessing if metadata is None else metadata.preprocessing
    pixels = prepare(read_image(sample_photograph()), preprocessing, (height, width))
    # Without metadata the input range is unknown: usually normalized values, or bytes.
    takes_bytes = np.dtype(tensor.dtype) == np.uint8 and metadata is None
    if takes_bytes:
        values = pixels.astype(np.uint8)
    else:
        if metadata is None or not metadata.normalizes_inside:
            pixels = normalize(pixels, preprocessing)
        values = tensor.encode(pixels)
    return np.ascontiguousarray(
        values.transpose(2, 0, 1)[None] if layout == "NCHW" else values[None]
    )
