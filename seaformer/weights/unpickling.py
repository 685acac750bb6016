"""`torch.load` for files from elsewhere: tensors and plain containers, in bounded memory.

Loading a pickle can run any program; with weights_only, torch refuses that. A file of a hundred
bytes can still make torch allocate huge objects: `bytearray(10**10)`, strings that are encoded
again and again, compressed records that grow a thousandfold.
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
"""Allowance for memory that torch uses besides the content; generous."""


def load(file: BinaryIO, path: Path, *, with_stand_ins: bool = False) -> Any:
    """Load a file of torch.save to the CPU.

    Args:
        file: the file, at its beginning.
        path: path for messages.
        with_stand_ins: whether objects other than tensors and plain containers become a
            `foreign_objects.StandIn` instead of raising an error.

    Raises:
        SeaformerError: loading takes far more memory than the size of the file.
        Exception: the file is damaged or contains more than data; any exception is possible.
    """
    with in_bounded_memory(file, path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pickle protocols and source code of classes
        return _load(file, with_stand_ins)


@contextmanager
def in_bounded_memory(file: BinaryIO, path: Path) -> Iterator[None]:
    """Limit the memory for reading an uncompressed file to a small multiple of its size.

    Raises:
        SeaformerError: reading takes more.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        # Nothing is compressed: the content is as large as the file, and read once.
        with _memory_limit(2 * size + SLACK_BYTES):
            yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            raise SeaformerError(
                f"'{path}' has {size / 1e6:.3g} MB but takes gigabytes of memory to load, which "
                "weights never do. Download or copy it again, from a source that you trust."
            ) from error
        raise


def _load(file: BinaryIO, with_stand_ins: bool) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # The pickle in the file raised this: archives with programs (TorchScript) were already
        # refused above, which torch does only with weights_only.
        if not with_stand_ins:
            raise
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=False, pickle_module=foreign_objects)


@contextmanager
def _memory_limit(extra_bytes: int) -> Iterator[None]:
    """Limit this process to `extra_bytes` of additional memory; effective only on Linux."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + extra_bytes
    limit = min(one for one in (wanted, soft, hard) if one != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
