"""Which layers are exported for which sides: all that fit the memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.studies.study import Export, LeftOut
from seaformer.models.entry import Network

USABLE = 0.8
"""Share of the free memory that an export may be estimated to take: one of 95 % was killed."""


@dataclass(frozen=True)
class LayerExport(Export):
    """A layer for square feature maps of a side."""

    layer: Network
    side: int


def plan_exports(
    layers: Sequence[Network], sides: Sequence[int], available_bytes: int
) -> tuple[tuple[LayerExport, ...], tuple[LeftOut[LayerExport], ...]]:
    """Separate what can be exported here from what would not fit the memory.

    Args:
        layers: asked for.
        sides: asked for.
        available_bytes: free memory of this computer.

    Returns:
        What to export, and what to leave out with the reason.
    """
    fitting, left_out = [], []
    for layer in layers:
        for side in sides:
            arguments = ("--model", layer.name, "--input-size", str(side))
            export = LayerExport(f"{layer.size} at {side}", arguments, layer, side)
            needed = layer.export_bytes((side, side)) or 0.0
            if needed <= USABLE * available_bytes:
                fitting.append(export)
                continue
            reason = (
                f"exporting and verifying it would take about {needed / 2**30:,.0f} GiB of memory, "
                f"and {available_bytes / 2**30:,.1f} GiB are free; {USABLE:.0%} of them may be used"
            )
            left_out.append(LeftOut(export, reason))
    return tuple(fitting), tuple(left_out)
