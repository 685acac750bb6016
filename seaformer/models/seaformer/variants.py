"""The four SeaFormer variants as data (paper, Table 1 and the official configuration files)."""

from collections.abc import Mapping
from dataclasses import dataclass

from seaformer.errors import look_up

PAPER = "Wan et al., SeaFormer, ICLR 2023, arXiv 2301.13156"


@dataclass(frozen=True)
class InvertedResidualSpec:
    """One MobileNetV2 inverted residual: kernel side, output channels, and stride, 1 or 2.

    `expansion` is hidden channels over input channels; 1 means no expansion convolution.
    """

    kernel: int
    expansion: int
    channels: int
    stride: int


@dataclass(frozen=True)
class StageSpec:
    """One stage of the context branch: inverted residuals, then SeaFormer layers.

    Attributes:
        inverted_residuals: blocks that halve the resolution once.
        depth: number of SeaFormer layers; 0 for none.
        key_dim: query and key channels of one head; a value has twice as many.
        ffn_ratio: hidden channels of the feed-forward network over its input channels.
    """

    inverted_residuals: tuple[InvertedResidualSpec, ...]
    depth: int = 0
    key_dim: int = 0
    ffn_ratio: int = 0

    @property
    def channels(self) -> int:
        """Output channels of the stage."""
        return self.inverted_residuals[-1].channels


@dataclass(frozen=True)
class Variant:
    """One member of the family.

    Attributes:
        name: "tiny", "small", "base" or "large".
        stem_channels: output channels of the first convolution (output stride 2).
        stem_stage1: inverted residuals at output stride 4.
        stem_stage2: inverted residuals at output stride 8; their output is the spatial feature.
        context_stages: stages 3, 4 and 5 (output strides 16, 32 and 64).
        heads: attention heads of every SeaFormer layer.
        fusion_channels: width of each fusion block, one per stage that has SeaFormer layers.
        detail: input of the detail enhancement kernel. The defaults of this and the next two
            attributes are the paper's choices; `seaformer.models.ablation` has the alternatives.
        combine: how attention and detail are combined.
        fusion: how a fusion block combines its two features.
    """

    name: str
    stem_channels: int
    stem_stage1: tuple[InvertedResidualSpec, ...]
    stem_stage2: tuple[InvertedResidualSpec, ...]
    context_stages: tuple[StageSpec, StageSpec, StageSpec]
    heads: int
    fusion_channels: tuple[int, ...]
    detail: str = "concat-qkv"
    combine: str = "multiply"
    fusion: str = "sigmoid-multiply"

    @property
    def spatial_channels(self) -> int:
        """Channels of the feature at output stride 8 from which the spatial branch starts."""
        return self.stem_stage2[-1].channels

    @property
    def context_channels(self) -> tuple[int, ...]:
        """Channels of each context feature that is fused, the coarsest last."""
        return tuple(stage.channels for stage in self.context_stages if stage.depth)


def _residuals(*rows: tuple[int, int, int, int]) -> tuple[InvertedResidualSpec, ...]:
    return tuple(InvertedResidualSpec(*row) for row in rows)


def _below_large(
    name: str,
    widths: tuple[int, ...],
    expansion: int,
    depth: int,
    heads: int,
    fusion: tuple[int, int],
) -> Variant:
    """Build tiny, small or base.

    `widths` are the widths at output strides 4 to 64, `expansion` applies to the inverted residual
    at stride 32. Each of the last two stages has `depth` SeaFormer layers; `fusion` are the widths
    of the fusion blocks.
    """
    fourth, eighth, sixteenth, thirty_second, last = widths
    return Variant(
        name=name,
        stem_channels=16,
        stem_stage1=_residuals((3, 1, 16, 1), (3, 4, fourth, 2), (3, 3, fourth, 1)),
        stem_stage2=_residuals((5, 3, eighth, 2), (5, 3, eighth, 1)),
        context_stages=(
            StageSpec(_residuals((3, 3, sixteenth, 2), (3, 3, sixteenth, 1))),
            StageSpec(_residuals((5, expansion, thirty_second, 2)), depth, key_dim=16, ffn_ratio=2),
            StageSpec(_residuals((3, 6, last, 2)), depth, key_dim=24, ffn_ratio=4),
        ),
        heads=heads,
        fusion_channels=fusion,
    )


_ALL = (
    _below_large("tiny", (16, 32, 64, 128, 160), 3, depth=2, heads=4, fusion=(64, 96)),
    _below_large("small", (24, 48, 96, 160, 192), 4, depth=3, heads=6, fusion=(96, 128)),
    _below_large("base", (32, 64, 128, 192, 256), 4, depth=4, heads=8, fusion=(128, 160)),
    Variant(
        name="large",
        stem_channels=32,
        stem_stage1=_residuals((3, 3, 32, 1), (3, 4, 64, 2), (3, 4, 64, 1)),
        stem_stage2=_residuals((5, 4, 128, 2), (5, 4, 128, 1)),
        context_stages=(
            StageSpec(_residuals((3, 4, 192, 2), (3, 4, 192, 1)), depth=3, key_dim=16, ffn_ratio=2),
            StageSpec(_residuals((5, 4, 256, 2)), depth=3, key_dim=20, ffn_ratio=4),
            StageSpec(_residuals((3, 6, 320, 2)), depth=3, key_dim=24, ffn_ratio=6),
        ),
        heads=8,
        fusion_channels=(128, 160, 192),
    ),
)

VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _ALL}


def get_variant(name: str) -> Variant:
    """Return the variant called `name`.

    Raises:
        UnknownNameError: there is no such variant; the message lists the known ones.
    """
    return look_up(VARIANTS, "variant", name)
