"""What an accelerator needs on a device besides the runtime's library, and where it is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from seaformer.artifact.accelerators import CPU, GPU
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.runner.libraries import PHONE, RuntimeLibrary
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.graphics_driver import require_driver

WEB_GPU = "libLiteRtWebGpuAccelerator.so"
"""LiteRT's GPU accelerator for computers, a library of its own beside LiteRT's."""


@dataclass(frozen=True)
class AcceleratorFiles:
    """What an accelerator needs.

    Attributes:
        files: libraries that are put beside the runtime's, under their own names.
        environment: variables of the runner's process, besides those it has anyway.
        driver: what computes, in words, where that is not the device's own hardware or driver.
        is_emulated: whether that is a program on the processor: its times are no latency.
    """

    files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    driver: str | None = None
    is_emulated: bool = False


def accelerator_files(
    backend: Backend, target: str, library: RuntimeLibrary, options: Options
) -> AcceleratorFiles:
    """Return what the accelerator of a backend needs on a target of the runner.

    Raises:
        SeaformerError: something is not here; the message says how to get it.
        UsageError: the accelerator cannot do what the options ask for.
    """
    return _FINDERS[backend.accelerator](target, library, options)


def _cpu(_target: str, _library: RuntimeLibrary, _options: Options) -> AcceleratorFiles:
    return AcceleratorFiles()


def _gpu(target: str, library: RuntimeLibrary, options: Options) -> AcceleratorFiles:
    if target == PHONE:
        return AcceleratorFiles()  # LiteRT for Android has the accelerator inside.
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


_FINDERS: Mapping[str, Callable[[str, RuntimeLibrary, Options], AcceleratorFiles]] = (
    MappingProxyType({CPU: _cpu, GPU: _gpu})
)
"""Accelerator -> what finds its files."""
