"""The table of all networks, which commands, help texts, documents and tests are derived from.

A new network needs a row here and a module next to this one. Published numbers are for ADE20K val,
512x512, single scale, and do not all follow the same counting convention. A test compares them with
the counts of `seaformer.models.catalog`; `note` explains any difference.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from seaformer.models.ablation import ablation_of
from seaformer.models.attention.dimensions import CHANNELS, HEADS, KEY_DIM, MIN_SIDE, USUAL_SIZE
from seaformer.models.entry import LayerCost, Network, Published
from seaformer.models.seaformer.variants import VARIANTS, Variant
from seaformer.network_names import SEAFORMER, name_of_variant

SEAFORMER_README = "fudan-zvg/SeaFormer, seaformer-seg/README.md"
FIRST_README = "fudan-zvg/SeaFormer at 10936dc, seaformer-seg/README.md, batch 16"
TOPFORMER = "hustvl/TopFormer, README.md"
SEAFORMER_FIGURE = "SeaFormer paper (arXiv 2301.13156), Figure 1 right, read off by pixel, +-0.05"
REPRINT = "SiConMo (arXiv 2608.18979), table of ADE20K"

_SEAFORMER_PAPER = "Wan et al., SeaFormer, ICLR 2023, arXiv 2301.13156"
_TOPFORMER_PAPER = "Zhang et al., TopFormer, CVPR 2022, arXiv 2204.05525"
_MOBILENET_V3_PAPER = "Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv 1905.02244"
_MOBILENET_V2_PAPER = "Sandler et al., MobileNetV2, CVPR 2018, arXiv 1801.04381"
_RETINANET_PAPER = "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002"
_SEGFORMER_PAPER = "Xie et al., SegFormer, NeurIPS 2021, arXiv 2105.15203"


def _lazily(path: str, *first: object) -> Callable[..., Any]:
    """Return a function of `seaformer.models` whose module is imported only when it is called.

    `path` is relative, for example "segformer.SegFormer"; `first` are its first arguments.
    """
    module, _, name = path.rpartition(".")

    def call(*others: object) -> Any:
        return getattr(import_module(f"seaformer.models.{module}"), name)(*first, *others)

    return call


# SeaFormer

_PUBLISHED_SEAFORMERS = {
    "tiny": Published("1.7", "0.6", 35.0, SEAFORMER_README, FIRST_README, 40),
    "small": Published("4.0", "1.1", 38.1, SEAFORMER_README, FIRST_README, 67),
    "base": Published("8.6", "1.8", 40.2, SEAFORMER_README, FIRST_README, 106),
    "large": Published("14.0", "6.5", 42.7, SEAFORMER_README, FIRST_README, 367),
}


def seaformer(variant: Variant, ablation: Mapping[str, str] | None = None) -> Network:
    """Return the row for one of `VARIANTS`, or for an ablated variant.

    `ablation` contains the switches of the ablation; None to derive them from `variant`.
    """
    changes = ablation_of(variant) if ablation is None else ablation
    official_names = _lazily("seaformer.official_names.official_names")
    return Network(
        name=name_of_variant(variant.name),
        family=SEAFORMER,
        title=f"SeaFormer-{variant.name[:1].upper()}",
        paper=_SEAFORMER_PAPER,
        builders={
            "segmentation": _lazily("seaformer.network.SeaFormer", variant),
            "classification": _lazily("seaformer.network.SeaFormerClassifier", variant),
        },
        backbone=("stem.", "context_branch."),
        official_names=lambda keys: official_names(keys, variant),
        stride=8,
        published=None if changes else _PUBLISHED_SEAFORMERS.get(variant.name),
        variant=variant,
        ablation=changes,
    )


def _retinanet(variant: Variant, width: int = 256, note: str = "") -> Network:
    """Return the row of RetinaNet on a SeaFormer; `width` is that of the pyramid and the heads."""
    narrow = "" if width == 256 else "narrow"
    official_names = _lazily("seaformer.official_names.official_backbone_names")
    return Network(
        name="-".join(filter(None, (name_of_variant(variant.name), "retinanet", narrow))),
        family=SEAFORMER,
        title=" ".join(
            filter(None, (f"SeaFormer-{variant.name[:1].upper()}", "RetinaNet", narrow))
        ),
        paper=f"{_SEAFORMER_PAPER}, appendix; {_RETINANET_PAPER}",
        builders={"detection": _lazily("retinanet.seaformer_retinanet", variant, width)},
        backbone=("backbone.",),
        backbone_network=name_of_variant(variant.name),
        official_names=lambda keys: official_names(keys, variant),
        stride=8,
        note=note or "The paper's configuration is unpublished: see seaformer/models/retinanet.py.",
        library="torchvision",
    )


# Peers


def _topformer(size: str, published: Published, note: str = "") -> Network:
    return Network(
        name=f"topformer-{size}",
        family="topformer",
        title=f"TopFormer-{size[:1].upper()}",
        paper=_TOPFORMER_PAPER,
        builders={"segmentation": _lazily("topformer.build_topformer", size)},
        backbone=("token_pyramid.", "semantics_extractor.", "injections."),
        official_names=_lazily("topformer.official_names"),
        stride=8,
        published=published,
        note=note,
    )


def _segformer(size: str, channels: tuple[int, int, int, int], published: Published) -> Network:
    return Network(
        name=f"segformer-{size}",
        family="segformer",
        title=f"SegFormer-{size.upper()}",
        paper=_SEGFORMER_PAPER,
        builders={"segmentation": _lazily("segformer.SegFormer", channels)},
        backbone=("stages.",),
        official_names=_lazily("segformer.official_names"),
        stride=4,
        published=published,
    )


def _mobilenet(
    name: str, title: str, paper: str, builder: Callable[..., Any], **others: Any
) -> Network:
    return Network(
        name=name,
        family=name.partition("-")[0],
        title=title,
        paper=paper,
        builders={"segmentation": builder},
        backbone=("backbone.",),
        **{"stride": 8} | others,
    )


# Attention layers


def _layer(
    kind: str,
    title: str,
    paper: str,
    cost: LayerCost,
    attention: str,
    *arguments: object,
    note: str = "",
) -> Network:
    """Return the row for a single attention layer; `kind` is its name without "attention-".

    `attention` is the path of its class, relative to `seaformer.models`; `arguments` follow the
    number of channels.
    """
    return Network(
        name=f"attention-{kind}",
        family="attention",
        title=title,
        paper=paper,
        takes="features",
        fixed=_lazily("attention.layer.AttentionLayer", _lazily(attention, CHANNELS, *arguments)),
        usual_size=USUAL_SIZE,
        min_side=MIN_SIDE,
        note=note,
        cost=cost,
    )


def _per_position(numbers: int, per_side: int = 0, per_map: int = 0) -> Callable[[int], int]:
    """Return side length -> values written: per position, plus terms for the side and the map."""
    return lambda side: side**2 * (numbers + per_side * side + per_map * side**2)


def _per_padded_position(numbers: int) -> Callable[[int], int]:
    """Return side length -> values written, for a map that is padded to windows of 7."""
    return lambda side: numbers * (-(-side // 7) * 7) ** 2


_SQUEEZE = f"{_SEAFORMER_PAPER}, Section 3.2"
_SQUEEZE_CLASS = "seaformer.attention.SqueezeEnhancedAxialAttention"

_ALL = (
    *(seaformer(variant) for variant in VARIANTS.values()),
    *(_retinanet(variant) for variant in VARIANTS.values()),
    _retinanet(VARIANTS["tiny"], 64, "Pyramid and heads of 64 channels, for experiments."),
    _topformer("tiny", Published("1.4", "0.6", 33.6, TOPFORMER, f"{TOPFORMER}, batch 16", 43)),
    _topformer(
        "small",
        Published("3.1", "1.2", 36.5, TOPFORMER, f"{TOPFORMER}, batch 16", 74),
        note="The published number of parameters includes the moving averages of BatchNorm, 3.06 "
        "M; without them it is 3.03 M.",
    ),
    _topformer("base", Published("5.1", "1.8", 38.3, TOPFORMER, f"{TOPFORMER}, batch 16", 110)),
    _mobilenet(
        "lraspp-mobilenetv3-large",
        "LR-ASPP MobileNetV3-Large",
        _MOBILENET_V3_PAPER,
        _lazily("raspp.mobilenet_v3_lraspp", 1, 128),
        published=Published("3.2", "2.0", 33.1, REPRINT, SEAFORMER_FIGURE, 126, classes=19),
        note="The published sizes match 19 classes (Cityscapes); with 150 classes, it has 3.24 M "
        "parameters and 2.12 G multiply-accumulates.",
    ),
    _mobilenet(
        "lraspp-mobilenetv3-large-reduce",
        "LR-ASPP MobileNetV3-Large-reduce",
        _MOBILENET_V3_PAPER,
        _lazily("raspp.mobilenet_v3_lraspp", 2, 256),
        published=Published("1.6", "1.3", 32.3, REPRINT, SEAFORMER_FIGURE, 81, classes=19),
        note="The published sizes match 19 classes (Cityscapes) and a head of 256 channels; with "
        "150 classes, it has 1.67 M parameters and 1.45 G multiply-accumulates. It is unknown "
        "on which of the two the published latency was measured.",
    ),
    _mobilenet(
        "raspp-mobilenetv2",
        "R-ASPP MobileNetV2",
        _MOBILENET_V2_PAPER,
        _lazily("raspp.mobilenet_v2_raspp"),
        stride=16,
        published=Published("2.2", "2.8", 32.0, REPRINT, SEAFORMER_FIGURE, 177),
        note="The published numbers follow TensorFlow's convention: parameters include the moving "
        "averages of BatchNorm; multiply-accumulates count only convolutions, at 513x513.",
    ),
    _mobilenet(
        "lraspp-mobilenetv2",
        "LR-ASPP MobileNetV2",
        _MOBILENET_V3_PAPER,
        _lazily("raspp.mobilenet_v2_lraspp"),
        note="The head of MobileNetV3 on MobileNetV2; only R-ASPP is published for MobileNetV2.",
    ),
    _segformer(
        "b0", (32, 64, 160, 256), Published("3.8", "8.4", 37.4, REPRINT, SEAFORMER_FIGURE, 770)
    ),
    _segformer(
        "b1", (64, 128, 320, 512), Published(None, None, 41.6, REPRINT, SEAFORMER_FIGURE, 1300)
    ),
    _layer(
        "squeeze-enhanced",
        "squeeze-enhanced axial (SeaFormer)",
        _SQUEEZE,
        LayerCost("(H^2 + W^2)(Cqk + Cv) + 9HW(2Cqk + Cv)", 2, _per_position(4250)),
        _SQUEEZE_CLASS,
        *(KEY_DIM, HEADS, "concat-qkv"),
    ),
    _layer(
        "squeeze",
        "squeeze axial, without detail kernel",
        f"{_SQUEEZE}; the ablation detail=off",
        LayerCost("(H^2 + W^2)(Cqk + Cv)", 2, _per_position(1250)),
        _SQUEEZE_CLASS,
        *(KEY_DIM, HEADS, "off"),
    ),
    _layer(
        "global",
        "global self-attention",
        "Vaswani et al., NeurIPS 2017, arXiv 1706.03762, Section 3.2",
        LayerCost("H^2 W^2 (Cqk + Cv)", 4, _per_position(1900, per_map=2 * HEADS)),
        "attention.global_attention.GlobalAttention",
        *(KEY_DIM, HEADS),
    ),
    _layer(
        "axial",
        "axial",
        "Wang et al., Axial-DeepLab, ECCV 2020, arXiv 2003.07853, Section 3.2; Ho et al., arXiv "
        "1912.12180",
        LayerCost("(H + W)HW(Cqk + Cv)", 3, _per_position(5300, per_side=4 * HEADS)),
        "attention.axial.AxialAttention",
        *(KEY_DIM, HEADS),
        note="Height axis, then width axis, each with its own query, key and value; without "
        "Axial-DeepLab's position terms.",
    ),
    _layer(
        "window",
        "local windows of 7x7",
        "Liu et al., Swin, ICCV 2021, arXiv 2103.14030, Section 3.2",
        LayerCost("49HW(Cqk + Cv)", 2, _per_padded_position(5700)),
        "attention.window.WindowAttention",
        *(KEY_DIM, HEADS),
        note="Windows are not shifted; sides are padded to multiples of 7.",
    ),
    _layer(
        "mixformer",
        "MixFormer",
        "Chen et al., MixFormer, CVPR 2022, arXiv 2204.02557, Sections 3.1 and 3.2",
        LayerCost("49HW(Cqk + Cv) + 9HWC", 2, _per_padded_position(5200)),
        "attention.mixformer.MixingAttention",
        HEADS,
        note="Its windows use half of the channels, as in the paper; sides are padded to multiples "
        "of 7.",
    ),
    _layer(
        "acmix",
        "ACmix",
        "Pan et al., ACmix, CVPR 2022, arXiv 2111.14556, Sections 3 and 4",
        LayerCost("49HW(Cqk + Cv) + 108HWC", 2, _per_position(54500)),
        "attention.acmix.ACmix",
        HEADS,
        note="Query, key and value have 40 channels for each head.",
    ),
)

REGISTRY: Mapping[str, Network] = {network.name: network for network in _ALL}
"""Value of --model -> the network."""

LAYERS: Mapping[str, Network] = {
    network.size: network for network in _ALL if network.cost is not None
}
"""The attention layers, by name without "attention-"."""
