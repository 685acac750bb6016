"""The peers, as data: what is published of each, and how it is built.

Published numbers are for ADE20K val, 512x512, single scale. They are not all counted by the same
convention; what `seaformer.models.catalog` counts on the networks here is compared with them by a
test, and where the two differ, `note` says by what.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is imported when a network is built: --help shall not wait for it
    from torch import nn

TOPFORMER = "hustvl/TopFormer, README.md"
SEAFORMER_FIGURE = "SeaFormer paper (arXiv 2301.13156), Figure 1 right, read off by pixel, +-0.05"
REPRINT = "SiConMo (arXiv 2608.18979), table of ADE20K"


@dataclass(frozen=True)
class Published:
    """What others have written of a network, with the digits that they give.

    Attributes:
        params_m: parameters, in millions; None where no source at hand has them.
        macs_g: multiply-accumulates of one picture, in units of 10^9 ("FLOPs" in the papers);
            None as above.
        miou: on ADE20K val, in percent.
        size_source: where parameters and multiply-accumulates stand.
        miou_source: where the mIoU stands.
        phone_latency_ms: on one core of a Snapdragon 865, as Figure 1 of the SeaFormer paper has
            it; input to logits.
        classes: of the network that parameters and multiply-accumulates equal.
    """

    params_m: str | None
    macs_g: str | None
    miou: float
    size_source: str
    miou_source: str
    phone_latency_ms: float
    classes: int = 150


@dataclass(frozen=True)
class Peer:
    """One network.

    Attributes:
        family: of networks that share their code.
        size: its name in the family.
        title: as its authors write it.
        paper: where it is described.
        stride: input pixels per logit.
        build: number of classes -> the network, with the weights that torch gives it.
        published: None for a network that no table has.
        note: how its counted numbers differ from the published ones; may be empty.
        official_names: our state_dict keys -> those of published checkpoints, by key; None for a
            peer that has no such checkpoints.
    """

    family: str
    size: str
    title: str
    paper: str
    stride: int
    build: Callable[[int], "nn.Module"]
    published: Published | None
    note: str = ""
    official_names: Callable[[Iterable[str]], dict[str, str]] | None = None

    @property
    def name(self) -> str:
        """As given to --model."""
        return f"{self.family}-{self.size}"


def _topformer(size: str) -> Callable[[int], "nn.Module"]:
    def build(classes: int) -> "nn.Module":
        from seaformer.models.topformer import SPECS, TopFormer

        return TopFormer(SPECS[size], classes)

    return build


def _topformer_names(keys: Iterable[str]) -> dict[str, str]:
    from seaformer.models.topformer_keys import official_names

    return official_names(keys)


def _mobilenet_v3_lraspp(tail_divisor: int, channels: int) -> Callable[[int], "nn.Module"]:
    def build(classes: int) -> "nn.Module":
        from seaformer.models.mobilenet import mobilenet_v3_large
        from seaformer.models.raspp import LiteReducedASPP, MobileSegmenter

        backbone = mobilenet_v3_large(tail_divisor)
        widths = (backbone.fine_channels, backbone.coarse_channels)
        return MobileSegmenter(backbone, LiteReducedASPP(*widths, classes, channels))

    return build


def _mobilenet_v2_lraspp(classes: int) -> "nn.Module":
    from seaformer.models.mobilenet import mobilenet_v2
    from seaformer.models.raspp import LiteReducedASPP, MobileSegmenter

    backbone = mobilenet_v2()
    widths = (backbone.fine_channels, backbone.coarse_channels)
    return MobileSegmenter(backbone, LiteReducedASPP(*widths, classes, channels=128))


def _mobilenet_v2_raspp(classes: int) -> "nn.Module":
    from seaformer.models.mobilenet import mobilenet_v2
    from seaformer.models.raspp import MobileSegmenter, ReducedASPP

    backbone = mobilenet_v2()
    return MobileSegmenter(backbone, ReducedASPP(backbone.coarse_channels, classes))


def _segformer(channels: tuple[int, int, int, int]) -> Callable[[int], "nn.Module"]:
    def build(classes: int) -> "nn.Module":
        from seaformer.models.segformer import SegFormer

        return SegFormer(channels, classes)

    return build


def _segformer_names(keys: Iterable[str]) -> dict[str, str]:
    from seaformer.models.segformer_keys import official_names

    return official_names(keys)


_TOPFORMER_PAPER = "Zhang et al., TopFormer, CVPR 2022, arXiv 2204.05525"
_MOBILENET_V3_PAPER = "Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv 1905.02244"
_MOBILENET_V2_PAPER = "Sandler et al., MobileNetV2, CVPR 2018, arXiv 1801.04381"
_SEGFORMER_PAPER = "Xie et al., SegFormer, NeurIPS 2021, arXiv 2105.15203"

_ALL = (
    Peer(
        "topformer",
        "tiny",
        "TopFormer-T",
        _TOPFORMER_PAPER,
        8,
        _topformer("tiny"),
        Published("1.4", "0.6", 33.6, TOPFORMER, f"{TOPFORMER}, batch 16", 43),
        official_names=_topformer_names,
    ),
    Peer(
        "topformer",
        "small",
        "TopFormer-S",
        _TOPFORMER_PAPER,
        8,
        _topformer("small"),
        Published("3.1", "1.2", 36.5, TOPFORMER, f"{TOPFORMER}, batch 16", 74),
        note="The published parameters are those counted with the moving averages of BatchNorm, "
        "3.06 M; without them it is 3.03 M.",
        official_names=_topformer_names,
    ),
    Peer(
        "topformer",
        "base",
        "TopFormer-B",
        _TOPFORMER_PAPER,
        8,
        _topformer("base"),
        Published("5.1", "1.8", 38.3, TOPFORMER, f"{TOPFORMER}, batch 16", 110),
        official_names=_topformer_names,
    ),
    Peer(
        "lraspp",
        "mobilenetv3-large",
        "LR-ASPP MobileNetV3-Large",
        _MOBILENET_V3_PAPER,
        8,
        _mobilenet_v3_lraspp(tail_divisor=1, channels=128),
        Published("3.2", "2.0", 33.1, REPRINT, SEAFORMER_FIGURE, 126, classes=19),
        note="The published sizes equal those with 19 classes, as Cityscapes has; with 150 it has "
        "3.24 M parameters and 2.12 G.",
    ),
    Peer(
        "lraspp",
        "mobilenetv3-large-reduce",
        "LR-ASPP MobileNetV3-Large-reduce",
        _MOBILENET_V3_PAPER,
        8,
        _mobilenet_v3_lraspp(tail_divisor=2, channels=256),
        Published("1.6", "1.3", 32.3, REPRINT, SEAFORMER_FIGURE, 81, classes=19),
        note="The published sizes equal those with 19 classes, as Cityscapes has, and a head 256 "
        "wide; with 150 classes it has 1.67 M parameters and 1.45 G. What the published latency "
        "was measured on is not known.",
    ),
    Peer(
        "raspp",
        "mobilenetv2",
        "R-ASPP MobileNetV2",
        _MOBILENET_V2_PAPER,
        16,
        _mobilenet_v2_raspp,
        Published("2.2", "2.8", 32.0, REPRINT, SEAFORMER_FIGURE, 177),
        note="The published numbers count as TensorFlow does: parameters with the moving averages "
        "of BatchNorm, multiply-accumulates of convolutions for a picture of 513x513.",
    ),
    Peer(
        "lraspp",
        "mobilenetv2",
        "LR-ASPP MobileNetV2",
        _MOBILENET_V3_PAPER,
        8,
        _mobilenet_v2_lraspp,
        None,
        note="The head of MobileNetV3 on MobileNetV2; what is published for MobileNetV2 is R-ASPP.",
    ),
    Peer(
        "segformer",
        "b0",
        "SegFormer-B0",
        _SEGFORMER_PAPER,
        4,
        _segformer((32, 64, 160, 256)),
        Published("3.8", "8.4", 37.4, REPRINT, SEAFORMER_FIGURE, 770),
        official_names=_segformer_names,
    ),
    Peer(
        "segformer",
        "b1",
        "SegFormer-B1",
        _SEGFORMER_PAPER,
        4,
        _segformer((64, 128, 320, 512)),
        Published(None, None, 41.6, REPRINT, SEAFORMER_FIGURE, 1300),
        official_names=_segformer_names,
    ),
)

PEERS: Mapping[str, Peer] = MappingProxyType({peer.name: peer for peer in _ALL})
