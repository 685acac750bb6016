"""`torch.load` for files from elsewhere: tensors and plain containers, in bounded memory.

A pickle can run any program when it is loaded; with weights_only torch refuses that. What it still
does is to make objects as large as a file of a hundred bytes asks for: `bytearray(10**10)`, texts
that are encoded again and again, records that inflate a thousand times.
"""

import os
import pickle
import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import torch

from seaformer.errors import SeaformerError
from seaformer.weights import foreign_objects

SLACK_BYTES = 2**30
"""What torch takes besides the content, and much more."""


def load(file: BinaryIO, path: Path, *, with_stand_ins: bool = False) -> Any:
    """Load a file of torch.save onto the CPU.

    Args:
        file: at its beginning.
        path: names it in messages.
        with_stand_ins: whether objects of other classes than plain containers become a
            `foreign_objects.StandIn` rather than an error.

    Raises:
        SeaformerError: it takes far more memory than it has bytes.
        Exception: it is damaged or asks for more than data; the reader can fail in any way.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        # torch.save compresses nothing: the content is as large as the file, and read once.
        with _memory_limit(2 * size + SLACK_BYTES), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about protocols, and the source of classes
            return _load(file, with_stand_ins)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            raise SeaformerError(
                f"'{path}' has {size / 1e6:.3g} MB and takes gigabytes of memory to load, which no "
                "weights do. Download or copy it again, and do not trust one from elsewhere."
            ) from error
        raise


def _load(file: BinaryIO, with_stand_ins: bool) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # Raised by the pickle in it: torch has refused archives that hold programs (TorchScript)
        # before, as it does not without weights_only.
        if not with_stand_ins:
            raise
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=False, pickle_module=foreign_objects)


@contextmanager
def _memory_limit(extra_bytes: int) -> Iterator[None]:
    """Let this process have only so much more memory; of effect on Linux."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + extra_bytes
    limit = min(one for one in (wanted, soft, hard) if one != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
