"""The table of attention layers: each can be exported alone, or replace the attention of a network.

A new layer needs a row here and a module in `attention/`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seaformer.models.entry import LayerCost
from seaformer.models.lazily import lazily
from seaformer.models.seaformer.variants import PAPER

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[int, int, int], "nn.Module"]
"""Channels of the map, query and key channels of a head, heads -> a layer that keeps the shape.

A head has twice as many channels of value (`VALUE_RATIO`)."""


@dataclass(frozen=True)
class Layer:
    """An attention layer.

    Attributes:
        kind: its name.
        title: display name.
        paper: reference of the paper.
        cost: how its cost grows.
        build: builds it.
        note: further remarks; may be empty.
        min_side: smallest height and width of the map.
    """

    kind: str
    title: str
    paper: str
    cost: LayerCost
    build: Build
    note: str = ""
    min_side: int = 1


def _without_key_dim(path: str) -> Build:
    """Return the builder of a class that divides its channels by the heads, as its paper does."""
    build = lazily(path)
    return lambda channels, _key_dim, heads: build(channels, heads)


def _squeezed(detail: str) -> Build:
    build = lazily("seaformer.attention.SqueezeEnhancedAxialAttention")
    return lambda channels, key_dim, heads: build(channels, key_dim, heads, detail)


def _per_position(numbers: int, per_side: int = 0, per_map: int = 0) -> Callable[[int], int]:
    """Return side length -> values written: per position, plus terms for the side and the map."""
    return lambda side: side**2 * (numbers + per_side * side + per_map * side**2)


def _per_padded_position(numbers: int) -> Callable[[int], int]:
    """Return side length -> values written, for a map that is padded to windows of 7."""
    return lambda side: numbers * (-(-side // 7) * 7) ** 2


_SQUEEZE = f"{PAPER}, Section 3.2"

_ALL = (
    Layer(
        "squeeze-enhanced",
        "squeeze-enhanced axial (SeaFormer)",
        _SQUEEZE,
        LayerCost("(H^2 + W^2)(Cqk + Cv) + 9HW(2Cqk + Cv)", 2, _per_position(4250)),
        _squeezed("concat-qkv"),
    ),
    Layer(
        "squeeze",
        "squeeze axial, without detail kernel",
        f"{_SQUEEZE}; the ablation detail=off",
        LayerCost("(H^2 + W^2)(Cqk + Cv)", 2, _per_position(1250)),
        _squeezed("off"),
    ),
    Layer(
        "global",
        "global self-attention",
        "Vaswani et al., NeurIPS 2017, arXiv 1706.03762, Section 3.2",
        LayerCost("H^2 W^2 (Cqk + Cv)", 4, _per_position(1900, per_map=8)),
        lazily("attention.global_attention.GlobalAttention"),
    ),
    Layer(
        "axial",
        "axial",
        "Wang et al., Axial-DeepLab, ECCV 2020, arXiv 2003.07853, Section 3.2; Ho et al., arXiv "
        "1912.12180",
        LayerCost("(H + W)HW(Cqk + Cv)", 3, _per_position(5300, per_side=16)),
        lazily("attention.axial.AxialAttention"),
        note="Height axis, then width axis, each with its own query, key and value; without "
        "Axial-DeepLab's position terms.",
    ),
    Layer(
        "window",
        "local windows of 7x7",
        "Liu et al., Swin, ICCV 2021, arXiv 2103.14030, Section 3.2",
        LayerCost("49HW(Cqk + Cv)", 2, _per_padded_position(5700)),
        lazily("attention.window.WindowAttention"),
        note="Windows are not shifted; sides are padded to multiples of 7.",
    ),
    Layer(
        "mixformer",
        "MixFormer",
        "Chen et al., MixFormer, CVPR 2022, arXiv 2204.02557, Sections 3.1 and 3.2",
        LayerCost("49HW(Cqk + Cv) + 9HWC", 2, _per_padded_position(5200)),
        _without_key_dim("attention.mixformer.MixingAttention"),
        note="Its windows use half of the channels, as in the paper; sides are padded to multiples "
        "of 7.",
    ),
    Layer(
        "acmix",
        "ACmix",
        "Pan et al., ACmix, CVPR 2022, arXiv 2111.14556, Sections 3 and 4",
        LayerCost("49HW(Cqk + Cv) + 108HWC", 2, _per_position(54500)),
        _without_key_dim("attention.acmix.ACmix"),
        note="Query, key and value have as many channels as the map, divided by the heads.",
        min_side=4,
    ),
)

ATTENTION_LAYERS: Mapping[str, Layer] = {layer.kind: layer for layer in _ALL}
"""Kind of the layer -> the layer."""
