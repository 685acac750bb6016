"""Preprocessing: from a photo to the input of a network, as described by a task's `Preprocessing`.

Pillow resizes 8-bit values with antialiasing: its filter widens with the scale when an image is
shrunk, so that all pixels contribute. Results are rounded to 8 bits, which makes the input
identical on all computers with the same version of Pillow.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.errors import SeaformerError, UsageError
from seaformer.tasks import GRAY, Preprocessing

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# A strip of 1 x 10000 pixels becomes 256 x 2560000 before the center crop.
_MAX_SCALED_PIXELS = 250_000_000


def prepare(
    image: npt.NDArray[np.uint8], preprocessing: Preprocessing, size: tuple[int, int] | None = None
) -> npt.NDArray[np.float32]:
    """Resize a photo to the input size; the result is the input of a model that normalizes itself.

    Args:
        image: uint8 [H, W, 3], RGB.
        preprocessing: how to resize, with which filter, and the order of the channels.
        size: height and width of the result in pixels; None for `preprocessing.input_size`.

    Returns:
        float32 [h, w, channels], whole numbers 0..255, channels in `preprocessing.color_order`.

    Raises:
        UsageError: `image` is not uint8 [H, W, 3].
        SeaformerError: the scaled image would take too much memory.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UsageError(f"the image is {image.dtype} {list(image.shape)}. Allowed: uint8 [H,W,3].")
    height, width = size or preprocessing.input_size
    scaled_height, scaled_width = scaled_size(image.shape[:2], preprocessing, (height, width))
    if scaled_height * scaled_width > _MAX_SCALED_PIXELS:
        raise SeaformerError(
            f"the image of {image.shape[1]} x {image.shape[0]} pixels would have to be scaled to "
            f"{scaled_width} x {scaled_height}, which is above {_MAX_SCALED_PIXELS // 1_000_000} "
            "megapixels. Crop the image to its subject, or use a smaller input size."
        )
    source = Image.fromarray(image)
    if preprocessing.color_order == GRAY:
        source = source.convert("L")
    scaled = source.resize((scaled_width, scaled_height), _FILTERS[preprocessing.interpolation])
    top, left = (scaled_height - height) // 2, (scaled_width - width) // 2
    crop = scaled.crop((left, top, left + width, top + height))
    channels = np.asarray(crop, dtype=np.float32).reshape(height, width, -1)
    if preprocessing.color_order == "BGR":
        channels = channels[:, :, ::-1]
    return np.ascontiguousarray(channels)


def normalize(
    prepared: npt.NDArray[np.float32], preprocessing: Preprocessing
) -> npt.NDArray[np.float32]:
    """Return (value - mean) / std per channel, the input of a model that does not normalize itself.

    Input, from `prepare`, and output are float32 [..., channels].
    """
    mean = np.array(preprocessing.mean, dtype=np.float32)
    std = np.array(preprocessing.std, dtype=np.float32)
    return (prepared - mean) / std


def seen_part(
    image: npt.NDArray[np.uint8], preprocessing: Preprocessing, size: tuple[int, int] | None = None
) -> npt.NDArray[np.uint8]:
    """Return the part of a photo that the network sees after `prepare`, which masks correspond to.

    It is the whole image for "stretch", its center for "center-crop". `size` is as in `prepare`.

    Returns:
        uint8 [h, w, 3] with h <= H and w <= W, a view of `image`, rounded to whole pixels.
    """
    rows, columns = seen_size(image.shape[:2], preprocessing, size or preprocessing.input_size)
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    return image[top : top + rows, left : left + columns]


def seen_size(
    image_size: tuple[int, ...], preprocessing: Preprocessing, size: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of `seen_part` of an image, in its own pixels."""
    scaled_height, scaled_width = scaled_size(image_size, preprocessing, size)
    rows = round(size[0] * image_size[0] / scaled_height)
    columns = round(size[1] * image_size[1] / scaled_width)
    return max(1, rows), max(1, columns)


def scaled_size(
    image_size: tuple[int, ...], preprocessing: Preprocessing, size: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of the whole image at the scale of the network's input.

    The input, of height and width `size`, is the middle of it.
    """
    height, width = size
    if preprocessing.crop_fraction is None:
        return height, width
    image_height, image_width = image_size
    scale = max(height / image_height, width / image_width) / preprocessing.crop_fraction
    # The inner rounding removes the error of the divisions: 250.00000000000003 is 250.
    return (math.ceil(round(image_height * scale, 6)), math.ceil(round(image_width * scale, 6)))
