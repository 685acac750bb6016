"""Parts of the package that only some users install: `pip install 'seaformer[NAME]'`.

A plain install can predict and evaluate with exported files, benchmark and bundle them. Everything
else raises a `MissingExtraError` that names the extra: a command calls `require` before long work,
and everywhere else `missing_extra` looks up a failed import.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.errors import UsageError


@dataclass(frozen=True)
class Extra:
    """An extra of the package.

    Attributes:
        purpose: what it is for, as the subject of a sentence: "... needs the module ...".
        modules: import names of the modules that it contains.
    """

    purpose: str
    modules: tuple[str, ...]


_TORCH = ("torch", "safetensors", "gdown", "requests")
_LIBRARIES = ("timm", "torchvision", "transformers")
_CONVERTERS = (
    "onnxslim",
    "onnx2tf",
    "tensorflow",
    "tf_keras",
    "onnx_graphsurgeon",
    "sng4onnx",
    "ai_edge_quantizer",
)

EXTRAS: Mapping[str, Extra] = MappingProxyType(
    {
        "torch": Extra("running a network in PyTorch", _TORCH),
        "export": Extra("exporting", (*_TORCH, *_CONVERTERS)),
        "train": Extra("training", (*_TORCH, "accelerate")),
        "npu": Extra("the NPU's compiler and emulator", ("onnxruntime_qnn",)),
        "models": Extra("a network of another library", (*_TORCH, *_LIBRARIES)),
        "heic": Extra("reading HEIC", ("pillow_heif",)),
        "video": Extra("reading videos", ("av",)),
        "pandas": Extra("a pandas table", ("pandas",)),
    }
)
"""Every extra with its own modules, as in `pyproject.toml`. If several contain a module, the first
is the one to install for it."""


class MissingExtraError(UsageError):
    """The request needs an extra that is not installed; `extra` is its name."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        super().__init__(
            f"{EXTRAS[extra].purpose} needs the module '{module}', which is not installed. "
            f"Run: pip install 'seaformer[{extra}]'"
        )


def require(extra: str) -> None:
    """Check that an extra of `EXTRAS` is installed; nothing is imported.

    Raises:
        MissingExtraError: it is not installed.
    """
    for module in EXTRAS[extra].modules:
        if not is_installed(module):
            raise MissingExtraError(extra, module)


def require_module(module: str) -> None:
    """Check that a module of an extra is installed; nothing is imported.

    Raises:
        MissingExtraError: it is not installed.
    """
    extra = _extra_of(module)
    if extra is not None and not is_installed(module):
        raise MissingExtraError(extra, module)


def is_installed(module: str) -> bool:
    """Whether a module is installed; nothing is imported."""
    return importlib.util.find_spec(module) is not None


def _extra_of(module: str) -> str | None:
    return next((name for name, extra in EXTRAS.items() if module in extra.modules), None)


def missing_extra(error: ImportError) -> MissingExtraError | None:
    """Return the error that names the extra for a failed import; None if no extra contains it."""
    module = (error.name or "").partition(".")[0]
    extra = _extra_of(module)
    return None if extra is None or is_installed(module) else MissingExtraError(extra, module)


@contextmanager
def missing_extras_named() -> Iterator[None]:
    """Convert the failed import of a module of an extra into a `MissingExtraError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        named = missing_extra(error)
        if named is None:
            raise
        raise named from error
