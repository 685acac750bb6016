"""Files for accelerators on a device, in addition to runner, runtime and models."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from seaformer.artifact.accelerators import CPU, GPU, NPU
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.accelerator_files import AcceleratorFiles, ModelFile
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.gpu_files import gpu_files
from seaformer.benchmark.measure.npu_files import npu_files
from seaformer.benchmark.measure.options import Options

_Find = Callable[[Backend, Device, Options, Sequence[ModelFile]], AcceleratorFiles]

_FINDERS: Mapping[str, _Find] = MappingProxyType(
    {CPU: lambda *_: AcceleratorFiles(), GPU: gpu_files, NPU: npu_files}
)


def accelerator_files(
    backend: Backend, device: Device, options: Options, candidates: Sequence[ModelFile]
) -> AcceleratorFiles:
    """Return the files that the accelerator of a backend needs on a device for models.

    Raises:
        SeaformerError: a file is missing on this computer; the message explains how to get it.
        UsageError: the accelerator does not support the options.
    """
    return _FINDERS[backend.accelerator](backend, device, options, candidates)
