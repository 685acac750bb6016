"""CGRSeg: features calibrated along rows and columns, context, and prototypes of the classes.

Ni et al., "Context-Guided Spatial Feature Reconstruction for Efficient Semantic Segmentation", ECCV
2024, arXiv 2405.06228. Widths and tensor names are from nizhenliang/CGRSeg,
local_configs/cgrseg and models/decode_heads (cgr_head.py, rcm.py, dpg_head.py). Its pyramid pooling
is TopFormer's, and its fusion with the context is SeaFormer's fusion block.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.efficientformer import EfficientFormer, LayerScale, Stage
from seaformer.models.seaformer.convolution import ConvBN
from seaformer.models.seaformer.light_head import DROPOUT
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.models.topformer import PyramidPooling
from seaformer.weights.tensor_names import Replacement, rename, substitute

FFN_RATIO = 2
INITIAL_SCALE = 1e-6


@dataclass(frozen=True)
class CGRSegSpec:
    """One member of the family.

    Attributes:
        stages: of the backbone.
        channels: width of the head.
        band: length of the kernels along rows and columns.
        depth: number of calibration modules of the pooled context.
    """

    stages: tuple[Stage, ...]
    channels: int
    band: int
    depth: int


SPECS = MappingProxyType(
    {
        "tiny": CGRSegSpec(
            (
                Stage(32, (4, 4, 4)),
                Stage(48, (4, 4, 4)),
                Stage(120, (4, 4, 3, 3, 3, 3, 4, 4, 4), attentions=2),
                Stage(224, (4, 4, 3, 3, 4, 4), attentions=2),
            ),
            channels=128,
            band=11,
            depth=5,
        ),
    }
)
"""Size -> dimensions."""


class RectangularAttention(nn.Module):
    """Rectangular self-calibration attention: a gate from the means of rows and columns.

    The means are added, a rectangle at every position, and convolved along rows and columns.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "rectangular self-calibration attention"
    paper_own_title = "means, sum, product"

    def __init__(self, channels: int, band: int) -> None:
        super().__init__()
        self.local = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.horizontal = ConvBN(channels, channels, (1, band), groups=channels, bias=True)
        self.act = nn.ReLU()
        self.vertical = nn.Conv2d(
            channels, channels, (band, 1), padding=(band // 2, 0), groups=channels
        )
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Gate the convolved feature."""
        rectangles = x.mean(3, keepdim=True) + x.mean(2, keepdim=True)
        gate = self.gate(self.vertical(self.act(self.horizontal(rectangles))))
        return gate * self.local(x)


class FeedForward(nn.Module):
    """Two 1x1 convolutions with GELU between. Forward: [N, channels, H, W] -> the same."""

    paper_title = "feed-forward network"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, FFN_RATIO * channels, 1)
        self.act = nn.GELU()
        self.reduce = nn.Conv2d(FFN_RATIO * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of every position."""
        return self.reduce(self.act(self.expand(x)))


class Calibration(nn.Module):
    """Rectangular self-calibration module: attention, norm and feed-forward network, one residual.

    Forward: [N, channels, H, W] -> the same.
    """

    paper_title = "rectangular self-calibration module"
    paper_own_title = "residual"

    def __init__(self, channels: int, band: int) -> None:
        super().__init__()
        self.attention = RectangularAttention(channels, band)
        self.norm = nn.BatchNorm2d(channels)
        self.ffn = FeedForward(channels)
        self.scale = LayerScale((channels,), INITIAL_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        """Calibrate the feature."""
        return x + self.scale(self.ffn(self.norm(self.attention(x))))


class Reconstruction(nn.Module):
    """Add the coarser result, calibrate, and multiply by the gated, upsampled context.

    Forward: feature [N, width, H, W], context [N, width, h, w], and the coarser result, or None for
    the coarsest feature -> [N, channels, H, W].
    """

    paper_title = "spatial feature reconstruction"
    paper_own_title = "upsampling, sum"

    def __init__(self, width: int, spec: CGRSegSpec, is_coarsest: bool) -> None:
        super().__init__()
        self.merge = None if is_coarsest else nn.Conv2d(spec.channels, width, 1)
        self.calibration = Calibration(width, spec.band)
        self.fusion = FusionBlock(width, width, spec.channels)

    def forward(self, feature: Tensor, context: Tensor, coarser: Tensor | None) -> Tensor:
        """Reconstruct the feature at its own grid."""
        if self.merge is not None and coarser is not None:
            size = feature.shape[2:]
            upsampled = F.interpolate(coarser, size=size, mode="bilinear", align_corners=False)
            feature = feature + self.merge(upsampled)
        return self.fusion(self.calibration(feature), context)


class PrototypeGate(nn.Module):
    """Gate the channels by the prototypes of the classes in the image.

    The prototype of a class is the mean of the feature, weighted by the softmax of its logits over
    all positions; the gate is computed from a weighted sum of all prototypes.

    Forward: feature [N, channels, H, W] and logits [N, classes, H, W] -> [N, channels, H, W].
    """

    paper_title = "dynamic prototype guided head"
    paper_own_title = "products, softmax, sums"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mask = nn.Conv2d(channels, 1, 1)
        self.squeeze = nn.Conv2d(channels, channels, 1)
        self.norm = nn.LayerNorm((channels, 1, 1))
        self.act = nn.ReLU()
        self.excite = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor, logits: Tensor) -> Tensor:
        """Scale the channels, and add the feature itself."""
        shares = logits.flatten(2).softmax(-1)
        prototypes = x.flatten(2) @ shares.transpose(1, 2)
        mask = self.mask(prototypes.unflatten(2, (-1, 1))).flatten(2).softmax(-1)
        summary = (prototypes @ mask.transpose(1, 2)).unflatten(2, (1, 1))
        gate = self.gate(self.excite(self.act(self.norm(self.squeeze(summary)))))
        return x * gate + x


class Head(nn.Module):
    """Context from all features, reconstruction from coarse to fine, classification in two passes.

    The second pass classifies the feature gated by the prototypes that the first pass finds.

    Forward: features at output strides 8, 16 and 32 -> logits [N, classes, H / 8, W / 8].
    """

    paper_title = "head"
    paper_own_title = "splitting"
    paper_parts = MappingProxyType(
        {"context": "pyramid context", "fuse": "depth-wise convolution", "classifier": "classifier"}
    )

    def __init__(self, spec: CGRSegSpec, classes: int) -> None:
        super().__init__()
        self.widths = [stage.channels for stage in spec.stages[1:]]
        self.pooling = PyramidPooling()
        self.context = nn.Sequential(
            *(Calibration(sum(self.widths), spec.band) for _ in range(spec.depth))
        )
        last = len(self.widths) - 1
        self.reconstructions = nn.ModuleList(
            Reconstruction(width, spec, is_coarsest=index == last)
            for index, width in enumerate(self.widths)
        )
        self.fuse = ConvBN(spec.channels, spec.channels, groups=spec.channels)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(spec.channels, classes, 1)
        self.prototypes = PrototypeGate(spec.channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Classify every position of the finest feature."""
        contexts = self.context(self.pooling(features)).split(self.widths, dim=1)
        rows = list(zip(self.reconstructions, features, contexts, strict=True))
        x: Tensor | None = None
        for reconstruct, feature, context in reversed(rows):
            x = reconstruct(feature, context, x)
        assert x is not None
        first = self.classifier(self.dropout(self.act(self.fuse(x))))
        return self.classifier(self.dropout(self.prototypes(x, first)))


class CGRSeg(nn.Module):
    """Semantic segmentation.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32 [N, classes, ceil(H / 8),
    ceil(W / 8)].
    """

    def __init__(self, spec: CGRSegSpec, classes: int) -> None:
        super().__init__()
        self.backbone = EfficientFormer(spec.stages)
        self.head = Head(spec, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits."""
        return self.head(self.backbone(image)[1:])


def build_cgrseg(size: str, classes: int) -> CGRSeg:
    """Build a network of the family; `size` is a key of `SPECS`."""
    return CGRSeg(SPECS[size], classes)


_RULES: tuple[tuple[str, Replacement], ...] = (
    # The backbone.
    (
        r"^backbone\.stem\.(\d)\.(conv|norm)\.",
        lambda match: f"backbone.patch_embed.{3 * int(match[1]) + (match[2] == 'norm')}.",
    ),
    (r"^backbone\.stages\.(\d)\.", lambda match: f"backbone.network.{2 * int(match[1])}."),
    (r"^backbone\.downsamplings\.2\.convolution\.norm\.", "backbone.network.5.bn."),
    (r"^backbone\.downsamplings\.2\.convolution\.", "backbone.network.5."),
    (
        r"^backbone\.downsamplings\.(\d)\.",
        lambda match: f"backbone.network.{2 * int(match[1]) + 1}.",
    ),
    (r"\.convolution\.conv\.", ".proj."),
    (r"\.convolution\.norm\.", ".norm."),
    # Its attention.
    (r"^backbone\.network\.5\.attention\.coarsen\.", "backbone.network.5.attn.q.local.0."),
    (r"^backbone\.network\.5\.attention\.query\.", "backbone.network.5.attn.q.proj."),
    (r"^backbone\.network\.5\.attention\.", "backbone.network.5.attn."),
    (r"^(backbone\..*)\.attention\.", r"\1.token_mixer."),
    (r"\.position\.table$", ".attention_biases_seg"),
    (r"\.coarsen\.", ".stride_conv."),
    (r"\.mix_scores\.", ".talking_head1."),
    (r"\.mix_weights\.", ".talking_head2."),
    (r"\.(token_mixer|attn)\.query\.", r".\1.q."),
    (r"\.(token_mixer|attn)\.key\.", r".\1.k."),
    (r"\.(token_mixer|attn)\.value\.", r".\1.v."),
    (r"\.(token_mixer|attn)\.local\.", r".\1.v_local."),
    (r"\.projection\.conv\.", ".proj.1."),
    (r"\.projection\.norm\.", ".proj.2."),
    (r"^(backbone\..*\.(?:stride_conv|q|proj|k|v|v_local))\.conv\.", r"\1.0."),
    (r"^(backbone\..*\.(?:stride_conv|q|proj|k|v|v_local))\.norm\.", r"\1.1."),
    # Its feed-forward networks.
    (r"\.attention_scale\.scale$", ".layer_scale_1"),
    (r"\.ffn_scale\.scale$", ".layer_scale_2"),
    (r"^(backbone\..*)\.ffn\.expand\.conv\.", r"\1.mlp.fc1."),
    (r"^(backbone\..*)\.ffn\.expand\.norm\.", r"\1.mlp.norm1."),
    (r"^(backbone\..*)\.ffn\.depthwise\.conv\.", r"\1.mlp.mid."),
    (r"^(backbone\..*)\.ffn\.depthwise\.norm\.", r"\1.mlp.mid_norm."),
    (r"^(backbone\..*)\.ffn\.reduce\.conv\.", r"\1.mlp.fc2."),
    (r"^(backbone\..*)\.ffn\.reduce\.norm\.", r"\1.mlp.norm2."),
    # The head.
    (r"^head\.fuse\.norm\.", "decode_head.linear_fuse.bn."),
    (r"^head\.fuse\.", "decode_head.linear_fuse."),
    (r"^head\.classifier\.", "decode_head.conv_seg."),
    (r"^head\.context\.", "decode_head.trans.transformer_blocks."),
    (r"^head\.reconstructions\.(\d)\.merge\.", r"decode_head.conv.\1."),
    (r"^head\.reconstructions\.(\d)\.calibration\.", r"decode_head.meta.\1."),
    (r"^head\.reconstructions\.(\d)\.fusion\.", r"decode_head.SIM.\1."),
    (r"\.local_embedding\.", ".fuse1."),
    (r"\.context_embedding\.", ".fuse2."),
    (r"\.(fuse\d)\.norm\.", r".\1.bn."),
    (r"^head\.prototypes\.mask\.", "decode_head.lgc.conv_mask."),
    (r"^head\.prototypes\.squeeze\.", "decode_head.lgc.channel_mul_conv.0."),
    (r"^head\.prototypes\.norm\.", "decode_head.lgc.channel_mul_conv.1."),
    (r"^head\.prototypes\.excite\.", "decode_head.lgc.channel_mul_conv.3."),
    # Its calibration modules.
    (r"\.attention\.local\.", ".token_mixer.dwconv_hw."),
    (r"\.attention\.horizontal\.conv\.", ".token_mixer.excite.0."),
    (r"\.attention\.horizontal\.norm\.", ".token_mixer.excite.1."),
    (r"\.attention\.vertical\.", ".token_mixer.excite.3."),
    (r"\.ffn\.expand\.", ".mlp.fc1."),
    (r"\.ffn\.reduce\.", ".mlp.fc2."),
    (r"\.scale\.scale$", ".gamma"),
)


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a `CGRSeg`'s state_dict to its official name.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    return rename(keys, lambda key: substitute(key, _RULES), ("backbone.", "decode_head."))
