"""The table of accelerators, which checks, help texts, reports and documents are derived from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from seaformer.artifact.precisions import Precision, in_half
from seaformer.errors import UsageError, look_up


@dataclass(frozen=True)
class DeviceThreshold:
    """Thresholds for the output of a phone, relative to the same file on the CPU of a computer.

    Attributes:
        min_sqnr_db: lowest signal-to-noise ratio, in dB.
        min_agreement: lowest share of positions with the same arg-max, 0..1.
    """

    min_sqnr_db: float
    min_agreement: float


@dataclass(frozen=True)
class Accelerator:
    """A type of processor, and how its results are verified.

    The precision defines the thresholds, because the GPU computes in single precision for the
    verification; for processors with only half precision, see `thresholds`. Thresholds for results
    on a phone are looser, see `Precision`.

    Attributes:
        name: value of --accelerator.
        title: display name.
        runtimes: format -> runtime.
        refuses: unsupported precision -> reason.
        verified_by: how it is verified on a computer.
        needs: what a user has to install for that; "" for nothing.
        computes_half: whether phones compute floating-point files in half precision by default.
        has_half_only: whether floating-point files are always computed in half precision.
        is_compiled_for: whether a file is compiled for one chip, see `seaformer.artifact.chips`.
        precisions: requested precision -> precision that runs entirely on this accelerator.
        never_run: formats whose compiled files cannot run on a computer.
    """

    name: str
    title: str
    runtimes: Mapping[str, str]
    refuses: Mapping[str, str]
    verified_by: str
    needs: str
    computes_half: bool
    has_half_only: bool = False
    is_compiled_for: bool = False
    precisions: Mapping[str, str] = field(default_factory=dict)
    never_run: tuple[str, ...] = ()

    def refusal(self, format: str, precision: str) -> str | None:
        """Return why it does not support such a file; None if it does."""
        if format not in self.runtimes:
            return f"it supports .{' and .'.join(self.runtimes)}, not .{format}"
        return self.refuses.get(precision)

    def thresholds(self, precision: Precision) -> Precision:
        """Return the precision with the thresholds for this accelerator."""
        if self.has_half_only and not precision.is_quantized:
            return in_half(precision)
        return precision

    def device_threshold(self, precision: Precision) -> DeviceThreshold:
        """Return the thresholds for a file on the accelerator of a phone."""
        if (self.computes_half or self.has_half_only) and not precision.is_quantized:
            half = in_half(precision)
            return DeviceThreshold(half.min_sqnr_db, half.min_agreement)
        return DeviceThreshold(precision.device_min_sqnr_db, precision.device_min_agreement)


AcceleratorName = Literal["cpu", "gpu", "npu"]

CPU: Final = "cpu"
GPU: Final = "gpu"
NPU: Final = "npu"
"""Every file is verified on the CPU, and on the other accelerators if possible."""

ACCELERATORS: Mapping[str, Accelerator] = MappingProxyType(
    {
        row.name: row
        for row in (
            Accelerator(
                name=CPU,
                title="CPU",
                runtimes={"tflite": "LiteRT, XNNPACK", "onnx": "ONNX Runtime"},
                refuses={},
                verified_by="the same runtime on this computer's processor",
                needs="",
                computes_half=False,
            ),
            Accelerator(
                name=GPU,
                title="GPU",
                runtimes={"tflite": "LiteRT's GPU accelerator"},
                refuses={"int16x8": "16-bit integers crash it"},
                verified_by="the same accelerator through WebGPU, on SwiftShader, a software "
                "driver, or on this computer's GPU",
                needs="a Vulkan driver, such as the one in Chromium: apt-get install chromium",
                computes_half=True,
            ),
            Accelerator(
                name=NPU,
                title="NPU",
                runtimes={
                    "onnx": "ONNX Runtime, QNN",
                    "tflite": "LiteRT, QNN (compiled, never run)",
                },
                refuses={"int4-weights": "4-bit weights were tried in single convolutions only"},
                verified_by="Qualcomm's own emulator of its Hexagon NPUs (.onnx); for a compiled "
                ".tflite, only the partitions are checked",
                needs="pip install 'seaformer[npu]', on Linux x86-64 with glibc 2.35; --soc",
                computes_half=False,
                has_half_only=True,
                is_compiled_for=True,
                precisions={"int8": "w8a8", "int16x8": "w8a16"},
                never_run=("tflite",),
            ),
        )
    }
)


def needs_export(accelerator: str, name: str) -> UsageError:
    """Return the error for running a network in PyTorch, given by name, on an accelerator."""
    return UsageError(
        f"--accelerator {accelerator} runs only exported files, but '{name}' is a network in "
        "PyTorch. Export it first: seaformer-export."
    )


def parse_accelerators(given: Sequence[str]) -> tuple[Accelerator, ...]:
    """Parse the values of --accelerator: names, or comma-separated lists of names.

    Returns:
        Each accelerator once; empty if none is given.

    Raises:
        UsageError: a name is unknown.
    """
    names = dict.fromkeys(name.strip() for value in given for name in value.split(","))
    return tuple(look_up(ACCELERATORS, "accelerator", name) for name in names)
