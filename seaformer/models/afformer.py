"""AFFormer: prototypes mixed by linear attention and frequency filters, restored by convolutions.

Dong et al., "Head-Free Lightweight Semantic Segmentation with Linear Transformer", AAAI 2023, arXiv
2301.04648. Widths and tensor names are from dongbo811/AFFormer, tools/afformer.py and
mmseg/models/decode_heads/aff_head.py. Maps are channels first instead of tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.attention.channels_first import GELU, ChannelLinear, ChannelNorm
from seaformer.models.seaformer.convolution import ConvBN
from seaformer.models.seaformer.light_head import DROPOUT
from seaformer.weights.tensor_names import Replacement, rename, substitute

HEADS = 8
FFN_RATIO = 2
NORM_EPS = 1e-6
WINDOWS = ((3, 2), (5, 3), (7, 3))
"""Side of a high-pass kernel -> number of heads that it filters."""
POOLED_SIDES = (1, 2, 3, 6)
"""Sides to which the low-pass filter pools a quarter of the channels each."""
HEAD_CHANNELS = 256
HEAD_GROUPS = 32


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        channels: its width; the width of its output is that of the next stage.
        layers: number of layers of prototypes; 0 for a stage of convolutions only.
        strides: of the embedding of the pixels, and of that of the prototypes after it.
    """

    channels: int
    layers: int
    strides: tuple[int, int]


STAGES = MappingProxyType(
    {
        "tiny": (
            Stage(32, 0, (1, 1)),
            Stage(64, 2, (2, 1)),
            Stage(160, 4, (1, 2)),
            Stage(216, 2, (1, 4)),
        ),
        "small": (
            Stage(32, 0, (1, 1)),
            Stage(64, 2, (2, 1)),
            Stage(176, 4, (1, 2)),
            Stage(216, 2, (1, 4)),
        ),
        "base": (
            Stage(32, 0, (1, 1)),
            Stage(96, 2, (2, 1)),
            Stage(176, 6, (1, 2)),
            Stage(216, 2, (1, 4)),
        ),
    }
)
"""Size -> stages."""


class Embedding(nn.Module):
    """Depth-wise 3x3 convolution, 1x1 convolution with BatchNorm, hard swish.

    Forward: [N, channels, H, W] -> [N, channels, ceil(H / stride), ceil(W / stride)].
    """

    paper_title = "patch embedding"

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride, padding=1, groups=channels, bias=False
        )
        self.pointwise = ConvBN(channels, channels)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        """Embed."""
        return self.act(self.pointwise(self.depthwise(x)))


class FrequencyFilter(nn.Module):
    """Adaptive frequency filter: query x high-pass + low-pass of the value.

    The high-pass filters are depth-wise convolutions of three sides; the low-pass filter pools a
    quarter of the channels to each of `POOLED_SIDES` and upsamples.

    Forward: query and value, [N, channels, H, W] -> the same.
    """

    paper_title = "adaptive frequency filter"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.widths = [heads * channels // HEADS for _, heads in WINDOWS]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, width, side, padding=side // 2, groups=width)
            for width, (side, _) in zip(self.widths, WINDOWS, strict=True)
        )
        self.act = nn.ReLU()

    def forward(self, query: Tensor, value: Tensor) -> Tensor:
        """Filter the value."""
        size = value.shape[2:]
        low = [
            F.interpolate(F.adaptive_avg_pool2d(x, side), size=size, mode="bilinear")
            for x, side in zip(value.chunk(len(POOLED_SIDES), 1), POOLED_SIDES, strict=True)
        ]
        high = [
            convolve(x)
            for convolve, x in zip(self.convolutions, value.split(self.widths, 1), strict=True)
        ]
        return query * torch.cat(high, 1) + self.act(torch.cat(low, 1))


class FeedForward(nn.Module):
    """Norm, linear layer, depth-wise convolution, GELU and linear layer, with residuals.

    Forward: [N, channels, H, W] -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = FFN_RATIO * channels
        self.norm = ChannelNorm(channels)
        self.norm.eps = NORM_EPS
        self.expand = ChannelLinear(channels, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.act = GELU()
        self.reduce = ChannelLinear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels."""
        y = self.expand(self.norm(x))
        return x + self.reduce(self.act(y + self.depthwise(y)))


class LinearAttention(nn.Module):
    """Norm, then attention whose cost grows with the number of positions.

    A head multiplies softmax(key) over all positions by the value first, a square of its channels.

    Forward: [N, channels, H, W] -> attended value, query and value, of the same shape.
    """

    paper_title = "linear attention"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = (channels // HEADS) ** -0.5
        self.norm = ChannelNorm(channels)
        self.norm.eps = NORM_EPS
        self.qkv = ChannelLinear(channels, 3 * channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Attend to all positions."""
        query, key, value = self.qkv(self.norm(x)).chunk(3, 1)
        q, k, v = (y.flatten(2).unflatten(1, (HEADS, -1)) for y in (query, key, value))
        context = v @ k.softmax(dim=-1).transpose(2, 3)
        attended = (context @ q * self.scale).flatten(1, 2).unflatten(2, query.shape[2:])
        return attended, query, value


class Prototypes(nn.Module):
    """Layers of attention and feed-forward network, which share a position encoding and a filter.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "prototype learning"
    paper_own_title = "residuals"

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.filter = FrequencyFilter(channels)
        self.attentions = nn.ModuleList(LinearAttention(channels) for _ in range(layers))
        self.projections = nn.ModuleList(ChannelLinear(channels, channels) for _ in range(layers))
        self.ffns = nn.ModuleList(FeedForward(channels) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers, each after the position encoding."""
        layers = zip(self.attentions, self.projections, self.ffns, strict=True)
        for attend, project, ffn in layers:
            x = self.position(x) + x
            attended, query, value = attend(x)
            x = ffn(x + project(attended + self.filter(query, value)))
        return x


class Restore(nn.Module):
    """Pixel descriptor: 1x1, depth-wise 3x3 and 1x1 convolution, with a residual connection.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "pixel descriptor"

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // 2
        self.reduce = ConvBN(channels, hidden)
        self.depthwise = ConvBN(hidden, hidden, 3, groups=hidden)
        self.expand = ConvBN(hidden, channels)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        """Describe every pixel."""
        y = self.act(self.depthwise(self.act(self.reduce(x))))
        return x + self.expand(y)


class AFFormerStage(nn.Module):
    """Pixels described by convolutions, plus their prototypes, then a 1x1 convolution.

    Forward: [N, channels, H, W] -> [N, out_channels, H / s, W / s], s the stride of the pixels.
    """

    paper_section = "3.2 Parallel Heterogeneous Architecture"

    def __init__(self, stage: Stage, out_channels: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(Embedding(stage.channels, s) for s in stage.strides)
        self.restore = Restore(stage.channels)
        self.prototypes = Prototypes(stage.channels, stage.layers) if stage.layers else None
        self.aggregate = ConvBN(stage.channels, out_channels)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        """Embed twice, describe, and aggregate."""
        pixels = self.embeddings[0](x)
        embedded = self.embeddings[1](pixels)
        if self.prototypes is None:
            return self.act(self.aggregate(self.restore(pixels + embedded)))
        mixed, size = self.prototypes(embedded), pixels.shape[2:]
        if mixed.shape[2:] != size:
            mixed = F.interpolate(mixed, size=size, mode="bilinear", align_corners=True)
        return self.act(self.aggregate(self.restore(pixels) + mixed))


class Backbone(nn.Module):
    """Stem and stages. Forward: [N, 3, H, W] -> the last feature, at output stride 8."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        width = stages[0].channels
        self.stem = nn.ModuleList((ConvBN(3, width // 2, 3, 2), ConvBN(width // 2, width, 3, 2)))
        self.act = nn.Hardswish()
        following = (*(stage.channels for stage in stages[1:]), stages[-1].channels)
        self.stages = nn.ModuleList(map(AFFormerStage, stages, following))

    def forward(self, image: Tensor) -> Tensor:
        """Extract the feature."""
        x = image
        for convolve in self.stem:
            x = self.act(convolve(x))
        for stage in self.stages:
            x = stage(x)
        return x


class Head(nn.Module):
    """1x1 convolution with GroupNorm, ReLU, dropout, classifier."""

    paper_title = "pixel classifier"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, HEAD_CHANNELS, 1, bias=False)
        self.norm = nn.GroupNorm(HEAD_GROUPS, HEAD_CHANNELS)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(HEAD_CHANNELS, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Classify every position."""
        return self.classifier(self.dropout(self.act(self.norm(self.squeeze(x)))))


class AFFormer(nn.Module):
    """Semantic segmentation.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32 [N, classes, ceil(H / 8),
    ceil(W / 8)].
    """

    def __init__(self, stages: tuple[Stage, ...], classes: int) -> None:
        super().__init__()
        self.backbone = Backbone(stages)
        self.head = Head(stages[-1].channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits."""
        return self.head(self.backbone(image))


def build_afformer(size: str, classes: int) -> AFFormer:
    """Build a network of the family; `size` is a key of `STAGES`."""
    return AFFormer(STAGES[size], classes)


_RULES: tuple[tuple[str, Replacement], ...] = (
    (r"^head\.squeeze\.", "decode_head.squeeze.conv."),
    (r"^head\.norm\.", "decode_head.squeeze.gn."),
    (r"^head\.classifier\.", "decode_head.conv_seg."),
    (r"\.embeddings\.(\d)\.depthwise\.", r".patch_embeds.\1.patch_conv.dwconv."),
    (r"\.embeddings\.(\d)\.pointwise\.conv\.", r".patch_embeds.\1.patch_conv.pwconv."),
    (r"\.embeddings\.(\d)\.pointwise\.norm\.", r".patch_embeds.\1.patch_conv.bn."),
    (r"^backbone\.stages\.(\d)\.patch_embeds\.", r"backbone.patch_embed_stages.\1.patch_embeds."),
    (r"^backbone\.stages\.", "backbone.mhca_stages."),
    (r"\.restore\.depthwise\.conv\.", ".Restore.dwconv."),
    (r"\.restore\.depthwise\.norm\.", ".Restore.norm."),
    (r"\.restore\.reduce\.", ".Restore.conv1."),
    (r"\.restore\.expand\.", ".Restore.conv2."),
    (r"^(.*(?:stem\.\d|conv\d|aggregate))\.norm\.", r"\1.bn."),
    # Inside the prototypes.
    (r"\.prototypes\.", ".mhca_blks.0."),
    (r"\.position\.", ".cpe.proj."),
    (r"\.filter\.convolutions\.", ".crpe.conv_list."),
    (r"\.attentions\.(\d)\.qkv\.", r".MHCA_layers.\1.factoratt_crpe.qkv."),
    (r"\.projections\.(\d)\.", r".MHCA_layers.\1.factoratt_crpe.proj."),
    (r"\.attentions\.(\d)\.norm\.", r".MHCA_layers.\1.norm1."),
    (r"\.ffns\.(\d)\.norm\.", r".MHCA_layers.\1.norm2."),
    (r"\.ffns\.(\d)\.expand\.", r".MHCA_layers.\1.mlp.fc1."),
    (r"\.ffns\.(\d)\.depthwise\.", r".MHCA_layers.\1.mlp.dwconv.dwconv."),
    (r"\.ffns\.(\d)\.reduce\.", r".MHCA_layers.\1.mlp.fc2."),
)


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of an `AFFormer`'s state_dict to its official name.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    return rename(keys, lambda key: substitute(key, _RULES), ("backbone.", "decode_head."))
