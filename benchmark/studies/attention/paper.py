"""The paper's latencies of attention layers: Figure 1, left.

They were read off the figure by pixel, with the errors below. They are from a phone, and from
layers whose width and heads the paper does not state, so only their growth can be compared with
measurements, not the latencies themselves.
"""

from collections.abc import Mapping
from types import MappingProxyType

SOURCE = (
    "SeaFormer paper (arXiv 2301.13156), Figure 1 left, measured in pixels of the figure: about "
    "±0.1 ms for sides of 8 to 32, ±10 ms above. On a phone; the runtime, the width and the heads "
    "are not stated."
)

FINE_MS, COARSE_MS = 0.1, 10.0
LARGEST_FINE_SIDE = 32

TIMES_MS: Mapping[str, Mapping[int, float]] = MappingProxyType(
    {
        "squeeze-enhanced": {8: 0.3, 16: 0.9, 32: 3.2, 64: 10, 128: 56, 256: 245, 512: 975},
        "global": {8: 0.3, 16: 1.4, 32: 13.6, 64: 186, 128: 2830},
        "axial": {8: 0.5, 16: 1.8, 32: 8.3, 64: 43, 128: 190, 256: 950, 512: 4810},
        "window": {8: 0.4, 16: 1.3, 32: 5.7, 64: 28, 128: 170, 256: 995, 512: 5310},
        "mixformer": {8: 0.95, 16: 2.0, 32: 5.9, 128: 98, 256: 408, 512: 1695},
        "acmix": {8: 1.7, 16: 5.0, 32: 17.9, 64: 76, 128: 335, 256: 1240, 512: 6110},
    }
)
"""Kind of layer -> side -> milliseconds, without points that are not in the figure."""


def error_ms(side: int) -> float:
    """Reading error of the latency at a side, in milliseconds."""
    return FINE_MS if side <= LARGEST_FINE_SIDE else COARSE_MS
