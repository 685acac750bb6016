"""Parts of the package that only some users install: `pip install 'seaformer[NAME]'`.

A plain install predicts and evaluates with exported files, benchmarks and bundles them. Whatever
else is asked for without its extra ends in a `MissingExtraError`, which names it: a command calls
`require` before long work, and everywhere else a failed import is looked up by `missing_extra`.
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
        purpose: what it is for, in words that "needs" can follow.
        modules: the modules that it brings, by their import names.
    """

    purpose: str
    modules: tuple[str, ...]


_TORCH = ("torch", "safetensors", "gdown", "requests")
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
        "heic": Extra("reading HEIC", ("pillow_heif",)),
        "video": Extra("reading videos", ("av",)),
        "pandas": Extra("a table of pandas", ("pandas",)),
    }
)
"""Every extra with modules of its own, as in `pyproject.toml`. Of several that bring a module, the
first is the one to install for it."""


class MissingExtraError(UsageError):
    """What is asked for needs an extra that is not installed; `extra` is its name."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        super().__init__(
            f"{EXTRAS[extra].purpose} needs the module '{module}', which is not installed. "
            f"Run: pip install 'seaformer[{extra}]'"
        )


def require(extra: str) -> None:
    """Check that an extra of `EXTRAS` is installed; nothing is imported.

    Raises:
        MissingExtraError: it is not.
    """
    for module in EXTRAS[extra].modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(extra, module)


def missing_extra(error: ImportError) -> MissingExtraError | None:
    """Return the error that names the extra which a failed import needs; None if none brings it."""
    module = (error.name or "").partition(".")[0]
    for name, extra in EXTRAS.items():
        if module in extra.modules and importlib.util.find_spec(module) is None:
            return MissingExtraError(name, module)
    return None


@contextmanager
def missing_extras_named() -> Iterator[None]:
    """Turn the failed import of a module that an extra brings into a `MissingExtraError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        named = missing_extra(error)
        if named is None:
            raise
        raise named from error
