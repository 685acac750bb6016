"""What LiteRT's GPU accelerator needs."""

from collections.abc import Sequence

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.accelerator_files import AcceleratorFiles, ModelFile
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.runner.libraries import PHONE, library_for
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.graphics_driver import require_driver

WEB_GPU = "libLiteRtWebGpuAccelerator.so"
"""LiteRT's GPU accelerator for computers, a library of its own beside LiteRT's."""


def gpu_files(
    backend: Backend, device: Device, options: Options, _candidates: Sequence[ModelFile]
) -> AcceleratorFiles:
    """Return what the GPU of a device needs.

    Raises:
        SeaformerError: something is not here; the message says how to get it.
        UsageError: the GPU cannot do what the options ask for.
    """
    if device.target == PHONE:
        return AcceleratorFiles()  # LiteRT for Android has the accelerator inside.
    library = library_for(backend.runtime, device.target, options.runtime_library)
    accelerator = library.path.with_name(WEB_GPU)
    if not accelerator.is_file():
        raise SeaformerError(
            f"there is no {WEB_GPU} beside '{library.path}', which computes on this computer's GPU."
            " Leave --runtime-library out, or install ai-edge-litert again: pip install "
            "--force-reinstall ai-edge-litert."
        )
    driver = require_driver()
    if options.half and not driver.computes_half:
        raise UsageError(
            f"--half: {driver.title} computes in single precision only. Leave --half out, or name "
            "another Vulkan driver in VK_DRIVER_FILES."
        )
    return AcceleratorFiles((accelerator,), driver.environment, driver.title, driver.is_software)
