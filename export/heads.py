"""What an exported segmentation model ends with: logits, class ids, or the full-size mask."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Head:
    """An ending of the graph.

    Attributes:
        name: as given to --head.
        description: one sentence for tables.
    """

    name: Literal["logits", "classes", "mask"]
    description: str


HEADS: Mapping[str, Head] = MappingProxyType(
    {
        head.name: head
        for head in (
            Head("logits", "Logits at 1/8 of the sides; the mask is computed outside the graph."),
            Head("classes", "Class ids at 1/8 of the sides: the arg-max is in the graph."),
            Head(
                "mask",
                "Class ids at full size: upsampling and arg-max are in the graph, at the cost of "
                "more time than the network. For runtimes where nothing else can be added.",
            ),
        )
    }
)
