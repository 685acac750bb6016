"""Running model files of any format on the host.

    with open_model("seaformer_tiny_ade20k.tflite") as session:
        logits = session.run(x)

A runtime consists of one module in this package and its rows in `RUNTIMES`. The library is imported
only when a file with one of its suffixes is opened.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, ModuleType

from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.extras import missing_extra
from seaformer.runtimes.child_process import DAMAGED
from seaformer.runtimes.graphics_driver import require_driver
from seaformer.runtimes.image_session import ImageSession
from seaformer.runtimes.qnn_package import require_package
from seaformer.runtimes.session import Session
from seaformer.tasks import Task
from seaformer.temporary_folders import temporary_folder
from seaformer.weights.file_key import split_key

__all__ = [
    "PROCESSORS",
    "RUNTIMES",
    "ImageSession",
    "Runtime",
    "Session",
    "is_checkpoint",
    "open_content",
    "open_model",
    "open_session",
    "take_images",
]


@dataclass(frozen=True)
class Runtime:
    """A package that runs model files.

    Attributes:
        title: display name.
        module: module of this package.
        package: package to install.
        opener: function of the module: (path, threads) -> Session; with the name of a chip as a
            further argument if `takes_chip`.
        require: checks that the host can run it, and returns additional environment variables for
            its process, or None; otherwise raises a SeaformerError that says what to do.
        advice: what to do about a file that crashes it.
        takes_chip: whether it emulates one of several chips.
        time_factor: its time limit for loading or running a file, relative to that of a CPU.
    """

    title: str
    module: str
    package: str
    opener: str = "open_session"
    require: Callable[[], Mapping[str, str] | None] = dict
    advice: str = DAMAGED
    takes_chip: bool = False
    time_factor: float = 1.0


_ONNX_RUNTIME = Runtime("ONNX Runtime", "onnx_runtime", "onnxruntime")
_LITERT = Runtime("LiteRT", "litert", "ai-edge-litert")
_PYTORCH = Runtime("PyTorch", "pytorch", "torch")
_GPU = Runtime(
    "LiteRT's GPU accelerator",
    "litert_gpu",
    "ai-edge-litert",
    require=lambda: require_driver().environment,
    advice="It may run on another accelerator.",
)
_HALF_GPU = replace(_GPU, opener="open_half_session")
_NPU = Runtime(
    "Qualcomm's NPU emulator",
    "qnn_emulator",
    "onnxruntime-qnn",
    require=require_package,
    advice="It may run on another accelerator, or compiled for another chip.",
    takes_chip=True,
    time_factor=10.0,  # inference of Tiny at 512x512 takes 3 s on an idle core
)
_OPENVINO = Runtime("OpenVINO", "openvino_runtime", "openvino")

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        ".onnx": _ONNX_RUNTIME,
        ".tflite": _LITERT,
        ".pth": _PYTORCH,
        ".pt": _PYTORCH,
        ".safetensors": _PYTORCH,
        ".pdparams": _PYTORCH,
    }
)


PROCESSORS: Mapping[str, Mapping[str, Runtime]] = MappingProxyType(
    {
        "cpu": RUNTIMES,
        "gpu": {".tflite": _GPU},
        "gpu-half": {".tflite": _HALF_GPU},
        "npu": {".onnx": _NPU},
        "openvino": {".tflite": _OPENVINO, ".onnx": _OPENVINO},
    }
)
"""Processor -> suffix -> runtime: the accelerators that a file is exported for, the GPU in half
precision, and OpenVINO, which is not a target but an independent implementation."""


def find_runtime(path: str | Path, accelerator: str = "cpu") -> Runtime:
    """Return the runtime for a file of this name; the file need not exist.

    Raises:
        UsageError: no runtime is known for the suffix; the message lists the known suffixes.
    """
    runtimes = look_up(PROCESSORS, "accelerator", accelerator)
    suffix = split_key(Path(path))[0].suffix
    if suffix.lower() not in RUNTIMES:
        raise UsageError(
            f"'{path}' is not a model file: its suffix is '{suffix}'. Allowed: "
            f"{', '.join(RUNTIMES)}."
        )
    if suffix.lower() not in runtimes:
        raise UsageError(
            f"accelerator '{accelerator}' does not run '{path}'. Allowed: {', '.join(runtimes)}."
        )
    return runtimes[suffix.lower()]


def is_checkpoint(path: str | Path) -> bool:
    """Whether a file of this name is a checkpoint, whose network takes any size, and batches.

    Raises:
        UsageError: no runtime is known for the suffix.
    """
    return find_runtime(path) is _PYTORCH


def open_session(
    path: str | Path,
    threads: int = 1,
    *,
    accelerator: str = "cpu",
    chip: str | None = None,
    isolated: bool = True,
) -> Session:
    """Load an exported file for inference on raw tensors.

    Args:
        path: .onnx or .tflite.
        threads: threads for one run, at least 1.
        accelerator: one of `PROCESSORS`.
        chip: for the NPU, one of `seaformer.artifact.chips.CHIPS`; None for a compiled file.
        isolated: whether to run it in a child process, so that a damaged file cannot crash the
            current process. Use False only for files that the current process has written.

    Raises:
        UsageError: the suffix or the accelerator is unknown.
        SeaformerError: the file is missing, damaged, or crashes the runtime, or the runtime is not
            installed.
    """
    path, runtime = _find(path, accelerator)
    if isolated:
        from seaformer.runtimes.isolated import IsolatedSession

        return IsolatedSession(
            path,
            runtime.title,
            runtime.require(),
            runtime.advice,
            runtime.time_factor,
            threads=threads,
            accelerator=accelerator,
            chip=chip,
        )
    of_chip = (chip,) if runtime.takes_chip else ()
    session: Session = getattr(_load(runtime, path), runtime.opener)(path, threads, *of_chip)
    return session


@contextmanager
def open_content(model: bytes, suffix: str, threads: int = 1) -> Iterator[Session]:
    """Open a model that this process has created; `suffix` is .onnx or .tflite.

    It is written to a temporary file, because runtimes map files of any size into memory.
    """
    with temporary_folder("model") as folder:
        path = folder / f"model{suffix}"
        path.write_bytes(model)
        with open_session(path, threads, isolated=False) as session:
            yield session


def open_model(
    path: str | Path,
    threads: int = 1,
    *,
    variant: str | None = None,
    task: str | Task | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int | None = None,
    accelerator: str = "cpu",
    chip: str | None = None,
    isolated: bool = True,
) -> ImageSession:
    """Load a model whose input is one image, for inference on the host.

    Args:
        path: .onnx, .tflite, or a checkpoint (.pth, .pt, .safetensors, .pdparams).
        threads: as in `open_session`.
        variant: name of the variant; for a checkpoint that does not name it, otherwise ignored.
        task: the task or its name; for a checkpoint that does not name it. For an export that
            takes images of any size and does not state one, the task determines the size.
        input_size: height and width in pixels, for a model that takes any size; must match a fixed
            size.
        channels: number of input channels, if the input is not an image and the metadata does not
            state it; otherwise None.
        accelerator: one of `PROCESSORS`.
        chip: as in `open_session`.
        isolated: as in `open_session`; checkpoints always run in this process.

    Raises:
        UsageError: the suffix is unknown, or an argument is missing or does not fit the file.
        SeaformerError: the file is missing, damaged, crashes the runtime or does not take one
            image, or the runtime is not installed.
    """
    if is_checkpoint(path):
        path, runtime = _find(path, accelerator)
        session = _load(runtime, path).open_session(path, threads, variant, task, input_size)
    else:
        session = open_session(path, threads, accelerator=accelerator, chip=chip, isolated=isolated)
    return take_images(session, task, input_size, channels)


def take_images(
    session: Session,
    task: str | Task | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> ImageSession:
    """Use a session for images, as `open_model` does; close it if its model takes no images."""
    try:
        return ImageSession(session, task, input_size, channels)
    except BaseException:
        session.close()
        raise


def _find(path: str | Path, accelerator: str = "cpu") -> tuple[Path, Runtime]:
    """Return the path of an existing file, and its runtime."""
    path = Path(path)
    runtime = find_runtime(path, accelerator)
    file = split_key(path)[0] if runtime is _PYTORCH else path
    if path.is_dir():
        raise SeaformerError(f"'{path}' is a folder. Give a file: {', '.join(RUNTIMES)}.")
    if not file.exists():
        raise SeaformerError(f"there is no model file '{file}'. Check the name.")
    if not file.is_file():  # a device, or a pipe, which would block
        raise SeaformerError(f"'{path}' is not a regular file. Give a model file.")
    return path, runtime


def _load(runtime: Runtime, path: Path) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{runtime.module}")
    except ModuleNotFoundError as error:
        raise missing_extra(error) or SeaformerError(
            f"'{path}' needs {runtime.title}, but the module '{error.name}' is not installed. "
            f"Run: pip install {runtime.package}"
        ) from error
