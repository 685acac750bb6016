"""Reading images of all common formats as 8-bit RGB."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from seaformer.errors import SeaformerError, UsageError
from seaformer.extras import MissingExtraError, require
from seaformer.imaging.image_files import HEIC_SUFFIXES

# Above this, three bytes per pixel and one copy do not fit the memory of an ordinary computer. The
# largest phone cameras have 200 megapixels.
MAX_PIXELS = 250_000_000

MAX_DECODED_BYTES = 3 * MAX_PIXELS
"""Limit for a decoded image, including a fourth channel or 32-bit pixels; a compressed file of 2 MB
can have any number of pixels."""

MAX_FILE_BYTES = 6 * MAX_PIXELS
"""Limit for a file: the largest image, uncompressed, with 16 bits per channel."""

_TILE_WIDTH, _TILE_LENGTH = 322, 323
"""TIFF tags."""

# Pillow reads more formats, for some of which it starts other programs (EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")
HEIC = "HEIF"
"""Pillow's name for HEIC, which it reads if the extra is installed."""

ACCEPTED = (
    "Accepted: JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, PPM; HEIC with "
    "pip install 'seaformer[heic]'. Convert others to JPEG."
)

WHITE = (255, 255, 255)


def sample_photograph() -> Path:
    """Return the path of the bundled sample photo.

    It shows a cup of espresso on a wooden table, at 600 x 400 pixels; for its source, see
    `PHOTOGRAPH.md` next to it.
    """
    return Path(str(resources.files("seaformer") / "data" / "photograph.jpg"))


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read an image in its displayed form: upright, in color, on white where transparent.

    The EXIF orientation is applied. Gray, palette, CMYK and other images are converted to RGB by
    Pillow; color profiles are ignored, as in the training of the networks. Of 16-bit values, the
    upper eight bits are used. Of animations and documents, the first frame or page is used.

    Args:
        path: file in one of the `FORMATS`, or `HEIC` with the extra of that name, of at most
            `MAX_PIXELS` pixels of three bytes.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        MissingExtraError: it is HEIC, and the extra is not installed.
        SeaformerError: the file is missing, not an image, damaged or too large.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise SeaformerError(f"'{path}' is a folder. Give one image. {ACCEPTED}")
        with path.open("rb") as file:
            if path.is_file() and path.stat().st_size == 0:
                raise SeaformerError(f"'{path}' is empty (0 bytes). Copy it again.")
            with open_image(file, path) as image:
                return _rgb(image)
    except SeaformerError:
        raise
    except FileNotFoundError as error:
        raise SeaformerError(f"there is no file '{path}'. Check the name.") from error
    except UnidentifiedImageError as error:
        if path.suffix.lower() in HEIC_SUFFIXES:
            require("heic")
        raise SeaformerError(f"'{path}' is not an image that can be read. {ACCEPTED}") from error
    except PermissionError as error:
        raise SeaformerError(f"cannot read '{path}': permission denied.") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders can raise any exception.
        raise SeaformerError(
            f"'{path}' is damaged, truncated or in an unusual format: {error}. "
            "Copy it again, or convert it to JPEG or PNG."
        ) from error


def as_pixels(image: str | Path | Image.Image | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Convert a file, a Pillow image or an array to uint8 [H, W, 3], RGB.

    An array is uint8 [H, W, 3], RGB, or [H, W], gray.

    Raises:
        UsageError: the image is of another type, dtype or shape.
        SeaformerError: the image cannot be read, or is too large.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, Image.Image):
        try:
            return _rgb(image.copy())
        except ValueError as error:
            raise UsageError(f"the image cannot be used: {error}. Convert it to RGB.") from error
    if not isinstance(image, np.ndarray):
        raise UsageError(
            f"the image is a {type(image).__name__}. Allowed: a path, a Pillow image, or an RGB "
            "array, uint8 [height, width, 3]."
        )
    shape = list(image.shape)
    is_gray = image.ndim == 2
    if image.dtype != np.uint8 or 0 in shape or not (is_gray or shape[2:] == [3]):
        raise UsageError(
            f"the image is an array of {image.dtype} {shape}. Allowed: uint8 [height, width, 3] "
            "for RGB, or [height, width] for gray, with values of 0..255."
        )
    if shape[0] * shape[1] > MAX_PIXELS:
        raise UsageError(
            f"the image has {shape[1]} x {shape[0]} pixels. Allowed: up to "
            f"{MAX_PIXELS // 1_000_000} megapixels."
        )
    return np.repeat(image[:, :, None], 3, axis=2) if is_gray else np.ascontiguousarray(image)


def unreadable(paths: Sequence[Path]) -> dict[Path, str]:
    """Read images; return the error message for each image that cannot be read.

    Raises:
        MissingExtraError: one is HEIC, and the extra is not installed.
    """
    problems = {}
    for path in paths:
        try:
            read_image(path)
        except MissingExtraError:
            raise
        except SeaformerError as error:
            problems[path] = str(error)
    return problems


@cache
def _formats() -> tuple[str, ...]:
    """Return the image formats that can be read in this installation."""
    try:
        import pillow_heif
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, HEIC)


@contextmanager
def open_image(
    file: BinaryIO, path: Path, formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """Open an image and check its size, so that its pixels can be decoded; used for all images.

    `path` is for messages; `formats` are Pillow's names of the allowed formats; None for all that
    can be read.

    Raises:
        SeaformerError: the image would take too much memory.
        Exception: any exception of Pillow.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise SeaformerError(
            f"'{path}' has {size / 1e6:.0f} MB. Allowed: up to {MAX_FILE_BYTES / 1e6:.0f} MB. "
            "Resize it first."
        )
    with warnings.catch_warnings():
        # Invalid metadata does no harm; Pillow would print Python warnings about it.
        warnings.simplefilter("ignore")
        # Pillow's own limit is too small for images of phone cameras: it warns above it, and
        # refuses images of twice that size.
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(file, formats=formats or _formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        with image:
            _check_size(image, path)
            yield image


def _check_size(image: Image.Image, path: Path) -> None:
    """Refuse an image whose header shows that decoding would take too much memory."""
    width, height = image.size
    if isinstance(image, TiffImageFile):
        # Each tile is decoded completely, even if most of it is outside the image.
        width = max(width, image.tag_v2.get(_TILE_WIDTH, 0))
        height = max(height, image.tag_v2.get(_TILE_LENGTH, 0))
    # The WebP decoder always allocates a fourth channel.
    is_deep = image.mode in ("I", "F") or image.format == "WEBP"
    is_deep |= image.has_transparency_data
    pixel_bytes = 4 if is_deep else max(3, len(image.getbands()))
    if width * height * pixel_bytes > MAX_DECODED_BYTES:
        raise SeaformerError(
            f"'{path}' has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels) of "
            f"{pixel_bytes} bytes. Allowed: up to {MAX_DECODED_BYTES // pixel_bytes // 1_000_000} "
            "megapixels. Resize it first."
        )


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        # Pillow would clip 16-bit gray at 255. Values of a PPM file are scaled to 0..65535.
        gray = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixel values have no defined white (mode {image.mode})")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, WHITE)
        canvas.paste(image, mask=image.getchannel("A"))
        image = canvas
    if image.mode != "RGB":  # conversion to the same mode would copy
        image = image.convert("RGB")
    return np.asarray(image)
