"""EfficientFormerV2 as a backbone: convolutions at fine strides, attention at coarse ones.

Li et al., "Rethinking Vision Transformers for MobileNet Size and Speed", ICCV 2023, arXiv
2212.08059. Depth, widths and position biases are those in CGRSeg (nizhenliang/CGRSeg,
models/backbones/efficientformer_v2.py): the biases are made for an image of 512x512, and
interpolated for others.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.convolution import ConvBN

HEADS = 8
VALUE_RATIO = 4
KEY_DIM, DOWNSAMPLING_KEY_DIM = 32, 16
"""Query and key channels of a head, in a block and between the last two stages."""
SIDE = 512
"""Side of the image that the position biases are made for."""
INITIAL_SCALE = 1e-5
ATTENTION_STRIDE = 32
"""Output stride of the queries in every attention."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        channels: its width.
        ratios: for every block, the expansion of its feed-forward network.
        attentions: number of its last blocks that have attention.
    """

    channels: int
    ratios: tuple[int, ...]
    attentions: int = 0


class LayerScale(nn.Module):
    """A learned factor for each channel; `shape` is that of the stored tensor.

    Forward: [N, channels, H, W] -> the same.
    """

    def __init__(self, shape: tuple[int, ...], initial: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full(shape, initial))

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels."""
        return x * self.scale.reshape(1, -1, 1, 1)


class FeedForward(nn.Module):
    """1x1, depth-wise 3x3 and 1x1 convolution.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "feed-forward network"

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        hidden = ratio * channels
        self.expand = ConvBN(channels, hidden, bias=True)
        self.depthwise = ConvBN(hidden, hidden, 3, groups=hidden, bias=True)
        self.act = nn.GELU()
        self.reduce = ConvBN(hidden, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Mix neighbors and channels."""
        return self.reduce(self.act(self.depthwise(self.act(self.expand(x)))))


class PositionBias(nn.Module):
    """Add to every score a learned bias, chosen by the distance of query and key along both axes.

    The table is for `side` x `side` keys, and queries at every `stride`-th of them. For other
    grids, the matrix of biases is interpolated.

    Forward: scores [N, heads, queries, keys] -> the same.
    """

    paper_title = "position bias"
    index: Tensor

    def __init__(self, heads: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(heads, side * side))
        keys = torch.arange(side)
        distances = (keys[::stride, None] - keys).abs()
        index = side * distances[:, None, :, None] + distances[None, :, None, :]
        self.register_buffer("index", index.flatten(2).flatten(0, 1), persistent=False)

    def matrix(self, size: tuple[int, int]) -> Tensor:
        """Return the biases, [1, heads, queries, keys], for these numbers of queries and keys."""
        matrix = self.table[:, self.index][None]
        return F.interpolate(matrix, size=size, mode="bicubic", align_corners=False)

    def forward(self, scores: Tensor) -> Tensor:
        """Add the biases."""
        return scores + self.matrix((scores.shape[2], scores.shape[3]))


def _split_heads(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, heads, C / heads, H * W]."""
    return x.flatten(2).unflatten(1, (HEADS, -1))


class TalkingAttention(nn.Module):
    """Attention with heads mixed before and after the softmax, plus a convolution of its value.

    With `halves`, it is computed on a grid of half the sides, and the result is upsampled.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "attention"
    paper_own_title = "products, softmax, upsampling"

    def __init__(self, channels: int, halves: bool) -> None:
        super().__init__()
        self.coarsen: ConvBN | None = None
        if halves:
            self.coarsen = ConvBN(channels, channels, 3, 2, groups=channels, bias=True)
        self.scale = KEY_DIM**-0.5
        values = VALUE_RATIO * KEY_DIM * HEADS
        self.query = ConvBN(channels, KEY_DIM * HEADS, bias=True)
        self.key = ConvBN(channels, KEY_DIM * HEADS, bias=True)
        self.value = ConvBN(channels, values, bias=True)
        self.local = ConvBN(values, values, 3, groups=values, bias=True)
        self.position = PositionBias(HEADS, SIDE // ATTENTION_STRIDE)
        self.mix_scores = nn.Conv2d(HEADS, HEADS, 1)
        self.mix_weights = nn.Conv2d(HEADS, HEADS, 1)
        self.act = nn.GELU()
        self.projection = ConvBN(values, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to all positions."""
        size = x.shape[2:]
        if self.coarsen is not None:
            x = self.coarsen(x)
        query, key = _split_heads(self.query(x) * self.scale), _split_heads(self.key(x))
        value = self.value(x)
        scores = self.mix_scores(self.position(query.transpose(2, 3) @ key))
        weights = self.mix_weights(scores.softmax(-1))
        attended = _split_heads(value) @ weights.transpose(2, 3)
        y = attended.flatten(1, 2).unflatten(2, x.shape[2:]) + self.local(value)
        if self.coarsen is not None:
            y = F.interpolate(y, size=size, mode="bilinear", align_corners=False)
        return self.projection(self.act(y))


class DownsamplingAttention(nn.Module):
    """Attention of every second position to all, plus a convolution of its value.

    Forward: [N, channels, H, W] -> [N, out_channels, ceil(H / 2), ceil(W / 2)].
    """

    paper_title = "attention downsampling"
    paper_own_title = "products, softmax"

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.scale = DOWNSAMPLING_KEY_DIM**-0.5
        values = VALUE_RATIO * DOWNSAMPLING_KEY_DIM * HEADS
        self.coarsen = nn.Conv2d(channels, channels, 3, 2, padding=1, groups=channels)
        self.select = nn.AvgPool2d(1, 2)
        self.query = ConvBN(channels, DOWNSAMPLING_KEY_DIM * HEADS, bias=True)
        self.key = ConvBN(channels, DOWNSAMPLING_KEY_DIM * HEADS, bias=True)
        self.value = ConvBN(channels, values, bias=True)
        self.local = ConvBN(values, values, 3, 2, groups=values, bias=True)
        self.position = PositionBias(HEADS, 2 * SIDE // ATTENTION_STRIDE, stride=2)
        self.act = nn.GELU()
        self.projection = ConvBN(values, out_channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to all positions from every second one."""
        coarse = self.coarsen(x) + self.select(x)
        query, key = _split_heads(self.query(coarse) * self.scale), _split_heads(self.key(x))
        value = self.value(x)
        weights = self.position(query.transpose(2, 3) @ key).softmax(-1)
        attended = _split_heads(value) @ weights.transpose(2, 3)
        y = attended.flatten(1, 2).unflatten(2, coarse.shape[2:]) + self.local(value)
        return self.projection(self.act(y))


class Block(nn.Module):
    """Attention, where there is one, and feed-forward network, each scaled and with a residual.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "block"
    paper_own_title = "residuals"

    def __init__(self, channels: int, ratio: int, attention: nn.Module | None) -> None:
        super().__init__()
        self.attention = attention
        if attention is not None:
            self.attention_scale = LayerScale((channels, 1, 1), INITIAL_SCALE)
        self.ffn = FeedForward(channels, ratio)
        self.ffn_scale = LayerScale((channels, 1, 1), INITIAL_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        """Mix positions, then channels."""
        if self.attention is not None:
            x = x + self.attention_scale(self.attention(x))
        return x + self.ffn_scale(self.ffn(x))


class Downsampling(nn.Module):
    """3x3 convolution, between the last two stages plus attention.

    Forward: [N, channels, H, W] -> [N, out_channels, ceil(H / 2), ceil(W / 2)].
    """

    paper_title = "downsampling"
    paper_own_title = "sum"

    def __init__(self, channels: int, out_channels: int, attends: bool) -> None:
        super().__init__()
        self.convolution = ConvBN(channels, out_channels, 3, 2, bias=True)
        self.attention = DownsamplingAttention(channels, out_channels) if attends else None

    def forward(self, x: Tensor) -> Tensor:
        """Halve the grid."""
        y = self.convolution(x)
        return y if self.attention is None else y + self.attention(x)


class EfficientFormer(nn.Module):
    """The backbone.

    Forward: [N, 3, H, W] -> the features at output strides 4, 8, 16 and 32.
    """

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        widths = [stage.channels for stage in stages]
        self.stem = nn.ModuleList(
            (
                ConvBN(3, widths[0] // 2, 3, 2, bias=True),
                ConvBN(widths[0] // 2, widths[0], 3, 2, bias=True),
            )
        )
        self.act = nn.GELU()
        last = len(stages) - 1
        self.downsamplings = nn.ModuleList(
            Downsampling(widths[index], widths[index + 1], attends=index + 1 == last)
            for index in range(last)
        )
        self.stages = nn.ModuleList()
        for index, stage in enumerate(stages):
            first = len(stage.ratios) - stage.attentions
            blocks = nn.ModuleList()
            for place, ratio in enumerate(stage.ratios):
                attention = None
                if place >= first:
                    attention = TalkingAttention(stage.channels, halves=index < last)
                blocks.append(Block(stage.channels, ratio, attention))
            self.stages.append(blocks)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Extract the four features."""
        x, features = image, []
        for convolve in self.stem:
            x = self.act(convolve(x))
        for index, blocks in enumerate(self.stages):
            if index:
                x = self.downsamplings[index - 1](x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            features.append(x)
        return features
