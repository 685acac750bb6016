"""SegFormer (Xie et al., NeurIPS 2021, arXiv 2105.15203), channels first.

Four stages, each an overlapping patch embedding and blocks of

    x = x + EfficientSelfAttention(LN(x))      keys and values from a grid that is R times coarser
    x = x + MixFFN(LN(x))                      linear, 3x3 depth-wise, GELU, linear

and an all-MLP decoder: one linear layer per stage, all maps resized to 1/4, concatenated, fused.

Hugging Face transformers implements the same network on token sequences, with the same epsilon of
1e-5 in its norms; a test compares the two. That form cannot be converted to TFLite: onnx2tf 1.28.8
mistakes tokens for channels.

Released weights have the tensor names of transformers, as in
nvidia/segformer-b0-finetuned-ade-512-512.
"""

from collections import OrderedDict
from collections.abc import Iterable

from torch import Tensor, cat, nn
from torch.nn import functional as F

from seaformer.models.attention.channels_first import GELU, ChannelLinear, ChannelNorm
from seaformer.models.attention.heads import attend_maps
from seaformer.models.seaformer.convolution import ConvBN, InvertedResidual
from seaformer.weights.tensor_names import rename, substitute

DEPTH = 2
"""Blocks of every stage, in both B0 and B1."""
HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)
"""R: how many times coarser the grid of keys and values is, by stage."""
EXPANSION = 4
"""Hidden channels over input channels of the Mix-FFN."""
DECODER_CHANNELS = 256


class CoarserGrid(nn.Sequential):
    """Strided convolution and norm: patch embedding, or reduction of keys and values (Section 3.1).

    Forward: [N, C, H, W] -> [N, D, H', W'], H' = (H + 2 padding - kernel) // stride + 1, and W'
    likewise.
    """

    def __init__(
        self, in_channels: int, channels: int, kernel: int, stride: int, padding: int
    ) -> None:
        conv = nn.Conv2d(in_channels, channels, kernel, stride, padding)
        super().__init__(OrderedDict(conv=conv, norm=ChannelNorm(channels)))


class EfficientSelfAttention(nn.Module):
    """Every position attends to all positions of a coarser grid: [N, C, H, W] -> [N, C, H, W]."""

    paper_title = "efficient self-attention"
    paper_own_title = "attention: products, softmax"

    def __init__(self, channels: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.reduction: nn.Module = nn.Identity()
        if ratio > 1:
            self.reduction = CoarserGrid(channels, channels, kernel=ratio, stride=ratio, padding=0)
        self.query = ChannelLinear(channels, channels)
        self.key = ChannelLinear(channels, channels)
        self.value = ChannelLinear(channels, channels)
        self.projection = ChannelLinear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to the coarser grid."""
        coarse = self.reduction(x)
        maps = (self.query(x), self.key(coarse), self.value(coarse))
        return self.projection(attend_maps(*maps, heads=self.heads))


class MixFFN(nn.Module):
    """Feed-forward network whose convolution encodes positions: [N, C, H, W] -> [N, C, H, W]."""

    paper_title = "feed-forward network (Mix-FFN)"
    paper_parts = InvertedResidual.paper_parts

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.expand = ChannelLinear(channels, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.act = GELU()
        self.reduce = ChannelLinear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Expand, convolve, reduce."""
        return self.reduce(self.act(self.depthwise(self.expand(x))))


class Block(nn.Module):
    """Attention and Mix-FFN, each after a norm and with a residual: [N, C, H, W] -> the same."""

    paper_title = "transformer block"
    paper_own_title = "residuals"

    def __init__(self, channels: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(channels)
        self.attention = EfficientSelfAttention(channels, heads, ratio)
        self.ffn_norm = ChannelNorm(channels)
        self.ffn = MixFFN(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention and Mix-FFN."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class Stage(nn.Module):
    """Embedding, blocks, norm: [N, C, H, W] -> [N, D, ceil(H / stride), ceil(W / stride)]."""

    paper_title = "stage"
    paper_section = "3.1 Hierarchical Transformer Encoder"

    def __init__(self, index: int, in_channels: int, channels: int) -> None:
        super().__init__()
        kernel, stride = (3, 2) if index else (7, 4)
        heads, ratio = HEADS[index], REDUCTIONS[index]
        self.embedding = CoarserGrid(in_channels, channels, kernel, stride, kernel // 2)
        self.blocks = nn.Sequential(*(Block(channels, heads, ratio) for _ in range(DEPTH)))
        self.norm = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Embed patches, apply the blocks, and normalize."""
        return self.norm(self.blocks(self.embedding(x)))


class MLPDecoder(nn.Module):
    """The head (Section 3.2): maps of 1/4, 1/8, 1/16 and 1/32 -> logits [N, classes, H/4, W/4]."""

    paper_title = "all-MLP decoder"
    paper_section = "3.2 Lightweight All-MLP Decoder"

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        width = DECODER_CHANNELS
        self.embeddings = nn.ModuleList(ChannelLinear(count, width) for count in channels)
        self.fuse = ConvBN(len(channels) * width, width)
        self.act = nn.ReLU()
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Classify every position by the features of all four stages, the coarsest first."""
        size = features[0].shape[2:]
        embedded = [embed(x) for embed, x in zip(self.embeddings, features, strict=True)]
        resized = embedded[:1] + [
            F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in embedded[1:]
        ]
        return self.classifier(self.act(self.fuse(cat(resized[::-1], dim=1))))


class SegFormer(nn.Module):
    """The network; `channels` are the widths of its four stages.

    Forward: float32 [N, 3, H, W], normalized RGB, H and W at least 32 -> logits float32
    [N, classes, ceil(H / 4), ceil(W / 4)].
    """

    def __init__(self, channels: tuple[int, int, int, int], classes: int) -> None:
        super().__init__()
        entries = (3, *channels[:-1])
        self.stages = nn.ModuleList(
            Stage(index, *widths)
            for index, widths in enumerate(zip(entries, channels, strict=True))
        )
        self.head = MLPDecoder(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits at one quarter of the image's height and width."""
        features, x = [], image
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.head(features)


_ENCODER = "segformer.encoder."

_RULES = (
    # Position of a module in the network.
    (r"^stages\.(\d+)\.embedding\.", rf"{_ENCODER}patch_embeddings.\1."),
    (r"^stages\.(\d+)\.blocks\.", rf"{_ENCODER}block.\1."),
    (r"^stages\.(\d+)\.norm\.", rf"{_ENCODER}layer_norm.\1."),
    (r"^head\.embeddings\.(\d+)\.", r"decode_head.linear_c.\1.proj."),
    (r"^head\.fuse\.conv\.", "decode_head.linear_fuse."),
    (r"^head\.fuse\.norm\.", "decode_head.batch_norm."),
    (r"^head\.", "decode_head."),
    # Its name inside the block.
    (r"(patch_embeddings\.\d+)\.conv\.", r"\1.proj."),
    (r"(patch_embeddings\.\d+)\.norm\.", r"\1.layer_norm."),
    (r"\.attention_norm\.", ".layer_norm_1."),
    (r"\.ffn_norm\.", ".layer_norm_2."),
    (r"\.attention\.reduction\.conv\.", ".attention.self.sr."),
    (r"\.attention\.reduction\.norm\.", ".attention.self.layer_norm."),
    (r"\.attention\.(query|key|value)\.", r".attention.self.\1."),
    (r"\.attention\.projection\.", ".attention.output.dense."),
    (r"\.ffn\.expand\.", ".mlp.dense1."),
    (r"\.ffn\.depthwise\.", ".mlp.dwconv.dwconv."),
    (r"\.ffn\.reduce\.", ".mlp.dense2."),
)


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a `SegFormer`'s state_dict to its released name.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    return rename(keys, lambda key: substitute(key, _RULES), (_ENCODER, "decode_head."))
