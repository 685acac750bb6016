"""What an exported segmentation model ends with: logits, class ids, or the full-size mask."""

from collections.abc import Mapping
from types import MappingProxyType

HEADS: Mapping[str, str] = MappingProxyType(
    {
        "logits": "Logits at the resolution of the network, in SeaFormer 1/8 of the sides; the "
        "mask is computed outside the graph.",
        "classes": "Class ids at the resolution of the logits: the arg-max is in the graph.",
        "mask": "Class ids at full size: upsampling and arg-max are in the graph, at the cost of "
        "more time than the network. For runtimes where nothing else can be added.",
    }
)
"""Name, as given to --head and stored as the content of the output -> one sentence for tables."""
