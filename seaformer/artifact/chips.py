"""The Snapdragon chips that files can be compiled for: a table for checks, help and documents.

Chips are named rather than phones, because phones of the same name can have different chips. The
command `adb shell getprop ro.soc.model` prints the chip of a phone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.errors import UsageError, look_up


@dataclass(frozen=True)
class Chip:
    """A chip with a Hexagon NPU.

    Attributes:
        name: value of --soc.
        snapdragon: marketing name.
        hexagon: version of the NPU, 69 for V69; Qualcomm's "HTP architecture".
        soc_model: number of the chip in Qualcomm's compiler.
        has_float: whether the NPU supports floating point (in half precision).
    """

    name: str
    snapdragon: str
    hexagon: int
    soc_model: int
    has_float: bool = True

    @property
    def title(self) -> str:
        """Name, marketing name and NPU."""
        return f"{self.name} ({self.snapdragon}, Hexagon V{self.hexagon})"


CHIPS: Mapping[str, Chip] = MappingProxyType(
    {
        row.name: row
        for row in (
            Chip("SM8350", "Snapdragon 888", 68, 30, has_float=False),
            Chip("SM8450", "Snapdragon 8 Gen 1", 69, 36),
            Chip("SM8550", "Snapdragon 8 Gen 2", 73, 43),
            Chip("SM8650", "Snapdragon 8 Gen 3", 75, 57),
            Chip("SM8750", "Snapdragon 8 Elite", 79, 69),
            Chip("SM8850", "Snapdragon 8 Elite Gen 5", 81, 87),
        )
    }
)
"""Numbers from QNN 2.51 (onnxruntime-qnn 2.7.0), with which compiling for each was tested."""

UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "SM8250": "the Snapdragon 865 has a Hexagon V66, but Qualcomm's compiler needs V68 or "
        "newer; use --accelerator cpu or gpu",
    }
)
"""Well-known unsupported chips -> reason."""

LIST = "list"
"""The value of --soc that lists the chips."""


def parse_chips(given: Sequence[str]) -> tuple[Chip, ...]:
    """Parse the values of --soc: names of chips, or comma-separated lists of names.

    Returns:
        Each chip once; empty if none is given.

    Raises:
        UsageError: a chip is unknown or not supported.
    """
    names = dict.fromkeys(name.strip().upper() for value in given for name in value.split(","))
    for name in names:
        if name in UNSUPPORTED:
            raise UsageError(f"--soc {name} is not supported: {UNSUPPORTED[name]}.")
    return tuple(look_up(CHIPS, "chip", name) for name in names)
