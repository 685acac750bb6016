"""PP-MobileSeg's upsampling of predicted classes only ("Valid Interpolate Module"), for benches.

PaddlePaddle/PaddleSeg, paddleseg/models/pp_mobileseg.py: the classes that are the arg-max at some
position of the logits are gathered and upsampled, and the arg-max is taken over them. The mask is
approximate: a class that is the largest only between positions is lost.
"""

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from native_argmax import FLAGS, find_compiler
from torch.nn import functional as F

SOURCE = Path(__file__).with_name("bench") / "predicted_classes.c"


def by_torch(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return the mask, int64 [H, W], of logits [C, h, w]; the classes are looked up at the end."""
    classes = logits.argmax(0).unique()
    chosen = logits.index_select(0, classes)[None]
    resized = F.interpolate(chosen, size=size, mode="bilinear", align_corners=False)
    return classes[resized.argmax(1)[0]]


class NativePredictedClasses:
    """predicted_classes.c as a shared library."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "predicted_classes.so")
            command = [find_compiler(), *FLAGS, "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
            subprocess.run(command, check=True)
            self._run = ctypes.CDLL(str(library)).predicted_classes

    def prepare(self, logits: np.ndarray, size: tuple[int, int]) -> Callable[[], np.ndarray]:
        """Allocate the buffers; return a function that computes and returns the mask, [H, W].

        `logits` are float32 [C, h, w], of up to 256 classes.
        """
        logits = np.ascontiguousarray(logits)
        classes, h, w = logits.shape
        row, row_weight = _positions(h, size[0])
        source, weight = _positions(w, size[1])
        longest = max(w, size[1])
        buffers = (
            *(row, row_weight, source, weight),
            np.empty((2, classes, size[1]), np.float32),
            np.empty(longest, np.float32),
            np.empty(longest, np.int32),
            np.empty(classes, np.int32),
            np.empty(size, np.uint8),
        )
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (logits, *buffers)]

        def run() -> np.ndarray:
            self._run(pointers[0], classes, h, w, *size, *pointers[1:])
            return buffers[-1]

        run.logits = logits  # type: ignore[attr-defined]  # C has only its address
        return run


def _positions(sources: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for every output the source before it, from -1 on, and the weight of the next one."""
    center = np.arange(outputs, dtype=np.float32) + np.float32(0.5)
    position = np.float32(sources) / np.float32(outputs) * center - np.float32(0.5)
    before = np.floor(position).astype(np.int32)
    return before, position - before.astype(np.float32)
