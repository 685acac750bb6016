"""The tables of formats and precisions, used by checks, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from seaformer.errors import UsageError

Layout = Literal["NCHW", "NHWC"]
KeptAs = Literal["in floating point", "at 16 bits"]
"""How modules that are not quantized like the rest are computed; 16 bits apply to activations."""


@dataclass(frozen=True)
class Format:
    """A file format of exports; `layout` is the layout of input and output.

    `runtime` runs and verifies the file; `description` is one sentence for tables.
    """

    name: str
    suffix: str
    layout: Layout
    runtime: str
    description: str


@dataclass(frozen=True)
class Precision:
    """How the numbers of an exported file are stored, and its thresholds.

    A floating-point file has to reach the thresholds on every input of
    `seaformer.export.verify.verification`. A quantized file has to reach them on held-out images
    from the calibration data, or on the sample photo if there are none.

    Attributes:
        name: value of --precision.
        weights: storage type of the weights; if it is "int4", weights of depth-wise convolutions
            are "int8".
        activations: type of the activations.
        delegates: delegates and runtimes that run it, on phones and on the host.
        size: size of the file, relative to the fp32 file.
        min_sqnr_db: lowest signal-to-quantization-noise ratio of the output, in dB.
        min_agreement: lowest share of positions with the same arg-max as the reference, 0..1.
        device_min_sqnr_db: lowest signal-to-noise ratio of the output on a device, relative to the
            same file on the host, in dB.
        device_min_agreement: lowest share of positions with the same arg-max as on the host, 0..1.
        description: one sentence for tables.
        formats: names of the formats that support it.
        why_not_others: why other formats do not, if a user might expect them to.
        input_output: types of input and output.
        range_method: default method for choosing the ranges of activations, one of
            `seaformer.quantization.methods.METHODS`; None if no images are needed.
        max_miou_loss: largest loss of mIoU, or of top-1 in classification, in points, if ground
            truth is available; None if it is not measured.
        caution: warning that is printed when this precision is requested.
        test_images: maximum number of held-out images to measure on.
        integer_activation_bits: width of integer activations; None if there are none.
        weight_bits: width of integer weights, except in depth-wise convolutions, which have 8 bits.
        is_trained_for: whether seaformer-train --quantization can learn its ranges.
        for_npu: whether all operators, including softmax and the products of the attention, compute
            in integers, for NPUs without floating point. CPUs run such files only to verify them,
            not for speed.
    """

    name: str
    weights: str
    activations: str
    delegates: str
    size: float
    min_sqnr_db: float
    min_agreement: float
    device_min_sqnr_db: float
    device_min_agreement: float
    description: str
    formats: tuple[str, ...] = ("onnx", "tflite")
    why_not_others: str = ""
    input_output: str = "float32"
    range_method: str | None = None
    max_miou_loss: float | None = None
    caution: str = ""
    test_images: int = 500
    integer_activation_bits: Literal[8, 16] | None = None
    weight_bits: Literal[4, 8] = 8
    is_trained_for: bool = False
    for_npu: bool = False

    @property
    def is_quantized(self) -> bool:
        """Whether the weights are integers."""
        return self.weights in ("int4", "int8")

    @property
    def has_float(self) -> bool:
        """Whether any of it is computed in floating point."""
        return "float" in self.activations

    @property
    def is_calibrated(self) -> bool:
        """Whether it needs images to choose the ranges of activations."""
        return self.range_method is not None

    @property
    def keeps_16_bits(self) -> bool:
        """Whether modules that are not quantized like the rest have 16-bit activations."""
        return self.for_npu and self.integer_activation_bits == 8

    @property
    def kept_as(self) -> KeptAs:
        """How modules that are not quantized like the rest are computed."""
        return "at 16 bits" if self.keeps_16_bits else "in floating point"

    @property
    def keep_option(self) -> str | None:
        """The option that selects such modules; None if there is no such option."""
        if not self.for_npu:
            return "--keep-float"
        return "--keep-16bit" if self.keeps_16_bits else None


_ONNX = "For ONNX Runtime; node names carry the module paths."
_TFLITE = "For LiteRT (TensorFlow Lite) and its XNNPACK, GPU and NPU delegates."

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "onnx": Format("onnx", ".onnx", "NCHW", "ONNX Runtime", _ONNX),
        "tflite": Format("tflite", ".tflite", "NHWC", "LiteRT", _TFLITE),
    }
)

PRECISIONS: Mapping[str, Precision] = MappingProxyType(
    {
        row.name: row
        for row in (
            Precision(
                name="fp32",
                weights="float32",
                activations="float32",
                delegates="XNNPACK, GPU; ONNX Runtime",
                size=1.0,
                min_sqnr_db=100.0,
                min_agreement=0.9999,
                device_min_sqnr_db=60.0,
                device_min_agreement=0.99,
                description="Single precision: what PyTorch computes.",
            ),
            Precision(
                name="fp16",
                weights="float16",
                activations="float32, or float16 if requested from the runtime",
                delegates="XNNPACK, GPU; ONNX Runtime",
                size=0.51,
                min_sqnr_db=55.0,
                min_agreement=0.999,
                device_min_sqnr_db=30.0,  # runtimes may compute in float16 where the processor can
                device_min_agreement=0.98,
                description="Weights with 1024 or more elements in half precision: half the file "
                "size. XNNPACK computes in float16 on Armv8.2 if its delegate is created with "
                "TFLITE_XNNPACK_DELEGATE_FLAG_FORCE_FP16 "
                "(benchmark_model --xnnpack_force_fp16=true).",
            ),
            Precision(
                name="dynamic-int8",
                weights="int8",
                activations="float32, rounded to 8 bits inside each convolution",
                delegates="XNNPACK, GPU; ONNX Runtime",
                size=0.34,
                min_sqnr_db=20.0,
                min_agreement=0.97,
                max_miou_loss=0.5,
                device_min_sqnr_db=20.0,
                device_min_agreement=0.90,
                description="Weights of convolutions in 8 bits, per channel (in .onnx per tensor); "
                "no calibration. For a small file.",
                caution="dynamic-int8 is for size, not for speed: XNNPACK took 1.4 times as long "
                "as in fp32, ONNX Runtime 2.6 times. For speed, export with --precision int8.",
            ),
            Precision(
                name="int8",
                weights="int8",
                activations="int8, float32 in the attention core",
                input_output="int8 (.tflite), uint8 (.onnx)",
                range_method="mse",
                integer_activation_bits=8,
                is_trained_for=True,
                delegates="XNNPACK, GPU, NPU; ONNX Runtime",
                size=0.33,
                min_sqnr_db=15.0,
                min_agreement=0.97,
                max_miou_loss=0.5,
                device_min_sqnr_db=20.0,
                device_min_agreement=0.90,
                description="Full-integer: input and output are bytes. Weights per channel, "
                "activations by calibration; the products of the attention and their softmax stay "
                "float32, because XNNPACK would otherwise split the graph at each of them.",
            ),
            Precision(
                name="int4-weights",
                formats=("tflite",),
                why_not_others="ONNX Runtime has no integer kernel for convolutions with 4-bit "
                "weights; export with --format tflite",
                weights="int4",
                activations="int8, float32 in the attention core",
                input_output="int8",
                range_method="mse",
                integer_activation_bits=8,
                weight_bits=4,
                is_trained_for=True,
                delegates="LiteRT's own kernels, XNNPACK",
                size=0.21,
                min_sqnr_db=8.0,
                min_agreement=0.9,
                max_miou_loss=2.0,
                device_min_sqnr_db=20.0,
                device_min_agreement=0.90,
                description="Like int8 with weights in 4 bits per channel, except in depth-wise "
                "convolutions: the smallest file. Train for it with seaformer-train --quantization "
                "int4-weights.",
                caution="int4-weights is for size, not for speed: XNNPACK leaves every convolution "
                "with 4-bit weights to LiteRT's own kernels, which took twice as long as int8. For "
                "speed, export with --precision int8.",
            ),
            Precision(
                name="int16x8",
                formats=("tflite",),
                weights="int8",
                activations="int16",
                input_output="int16",
                range_method="min-max",
                integer_activation_bits=16,
                delegates="the reference kernels",
                size=0.34,
                min_sqnr_db=30.0,
                min_agreement=0.99,
                max_miou_loss=0.1,
                device_min_sqnr_db=30.0,
                device_min_agreement=0.98,
                description="Weights in 8 bits, activations in 16: to measure the loss from "
                "rounding the activations.",
                caution="int16x8 is a reference: XNNPACK supports none of its operators, and the "
                "reference kernels took 33 times as long as fp32 with XNNPACK.",
                test_images=50,
            ),
            Precision(
                name="w8a8",
                weights="int8",
                activations="uint8 (.onnx), int8 (.tflite)",
                input_output="uint8 (.onnx), int8 (.tflite)",
                range_method="mse",
                integer_activation_bits=8,
                for_npu=True,
                delegates="NPU",
                size=0.34,
                min_sqnr_db=15.0,
                min_agreement=0.97,
                max_miou_loss=0.2,
                device_min_sqnr_db=20.0,
                device_min_agreement=0.90,
                description="Integers throughout, including the attention and its softmax: runs "
                "entirely on NPUs without floating point. --precision int8 with --accelerator npu.",
            ),
            Precision(
                name="w8a16",
                formats=("onnx",),
                why_not_others="LiteRT's compiler for NPUs leaves depth-wise convolutions with "
                "16-bit activations to the CPU; export with --format onnx",
                weights="int8",
                activations="uint16",
                input_output="uint8, uint16",
                range_method="min-max",
                integer_activation_bits=16,
                for_npu=True,
                delegates="NPU",
                size=0.34,
                min_sqnr_db=30.0,
                min_agreement=0.99,
                max_miou_loss=0.1,
                device_min_sqnr_db=30.0,
                device_min_agreement=0.98,
                description="Like w8a8 with activations in 16 bits: for networks that lose too "
                "much in w8a8. --precision int16x8 with --accelerator npu.",
            ),
        )
    }
)


HALF_MIN_SQNR_DB, HALF_MIN_AGREEMENT = 36.0, 0.98
"""Thresholds for a floating-point file when everything is computed in half precision, as on NPUs.

Rounding every weight and result to 11 bits alone causes noise of about 70 dB, which accumulates
over the layers. In emulation, networks reach from 37.5 dB and 98.2 % (R-ASPP with random weights)
to 63 dB (bench.accelerators); wrong results of an accelerator reached at most 34.9 dB (heads on the
batch axis on LiteRT's GPU accelerator).
"""


def in_half(precision: Precision) -> Precision:
    """Return a floating-point precision with the thresholds of half-precision arithmetic."""
    return replace(
        precision,
        min_sqnr_db=min(precision.min_sqnr_db, HALF_MIN_SQNR_DB),
        min_agreement=min(precision.min_agreement, HALF_MIN_AGREEMENT),
    )


def format_of(file_name: str) -> Format:
    """Return the format of a file by its suffix.

    Raises:
        UsageError: no format has that suffix.
    """
    for known in FORMATS.values():
        if file_name.lower().endswith(known.suffix):
            return known
    suffixes = " or ".join(known.suffix for known in FORMATS.values())
    raise UsageError(f"'{file_name}' is not an exported model ({suffixes}).")
