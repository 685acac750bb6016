"""The options --accelerator and --soc: where a model is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from seaformer.artifact.accelerators import ACCELERATORS, CPU
from seaformer.artifact.chips import parse_chips
from seaformer.errors import UsageError, look_up

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Processor:
    """Where a model is computed: arguments of `seaformer.runtimes.open_session`.

    Attributes:
        accelerator: one of `ACCELERATORS`.
        chip: chip of an accelerator that has several; None for the chip of a compiled file.
    """

    accelerator: str = CPU
    chip: str | None = None

    @property
    def is_emulated(self) -> bool:
        """Whether latency measured on the host is meaningless for the accelerator."""
        return self.accelerator != CPU

    @property
    def arguments(self) -> list[str]:
        """The command-line options that select it; none for the CPU."""
        soc = [] if self.chip is None else ["--soc", self.chip]
        return [] if self.accelerator == CPU else ["--accelerator", self.accelerator, *soc]


def processor_options(function: _Function) -> _Function:
    """Add the options; `read_processor` reads their values."""
    soc = click.option(
        "--soc",
        metavar="CHIP",
        help="Chip that the accelerator npu emulates, see seaformer-export --soc list. "
        "[default: the chip that a compiled file is for]",
    )
    accelerator = click.option(
        "--accelerator",
        metavar="NAME",
        default=CPU,
        show_default=True,
        help=f"Where an exported file runs: {', '.join(ACCELERATORS)}. npu is Qualcomm's emulator, "
        "for .onnx: the results are the NPU's, but the latency is meaningless.",
    )
    return accelerator(soc(function))


def read_processor(accelerator: str, soc: str | None) -> Processor:
    """Check the values of the options.

    Raises:
        UsageError: a name is unknown, or the options contradict each other.
    """
    row = look_up(ACCELERATORS, "accelerator", accelerator)
    chips = () if soc is None else parse_chips([soc])
    if chips and not row.is_compiled_for:
        raise UsageError(f"--soc {soc} is only for --accelerator npu, not {accelerator}. Omit it.")
    if len(chips) > 1:
        raise UsageError(f"--soc is '{soc}'. Allowed: one chip.")
    return Processor(row.name, chips[0].name if chips else None)
