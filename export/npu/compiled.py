"""What the compiler of a vendor makes of an exported file for one chip.

An .onnx becomes a context binary, which the NPU runs, and a small .onnx that names it in a node
EPContext; a .tflite becomes a .tflite with the binary behind it and an operator DISPATCH_OP.
Either may keep operators that the compiler left to the CPU.
"""

from dataclasses import dataclass

from seaformer.artifact.metadata import LeftOperator

NO_REASON = "the compiler does not take it"
"""Why an operator is left to the CPU, where the compiler says no more."""

TIME_FACTOR = 5.0
"""How many times the limit of running a file its compilation may take: Large at 512x512 takes a
minute on a busy processor."""


@dataclass(frozen=True)
class Compiled:
    """What a compiler made of a file.

    Attributes:
        content: of the file, without our description.
        binary: what the NPU runs, if it is a file of its own; its name is in `content`.
        partitions: how many pieces of the graph run on the NPU.
        left: operators that are left to the CPU.
        compiler: what compiled it, with versions.
        qnn_version: of Qualcomm's libraries that compiled it.
        phone_needs: what the phone has to have to run it.
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
        """Partitions, operators left and size."""
        size = len(self.content) + len(self.binary or b"")
        parts = "partition" if self.partitions == 1 else "partitions"
        on_cpu = f", {len(self.left)} operators on the CPU" if self.left else ""
        return f"{self.partitions} {parts}{on_cpu}, {size / 1e6:.2f} MB"
