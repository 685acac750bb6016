"""PP-MobileSeg: MobileNetV3 stages, strided SEA attention, and fusion by voting.

Tang et al., "PP-MobileSeg: Explore the Fast and Accurate Semantic Segmentation Model on Mobile
Devices", arXiv 2304.05152. Section numbers refer to that paper; widths and tensor names are from
PaddlePaddle/PaddleSeg, paddleseg/models/pp_mobileseg.py and backbones/strideformer.py. The
attention is SeaFormer's, at half the resolution. The upsampling of the paper, of predicted classes
only, is not part of the network: the exact mask (`seaformer.imaging.upsampling`) replaces it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.mobilenet import BlockSpec, FineSqueezeExcite, MobileBlock
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.convolution import ConvBN
from seaformer.models.seaformer.layer import DropPath, FeedForward
from seaformer.models.seaformer.light_head import DROPOUT
from seaformer.weights.tensor_names import Replacement, rename, substitute

STEM_CHANNELS = 16
CHANNELS = 256
"""Width of the fused feature and of the head."""
SQUEEZE_RATIO = 4
DROP_PATH = 0.1
KEY_DIMS = (16, 24)
"""Query and key channels of a head at output strides 16 and 32."""
FFN_RATIOS = (2, 4)


@dataclass(frozen=True)
class PPMobileSegSpec:
    """One member of the family.

    Attributes:
        stages: MobileNetV3 blocks, one tuple for each of the output strides 4, 8, 16 and 32.
        depth: attention blocks after each of the last two stages.
        heads: attention heads.
        is_fine: whether the features are fused at output stride 8 instead of 16.
    """

    stages: tuple[tuple[BlockSpec, ...], ...]
    depth: int
    heads: int
    is_fine: bool


def _stage(
    kernel: int, hidden: tuple[int, int], channels: int, has_squeeze: bool = True
) -> tuple[BlockSpec, ...]:
    """Return the two blocks of a stage, the first of which halves the grid."""
    return tuple(
        BlockSpec(kernel, width, channels, stride, has_squeeze, nn.Hardswish)
        for width, stride in zip(hidden, (2, 1), strict=True)
    )


def _first_stage(hidden: int, channels: int) -> tuple[BlockSpec, ...]:
    """Return the blocks at output strides 2 and 4; `hidden` and `channels` are the last one's."""
    return (
        BlockSpec(3, 16, 16, 1, True, nn.ReLU),
        BlockSpec(3, 64, 32, 2, False, nn.ReLU),
        BlockSpec(3, hidden, channels, 1, False, nn.ReLU),
    )


SPECS: Mapping[str, PPMobileSegSpec] = {
    "tiny": PPMobileSegSpec(
        (
            _first_stage(48, 24),
            _stage(5, (96, 96), 32),
            _stage(5, (160, 160), 64),
            _stage(3, (384, 384), 128),
        ),
        depth=2,
        heads=4,
        is_fine=False,
    ),
    "base": PPMobileSegSpec(
        (
            _first_stage(96, 32),
            _stage(5, (128, 240), 64),
            _stage(5, (384, 384), 128),
            _stage(5, (768, 768), 192),
        ),
        depth=3,
        heads=8,
        is_fine=True,
    ),
}


class SteepHardSigmoid(nn.Module):
    """Hard sigmoid with slope 1/5, clip(x / 5 + 1/2, 0, 1): Paddle's default, not torch's 1/6."""

    def forward(self, x: Tensor) -> Tensor:
        """Squash x into [0, 1]."""
        return (x * 0.2 + 0.5).clamp(0.0, 1.0)


class StrideFormerBlock(MobileBlock):
    """A MobileNetV3 block that always expands, with Paddle's squeeze-and-excitation.

    Forward: [N, C, H, W] -> [N, spec.channels, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, in_channels: int, spec: BlockSpec) -> None:
        super().__init__(in_channels, spec, spec.stride, dilation=1)
        self.expand = ConvBN(in_channels, spec.hidden)
        if spec.has_squeeze:
            squeezed = spec.hidden // SQUEEZE_RATIO
            self.squeeze_excite = FineSqueezeExcite(spec.hidden, squeezed, SteepHardSigmoid())


class StridedAttention(nn.Module):
    """SEA attention at half the resolution (Section 3.1, "strided SEA attention").

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "strided SEA attention"
    paper_section = "3.1 StrideFormer"
    paper_own_title = "upsampling"
    paper_parts = MappingProxyType({"downsample": "strided convolution"})

    def __init__(self, channels: int, key_dim: int, heads: int) -> None:
        super().__init__()
        self.downsample = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(channels, channels, 3, 2, 1, groups=channels),
                norm=nn.BatchNorm2d(channels),
            )
        )
        self.attention = SqueezeEnhancedAxialAttention(channels, key_dim, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Attend at half the resolution."""
        return _resize(self.attention(self.downsample(x)), x)


class StrideFormerLayer(nn.Module):
    """Strided attention, then the feed-forward network; plain residuals, no norm before either.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "attention block"
    paper_section = "3.1 StrideFormer"
    paper_own_title = "residuals"

    def __init__(
        self, channels: int, key_dim: int, heads: int, ratio: int, drop_path: float
    ) -> None:
        super().__init__()
        self.attention = StridedAttention(channels, key_dim, heads)
        self.ffn = FeedForward(channels, ratio)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention and feed-forward network."""
        x = x + self.drop_path(self.attention(x))
        return x + self.drop_path(self.ffn(x))


class StrideFormer(nn.Module):
    """The backbone.

    Forward: [N, 3, H, W] -> the features at output strides 8, 16 and 32, the last two after their
    attention blocks.
    """

    paper_section = "3.1 StrideFormer"
    paper_parts = MappingProxyType({"stem": "first convolution"})

    def __init__(self, spec: PPMobileSegSpec) -> None:
        super().__init__()
        self.stem = ConvBN(3, STEM_CHANNELS, kernel=3, stride=2)
        self.act = nn.Hardswish()
        self.stages = nn.ModuleList()
        in_channels = STEM_CHANNELS
        for blocks in spec.stages:
            stage = nn.ModuleList()
            for block in blocks:
                stage.append(StrideFormerBlock(in_channels, block))
                in_channels = block.channels
            self.stages.append(stage)
        drop_paths = torch.linspace(0, DROP_PATH, spec.depth, device="cpu").tolist()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                StrideFormerLayer(blocks[-1].channels, key_dim, spec.heads, ratio, drop_path)
                for drop_path in drop_paths
            )
            for blocks, key_dim, ratio in zip(spec.stages[2:], KEY_DIMS, FFN_RATIOS, strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Extract the three features."""
        x = self.act(self.stem(image))
        features = []
        for stage, layers in zip(self.stages, (None, (), *self.layers), strict=True):
            for block in stage:  # type: ignore[attr-defined]
                x = block(x)
            if layers is None:
                continue
            for layer in layers:
                x = layer(x)
            features.append(x)
        return features


class AggregatedAttention(nn.Module):
    """Aggregated attention module (Section 3.2): gates of several scales vote on the local feature.

    Forward: features at output strides 8, 16 and 32 -> [N, CHANNELS, H, W] at output stride 16:
    g8 * g16 * up(g32) * (e8 + e16) + up(e32), where e and g are embeddings and gates of a scale,
    and the feature at output stride 8 is halved before.
    """

    paper_title = "aggregated attention module"
    paper_section = "3.2 Aggregated Attention Module"
    paper_own_title = "resizing, products, sums"

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(ConvBN(width, CHANNELS) for width in widths)
        self.gate_embeddings = nn.ModuleList(ConvBN(width, CHANNELS) for width in widths)
        self.gate = nn.Sigmoid()

    def forward(self, features: list[Tensor]) -> Tensor:
        """Fuse the three scales."""
        fine, middle, coarse = features
        fine = _resize(fine, middle)
        gates = [
            self.gate(embed(x))
            for embed, x in zip(self.gate_embeddings, (fine, middle, coarse), strict=True)
        ]
        local, more, semantics = (
            embed(x) for embed, x in zip(self.embeddings, (fine, middle, coarse), strict=True)
        )
        vote = gates[0] * gates[1] * _resize(gates[2], middle)
        return vote * (local + more) + _resize(semantics, middle)


class FineAggregatedAttention(nn.Module):
    """The simpler form of the module, at output stride 8, which the base network has.

    Forward: features at output strides 8, 16 and 32 -> [N, CHANNELS, H, W] at output stride 8:
    g16(up(x16)) * up(g32) * e8 + up(e32).
    """

    paper_title = "aggregated attention module"
    paper_section = "3.2 Aggregated Attention Module"
    paper_own_title = "resizing, products, sum"

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.embeddings = nn.ModuleList(ConvBN(width, CHANNELS) for width in (fine, coarse))
        self.gate_embeddings = nn.ModuleList(ConvBN(width, CHANNELS) for width in (middle, coarse))
        self.gate = nn.Sigmoid()

    def forward(self, features: list[Tensor]) -> Tensor:
        """Fuse the three scales."""
        fine, middle, coarse = features
        vote = self.gate(self.gate_embeddings[0](_resize(middle, fine)))
        vote = vote * _resize(self.gate(self.gate_embeddings[1](coarse)), fine)
        return vote * self.embeddings[0](fine) + _resize(self.embeddings[1](coarse), fine)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class PPMobileSegHead(nn.Module):
    """Depth-wise 1x1 convolution, ReLU, dropout, classifier.

    Forward: [N, CHANNELS, H, W] -> logits [N, classes, H, W].
    """

    paper_title = "segmentation head"
    paper_section = "3 Architecture (segmentation head)"

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fuse = ConvBN(CHANNELS, CHANNELS, groups=CHANNELS)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(CHANNELS, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Classify every position."""
        return self.classifier(self.dropout(self.act(self.fuse(x))))


class PPMobileSeg(nn.Module):
    """Semantic segmentation.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32 [N, classes, ceil(H / s),
    ceil(W / s)], s = 16 for the tiny network and 8 for the base one.
    """

    paper_section = "3 Architecture"

    def __init__(self, spec: PPMobileSegSpec, classes: int) -> None:
        super().__init__()
        widths = [blocks[-1].channels for blocks in spec.stages[1:]]
        self.backbone = StrideFormer(spec)
        self.fusion = (FineAggregatedAttention if spec.is_fine else AggregatedAttention)(widths)
        self.head = PPMobileSegHead(classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits."""
        return self.head(self.fusion(self.backbone(image)))


def build_ppmobileseg(size: str, classes: int) -> PPMobileSeg:
    """Build a network of the family; `size` is a key of `SPECS`."""
    return PPMobileSeg(SPECS[size], classes)


_RULES: tuple[tuple[str, Replacement], ...] = (
    # Position of a module in the network.
    (r"^backbone\.stem\.", "backbone.smb1.conv."),
    (r"^backbone\.stages\.(\d)\.", lambda match: f"backbone.smb{int(match[1]) + 1}.blocks."),
    (
        r"^backbone\.layers\.(\d)\.",
        lambda match: f"backbone.trans{int(match[1]) + 1}.transformer_blocks.",
    ),
    (r"^fusion\.embeddings\.", "backbone.inj_module.embedding_list."),
    (r"^fusion\.gate_embeddings\.", "backbone.inj_module.act_embedding_list."),
    (r"^head\.fuse\.", "decode_head.linear_fuse."),
    (r"^head\.classifier\.", "decode_head.conv_seg."),
    # Its name inside a MobileNetV3 block.
    (r"(smb\d\.blocks\.\d)\.expand\.", r"\1.expand_conv."),
    (r"(smb\d\.blocks\.\d)\.depthwise\.", r"\1.bottleneck_conv."),
    (r"(smb\d\.blocks\.\d)\.reduce\.", r"\1.linear_conv."),
    (r"\.squeeze_excite\.squeeze\.", ".mid_se.conv1."),
    (r"\.squeeze_excite\.excite\.", ".mid_se.conv2."),
    # Its name inside an attention block.
    (r"\.attention\.downsample\.conv\.", ".attn.stride_conv.0."),
    (r"\.attention\.downsample\.norm\.", ".attn.stride_conv.1."),
    (r"\.attention\.attention\.(query|key|value)\.", lambda match: f".attn.to_{match[1][0]}."),
    (
        r"\.attention\.attention\.(row|column)\.(query|key)_position\.embedding$",
        lambda match: f".attn.pos_emb_{match[1]}{match[2][0]}.pos_embed",
    ),
    (r"\.attention\.attention\.(row|column)\.projection\.", r".attn.proj_encode_\1.1."),
    (r"\.attention\.attention\.detail\.depthwise\.", ".attn.dwconv."),
    (r"\.attention\.attention\.detail\.pointwise\.", ".attn.pwconv."),
    (r"\.attention\.attention\.projection\.", ".attn.proj.1."),
    (r"\.ffn\.expand\.", ".mlp.fc1."),
    (r"\.ffn\.depthwise\.", ".mlp.dwconv."),
    (r"\.ffn\.reduce\.", ".mlp.fc2."),
    # Fusion and head have "conv"; all others have "c".
    (r"\.norm\.", ".bn."),
    (r"^(backbone\.(?:smb|trans)\d\..*)\.conv\.weight$", r"\1.c.weight"),
    # Paddle's names of the statistics of BatchNorm.
    (r"\.running_mean$", "._mean"),
    (r"\.running_var$", "._variance"),
)


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a `PPMobileSeg`'s state_dict to its official name.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    return rename(keys, lambda key: substitute(key, _RULES), ("backbone.", "decode_head."))
