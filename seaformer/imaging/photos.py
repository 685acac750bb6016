"""The images that a command is given: files, folders of them, and frames of videos."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging import video_frames
from seaformer.imaging.image_files import find_images
from seaformer.imaging.images import open_image, read_image

FEW_VALUES = 64
"""A grey image of at most so many values is likely a mask of class ids."""

_ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Photo:
    """One image.

    Attributes:
        path: its file.
        time_s: of a frame of a video, in seconds; else None.
        stem: what the names of files that are made of it begin with.
        content: its pixels, or the problem that kept them from being read.
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
    """Files of images and videos, with the stem of each; `skipped` says what is not used, or ""."""

    files: tuple[tuple[Path, str], ...]
    skipped: str

    @property
    def is_one(self) -> bool:
        """Whether it is one image, and no video."""
        return len(self.files) == 1 and not _is_video(self.files[0][0])

    def read(self, every_s: float) -> Iterator[Photo]:
        """Read one after the other; of a video a frame every so many seconds."""
        for path, stem in self.files:
            try:
                if _is_video(path):
                    for time_s, pixels in video_frames.read_frames(path, every_s):
                        yield Photo(path, time_s, f"{stem}_{time_s:08.2f}s", pixels)
                else:
                    yield Photo(path, None, stem, read_image(path))
            except SeaformerError as error:
                yield Photo(path, None, stem, error)


def find_photos(given: Sequence[Path]) -> Photos:
    """Find the images and videos that files and folders are or have.

    Raises:
        UsageError: a file is an array, or two files would have results of the same name.
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
    plain = Counter(_flat(name.with_suffix("")) for _, name in files)
    stems: dict[str, Path] = {}
    for path, name in files:
        short = _flat(name.with_suffix(""))
        stem = short if plain[short] == 1 else _flat(name)
        if stem in stems:
            raise UsageError(
                f"the results of '{stems[stem]}' and '{path}' would have the same name. Give them "
                "one after the other, or the folder that has both."
            )
        stems[stem] = path
    pairs = tuple((path, stem) for stem, path in stems.items())
    return Photos(pairs, " ".join(filter(None, skipped)))


def mask_note(path: Path) -> str:
    """Say that an image looks like a mask of class ids rather than a photograph, else ""."""
    try:
        with path.open("rb") as file, open_image(file, path, ("PNG",)) as image:
            if len(image.getbands()) > 1:
                return ""
            values = np.unique(np.asarray(image))
    except (SeaformerError, OSError, ValueError):  # a photograph, or a problem that is told later
        return ""
    if len(values) > FEW_VALUES:
        return ""
    return (
        f"'{path}' has one channel of {len(values)} values, {values[0]} to {values[-1]}, as masks "
        "of class ids have: the model takes it for a photograph. Give the photograph that it is of."
    )


def _array_error(path: Path) -> UsageError:
    """Say what an array of NumPy holds, which is no image."""
    advice = "Give the photograph that it is of."
    try:
        with np.load(path, mmap_mode="r", allow_pickle=False) as archive:  # .npz only
            return UsageError(f"'{path}' holds arrays, {', '.join(archive.files[:8])}. {advice}")
    except (AttributeError, TypeError):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        return UsageError(f"'{path}' is no array that can be read: {error}. {advice}")
    what = f"'{path}' holds {array.dtype} {list(array.shape)}"
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4):
        save = f"PIL.Image.fromarray(numpy.load({str(path)!r})).save('image.png')"
        return UsageError(f"{what}, the pixels of an image. Save it as one: {save}.")
    if array.dtype.kind in "iub" and array.squeeze().ndim == 2 and array.size:
        return UsageError(
            f"{what} of values {array.min()} to {array.max()}: class ids, a mask and no image. "
            f"{advice}"
        )
    return UsageError(f"{what}, which is no image. {advice}")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in video_frames.SUFFIXES


def _flat(name: Path) -> str:
    return "_".join(name.parts)
