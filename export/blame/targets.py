"""What a file can be compared with the reference on: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from seaformer.errors import SeaformerError
from seaformer.runtimes import PROCESSORS, Runtime


@dataclass(frozen=True)
class Target:
    """Something that runs a file, and may compute something else than the reference does.

    Attributes:
        name: as given to --blame.
        title: name to show to people.
        accelerator: of `seaformer.runtimes.open_session`.
        suffixes: of the files that it takes.
        package: module that it needs besides what is always installed; "" for none.
        elsewhere: where a model can run without the operators at fault.
        upstream: where to report a fault.
    """

    name: str
    title: str
    accelerator: str
    suffixes: tuple[str, ...]
    package: str
    elsewhere: str
    upstream: str

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """What runs its files, one for each suffix."""
        return tuple(PROCESSORS[self.accelerator][suffix] for suffix in self.suffixes)

    @property
    def needs_chip(self) -> bool:
        """Whether it computes as one of several chips does."""
        return any(runtime.takes_chip for runtime in self.runtimes)

    def require(self) -> None:
        """Check that it can be had here.

        Raises:
            SeaformerError: it cannot; the message says how to get it.
        """
        for runtime in self.runtimes:
            runtime.require()
        if self.package and find_spec(self.package) is None:
            raise SeaformerError(
                f"target '{self.name}' needs {self.title}, which is not installed. "
                f"Run: pip install {self.package}"
            )


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        row.name: row
        for row in (
            Target(
                name="gpu",
                title="LiteRT's GPU accelerator",
                accelerator="gpu",
                suffixes=(".tflite",),
                package="",
                elsewhere="the CPU",
                upstream="https://github.com/google-ai-edge/LiteRT/issues",
            ),
            Target(
                name="openvino",
                title="OpenVINO",
                accelerator="openvino",
                suffixes=(".tflite",),
                package="openvino",
                elsewhere="LiteRT",
                upstream="https://github.com/openvinotoolkit/openvino/issues",
            ),
            Target(
                name="xnnpack",
                title="LiteRT with XNNPACK",
                accelerator="cpu",
                suffixes=(".tflite",),
                package="",
                elsewhere="LiteRT's CPU kernels without XNNPACK",
                upstream="https://github.com/google/XNNPACK/issues",
            ),
            Target(
                name="npu",
                title="Qualcomm's emulator of its NPUs",
                accelerator="npu",
                suffixes=(".onnx",),
                package="",
                elsewhere="ONNX Runtime's CPU kernels",
                upstream="https://github.com/onnxruntime/onnxruntime-qnn/issues",
            ),
        )
    }
)
