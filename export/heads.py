"""The heads of exported segmentation models: logits, class ids, or the full-size mask."""

from collections.abc import Mapping
from types import MappingProxyType

HEADS: Mapping[str, str] = MappingProxyType(
    {
        "logits": "Logits at the output resolution of the network (SeaFormer: 1/8 of the input); "
        "the mask is computed outside the graph.",
        "classes": "Class ids at the resolution of the logits: the arg-max is in the graph.",
        "mask": "Class ids at full size: upsampling and arg-max are in the graph, and cost more "
        "time than the network itself. For runtimes without post-processing code.",
    }
)
"""Name, as given to --head and stored as the content of the output -> description for tables."""
