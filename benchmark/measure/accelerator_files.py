"""What an accelerator needs on a device besides the runtime's library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from seaformer.artifact.metadata import Compilation


class ModelFile(Protocol):
    """What an accelerator has to know about a model file."""

    @property
    def path(self) -> Path:
        """Where it is on the host."""

    @property
    def precision(self) -> str:
        """Name of its precision, or something else where that is unknown."""

    @property
    def compilation(self) -> Compilation | None:
        """How it was compiled for an NPU; None if it was not."""

    @property
    def binary(self) -> Path | None:
        """What the NPU runs, where that is a file beside it."""


@dataclass(frozen=True)
class AcceleratorFiles:
    """What an accelerator needs.

    Attributes:
        files: libraries that are put beside the runtime's, under their own names.
        environment: variables of the runner's process, besides those it has anyway.
        driver: what computes, in words, where that is not the device's own hardware or driver.
        is_emulated: whether that is a program on the processor: its times are no latency.
        plugin: library of the runtime for the accelerator, as a plan names it; None if it is
            inside the runtime's.
        options: of the runtime for the accelerator.
        folder_variables: further variables, which are the folder on the device.
        runtime: the runtime's library that came with them; None for that of --runtime-library or
            the pinned one.
    """

    files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    driver: str | None = None
    is_emulated: bool = False
    plugin: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    folder_variables: tuple[str, ...] = ()
    runtime: Path | None = None
