"""What `seaformer-benchmark attention` is asked for, checked before any work is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.errors import UsageError, look_up
from seaformer.imaging.input_size import MAX_SIDE
from seaformer.models.attention.dimensions import MIN_SIDE
from seaformer.models.entry import Network
from seaformer.models.registry import LAYERS

USUAL_SIDES = "8,16,32,64,128,256,512"
"""Those of the paper's figure."""

USABLE = 0.8
"""Share of the free memory that an export may be estimated to take: one of 95 % was killed."""


@dataclass(frozen=True)
class Absent:
    """A layer at a side that is not exported, and why."""

    layer: Network
    side: int
    reason: str


def parse_sides(text: str) -> tuple[int, ...]:
    """Read "8,16,32", in any order.

    Returns:
        Sides of square feature maps, ascending, each once.

    Raises:
        UsageError: one is no number, or out of range.
    """
    sides = set()
    for part in text.split(","):
        word = part.strip()
        if not word.isdecimal() or not MIN_SIDE <= int(word) <= MAX_SIDE:
            raise UsageError(
                f"--sides has '{word}'. Allowed: numbers from {MIN_SIDE} to {MAX_SIDE} with commas "
                f"between, such as {USUAL_SIDES}."
            )
        sides.add(int(word))
    return tuple(sorted(sides))


def parse_layers(text: str | None) -> tuple[Network, ...]:
    """Read "global,axial"; None stands for all.

    Returns:
        Layers in the order of the table, each once.

    Raises:
        UsageError: there is no such layer.
    """
    if text is None:
        return tuple(LAYERS.values())
    asked = {look_up(LAYERS, "attention layer", word.strip()).name for word in text.split(",")}
    return tuple(layer for layer in LAYERS.values() if layer.name in asked)


def plan(
    layers: Sequence[Network], sides: Sequence[int], available_bytes: int
) -> tuple[tuple[tuple[Network, int], ...], tuple[Absent, ...]]:
    """Tell what can be exported here from what would not fit the memory.

    Args:
        layers: asked for.
        sides: asked for.
        available_bytes: free memory of this computer.

    Returns:
        What to export, and what to leave out with the reason.
    """
    made, absent = [], []
    for layer in layers:
        for side in sides:
            needed = layer.export_bytes((side, side)) or 0.0
            if needed <= USABLE * available_bytes:
                made.append((layer, side))
                continue
            reason = (
                f"exporting and verifying it would take about {needed / 2**30:,.0f} GiB of memory, "
                f"and {available_bytes / 2**30:,.1f} GiB are free; {USABLE:.0%} of them may be used"
            )
            absent.append(Absent(layer, side, reason))
    return tuple(made), tuple(absent)
