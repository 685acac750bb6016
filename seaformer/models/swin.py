"""Swin-T (Liu et al., ICCV 2021, arXiv 2103.14030), channels first, with any attention layer.

A patch embedding of 4x4 is followed by four stages. Each stage except the first halves the sides of
the map and doubles its channels ("patch merging"); then each stage applies blocks of

    x = x + Attention(LN(x))      windows of 7x7, shifted in every second block
    x = x + MLP(LN(x))            linear, GELU, linear

The classifier is LN, the mean over the map, and a linear layer. timm, torchvision and transformers
implement the same network; tests compare it with them in float64.

The SeaFormer paper compares attention layers by replacing the attention of this network. It does
not state the widths of these layers. Here, they have as many heads as Swin's attention; their
values have as many channels as the map, as in Swin, and their queries and keys half as many, as in
SeaFormer. Nothing else changes: position biases and shifts are part of Swin's own attention. For
segmentation the head is SegFormer's, on the normalized maps of all stages; the papers use UPerNet.

Images are padded with zeros at the bottom and on the right to multiples of 4, and maps to even
sides before they are merged.
"""

from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from seaformer.models.attention.channels_first import GELU, ChannelLinear, ChannelNorm
from seaformer.models.attention.shifted_window import ShiftedWindowAttention
from seaformer.models.attention.window import pad_to_multiples
from seaformer.models.attention_layers import ATTENTION_LAYERS
from seaformer.models.seaformer.attention import VALUE_RATIO
from seaformer.models.segformer import CoarserGrid, MLPDecoder
from seaformer.weights.tensor_names import rename, substitute

PATCH = 4
"""Side of a patch in pixels."""
DEPTHS = (2, 2, 6, 2)
CHANNELS = (96, 192, 384, 768)
HEADS = (3, 6, 12, 24)
EXPANSION = 4
"""Hidden channels over input channels of the MLP."""


def _attention(kind: str | None, stage: int, block: int) -> nn.Module:
    """Return the attention of a block; `kind` is in `ATTENTION_LAYERS`, or None for Swin's own."""
    channels, heads = CHANNELS[stage], HEADS[stage]
    if kind is None:
        return ShiftedWindowAttention(channels, heads, is_shifted=block % 2 == 1)
    return ATTENTION_LAYERS[kind].build(channels, channels // heads // VALUE_RATIO, heads)


class PatchMerging(nn.Module):
    """Joins 2x2 positions: [N, C, H, W] -> [N, 2C, ceil(H / 2), ceil(W / 2)]."""

    paper_title = "patch merging"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(4 * channels)
        self.reduction = ChannelLinear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate the four positions, top left, bottom left, top right, bottom right."""
        x = pad_to_multiples(x, 2)
        parts = [x[:, :, down::2, right::2] for right in (0, 1) for down in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, dim=1)))


class MLP(nn.Module):
    """Linear, GELU, linear, at every position: [N, C, H, W] -> [N, C, H, W]."""

    paper_title = "MLP"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = ChannelLinear(channels, EXPANSION * channels)
        self.act = GELU()
        self.reduce = ChannelLinear(EXPANSION * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Transform every position."""
        return self.reduce(self.act(self.expand(x)))


class Block(nn.Module):
    """Attention and MLP, each after a norm and with a residual: [N, C, H, W] -> the same."""

    paper_title = "Swin Transformer block"
    paper_own_title = "residuals"

    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(channels)
        self.attention = attention
        self.ffn_norm = ChannelNorm(channels)
        self.ffn = MLP(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention and MLP."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class Stage(nn.Module):
    """Patch merging, except in the first stage, and blocks.

    Forward: [N, C, H, W] -> [N, 2C, ceil(H / 2), ceil(W / 2)], or the same in the first stage.
    """

    paper_title = "stage"
    paper_section = "3.1 Overall Architecture"

    def __init__(self, index: int, kind: str | None) -> None:
        super().__init__()
        self.merging = PatchMerging(CHANNELS[index - 1]) if index else nn.Identity()
        self.blocks = nn.Sequential(
            *(
                Block(CHANNELS[index], _attention(kind, index, block))
                for block in range(DEPTHS[index])
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Merge patches and apply the blocks."""
        return self.blocks(self.merging(x))


class ClassificationHead(nn.Module):
    """The last map, [N, C, H, W] -> logits [N, classes]."""

    paper_title = "classification head"

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(CHANNELS[-1])
        self.classifier = nn.Linear(CHANNELS[-1], classes)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Classify the mean of the last stage's map."""
        return self.classifier(self.norm(features[-1]).mean((2, 3)))


class SegmentationHead(nn.Module):
    """The maps of all stages -> logits [N, classes, ceil(H / 4), ceil(W / 4)]."""

    paper_title = "segmentation head"

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.Sequential(OrderedDict(norm=ChannelNorm(channels))) for channels in CHANNELS
        )
        self.decoder = MLPDecoder(CHANNELS, classes)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Normalize every map and decode."""
        return self.decoder([norm(x) for norm, x in zip(self.norms, features, strict=True)])


class Swin(nn.Module):
    """The network; `head` takes the maps of its four stages.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32, as the head returns them.
    """

    def __init__(self, kind: str | None, head: nn.Module) -> None:
        super().__init__()
        self.embedding = CoarserGrid(3, CHANNELS[0], PATCH, PATCH, padding=0)
        self.stages = nn.ModuleList(Stage(index, kind) for index in range(len(DEPTHS)))
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits."""
        features, x = [], self.embedding(pad_to_multiples(image, PATCH))
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.head(features)


def swin_classifier(kind: str | None, classes: int) -> Swin:
    """Return Swin-T for classification; `kind` is a layer that replaces its attention, or None."""
    return Swin(kind, ClassificationHead(classes))


def swin_segmenter(kind: str | None, classes: int) -> Swin:
    """Return Swin-T for segmentation; `kind` is a layer that replaces its attention, or None."""
    return Swin(kind, SegmentationHead(classes))


_RULES = (
    (r"^embedding\.conv\.", "patch_embed.proj."),
    (r"^embedding\.norm\.", "patch_embed.norm."),
    (r"^stages\.(\d+)\.merging\.", lambda found: f"layers.{int(found[1]) - 1}.downsample."),
    (r"^stages\.(\d+)\.blocks\.", r"layers.\1.blocks."),
    (r"^head\.norms\.(\d+)\.norm\.", r"norm\1."),
    (r"^head\.norm\.", "norm."),
    (r"^head\.classifier\.", "head."),
    (r"\.attention_norm\.", ".norm1."),
    (r"\.ffn_norm\.", ".norm2."),
    (r"\.attention\.query_key_value\.", ".attn.qkv."),
    (r"\.attention\.position\.table$", ".attn.relative_position_bias_table"),
    (r"\.attention\.projection\.", ".attn.proj."),
    (r"\.ffn\.expand\.", ".mlp.fc1."),
    (r"\.ffn\.reduce\.", ".mlp.fc2."),
)

_TIMM_RULES = (
    (r"^layers\.(\d+)\.downsample\.", lambda found: f"layers.{int(found[1]) + 1}.downsample."),
    (r"^head\.(weight|bias)$", r"head.fc.\1"),
)

_TORCHVISION_RULES = (
    (r"^patch_embed\.proj\.", "features.0.0."),
    (r"^patch_embed\.norm\.", "features.0.2."),
    (r"^layers\.(\d+)\.downsample\.", lambda found: f"features.{2 * int(found[1]) + 2}."),
    (r"^layers\.(\d+)\.blocks\.", lambda found: f"features.{2 * int(found[1]) + 1}."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
)


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a Swin's state_dict to its name in microsoft/Swin-Transformer.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    prefixes = ("patch_embed.", "layers.", "norm", "head.")
    return rename(keys, lambda key: substitute(key, _RULES), prefixes)


def timm_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a Swin's state_dict to its name in timm's swin_tiny_patch4_window7_224."""
    return {key: substitute(name, _TIMM_RULES) for key, name in official_names(keys).items()}


def torchvision_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a Swin's state_dict to its name in torchvision's swin_t."""
    return {key: substitute(name, _TORCHVISION_RULES) for key, name in official_names(keys).items()}
