"""Python binding of argmax.c, compiled at run time, for tests and benches only."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import seaformer.imaging.upsampling

SOURCE = Path(seaformer.imaging.upsampling.__file__).with_name("argmax.c")
FLAGS = ("-std=c99", "-O3", "-ffp-contract=off")
TYPES = {"float32": 0, "int8": 1, "uint8": 2}
LAYOUTS = {"CHW": 0, "HWC": 1}
OK, BAD_SHAPE, BAD_TYPE, NOT_FINITE = range(4)
GUARD = 64  # guard bytes after each buffer, which must not change
GUARD_BYTE = 0xA5


class NoCompilerError(Exception):
    """There is no C compiler."""


def find_compiler() -> str:
    """Return the path of $CC, cc or gcc."""
    for name in (os.environ.get("CC"), "cc", "gcc"):
        if name and (path := shutil.which(name)):
            return path
    raise NoCompilerError("no C compiler: neither $CC nor cc nor gcc is a program")


class Job(ctypes.Structure):
    """The C struct `seaformer_upsampling`."""

    _fields_ = [
        (name, ctypes.c_int32)
        for name in ("classes", "height", "width", "mask_height", "mask_width", "type", "layout")
    ]

    @classmethod
    def of(cls, logits: np.ndarray, size: tuple[int, int], layout: str) -> "Job":
        """Return the struct for `logits`."""
        h, w, c = logits.shape if layout == "HWC" else (*logits.shape[1:], logits.shape[0])
        return cls(c, h, w, *size, TYPES[logits.dtype.name], LAYOUTS[layout])


class NativeArgmax:
    """argmax.c as a shared library."""

    def __init__(self, flags: Sequence[str] = FLAGS) -> None:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "argmax.so")
            command = [find_compiler(), *flags, "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
            subprocess.run(command, check=True)
            loaded = ctypes.CDLL(str(library))
        self._run = loaded.seaformer_upsample_argmax
        self._run.restype = ctypes.c_int
        self._size = loaded.seaformer_upsample_argmax_workspace
        self._size.restype = ctypes.c_size_t

    def workspace_size(self, job: Job) -> int:
        """Return the size of the workspace in bytes, 0 if the arguments are invalid."""
        return int(self._size(ctypes.byref(job)))

    def status(self, job: Job) -> int:
        """Run with invalid arguments, without buffers, and return the status."""
        return int(self._run(ctypes.byref(job), None, None, None))

    def prepare(
        self, logits: np.ndarray, size: tuple[int, int], layout: str = "CHW"
    ) -> Callable[[], np.ndarray]:
        """Allocate the buffers; return a function that computes and returns the mask."""
        logits = np.ascontiguousarray(logits)
        job = Job.of(logits, size, layout)
        kind = np.dtype(np.uint8 if job.classes <= 256 else np.uint16)
        length = size[0] * size[1] * kind.itemsize
        mask = np.full(length + GUARD, GUARD_BYTE, np.uint8)
        workspace = np.full(self.workspace_size(job) + GUARD, GUARD_BYTE, np.uint8)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (logits, mask, workspace)]

        def run() -> np.ndarray:
            status = self._run(ctypes.byref(job), *pointers)
            if status != OK:
                raise ValueError(status)
            assert (mask[-GUARD:] == GUARD_BYTE).all(), "wrote past the mask"
            assert (workspace[-GUARD:] == GUARD_BYTE).all(), "wrote past the workspace"
            return mask[:length].view(kind).reshape(size)

        run.logits = logits  # type: ignore[attr-defined]  # C has only its address
        return run

    def __call__(
        self, logits: np.ndarray, size: tuple[int, int], layout: str = "CHW"
    ) -> np.ndarray:
        """Return the mask; raise ValueError with the status on failure."""
        return self.prepare(logits, size, layout)()
