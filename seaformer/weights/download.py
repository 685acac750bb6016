"""Downloading a released file from Google Drive once, and verifying it on later use.

Since no checksums are published, the first download is trusted: its SHA-256 is recorded next to the
file and compared on every later use.

Two environment variables change source and destination:
    SEAFORMER_CACHE: folder for the files instead of the user's cache.
    SEAFORMER_WEIGHTS_URL: mirror to use instead of https://drive.google.com. It serves the file
        with the Drive id ID at the path /uc?id=ID.
"""

import json
import os
import sys
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from seaformer.cache import CACHE_VARIABLE, cache_folder
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.files import file_sha256, read_limited, write_text
from seaformer.json_text import parse_object
from seaformer.network_names import in_words
from seaformer.temporary_folders import temporary_folder
from seaformer.weights.released import DRIVE, ReleasedWeights

MAX_NOTE_BYTES = 2**16

URL_VARIABLE = "SEAFORMER_WEIGHTS_URL"

MAX_BYTES = 2**30
"""Download limit: the largest released file has about 200 MB."""

TIMEOUT = 60
"""Seconds to wait for the server, initially and between two chunks."""

STALL_S = 60.0
"""Maximum time between two progress callbacks of gdown, one per 512 KiB: at least 9 KB/s."""

LIMIT_S = 3600.0
"""Maximum time of a download: 57 KB/s for the largest released file."""


def fetch(released: ReleasedWeights, base_url: str | None = None) -> Path:
    """Return the path of a released file, which is downloaded on the first call.

    The server is `base_url`, SEAFORMER_WEIGHTS_URL or Google Drive, in this order.

    Raises:
        SeaformerError: the file cannot be downloaded, is not a checkpoint or has changed, or the
            cache cannot be written. The message says what to do.
    """
    url = released.url_at(base_url or os.environ.get(URL_VARIABLE) or DRIVE)
    path = cache_folder("weights") / released.file_name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _download(released, url, path)
        elif problem := _not_a_checkpoint(path):
            raise SeaformerError(
                f"'{path}' {problem}. Delete it and '{_note(path)}' to download it again."
            )
        elif problem := _untrusted(path, path):
            raise SeaformerError(f"'{path}' {problem}. Delete '{path}' to download it again.")
    except OSError as error:
        raise SeaformerError(
            f"cannot store weights in '{path.parent}': {error}. Set {CACHE_VARIABLE} to a writable "
            "folder with enough space."
        ) from error
    return path


def _download(released: ReleasedWeights, url: str, path: Path) -> None:
    # Each attempt has its own temporary folder: `path` is never incomplete, processes do not
    # conflict, and the remains of an interrupted download are removed.
    with temporary_folder("download", path.parent) as folder:
        part = folder / path.name
        problem = _retrieve(url, part) or _untrusted(part, path)
        if problem:
            raise SeaformerError(
                f"cannot download the weights '{released.name}' of {in_words(released.network)}: "
                f"{url} {problem}. Try again later, or download the file with a browser and give "
                "its path: --weights PATH."
            )
        part.replace(path)


def _retrieve(url: str, part: Path) -> str | None:
    """Download `url` to the file `part`; return the problem, if any."""
    # Imported here because most runs download nothing.
    import gdown
    import requests

    Console(stderr=True, soft_wrap=True).print(f"downloading {url}, once")
    pace = _Pace()
    try:
        with pace:
            gdown.download(
                url,
                str(part),
                quiet=not sys.stderr.isatty(),
                use_cookies=False,
                timeout=TIMEOUT,
                progress=pace.follow,
                cancel=pace.given_up,
            )
    except _TooLongError:
        return f"sends more than {MAX_BYTES / 1e6:.0f} MB, more than any released file"
    except gdown.DownloadCancelled:
        return f"is too slow ({pace.received / 1e6:.1f} MB in {pace.elapsed_s:.0f} s)"
    except requests.RequestException as error:
        return f"is unreachable ({type(error).__name__}: {error})"
    except gdown.DownloadError as error:
        # Its messages have several paragraphs; ours have one line.
        return f"is refused or incomplete ({' '.join(str(error).split())})"
    except (AssertionError, LookupError) as error:
        return f"returned a web page that gdown cannot parse ({error!r})"
    return None


class _TooLongError(Exception):
    """A server sends more than `MAX_BYTES`."""


class _Pace:
    """Cancels a download that is slower than `STALL_S` and `LIMIT_S` allow.

    A server that sends a byte now and then would never run into `TIMEOUT`.
    """

    def __init__(self) -> None:
        self.given_up = threading.Event()
        self.received = 0
        self._started = self._latest = time.monotonic()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def follow(self, received: int, _total: int | None) -> None:
        """Record the number of bytes received so far."""
        if received > MAX_BYTES:
            raise _TooLongError
        self.received, self._latest = received, time.monotonic()

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def _look(self) -> None:
        tick_s = min(1.0, STALL_S / 10)
        while not self._ended.wait(tick_s):
            if time.monotonic() - self._latest > STALL_S or self.elapsed_s > LIMIT_S:
                self.given_up.set()
                return


def _untrusted(file: Path, path: Path) -> str | None:
    """Compare the SHA-256 of `file` with the one recorded for `path`; record it the first time.

    Return the problem, or None.
    """
    note = _note(path)
    digest = file_sha256(file)
    if not note.exists():
        problem = _not_a_checkpoint(file)
        if problem is None:
            write_text(note, json.dumps({"sha256": digest}) + "\n")
        return problem
    try:
        trusted = parse_object(read_limited(note, MAX_NOTE_BYTES)).get("sha256")
    except ValueError:
        trusted = None
    if not isinstance(trusted, str):
        return f"cannot be verified: '{note}' is damaged; delete that file to trust the weights"
    if digest == trusted:
        return None
    return (
        f"has SHA-256 {digest}, but had {trusted} when it was first used; to trust the new file, "
        f"delete '{note}'"
    )


def _note(path: Path) -> Path:
    """Return the path of the file in which the SHA-256 is recorded."""
    return path.with_name(f"{path.name}.json")


def _not_a_checkpoint(file: Path) -> str | None:
    """Return why a file cannot be a complete file of torch.save; None if it looks complete."""
    with file.open("rb") as stream:
        start = stream.read(64)
    # The index of a zip file is at its end. Before torch 1.6, the file was a bare pickle.
    if start.startswith(b"\x80\x02"):
        return None
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
        if not any(name.endswith("/data.pkl") for name in archive.namelist()):
            return f"is an archive without weights ({file.stat().st_size} bytes)"
        return None
    if start.startswith(b"PK"):
        return f"is incomplete ({file.stat().st_size} bytes)"
    if start.lstrip().startswith(b"<"):
        return "is a web page: Google Drive refuses the file because of its quota or permissions"
    return f"is not a PyTorch checkpoint ({file.stat().st_size} bytes, the first are {start[:8]!r})"
