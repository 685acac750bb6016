"""Reading photographs of every common kind as 8-bit RGB."""

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
from seaformer.imaging.image_files import HEIC_SUFFIXES

# Above this, three bytes a pixel and one copy no longer fit the memory of an ordinary computer.
# The largest phone cameras give 200 megapixels.
MAX_PIXELS = 250_000_000

MAX_DECODED_BYTES = 3 * MAX_PIXELS
"""A fourth channel or 32-bit pixels take their part of it: a file of 2 MB can hold any number."""

MAX_FILE_BYTES = 6 * MAX_PIXELS
"""The largest image without compression, 16 bits a channel."""

_TILE_WIDTH, _TILE_LENGTH = 322, 323
"""Tags of TIFF."""

# Pillow reads more, some by starting other programs (EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")
HEIC = "HEIF"
"""HEIC as Pillow calls it, which reads it if the extra is installed."""

ACCEPTED = (
    "Accepted: JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, PPM; HEIC with "
    "pip install 'seaformer[heic]'. Convert others to JPEG."
)

WHITE = (255, 255, 255)


def sample_photograph() -> Path:
    """Return the photograph that comes with the package; `PHOTOGRAPH.md` beside it has its source.

    It is a cup of espresso on a wooden table, 600 pixels wide and 400 high.
    """
    return Path(str(resources.files("seaformer") / "data" / "photograph.jpg"))


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read an image as people see it: upright, in colour, on white where it is transparent.

    The orientation that a camera notes in EXIF is applied. Grey, palette, CMYK and other images
    become RGB by Pillow's formulas; colour profiles are ignored, as they were when the networks
    were trained. Of 16-bit values the upper eight bits are taken. Of an animation or a document of
    several pages the first image is taken.

    Args:
        path: file in one of the `FORMATS`, or `HEIC` with the extra of that name, of at most
            `MAX_PIXELS` pixels of three bytes.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        SeaformerError: the file is missing, no image, damaged or too large.
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
        if path.suffix.lower() in HEIC_SUFFIXES and HEIC not in _formats():
            raise SeaformerError(
                f"'{path}' is HEIC, which needs an extra: pip install 'seaformer[heic]'. Or "
                "convert it to JPEG."
            ) from error
        raise SeaformerError(f"'{path}' is not an image that can be read. {ACCEPTED}") from error
    except PermissionError as error:
        raise SeaformerError(f"may not read '{path}': permission denied.") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they trip over.
        raise SeaformerError(
            f"'{path}' is damaged, cut short or of a rare kind: {error}. "
            "Copy it again, or convert it to JPEG or PNG."
        ) from error


def as_pixels(image: str | Path | Image.Image | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an image as uint8 [H, W, 3], RGB, whether it is a file, of Pillow or an array.

    An array is uint8 [H, W, 3], RGB, or [H, W], grey.

    Raises:
        UsageError: it is none of these.
        SeaformerError: it cannot be read, or is too large.
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
            f"the image is a {type(image).__name__}. Allowed: a path, an image of Pillow, or an "
            "array, uint8 [height, width, 3] in RGB."
        )
    shape = list(image.shape)
    is_grey = image.ndim == 2
    if image.dtype != np.uint8 or 0 in shape or not (is_grey or shape[2:] == [3]):
        raise UsageError(
            f"the image is an array of {image.dtype} {shape}. Allowed: uint8 [height, width, 3] "
            "in RGB, or [height, width] in grey, with values of 0..255."
        )
    if shape[0] * shape[1] > MAX_PIXELS:
        raise UsageError(
            f"the image has {shape[1]} x {shape[0]} pixels. Allowed: {MAX_PIXELS // 1_000_000} "
            "megapixels."
        )
    return np.repeat(image[:, :, None], 3, axis=2) if is_grey else np.ascontiguousarray(image)


def unreadable(paths: Sequence[Path]) -> dict[Path, str]:
    """Read images, and return the problem of each that cannot be read, in a sentence or two."""
    problems = {}
    for path in paths:
        try:
            read_image(path)
        except SeaformerError as error:
            problems[path] = str(error)
    return problems


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats of images that can be read here."""
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
    """Open an image whose pixels may be decoded then: every way to one leads through here.

    `path` is its name, for messages; `formats` are those that it may have, as Pillow names
    them; None for all that can be read here.

    Raises:
        SeaformerError: it would take too much memory.
        Exception: whatever Pillow trips over.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise SeaformerError(
            f"'{path}' has {size / 1e6:.0f} MB. Allowed: up to {MAX_FILE_BYTES / 1e6:.0f} MB. Make "
            "it smaller first."
        )
    with warnings.catch_warnings():
        # Odd metadata harms nothing; Pillow would print lines of Python about it.
        warnings.simplefilter("ignore")
        # Pillow's own limit is below what phone cameras give: above it, it warns, and it refuses
        # twice as much.
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(file, formats=formats or _formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        with image:
            _check_size(image, path)
            yield image


def _check_size(image: Image.Image, path: Path) -> None:
    """Refuse an image that would take too much memory, by its header, before it is decoded."""
    width, height = image.size
    if isinstance(image, TiffImageFile):
        # Each tile is decoded whole, however little of it lies in the image.
        width = max(width, image.tag_v2.get(_TILE_WIDTH, 0))
        height = max(height, image.tag_v2.get(_TILE_LENGTH, 0))
    # The decoder of WebP keeps a fourth channel whether there is one or not.
    is_deep = image.mode in ("I", "F") or image.format == "WEBP"
    is_deep |= image.has_transparency_data
    pixel_bytes = 4 if is_deep else max(3, len(image.getbands()))
    if width * height * pixel_bytes > MAX_DECODED_BYTES:
        raise SeaformerError(
            f"'{path}' has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels) of "
            f"{pixel_bytes} bytes. Allowed: up to {MAX_DECODED_BYTES // pixel_bytes // 1_000_000} "
            "megapixels. Make it smaller first."
        )


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        # Pillow would clip 16-bit grey at 255. A PPM file's values come scaled to 0..65535.
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are numbers without a defined white (mode {image.mode})")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, WHITE)
        canvas.paste(image, mask=image.getchannel("A"))
        image = canvas
    if image.mode != "RGB":  # A conversion to the same mode would copy it.
        image = image.convert("RGB")
    return np.asarray(image)
