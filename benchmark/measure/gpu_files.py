"""Files for LiteRT's GPU accelerator."""

from collections.abc import Sequence

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.accelerator_files import AcceleratorFiles, ModelFile
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.runner.libraries import PHONE, library_for
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.graphics_driver import require_driver

WEB_GPU = "libLiteRtWebGpuAccelerator.so"
"""LiteRT's GPU accelerator for computers, a separate library next to LiteRT's."""


def gpu_files(
    backend: Backend, device: Device, options: Options, _candidates: Sequence[ModelFile]
) -> AcceleratorFiles:
    """Return the files that the GPU of a device needs.

    Raises:
        SeaformerError: a file is missing on this computer; the message explains how to get it.
        UsageError: the GPU does not support the options.
    """
    if device.target == PHONE:
        return AcceleratorFiles()  # LiteRT for Android includes the accelerator.
    library = library_for(backend.runtime, device.target, options.runtime_library)
    accelerator = library.path.with_name(WEB_GPU)
    if not accelerator.is_file():
        raise SeaformerError(
            f"{WEB_GPU}, which LiteRT needs for this computer's GPU, is not next to "
            f"'{library.path}'. Omit --runtime-library, or reinstall ai-edge-litert: pip install "
            "--force-reinstall ai-edge-litert."
        )
    driver = require_driver()
    if options.half and not driver.computes_half:
        raise UsageError(
            f"--half: {driver.title} computes in single precision only. Omit --half, or select "
            "another Vulkan driver with VK_DRIVER_FILES."
        )
    return AcceleratorFiles((accelerator,), driver.environment, driver.title, driver.is_software)
