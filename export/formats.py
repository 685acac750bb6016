"""The one table of formats and precisions: it drives checks, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.errors import UsageError


@dataclass(frozen=True)
class Format:
    """A file format to export to.

    Attributes:
        name: as given to --format.
        suffix: of the file.
        layout: of input and output, "NCHW" or "NHWC".
        runtime: what runs the file, and checks it here.
        description: one sentence for tables.
    """

    name: str
    suffix: str
    layout: str
    runtime: str
    description: str


@dataclass(frozen=True)
class Precision:
    """How the numbers of an exported file are stored, and what it has to reach.

    Attributes:
        name: as given to --precision.
        weights: storage type of the weights.
        arithmetic: type the runtime computes in.
        min_sqnr_db: lowest signal to quantisation noise ratio of the output, in dB.
        min_agreement: lowest share of positions whose arg-max is PyTorch's, 0..1.
        description: one sentence for tables.
    """

    name: str
    weights: str
    arithmetic: str
    min_sqnr_db: float
    min_agreement: float
    description: str


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "onnx": Format(
            "onnx",
            ".onnx",
            "NCHW",
            "ONNX Runtime",
            "For ONNX Runtime; node names carry the module paths.",
        ),
        "tflite": Format(
            "tflite",
            ".tflite",
            "NHWC",
            "LiteRT",
            "For LiteRT (TensorFlow Lite) and its XNNPACK, GPU and NPU delegates.",
        ),
    }
)

PRECISIONS: Mapping[str, Precision] = MappingProxyType(
    {
        "fp32": Precision(
            "fp32",
            "float32",
            "float32",
            100.0,
            0.9999,
            "Single precision: what PyTorch computes.",
        ),
        "fp16": Precision(
            "fp16",
            "float16",
            "float32, or float16 where the runtime is told to",
            55.0,
            0.999,
            "Weights of 1024 elements and more in half precision: half the file. "
            "XNNPACK computes in float16 on Armv8.2 when "
            "its delegate is made with TFLITE_XNNPACK_DELEGATE_FLAG_FORCE_FP16 "
            "(benchmark_model --xnnpack_force_fp16=true).",
        ),
    }
)


def format_of(file_name: str) -> Format:
    """Return the format of a file by its suffix.

    Raises:
        UsageError: no format has that suffix.
    """
    for known in FORMATS.values():
        if file_name.lower().endswith(known.suffix):
            return known
    suffixes = ", ".join(known.suffix for known in FORMATS.values())
    raise UsageError(f"'{file_name}' is no exported model by its suffix. Allowed: {suffixes}.")
