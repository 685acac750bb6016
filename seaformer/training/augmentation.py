"""Random augmentation of a training image and its mask, as in the official pipeline.

Source: mmsegmentation 0.x, mmseg/datasets/pipelines/transforms.py (Resize with ratio_range,
RandomCrop, RandomFlip, PhotoMetricDistortion, Normalize, Pad, in this order). The only difference:
Pillow antialiases when it shrinks an image, like the preprocessing on devices.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.datasets.masks import IGNORED
from seaformer.imaging.preprocessing import normalize
from seaformer.tasks import Task
from seaformer.training.recipe import Recipe

_CROP_TRIES = 10
_BRIGHTNESS = 32
_CONTRAST = _SATURATION = (0.5, 1.5)
_HUE = 18 / 180
"""Share of the color circle, which OpenCV divides into 180 units."""

_Bytes = npt.NDArray[np.uint8]


def augment(
    image: _Bytes, mask: _Bytes, task: Task, recipe: Recipe, random: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Make a training example by augmenting an image and its mask.

    Args:
        image: uint8 [H, W, 3], RGB.
        mask: uint8 [H, W], class indices; `IGNORED` for pixels that do not count.
        task: normalization and channel order, and the size that scales refer to.
        recipe: which augmentations are applied, and how strongly.
        random: random number generator.

    Returns:
        Normalized float32 [3, h, w] and int64 [h, w] in the size of the recipe's crop. Padding, if
        the image is smaller than the crop, is `IGNORED`.
    """
    image, mask = _scaled(image, mask, task, recipe, random)
    image, mask = _cropped(image, mask, recipe, random)
    if random.random() < recipe.flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
    target = np.full(recipe.crop, IGNORED, np.int64)
    target[: mask.shape[0], : mask.shape[1]] = mask
    return finished(image, task, recipe, random), target


def finished(
    image: _Bytes, task: Task, recipe: Recipe, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Change the colors of a crop, normalize it and pad it to the size of the recipe's crop.

    `image` is uint8 [h, w, 3], RGB; the result is float32 [3, height, width].
    """
    if recipe.photometric:
        image = distort_colors(image, random)
    if task.preprocessing.color_order == "BGR":
        image = image[:, :, ::-1]
    height, width = image.shape[:2]
    example = np.full((3, *recipe.crop), task.preprocessing.pad_value, np.float32)
    example[:, :height, :width] = normalize(image.astype(np.float32), task.preprocessing).transpose(
        2, 0, 1
    )
    return example


def distort_colors(image: _Bytes, random: np.random.Generator) -> _Bytes:
    """Change brightness, contrast, saturation and hue, each with probability 1/2.

    Contrast is changed either before or after saturation and hue, at random. Input and output are
    uint8 [H, W, 3], RGB.
    """

    def coin() -> bool:
        return bool(random.random() < 0.5)

    if coin():
        image = _affine(image, 1.0, random.uniform(-_BRIGHTNESS, _BRIGHTNESS))
    contrast = random.uniform(*_CONTRAST) if coin() else None
    contrast_first = coin()
    if contrast is not None and contrast_first:
        image = _affine(image, contrast)
    saturation = random.uniform(*_SATURATION) if coin() else None
    hue = round(random.uniform(-_HUE, _HUE) * 256) if coin() else None
    if saturation is not None or hue is not None:
        bands = np.array(Image.fromarray(image).convert("HSV"))
        if saturation is not None:
            bands[:, :, 1] = _affine(bands[:, :, 1], saturation)
        if hue is not None:
            bands[:, :, 0] += np.uint8(hue % 256)  # hue is an angle: it wraps
        image = np.asarray(Image.fromarray(bands, "HSV").convert("RGB"))
    if contrast is not None and not contrast_first:
        image = _affine(image, contrast)
    return image


def _affine(values: _Bytes, factor: float, offset: float = 0.0) -> _Bytes:
    table = np.clip(np.arange(256) * factor + offset, 0, 255).astype(np.uint8)
    return table[values]


def _scaled(
    image: _Bytes, mask: _Bytes, task: Task, recipe: Recipe, random: np.random.Generator
) -> tuple[_Bytes, _Bytes]:
    """Resize by a random factor relative to the evaluation size of the task."""
    size = scaled_size(mask.shape, task, recipe, random)
    if size == mask.shape:
        return image, mask
    return (
        resized(image, size),
        np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST)),
    )


def scaled_size(
    size: tuple[int, ...], task: Task, recipe: Recipe, random: np.random.Generator
) -> tuple[int, int]:
    """Scale height and width by a random factor relative to the evaluation size of the task."""
    short, long = min(recipe.crop), None
    if task.evaluation is not None:
        short, long = task.evaluation.short_side, task.evaluation.long_side_max
    factor = random.uniform(*recipe.scale)
    height, width = size
    scale = short * factor / min(height, width)
    if long is not None:
        scale = min(scale, long * factor / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def resized(image: _Bytes, size: tuple[int, int]) -> _Bytes:
    """Resize an image, uint8 [H, W, 3], to a height and width, bilinearly and antialiased."""
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def _cropped(
    image: _Bytes, mask: _Bytes, recipe: Recipe, random: np.random.Generator
) -> tuple[_Bytes, _Bytes]:
    """Crop at random; retry, at most ten times, while one class fills most of the crop."""
    height, width = recipe.crop
    for _ in range(_CROP_TRIES):
        top = int(random.integers(max(mask.shape[0] - height, 0) + 1))
        left = int(random.integers(max(mask.shape[1] - width, 0) + 1))
        crop = np.s_[top : top + height, left : left + width]
        if recipe.cat_max_ratio >= 1:
            break
        counts = np.bincount(mask[crop].ravel(), minlength=IGNORED + 1)[:IGNORED]
        if np.count_nonzero(counts) > 1 and counts.max() < recipe.cat_max_ratio * counts.sum():
            break
    return image[crop], mask[crop]
