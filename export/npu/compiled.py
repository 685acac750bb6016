"""The result of compiling an exported file for one chip with the vendor's compiler.

An .onnx becomes a context binary, which the NPU runs, and a small .onnx that refers to it in an
EPContext node. A .tflite becomes a .tflite with the binary appended and a DISPATCH_OP operator.
Either may keep operators that the compiler left on the CPU.
"""

from dataclasses import dataclass

from seaformer.artifact.metadata import LeftOperator

NO_REASON = "the compiler does not support it"
"""Why an operator is left on the CPU if the compiler gives no reason."""

TIME_FACTOR = 5.0
"""Time limit of a compilation, as a multiple of the time limit of an inference: Large at 512x512
takes a minute on a busy processor."""


@dataclass(frozen=True)
class Compiled:
    """A compiled file.

    Attributes:
        content: content of the file, without metadata.
        binary: the context binary, if it is a separate file; `content` refers to it by name.
        partitions: number of partitions that run on the NPU.
        left: operators left on the CPU.
        compiler: name and versions of the compiler.
        qnn_version: version of Qualcomm's libraries that compiled it.
        phone_needs: software required on the phone.
    """

    content: bytes
    binary: bytes | None
    partitions: int
    left: tuple[LeftOperator, ...]
    compiler: str
    qnn_version: str
    phone_needs: str

    @property
    def in_words(self) -> str:
        """Partitions, operators left on the CPU, and size."""
        size = len(self.content) + len(self.binary or b"")
        parts = "partition" if self.partitions == 1 else "partitions"
        on_cpu = f", {len(self.left)} operators on the CPU" if self.left else ""
        return f"{self.partitions} {parts}{on_cpu}, {size / 1e6:.2f} MB"
