"""The Snapdragons that a file can be compiled for: one table for checks, help and documents.

They go by the name of the chip, never by that of a phone: phones of one name have different chips.
`adb shell getprop ro.soc.model` prints it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.errors import UsageError, look_up


@dataclass(frozen=True)
class Chip:
    """A chip with a Hexagon NPU.

    Attributes:
        name: as given to --soc.
        snapdragon: name that it is sold by.
        hexagon: version of the NPU, 69 for V69; Qualcomm's "HTP architecture".
        soc_model: its number in Qualcomm's compiler.
        has_float: whether the NPU computes in floating point, which is in half precision.
    """

    name: str
    snapdragon: str
    hexagon: int
    soc_model: int
    has_float: bool = True

    @property
    def title(self) -> str:
        """Name and NPU in words."""
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
"""Numbers as in QNN 2.51 (onnxruntime-qnn 2.7.0), which compiled for each of them here."""

UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "SM8250": "the Snapdragon 865 has a Hexagon V66, and Qualcomm's compiler begins with V68; "
        "use --accelerator cpu or gpu for it",
    }
)
"""Chips that a user may well ask for -> why they are not in the table."""

LIST = "list"
"""The value of --soc that lists the chips."""


def parse_chips(given: Sequence[str]) -> tuple[Chip, ...]:
    """Read the values of --soc: names of chips, or lists of names with commas.

    Returns:
        Each once; none if none is given.

    Raises:
        UsageError: a chip is unknown or not supported.
    """
    names = dict.fromkeys(name.strip().upper() for value in given for name in value.split(","))
    for name in names:
        if name in UNSUPPORTED:
            raise UsageError(f"--soc {name} is not supported: {UNSUPPORTED[name]}.")
    return tuple(look_up(CHIPS, "chip", name) for name in names)
