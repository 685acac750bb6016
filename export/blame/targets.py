"""The targets on which a file can be compared with the reference: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from seaformer.errors import SeaformerError
from seaformer.runtimes import PROCESSORS, Runtime


@dataclass(frozen=True)
class Target:
    """A runtime or accelerator to compare with the reference.

    Attributes:
        name: as given to --blame.
        title: display name.
        accelerator: as given to `seaformer.runtimes.open_session`.
        suffixes: suffixes of the supported files.
        package: optional module that it needs; "" for none.
        elsewhere: alternative runtime that is not affected by the faults.
        upstream: URL for bug reports.
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
        """The runtimes of its files, one for each suffix."""
        return tuple(PROCESSORS[self.accelerator][suffix] for suffix in self.suffixes)

    @property
    def needs_chip(self) -> bool:
        """Whether it emulates one of several chips."""
        return any(runtime.takes_chip for runtime in self.runtimes)

    def require(self) -> None:
        """Check that it is available here.

        Raises:
            SeaformerError: it is not; the message says how to install it.
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
