"""The input images of a command: files, folders, and frames of videos."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError, UsageError
from seaformer.extras import MissingExtraError, require
from seaformer.imaging import video_frames
from seaformer.imaging.image_files import HEIC_SUFFIXES, find_images
from seaformer.imaging.images import open_image, read_image

FEW_VALUES = 64
"""A gray image with at most this many different values is probably a mask of class indices."""

_ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Photo:
    """One image.

    Attributes:
        path: its file.
        time_s: time in seconds, if it is a frame of a video; None otherwise.
        stem: stem for the names of output files.
        content: its pixels, or the error that occurred when reading them.
    """

    path: Path
    time_s: float | None
    stem: str
    content: npt.NDArray[np.uint8] | SeaformerError

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """Its pixels, uint8 [H, W, 3], RGB; raises SeaformerError if they could not be read."""
        if isinstance(self.content, SeaformerError):
            raise self.content
        return self.content


@dataclass(frozen=True)
class Photos:
    """Files of images and videos, each with its stem.

    `skipped` is a sentence about files that are not used; may be empty.
    """

    files: tuple[tuple[Path, str], ...]
    skipped: str

    @property
    def is_one(self) -> bool:
        """Whether it is a single image rather than several or a video."""
        return len(self.files) == 1 and not _is_video(self.files[0][0])

    def read(self, every_s: float) -> Iterator[Photo]:
        """Read all images in order; of a video, one frame every `every_s` seconds.

        Raises:
            MissingExtraError: one is HEIC, and the extra is not installed.
        """
        for path, stem in self.files:
            try:
                if _is_video(path):
                    for time_s, pixels in video_frames.read_frames(path, every_s):
                        yield Photo(path, time_s, f"{stem}_{time_s:08.2f}s", pixels)
                else:
                    yield Photo(path, None, stem, read_image(path))
            except MissingExtraError:  # of this installation, and of all files of its kind
                raise
            except SeaformerError as error:
                yield Photo(path, None, stem, error)


def find_photos(given: Sequence[Path]) -> Photos:
    """Find the images and videos among files and in folders.

    Raises:
        MissingExtraError: one is a video or HEIC, and the extra is not installed.
        UsageError: a file is an array, or the results of two files would have the same name.
        SeaformerError: a folder has no images.
    """
    files: list[tuple[Path, Path]] = []
    skipped: list[str] = []
    for path in given:
        if not path.is_dir():
            if path.suffix.lower() in _ARRAYS:
                raise _array_error(path)
            files.append((path, Path(path.name)))
            continue
        found = find_images(path, video_frames.SUFFIXES)
        if not found.paths:
            raise SeaformerError(f"there are no images in '{path}'. {found.skipped}".strip())
        files += [(image, image.relative_to(path)) for image in found.paths]
        skipped.append(found.skipped)
    if any(_is_video(path) for path, _ in files):
        require("video")
    if any(_is_heic(path) for path, _ in files):
        require("heic")
    plain = Counter(_flat(name.with_suffix("")) for _, name in files)
    stems: dict[str, Path] = {}
    for path, name in files:
        short = _flat(name.with_suffix(""))
        stem = short if plain[short] == 1 else _flat(name)
        if stem in stems:
            raise UsageError(
                f"the results of '{stems[stem]}' and '{path}' would have the same name. Give them "
                "in separate commands, or give a folder that contains both."
            )
        stems[stem] = path
    pairs = tuple((path, stem) for stem, path in stems.items())
    return Photos(pairs, " ".join(filter(None, skipped)))


def mask_note(path: Path) -> str:
    """Return a note if an image looks like a mask of class indices rather than a photo, or ""."""
    try:
        with path.open("rb") as file, open_image(file, path, ("PNG",)) as image:
            if len(image.getbands()) > 1:
                return ""
            values = np.unique(np.asarray(image))
    except Exception:  # Pillow's decoders can raise any exception; `read_image` reports it later
        return ""
    if len(values) > FEW_VALUES:
        return ""
    return (
        f"'{path}' has one channel with {len(values)} values, {values[0]} to {values[-1]}, like a "
        "mask of class indices, but the model takes it as a photo. Give the photo of the mask."
    )


def _array_error(path: Path) -> UsageError:
    """Return the error for a NumPy array, which is not an image file."""
    advice = "Give the photo itself."
    try:
        with np.load(path, mmap_mode="r", allow_pickle=False) as archive:  # .npz only
            return UsageError(f"'{path}' contains arrays, {', '.join(archive.files[:8])}. {advice}")
    except (AttributeError, TypeError):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy's readers can raise any exception
        return UsageError(f"'{path}' is not an array that can be read: {error}. {advice}")
    what = f"'{path}' contains {array.dtype} {list(array.shape)}"
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4):
        save = f"PIL.Image.fromarray(numpy.load({str(path)!r})).save('image.png')"
        return UsageError(f"{what}, the pixels of an image. Save it as an image: {save}.")
    if array.dtype.kind in "iub" and array.squeeze().ndim == 2 and array.size:
        return UsageError(
            f"{what} with values {array.min()} to {array.max()}: class indices, a mask rather than "
            f"an image. {advice}"
        )
    return UsageError(f"{what}, which is not an image. {advice}")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in video_frames.SUFFIXES


def _is_heic(path: Path) -> bool:
    """Whether a file is HEIC by its name and its content; phones also call JPEG files so."""
    if path.suffix.lower() not in HEIC_SUFFIXES or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(8).endswith(b"ftyp")
    except OSError:  # reported when the image is read
        return False


def _flat(name: Path) -> str:
    return "_".join(name.parts)
