"""The two evaluation protocols: how images are fed to a network, and how logits become masks.

**official** is the protocol of the published numbers, and needs a network that takes any input
size. Segmentation, as in mmcv and mmseg: the image is resized bilinearly without antialiasing and
keeps its aspect ratio; the logits are resized bilinearly to the network's input, then to the
image. Classification, as in timm: the shorter side is resized with Pillow's antialiasing, and the
center is cropped.

**deployed** is the protocol of a device, where the input has a fixed size: the image is prepared by
the model's own preprocessing, stretched for segmentation, and the logits are resized to the image
in one step.

torch, whose resizing equals mmcv's, is imported only in the functions that need it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.images import MAX_PIXELS
from seaformer.imaging.preprocessing import prepare
from seaformer.tasks import GRAY, Evaluation, Preprocessing

OFFICIAL = "official"
DEPLOYED = "deployed"
PROTOCOLS = (OFFICIAL, DEPLOYED)

Size = tuple[int, int]
Pixels = npt.NDArray[np.uint8]
Prepared = npt.NDArray[np.float32]

# Each step for all 150 classes at 2048 x 2048 would take 2.5 GB.
_CLASSES_AT_ONCE = 8


@dataclass(frozen=True)
class Protocol:
    """How an image is prepared for the network.

    Attributes:
        name: one of `PROTOCOLS`.
        description: short description for reports.
        prepare: turns uint8 [H, W, 3], RGB, into float32 [h, w, 3], 0..255, in the network's
            channel order. Raises a SeaformerError if the scaled image would not fit into memory.
    """

    name: str
    description: str
    prepare: Callable[[Pixels], Prepared]


def deployed(preprocessing: Preprocessing, size: Size) -> Protocol:
    """Return the protocol of a device: it resizes as `seaformer.imaging.preprocessing` does.

    `size` is height and width of the network's input.
    """
    how = "stretched to" if preprocessing.resize == "stretch" else "center crop,"
    return Protocol(
        DEPLOYED, f"{how} {size[1]} x {size[0]}", lambda p: prepare(p, preprocessing, size)
    )


def official_segmentation(preprocessing: Preprocessing, evaluation: Evaluation) -> Protocol:
    """Return the protocol of mmcv and mmseg: one scale, no flip.

    Raises:
        UsageError: `evaluation` crops the image, which leaves no mask of the whole image.
    """
    if evaluation.crop_size is not None:
        raise UsageError(
            f"the evaluation of the task has crop_size {list(evaluation.crop_size)}. Allowed "
            "in segmentation: no crop_size, as the whole mask is evaluated."
        )
    short, limit = evaluation.short_side, evaluation.long_side_max

    def scaled_and_rounded(image: Pixels) -> Prepared:
        """Resize to the scale, then to the multiple; each step rounds to 8 bits as in mmcv."""
        import torch
        from torch.nn import functional as F

        sides = image.shape[:2]
        scale = short / min(sides)
        if limit is not None:
            scale = min(scale, limit / max(sides))
        scaled = [max(1, int(side * scale + 0.5)) for side in sides]
        multiple = evaluation.size_multiple
        rounded = [-(-side // multiple) * multiple for side in scaled]
        _refuse_huge(sides, rounded)
        pixels = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        for size in (scaled, rounded):
            if tuple(size) != pixels.shape[2:]:
                resized = F.interpolate(pixels, size, mode=preprocessing.interpolation)
                pixels = (resized + 0.5).floor().clamp(0, 255)
        return _ordered(pixels[0].permute(1, 2, 0).numpy(), preprocessing)

    long = f", long side at most {limit}" if limit else ""
    return Protocol(OFFICIAL, f"short side {short}{long}", scaled_and_rounded)


def official_classification(preprocessing: Preprocessing, evaluation: Evaluation) -> Protocol:
    """Return the protocol of timm: the shorter side is resized, then the center is cropped.

    Raises:
        UsageError: there is no crop size, or it does not fit into the resized image.
    """
    crop, short = evaluation.crop_size, evaluation.short_side
    if crop is None or max(crop) > short:
        raise UsageError(
            f"the evaluation of the task has crop_size {crop and list(crop)}. Allowed in "
            f"classification: sides up to short_side, {short}."
        )

    def cropped(image: Pixels) -> Prepared:
        """Resize and crop like torchvision's `Resize` and `CenterCrop`, which timm uses."""
        sides = image.shape[:2]
        height, width = (side * short // min(sides) for side in sides)
        _refuse_huge(sides, [height, width])
        resampling = Image.Resampling[preprocessing.interpolation.upper()]
        scaled = Image.fromarray(image).resize((width, height), resampling)
        top, left = round((height - crop[0]) / 2), round((width - crop[1]) / 2)
        center = scaled.crop((left, top, left + crop[1], top + crop[0]))
        return _ordered(np.asarray(center, dtype=np.float32), preprocessing)

    description = f"short side {short}, center crop {crop[1]} x {crop[0]}"
    return Protocol(OFFICIAL, description, cropped)


def two_step_mask(
    logits: npt.NDArray[np.float32], input_size: Size, image: Size
) -> npt.NDArray[np.uint8]:
    """Return the arg-max of logits that are resized to the network's input, then to the image.

    mmseg applies a softmax in between, which keeps the order but can round two classes to a tie.
    Logits are finite, [C, h, w] with up to 256 classes; sizes are height and width.

    Returns:
        uint8 [H, W]. The lowest class wins a tie.
    """
    import torch
    from torch.nn import functional as F

    largest = torch.full(image, -torch.inf)
    winner = torch.zeros(image, dtype=torch.uint8)
    for first, some in enumerate(torch.from_numpy(logits).split(_CLASSES_AT_ONCE)):
        at_input = F.interpolate(some[None], input_size, mode="bilinear")
        value, index = F.interpolate(at_input, image, mode="bilinear")[0].max(dim=0)
        index = (index + first * _CLASSES_AT_ONCE).to(torch.uint8)
        winner = torch.where(value > largest, index, winner)
        largest = torch.maximum(largest, value)
    mask: npt.NDArray[np.uint8] = winner.numpy()
    return mask


def _refuse_huge(image: tuple[int, ...], scaled: list[int]) -> None:
    # For example, an image of 1 x 10000 pixels.
    if scaled[0] * scaled[1] > MAX_PIXELS:
        raise SeaformerError(
            f"the protocol scales an image of {image[1]} x {image[0]} pixels to "
            f"{scaled[1]} x {scaled[0]}. Allowed: {MAX_PIXELS // 1_000_000} megapixels."
        )


def _ordered(pixels: Prepared, preprocessing: Preprocessing) -> Prepared:
    """Convert the channels of an RGB image to the network's."""
    if preprocessing.color_order == GRAY:
        gray = Image.fromarray(pixels.astype(np.uint8)).convert("L")
        return np.asarray(gray, np.float32)[:, :, None]
    return pixels[:, :, ::-1] if preprocessing.color_order == "BGR" else pixels
