"""RepViT with the semantic FPN: a MobileNetV3-like backbone, a feature pyramid, and its head.

Wang et al., "RepViT: Revisiting Mobile CNN From ViT Perspective", CVPR 2024, arXiv 2307.09283,
whose sections are cited; Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019, arXiv
1901.02446, Section 3. Widths and tensor names are from THU-MIG/RepViT, segmentation/repvit.py and
configs/sem_fpn, and from FPN and FPNHead of mmsegmentation 0.30.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.mobilenet import FineSqueezeExcite
from seaformer.models.seaformer.convolution import ConvBN
from seaformer.models.seaformer.light_head import DROPOUT
from seaformer.weights.tensor_names import Replacement, rename, substitute

EXPANSION = 2
SQUEEZE_RATIO = 4
PYRAMID_CHANNELS = 256
HEAD_CHANNELS = 128


@dataclass(frozen=True)
class Stage:
    """One stage: its width, and for every block whether it has squeeze-and-excitation.

    From the second stage on, the first block halves the grid.
    """

    channels: int
    squeezes: tuple[bool, ...]


def _stage(channels: int, squeezes: str) -> Stage:
    return Stage(channels, tuple(mark == "s" for mark in squeezes))


STAGES = MappingProxyType(
    {
        "m1-1": (
            _stage(64, "s--"),
            _stage(128, "-s--"),
            _stage(256, "-s-s-s-s-s-s--"),
            _stage(512, "-s-"),
        ),
    }
)
"""Size -> stages; "s" stands for a block with squeeze-and-excitation."""


class ParallelDepthwise(nn.Module):
    """Depth-wise 3x3 and 1x1 convolutions and the identity, summed, then BatchNorm.

    The export merges them into one depth-wise convolution (Section 3.2, structural
    re-parameterization).

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "re-parameterized depth-wise convolution"
    paper_own_title = "sum, norm"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = ConvBN(channels, channels, kernel=3, groups=channels)
        self.narrow = nn.Conv2d(channels, channels, 1, groups=channels)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Sum the three branches and normalize."""
        return self.norm(self.wide(x) + self.narrow(x) + x)


class FeedForward(nn.Module):
    """Channel mixer: two 1x1 convolutions, with a residual connection.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "channel mixer"
    paper_own_title = "residual"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = ConvBN(channels, EXPANSION * channels)
        self.act = nn.GELU()
        self.reduce = ConvBN(EXPANSION * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of every position."""
        return x + self.reduce(self.act(self.expand(x)))


class RepViTBlock(nn.Module):
    """Token mixer, then channel mixer; with `halves`, the token mixer halves the grid.

    Forward: [N, in_channels, H, W] -> [N, channels, H, W], or [N, channels, H / 2, W / 2] with the
    sides rounded up.
    """

    paper_title = "RepViT block"
    paper_section = "3.2 Block Design"

    def __init__(self, in_channels: int, channels: int, halves: bool, squeezes: bool) -> None:
        super().__init__()
        self.depthwise: nn.Module = ParallelDepthwise(in_channels)
        if halves:
            self.depthwise = ConvBN(in_channels, in_channels, 3, 2, groups=in_channels)
        self.squeeze_excite: nn.Module = nn.Identity()
        if squeezes:
            squeezed = in_channels // SQUEEZE_RATIO
            self.squeeze_excite = FineSqueezeExcite(in_channels, squeezed, nn.Sigmoid())
        self.widen = ConvBN(in_channels, channels) if halves else nn.Identity()
        self.ffn = FeedForward(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix positions, then channels."""
        return self.ffn(self.widen(self.squeeze_excite(self.depthwise(x))))


class RepViT(nn.Module):
    """The backbone.

    Forward: [N, 3, H, W] -> the features at output strides 4, 8, 16 and 32.
    """

    paper_section = "3.3 Macro Design"

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        width = stages[0].channels
        self.stem = nn.Sequential(
            ConvBN(3, width // 2, 3, 2), nn.GELU(), ConvBN(width // 2, width, 3, 2)
        )
        self.stages = nn.ModuleList()
        for number, stage in enumerate(stages):
            blocks = nn.ModuleList()
            for index, squeezes in enumerate(stage.squeezes):
                halves = number > 0 and index == 0
                blocks.append(RepViTBlock(width, stage.channels, halves, squeezes))
                width = stage.channels
            self.stages.append(blocks)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Extract the four features."""
        x, features = self.stem(image), []
        for blocks in self.stages:
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            features.append(x)
        return features


class FeaturePyramid(nn.Module):
    """Add the upsampled coarser feature to every feature, then convolve each with 3x3.

    Forward: features, finest first -> as many features, with `PYRAMID_CHANNELS` channels and the
    same sides.
    """

    paper_title = "feature pyramid"
    paper_own_title = "resizing, sums"

    def __init__(self, widths: Iterable[int]) -> None:
        super().__init__()
        widths = tuple(widths)
        self.laterals = nn.ModuleList(nn.Conv2d(width, PYRAMID_CHANNELS, 1) for width in widths)
        self.outputs = nn.ModuleList(
            nn.Conv2d(PYRAMID_CHANNELS, PYRAMID_CHANNELS, 3, padding=1) for _ in widths
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Fuse from coarse to fine."""
        laterals = [convolve(x) for convolve, x in zip(self.laterals, features, strict=True)]
        for fine in range(len(laterals) - 2, -1, -1):
            coarser = F.interpolate(laterals[fine + 1], size=laterals[fine].shape[2:])
            laterals[fine] = laterals[fine] + coarser
        return [convolve(x) for convolve, x in zip(self.outputs, laterals, strict=True)]


class ScaleHead(nn.Module):
    """Convolutions of one pyramid level; except at the finest level, each is followed by doubling.

    Forward: [N, PYRAMID_CHANNELS, H, W] -> [N, HEAD_CHANNELS, 2^doublings H, 2^doublings W].
    """

    def __init__(self, doublings: int) -> None:
        super().__init__()
        widths = [PYRAMID_CHANNELS] + [HEAD_CHANNELS] * max(doublings - 1, 0)
        self.convolutions = nn.ModuleList(ConvBN(width, HEAD_CHANNELS, 3) for width in widths)
        self.act = nn.ReLU()
        self.doubles = doublings > 0

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and double."""
        for convolve in self.convolutions:
            x = self.act(convolve(x))
            if self.doubles:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return x


class SemanticHead(nn.Module):
    """Upsample all levels to output stride 4 and sum them; then dropout and the classifier.

    Forward: features, finest first -> logits [N, classes, H / 4, W / 4].
    """

    paper_title = "semantic FPN head"
    paper_own_title = "resizing, sums"

    def __init__(self, levels: int, classes: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(ScaleHead(level) for level in range(levels))
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(HEAD_CHANNELS, classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Classify every position of the finest feature."""
        total = self.scales[0](features[0])
        for scale, x in zip(self.scales[1:], features[1:], strict=True):
            x, size = scale(x), total.shape[2:]
            if x.shape[2:] != size:  # sides that are not multiples of 32
                x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
            total = total + x
        return self.classifier(self.dropout(total))


class RepViTSegmenter(nn.Module):
    """Semantic segmentation.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32 [N, classes, ceil(H / 4),
    ceil(W / 4)].
    """

    paper_section = "4.4 Semantic Segmentation"

    def __init__(self, stages: tuple[Stage, ...], classes: int) -> None:
        super().__init__()
        self.backbone = RepViT(stages)
        self.pyramid = FeaturePyramid(stage.channels for stage in stages)
        self.head = SemanticHead(len(stages), classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits."""
        return self.head(self.pyramid(self.backbone(image)))


def build_repvit(size: str, classes: int) -> RepViTSegmenter:
    """Build a network of the family; `size` is a key of `STAGES`."""
    return RepViTSegmenter(STAGES[size], classes)


_RULES: tuple[tuple[str, Replacement], ...] = (
    # Outside the blocks.
    (r"^backbone\.stem\.", "backbone.features.0."),
    (r"^pyramid\.laterals\.(\d)\.", r"neck.lateral_convs.\1.conv."),
    (r"^pyramid\.outputs\.(\d)\.", r"neck.fpn_convs.\1.conv."),
    (
        r"^head\.scales\.(\d)\.convolutions\.(\d)\.",
        lambda match: f"decode_head.scale_heads.{match[1]}.{2 * int(match[2])}.",
    ),
    (r"^head\.classifier\.", "decode_head.conv_seg."),
    # A convolution and its norm.
    (r"^(backbone\..*)\.conv\.", r"\1.c."),
    (r"\.norm\.", ".bn."),
    # Inside a block.
    (r"\.depthwise\.wide\.", ".token_mixer.0.conv."),
    (r"\.depthwise\.narrow\.", ".token_mixer.0.conv1."),
    (r"\.depthwise\.", ".token_mixer.0."),
    (r"\.squeeze_excite\.squeeze\.", ".token_mixer.1.fc1."),
    (r"\.squeeze_excite\.excite\.", ".token_mixer.1.fc2."),
    (r"\.widen\.", ".token_mixer.2."),
    (r"\.ffn\.expand\.", ".channel_mixer.m.0."),
    (r"\.ffn\.reduce\.", ".channel_mixer.m.2."),
)


def official_names(keys: Iterable[str], size: str) -> dict[str, str]:
    """Map each key of a network's state_dict to its official name; `size` is a key of `STAGES`.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    depths = [len(stage.squeezes) for stage in STAGES[size]]

    def feature(match: re.Match[str]) -> str:
        """Blocks are numbered through all stages, after the stem."""
        return f"backbone.features.{1 + sum(depths[: int(match[1])]) + int(match[2])}."

    rules = ((r"^backbone\.stages\.(\d)\.(\d+)\.", feature), *_RULES)
    return rename(keys, lambda key: substitute(key, rules), ("backbone.", "neck.", "decode_head."))
