"""Reading frames of a video file with PyAV, which is an extra."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError
from seaformer.extras import require
from seaformer.imaging.images import MAX_PIXELS

SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi")

# Excludes playlists, which FFmpeg also reads and which can refer to other files and the network.
_OPTIONS = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"}


def read_frames(path: Path, every_s: float) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """Yield time in seconds and pixels of a frame every `every_s` seconds, starting with the first.

    The pixels are uint8 [H, W, 3], RGB, upright.

    Raises:
        MissingExtraError: PyAV is not installed.
        SeaformerError: the file is missing, damaged, not a video or too large.
    """
    require("video")
    import av

    due_s = 0.0
    try:
        with path.open("rb") as file, av.open(file, "r", options=_OPTIONS) as container:
            stream = container.streams.video[0]
            if stream.width * stream.height > MAX_PIXELS:
                raise SeaformerError(
                    f"'{path}' has {stream.width} x {stream.height} pixels. Allowed: up to "
                    f"{MAX_PIXELS / 1e6:.0f} megapixels."
                )
            for frame in container.decode(stream):
                time_s = float(frame.time or 0.0)
                if time_s >= due_s:
                    due_s = time_s - time_s % every_s + every_s
                    pixels = frame.to_ndarray(format="rgb24")
                    yield time_s, np.rot90(pixels, round(getattr(frame, "rotation", 0) / 90))
    except FileNotFoundError as error:
        raise SeaformerError(f"there is no file '{path}'. Check the name.") from error
    except PermissionError as error:
        raise SeaformerError(f"cannot read '{path}': permission denied.") from error
    except av.error.MemoryError as error:  # a damaged stream states a size; a MemoryError, too
        raise _damaged(path, error) from error
    except (MemoryError, SeaformerError):
        raise
    except Exception as error:  # PyAV's wrappers of damaged streams can raise any exception.
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> SeaformerError:
    return SeaformerError(
        f"'{path}' is damaged or not a video that can be read: {error}. Copy it again, or give "
        "its frames as images."
    )
