"""Reading photographs of every common kind as 8-bit RGB."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from seaformer.errors import SeaformerError

# Above this, three bytes a pixel and one copy no longer fit the memory of an ordinary computer.
# The largest phone cameras give 200 megapixels.
MAX_PIXELS = 250_000_000

# Pillow reads more, some by starting other programs (EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")
ACCEPTED = "Accepted: JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, PPM. Convert it (HEIC too) to JPEG."

WHITE = (255, 255, 255)


def sample_photograph() -> Path:
    """Return the photograph that comes with the package; `PHOTOGRAPH.md` beside it has its source.

    It is a cup of espresso on a wooden table, 600 pixels wide and 400 high.
    """
    return Path(str(resources.files("seaformer") / "data" / "photograph.jpg"))


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read a picture as people see it: upright, in colour, on white where it is transparent.

    The orientation that a camera notes in EXIF is applied. Grey, palette, CMYK and other pictures
    become RGB by Pillow's formulas; colour profiles are ignored, as they were when the networks
    were trained. Of 16-bit values the upper eight bits are taken. Of an animation or a document of
    several pages the first picture is taken.

    Args:
        path: file in one of the `FORMATS`, of at most `MAX_PIXELS` pixels.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        SeaformerError: the file is missing, no picture, damaged or too large.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise SeaformerError(f"'{path}' is a folder. Give one picture. {ACCEPTED}")
        with path.open("rb") as file:
            if path.is_file() and path.stat().st_size == 0:
                raise SeaformerError(f"'{path}' is empty (0 bytes). Copy it again.")
            with warnings.catch_warnings():
                # Odd metadata harms nothing; Pillow would print lines of Python about it.
                warnings.simplefilter("ignore")
                with _without_pixel_limit(), Image.open(file, formats=FORMATS) as picture:
                    _check_size(picture, path)
                    return _rgb(picture)
    except SeaformerError:
        raise
    except FileNotFoundError as error:
        raise SeaformerError(f"there is no file '{path}'. Check the name.") from error
    except UnidentifiedImageError as error:
        raise SeaformerError(f"'{path}' is not a picture that can be read. {ACCEPTED}") from error
    except PermissionError as error:
        raise SeaformerError(f"may not read '{path}': permission denied.") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they trip over.
        raise SeaformerError(
            f"'{path}' is damaged, cut short or of a rare kind: {error}. "
            "Copy it again, or convert it to JPEG or PNG."
        ) from error


@contextmanager
def _without_pixel_limit() -> Iterator[None]:
    """Let Pillow open pictures above its own limit, which is below what phone cameras give."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_size(picture: Image.Image, path: Path) -> None:
    """Refuse a picture that is too large, before it is decoded."""
    if picture.width * picture.height > MAX_PIXELS:
        megapixels = picture.width * picture.height / 1e6
        raise SeaformerError(
            f"'{path}' has {picture.width} x {picture.height} pixels ({megapixels:.0f} megapixels)."
            f" Allowed: up to {MAX_PIXELS // 1_000_000} megapixels. Make it smaller first."
        )


def _rgb(picture: Image.Image) -> npt.NDArray[np.uint8]:
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM"):
        # Pillow would clip 16-bit grey at 255. A PPM file's values come scaled to 0..65535.
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode in ("I", "F"):
        raise ValueError(f"its pixels are numbers without a defined white (mode {picture.mode})")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        canvas = Image.new("RGB", picture.size, WHITE)
        canvas.paste(picture, mask=picture.getchannel("A"))
        picture = canvas
    if picture.mode != "RGB":  # A conversion to the same mode would copy it.
        picture = picture.convert("RGB")
    return np.asarray(picture)
