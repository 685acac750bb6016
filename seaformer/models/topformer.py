"""TopFormer: token pyramid, global attention on its pooled tokens, injection back into the pyramid.

Zhang et al., "TopFormer: Token Pyramid Transformer for Mobile Semantic Segmentation", CVPR 2022.
Section numbers refer to that paper. Widths are from the official configurations, official tensor
names from hustvl/TopFormer, mmseg/models.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.convolution import ConvBN, HardSigmoid, inverted_residuals
from seaformer.models.seaformer.layer import DropPath, FeedForward
from seaformer.models.seaformer.light_head import DROPOUT
from seaformer.models.seaformer.variants import InvertedResidualSpec
from seaformer.weights.tensor_names import Replacement, rename, substitute

STEM_CHANNELS = 16
KEY_DIM = 16
VALUE_RATIO = 2
FFN_RATIO = 2
DEPTH = 4
DROP_PATH = 0.1


@dataclass(frozen=True)
class TopFormerSpec:
    """One member of the family.

    `stages` are the inverted residuals of the token pyramid, one tuple for each of the output
    strides 4, 8, 16 and 32; `channels` is the width of the injections and of the head.
    """

    stages: tuple[tuple[InvertedResidualSpec, ...], ...]
    heads: int
    channels: int
    has_depthwise_head: bool


def _stages(widths: tuple[int, int, int, int], last: tuple[int, ...]) -> tuple[tuple, ...]:
    """Return the four stages; the last one has a block for each kernel side in `last`."""
    fourth, eighth, sixteenth, thirty_second = widths
    rows = (
        ((3, 1, STEM_CHANNELS, 1), (3, 4, fourth, 2), (3, 3, fourth, 1)),
        ((5, 3, eighth, 2), (5, 3, eighth, 1)),
        ((3, 3, sixteenth, 2), (3, 3, sixteenth, 1)),
        tuple((kernel, 6, thirty_second, 1 if i else 2) for i, kernel in enumerate(last)),
    )
    return tuple(tuple(InvertedResidualSpec(*row) for row in stage) for stage in rows)


SPECS: Mapping[str, TopFormerSpec] = {
    "tiny": TopFormerSpec(_stages((16, 32, 64, 96), (5, 5)), 4, 128, True),
    "small": TopFormerSpec(_stages((24, 48, 96, 128), (5, 5, 3)), 6, 192, False),
    "base": TopFormerSpec(_stages((32, 64, 128, 160), (5, 5, 3)), 8, 256, False),
}


class TokenPyramid(nn.Module):
    """Inverted residuals down to output stride 32.

    Forward: [N, 3, H, W] -> the output of every stage, finest first.
    """

    paper_title = "token pyramid"
    paper_section = "3.1 Token Pyramid Module"
    paper_parts = MappingProxyType({"stem": "first convolution"})

    def __init__(self, spec: TopFormerSpec) -> None:
        super().__init__()
        self.stem = ConvBN(3, STEM_CHANNELS, kernel=3, stride=2)
        self.act = nn.ReLU()
        widths = (STEM_CHANNELS, *(stage[-1].channels for stage in spec.stages))
        self.stages = nn.ModuleList(
            inverted_residuals(width, stage)
            for width, stage in zip(widths, spec.stages, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Collect the tokens of all scales."""
        x = self.act(self.stem(image))
        tokens = []
        for stage in self.stages:
            for block in stage:  # type: ignore[attr-defined]
                x = block(x)
            tokens.append(x)
        return tokens


class PyramidPooling(nn.Module):
    """Average-pool every scale to half the grid of the coarsest one, and concatenate them.

    Forward: [N, C_i, H_i, W_i] -> [N, sum C_i, ceil(H_last / 2), ceil(W_last / 2)].
    """

    paper_title = "average pooling"
    paper_section = "3.1 Token Pyramid Module (average pooling)"

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Pool and concatenate."""
        height, width = ((int(side) + 1) // 2 for side in tokens[-1].shape[2:])
        return torch.cat([F.adaptive_avg_pool2d(x, (height, width)) for x in tokens], dim=1)


class GlobalAttention(nn.Module):
    """Multi-head self-attention between all pooled tokens; as in the released code, not scaled.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "global attention"
    paper_section = "3.2 Scale-aware Semantics Extractor (attention)"
    paper_own_title = "attention: products, softmax"

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = ConvBN(channels, KEY_DIM * heads)
        self.key = ConvBN(channels, KEY_DIM * heads)
        self.value = ConvBN(channels, VALUE_RATIO * KEY_DIM * heads)
        self.act = nn.ReLU6()
        self.projection = ConvBN(VALUE_RATIO * KEY_DIM * heads, channels)

    def _split_heads(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, heads, C / heads, H * W]."""
        return x.flatten(2).unflatten(1, (self.heads, -1))

    def forward(self, x: Tensor) -> Tensor:
        """Let every token attend to every token."""
        query = self._split_heads(self.query(x)).transpose(2, 3)
        key = self._split_heads(self.key(x))
        value = self._split_heads(self.value(x)).transpose(2, 3)
        weights = (query @ key).softmax(dim=-1)
        tokens = (weights @ value).transpose(2, 3).flatten(1, 2)
        return self.projection(self.act(tokens.unflatten(2, x.shape[2:])))


class TransformerBlock(nn.Module):
    """Global attention, then the feed-forward network; plain residuals, no norm before either.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "transformer block"
    paper_section = "3.2 Scale-aware Semantics Extractor"
    paper_own_title = "residuals"

    def __init__(self, channels: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.attention = GlobalAttention(channels, heads)
        self.ffn = FeedForward(channels, FFN_RATIO)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention and feed-forward network."""
        x = x + self.drop_path(self.attention(x))
        return x + self.drop_path(self.ffn(x))


class SemanticsInjection(nn.Module):
    """Multiply the local tokens by a gate computed from the semantics, and add the semantics.

    Forward: local [N, in_channels, H, W] and semantics [N, in_channels, h, w]
    -> [N, channels, H, W].
    """

    paper_title = "semantics injection"
    paper_section = "3.3 Semantics Injection Module"
    paper_own_title = "upsampling, product, sum"

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.local_embedding = ConvBN(in_channels, channels)
        self.semantics_embedding = ConvBN(in_channels, channels)
        self.gate_embedding = ConvBN(in_channels, channels)
        self.gate = HardSigmoid()

    def forward(self, local: Tensor, semantics: Tensor) -> Tensor:
        """Inject the semantics into the local tokens."""
        gate = self.gate(self.gate_embedding(semantics))
        added = self.semantics_embedding(semantics)
        return self.local_embedding(local) * _resize(gate, local) + _resize(added, local)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class SegmentationHead(nn.Module):
    """Sum all scales at the finest one, 1x1 convolution, ReLU, dropout, classifier.

    Forward: [N, channels, H_i, W_i], finest first -> logits [N, classes, H_0, W_0].
    """

    paper_title = "segmentation head"
    paper_section = "3.4 Architecture and Variants (segmentation head)"

    def __init__(self, channels: int, classes: int, is_depthwise: bool) -> None:
        super().__init__()
        self.fuse = ConvBN(channels, channels, groups=channels if is_depthwise else 1)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, scales: list[Tensor]) -> Tensor:
        """Classify every pixel."""
        x, *coarser = scales
        for scale in coarser:
            x = x + _resize(scale, scales[0])
        return self.classifier(self.dropout(self.act(self.fuse(x))))


class TopFormer(nn.Module):
    """Semantic segmentation.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32
    [N, classes, ceil(H / 8), ceil(W / 8)].
    """

    paper_section = "3 Architecture"
    paper_parts = MappingProxyType({"semantics_extractor": "scale-aware semantics extractor"})

    def __init__(self, spec: TopFormerSpec, classes: int) -> None:
        super().__init__()
        self.widths = [stage[-1].channels for stage in spec.stages]
        self.token_pyramid = TokenPyramid(spec)
        self.pooling = PyramidPooling()
        drop_paths = torch.linspace(0, DROP_PATH, DEPTH, device="cpu").tolist()
        self.semantics_extractor = nn.ModuleList(
            TransformerBlock(sum(self.widths), spec.heads, drop_path) for drop_path in drop_paths
        )
        # The finest scale is only pooled: injection there would cost more than it gains.
        self.injections = nn.ModuleList(
            SemanticsInjection(width, spec.channels) for width in self.widths[1:]
        )
        self.head = SegmentationHead(spec.channels, classes, spec.has_depthwise_head)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits at one eighth of the image's height and width."""
        tokens = self.token_pyramid(image)
        x = self.pooling(tokens)
        for block in self.semantics_extractor:
            x = block(x)
        _, *semantics = x.split(self.widths, dim=1)
        scales = zip(self.injections, tokens[1:], semantics, strict=True)
        return self.head([inject(local, added) for inject, local, added in scales])


def build_topformer(size: str, classes: int) -> TopFormer:
    """Build a network of the family; `size` is a key of `SPECS`."""
    return TopFormer(SPECS[size], classes)


_RULES: tuple[tuple[str, Replacement], ...] = (
    # Position of a module in the network.
    (r"^token_pyramid\.stem\.", "backbone.tpm.stem.0."),
    (r"^semantics_extractor\.(\d+)\.", r"backbone.trans.transformer_blocks.\1."),
    (r"^injections\.(\d)\.", lambda match: f"backbone.SIM.{int(match[1]) + 1}."),
    (r"^head\.fuse\.", "decode_head.linear_fuse."),
    (r"^head\.classifier\.", "decode_head.conv_seg."),
    # Its name inside the block.
    (r"\.attention\.query\.", ".attn.to_q."),
    (r"\.attention\.key\.", ".attn.to_k."),
    (r"\.attention\.value\.", ".attn.to_v."),
    (r"\.attention\.projection\.", ".attn.proj.1."),
    (r"\.ffn\.expand\.", ".mlp.fc1."),
    (r"\.ffn\.depthwise\.", ".mlp.dwconv."),
    (r"\.ffn\.reduce\.", ".mlp.fc2."),
    (r"\.semantics_embedding\.", ".global_embedding."),
    (r"\.gate_embedding\.", ".global_act."),
    # mmcv's ConvModule, used by injections and head, has "conv"; all others have "c".
    (r"\.norm\.", ".bn."),
    (r"^(backbone\.(?:tpm|trans)\..*)\.conv\.weight$", r"\1.c.weight"),
)

_BLOCK = re.compile(r"token_pyramid\.stages\.(\d+)\.(\d+)\.")


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a `TopFormer`'s state_dict to its official name.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    keys = list(keys)
    blocks = sorted({tuple(map(int, m.groups())) for m in map(_BLOCK.match, keys) if m})
    expanded = {key.partition(".expand.")[0] for key in keys if ".expand." in key}

    def official_name(key: str) -> str:
        name = key
        if match := _BLOCK.match(key):
            stage, block = map(int, match.groups())
            layer = blocks.index((stage, block)) + 1
            part, _, rest = key[match.end() :].partition(".")
            # The official blocks are nn.Sequential, in which activations have an index too.
            first = 0 if match[0].rstrip(".") in expanded else -2
            position = first + {"expand": 0, "depthwise": 2, "reduce": 4}[part]
            name = f"backbone.tpm.layer{layer}.conv.{position}.{rest}"
        return substitute(name, _RULES)

    return rename(keys, official_name, ("backbone.", "decode_head."))
