"""Files and settings for an accelerator of a device, in addition to the runtime's library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from seaformer.artifact.metadata import Compilation


class ModelFile(Protocol):
    """The facts about a model file that an accelerator needs."""

    @property
    def path(self) -> Path:
        """Where it is on the host."""

    @property
    def precision(self) -> str:
        """Name of its precision, or a placeholder if it is unknown."""

    @property
    def compilation(self) -> Compilation | None:
        """How it was compiled for an NPU; None if it was not."""

    @property
    def binary(self) -> Path | None:
        """The file next to it that the NPU runs; None if there is none."""


@dataclass(frozen=True)
class AcceleratorFiles:
    """Files and settings for an accelerator.

    Attributes:
        files: libraries to place next to the runtime's, under their own names.
        environment: additional environment variables of the runner.
        driver: description of the driver or emulator; None for the driver of the device.
        is_emulated: whether the processor emulates the accelerator: times are then not latency.
        plugin: library of the runtime for the accelerator, as named in a plan; None if it is part
            of the runtime's library.
        options: options of the runtime for the accelerator.
        folder_variables: environment variables to set to the folder on the device.
        runtime: the runtime's library that comes with them; None for --runtime-library or the
            pinned one.
    """

    files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    driver: str | None = None
    is_emulated: bool = False
    plugin: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    folder_variables: tuple[str, ...] = ()
    runtime: Path | None = None

    def variables(self, folder: str) -> dict[str, str]:
        """Return the variables of a runner's process whose files are in a folder of the device."""
        return {**self.environment, **dict.fromkeys(self.folder_variables, folder)}
