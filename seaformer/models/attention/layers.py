"""The attention layers, as data: what each is, how its cost grows, and how it is built.

The paper's Figure 1 does not say how wide its layers are nor how many heads they have. Here all
have those of SeaFormer-T's attention at stride 64: 160 channels, 4 heads, query and key of 24
channels and value of 48 for each head. MixFormer and ACmix divide their width as their papers say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is imported when a layer is built: --help shall not wait for it
    from torch import nn

CHANNELS = 160
KEY_DIM = 24
HEADS = 4

PREFIX = "attention-"
MIN_SIDE = 8
"""The smallest of the figure."""
USUAL_SIZE = (64, 64)
"""Height and width of the features, unless others are asked for."""

EXPORT_BASE_BYTES = 1.0e9
EXPORT_BYTES_PER_NUMBER = 10
"""Peak memory of an export with its verification. Measured: 10 bytes for each of the numbers of
global attention at 64x64, whose scores are there in float64 too, and 4 or 5 for those of squeeze-
enhanced attention at 256x256."""


@dataclass(frozen=True)
class Layer:
    """One attention layer.

    Attributes:
        kind: its name.
        title: in words.
        source: where it is described.
        complexity: of its attention, in the symbols of the SeaFormer paper, Section 3.
        growth: exponent of the side that its time grows with in the limit of large sides.
        build: the layer, with the weights that torch gives it.
        elements: side -> numbers that it writes on its way, scores and their softmax included.
        note: what else a reader should know; may be empty.
    """

    kind: str
    title: str
    source: str
    complexity: str
    growth: int
    build: Callable[[], "nn.Module"]
    elements: Callable[[int], int]
    note: str = ""

    @property
    def name(self) -> str:
        """As given to --model."""
        return f"{PREFIX}{self.kind}"

    def export_bytes(self, side: int) -> float:
        """Estimate the memory that exporting and verifying it for a side takes."""
        return EXPORT_BASE_BYTES + EXPORT_BYTES_PER_NUMBER * self.elements(side)


def _squeeze(detail: str) -> Callable[[], "nn.Module"]:
    def build() -> "nn.Module":
        from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention

        return SqueezeEnhancedAxialAttention(CHANNELS, KEY_DIM, HEADS, detail)

    return build


def _global() -> "nn.Module":
    from seaformer.models.attention.global_attention import GlobalAttention

    return GlobalAttention(CHANNELS, KEY_DIM, HEADS)


def _axial() -> "nn.Module":
    from seaformer.models.attention.axial import AxialAttention

    return AxialAttention(CHANNELS, KEY_DIM, HEADS)


def _window() -> "nn.Module":
    from seaformer.models.attention.window import WindowAttention

    return WindowAttention(CHANNELS, KEY_DIM, HEADS)


def _mixformer() -> "nn.Module":
    from seaformer.models.attention.mixformer import MixingAttention

    return MixingAttention(CHANNELS, HEADS)


def _acmix() -> "nn.Module":
    from seaformer.models.attention.acmix import ACmix

    return ACmix(CHANNELS, HEADS)


def _per_position(numbers: int, per_side: int = 0, per_map: int = 0) -> Callable[[int], int]:
    """Numbers written: so many per position, and more as a side or the whole map grows."""
    return lambda side: side**2 * (numbers + per_side * side + per_map * side**2)


def _per_padded_position(numbers: int) -> Callable[[int], int]:
    """As above, of a map that is padded to windows of 7."""
    return lambda side: numbers * (-(-side // 7) * 7) ** 2


_SEAFORMER = "Wan et al., SeaFormer, ICLR 2023, arXiv 2301.13156, Section 3.2"

_ALL = (
    Layer(
        "squeeze-enhanced",
        "squeeze-enhanced axial (SeaFormer)",
        _SEAFORMER,
        "(H^2 + W^2)(Cqk + Cv) + 9HW(2Cqk + Cv)",
        2,
        _squeeze("concat-qkv"),
        _per_position(4250),
    ),
    Layer(
        "squeeze",
        "squeeze axial, without detail kernel",
        f"{_SEAFORMER}; the ablation detail=off",
        "(H^2 + W^2)(Cqk + Cv)",
        2,
        _squeeze("off"),
        _per_position(1250),
    ),
    Layer(
        "global",
        "global self-attention",
        "Vaswani et al., NeurIPS 2017, arXiv 1706.03762, Section 3.2",
        "H^2 W^2 (Cqk + Cv)",
        4,
        _global,
        _per_position(1900, per_map=2 * HEADS),
    ),
    Layer(
        "axial",
        "axial",
        "Wang et al., Axial-DeepLab, ECCV 2020, arXiv 2003.07853, Section 3.2; Ho et al., arXiv "
        "1912.12180",
        "(H + W)HW(Cqk + Cv)",
        3,
        _axial,
        _per_position(5300, per_side=4 * HEADS),
        note="Height axis, then width axis, each with its own query, key and value; without "
        "Axial-DeepLab's position terms.",
    ),
    Layer(
        "window",
        "local windows of 7x7",
        "Liu et al., Swin, ICCV 2021, arXiv 2103.14030, Section 3.2",
        "49HW(Cqk + Cv)",
        2,
        _window,
        _per_padded_position(5700),
        note="Windows that are not shifted; sides that 7 does not divide are padded.",
    ),
    Layer(
        "mixformer",
        "MixFormer",
        "Chen et al., MixFormer, CVPR 2022, arXiv 2204.02557, Sections 3.1 and 3.2",
        "49HW(Cqk + Cv) + 9HWC",
        2,
        _mixformer,
        _per_padded_position(5200),
        note="Its windows work on half of the channels, as in the paper; padded like them.",
    ),
    Layer(
        "acmix",
        "ACmix",
        "Pan et al., ACmix, CVPR 2022, arXiv 2111.14556, Sections 3 and 4",
        "49HW(Cqk + Cv) + 108HWC",
        2,
        _acmix,
        _per_position(54500),
        note="Query, key and value have 40 channels for each head.",
    ),
)

LAYERS: Mapping[str, Layer] = MappingProxyType({layer.kind: layer for layer in _ALL})
"""Kind -> layer."""

MODELS: Mapping[str, Layer] = MappingProxyType({layer.name: layer for layer in _ALL})
"""What --model takes -> layer."""
