"""What a file can be compared with the reference on: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from seaformer.errors import SeaformerError
from seaformer.runtimes.graphics_driver import require_driver
from seaformer.runtimes.qnn_package import require_package


@dataclass(frozen=True)
class Target:
    """Something that runs a file, and may compute something else than the reference does.

    Attributes:
        name: as given to --blame.
        title: name to show to people.
        accelerator: of `seaformer.runtimes.open_session`.
        suffixes: of the files that it takes.
        package: module that it needs besides what is always installed; "" for none.
        needs_driver: whether it needs a Vulkan driver.
        needs_chip: whether it computes as the NPU of one chip does.
        elsewhere: where a model can run without the operators at fault.
        upstream: where to report a fault.
    """

    name: str
    title: str
    accelerator: str
    suffixes: tuple[str, ...]
    package: str
    needs_driver: bool
    elsewhere: str
    upstream: str
    needs_chip: bool = False

    def require(self) -> None:
        """Check that it can be had here.

        Raises:
            SeaformerError: it cannot; the message says how to get it.
        """
        if self.needs_driver:
            require_driver()
        if self.needs_chip:
            require_package()
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
                needs_driver=True,
                elsewhere="the CPU",
                upstream="https://github.com/google-ai-edge/LiteRT/issues",
            ),
            Target(
                name="openvino",
                title="OpenVINO",
                accelerator="openvino",
                suffixes=(".tflite",),
                package="openvino",
                needs_driver=False,
                elsewhere="LiteRT",
                upstream="https://github.com/openvinotoolkit/openvino/issues",
            ),
            Target(
                name="xnnpack",
                title="LiteRT with XNNPACK",
                accelerator="cpu",
                suffixes=(".tflite",),
                package="",
                needs_driver=False,
                elsewhere="LiteRT's CPU kernels without XNNPACK",
                upstream="https://github.com/google/XNNPACK/issues",
            ),
            Target(
                name="npu",
                title="Qualcomm's emulator of its NPUs",
                accelerator="npu",
                suffixes=(".onnx",),
                package="",
                needs_driver=False,
                elsewhere="ONNX Runtime's CPU kernels",
                upstream="https://github.com/onnxruntime/onnxruntime-qnn/issues",
                needs_chip=True,
            ),
        )
    }
)
