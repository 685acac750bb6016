"""The table of all networks, which commands, help texts, documents and tests are derived from.

A new network needs a row here and a module next to this one. Published numbers are for ADE20K val,
512x512, single scale, and do not all follow the same counting convention. A test compares them with
the counts of `seaformer.models.catalog`; `note` explains any difference.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from seaformer.models.ablation import ablation_of
from seaformer.models.attention.dimensions import CHANNELS, HEADS, KEY_DIM, MIN_SIDE, USUAL_SIZE
from seaformer.models.attention_layers import ATTENTION_LAYERS, Layer
from seaformer.models.entry import Network, Published, PublishedTop1
from seaformer.models.lazily import lazily
from seaformer.models.phones import PAPER_PHONE
from seaformer.models.seaformer.variants import PAPER, VARIANTS, Variant
from seaformer.network_names import SEAFORMER, name_of_variant

SEAFORMER_README = "fudan-zvg/SeaFormer, seaformer-seg/README.md"
FIRST_README = "fudan-zvg/SeaFormer at 10936dc, seaformer-seg/README.md, batch 16"
TOPFORMER = "hustvl/TopFormer, README.md"
SEAFORMER_FIGURE = (
    "SeaFormer paper (arXiv 2301.13156), Figure 1 right, measured in pixels of the figure, +-0.05"
)
PADDLESEG_README = "PaddlePaddle/PaddleSeg, configs/pp_mobileseg/README.md"
REPVIT_README = "THU-MIG/RepViT, segmentation/README.md"
AFFORMER = "AFFormer paper (arXiv 2301.04648), abstract"
CGRSEG_README = "nizhenliang/CGRSeg at 09fc92b, README.md"
REPRINT = "SiConMo (arXiv 2608.18979), table of ADE20K"
SWIN_MODELHUB = "microsoft/Swin-Transformer, MODELHUB.md, ImageNet-1K, 224x224"

OWN_ATTENTION = "shifted-window"
"""Name of Swin's own attention."""
SWIN_STRIDE = 32
"""Pixels per position of the last stage's map, along one side."""

_AFFORMER_PAPER = "Dong et al., AFFormer, AAAI 2023, arXiv 2301.04648"
_CGRSEG_PAPER = "Ni et al., CGRSeg, ECCV 2024, arXiv 2405.06228"
_TOPFORMER_PAPER = "Zhang et al., TopFormer, CVPR 2022, arXiv 2204.05525"
_MOBILENET_V3_PAPER = "Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv 1905.02244"
_MOBILENET_V2_PAPER = "Sandler et al., MobileNetV2, CVPR 2018, arXiv 1801.04381"
_REPVIT_PAPER = "Wang et al., RepViT, CVPR 2024, arXiv 2307.09283"
_PPMOBILESEG_PAPER = "Tang et al., PP-MobileSeg, 2023, arXiv 2304.05152"
_RETINANET_PAPER = "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002"
_SWIN_PAPER = "Liu et al., Swin, ICCV 2021, arXiv 2103.14030"
_SEGFORMER_PAPER = "Xie et al., SegFormer, NeurIPS 2021, arXiv 2105.15203"


_AFFORMER_REPEATED = tuple(
    f"MHCA_layers.{layer}.{path}.{kind}"
    for layer in range(6)
    for path in (
        "cpe.proj",
        *(f"{block}crpe.conv_list.{n}" for block in ("", "factoratt_crpe.") for n in range(3)),
    )
    for kind in ("weight", "bias")
)
"""Endings of the official names of tensors that AFFormer's layers share. Checkpoints store them
once for every layer, and once for all layers."""


def _on(paper_ms: float | None, paddle_ms: float | None = None) -> dict[str, float]:
    """Return the published latencies on the phones of the SeaFormer paper and of PaddleSeg."""
    latencies = {PAPER_PHONE: paper_ms, "snapdragon-855": paddle_ms}
    return {phone: ms for phone, ms in latencies.items() if ms is not None}


# SeaFormer

_PUBLISHED_SEAFORMERS = {
    "tiny": Published("1.7", "0.6", 35.0, SEAFORMER_README, FIRST_README, _on(40, 459.0)),
    "small": Published("4.0", "1.1", 38.1, SEAFORMER_README, FIRST_README, _on(67)),
    "base": Published("8.6", "1.8", 40.2, SEAFORMER_README, FIRST_README, _on(106, 465.4)),
    "large": Published("14.0", "6.5", 42.7, SEAFORMER_README, FIRST_README, _on(367)),
}


def seaformer(variant: Variant, ablation: Mapping[str, str] | None = None) -> Network:
    """Return the row for one of `VARIANTS`, or for an ablated variant.

    `ablation` contains the switches of the ablation; None to derive them from `variant`.
    """
    changes = ablation_of(variant) if ablation is None else ablation
    official_names = lazily("seaformer.official_names.official_names")
    return Network(
        name=name_of_variant(variant.name),
        family=SEAFORMER,
        title=f"SeaFormer-{variant.name[:1].upper()}",
        paper=PAPER,
        builders={
            "segmentation": lazily("seaformer.network.SeaFormer", variant),
            "classification": lazily("seaformer.network.SeaFormerClassifier", variant),
        },
        backbone=("stem.", "context_branch."),
        official_names=lambda keys: official_names(keys, variant),
        stride=8,
        published=None if changes else _PUBLISHED_SEAFORMERS.get(variant.name),
        variant=variant,
        ablation=changes,
    )


def _retinanet(variant: Variant, width: int = 256, note: str = "") -> Network:
    """Return the row of RetinaNet on a SeaFormer; pyramid and heads have `width` channels."""
    narrow = "" if width == 256 else "narrow"
    official_names = lazily("seaformer.official_names.official_backbone_names")
    return Network(
        name="-".join(filter(None, (name_of_variant(variant.name), "retinanet", narrow))),
        family=SEAFORMER,
        title=" ".join(
            filter(None, (f"SeaFormer-{variant.name[:1].upper()}", "RetinaNet", narrow))
        ),
        paper=f"{PAPER}, appendix; {_RETINANET_PAPER}",
        builders={"detection": lazily("retinanet.seaformer_retinanet", variant, width)},
        backbone=("backbone.",),
        backbone_network=name_of_variant(variant.name),
        official_names=lambda keys: official_names(keys, variant),
        stride=8,
        note=note or "The paper's configuration is unpublished: see seaformer/models/retinanet.py.",
        library="torchvision",
    )


# Peers


def _peer(
    family: str,
    title: str,
    paper: str,
    size: str,
    published: Published | None,
    note: str = "",
    *,
    backbone: tuple[str, ...] = ("backbone.",),
    stride: int = 8,
    **others: Any,
) -> Network:
    """Return the row of one size of a family, which has its own module."""
    return Network(
        name=f"{family}-{size}",
        family=family,
        title=f"{title}-{size[:1].upper()}",
        paper=paper,
        builders={"segmentation": lazily(f"{family}.build_{family}", size)},
        backbone=backbone,
        official_names=lazily(f"{family}.official_names"),
        stride=stride,
        published=published,
        note=note,
        **others,
    )


_topformer = partial(
    _peer,
    "topformer",
    "TopFormer",
    _TOPFORMER_PAPER,
    backbone=("token_pyramid.", "semantics_extractor.", "injections."),
)
_ppmobileseg = partial(_peer, "ppmobileseg", "PP-MobileSeg", _PPMOBILESEG_PAPER)
_afformer = partial(
    _peer,
    "afformer",
    "AFFormer",
    _AFFORMER_PAPER,
    auxiliary=("decode_head.align.",),
    computed=_AFFORMER_REPEATED,
)
_cgrseg = partial(
    _peer,
    "cgrseg",
    "CGRSeg",
    _CGRSEG_PAPER,
    computed=(".attention_biases", ".attention_bias_idxs", ".attention_bias_idxs_seg"),
)


def _segformer(size: str, channels: tuple[int, int, int, int], published: Published) -> Network:
    return Network(
        name=f"segformer-{size}",
        family="segformer",
        title=f"SegFormer-{size.upper()}",
        paper=_SEGFORMER_PAPER,
        builders={"segmentation": lazily("segformer.SegFormer", channels)},
        backbone=("stages.",),
        official_names=lazily("segformer.official_names"),
        stride=4,
        published=published,
    )


def _repvit(size: str, published: Published, note: str) -> Network:
    official_names = lazily("repvit.official_names")
    return Network(
        name=f"repvit-{size}",
        family="repvit",
        title=f"RepViT-{size.upper().replace('-', '.')} FPN",
        paper=_REPVIT_PAPER,
        builders={"segmentation": lazily("repvit.build_repvit", size)},
        backbone=("backbone.",),
        official_names=lambda keys: official_names(keys, size),
        stride=4,
        published=published,
        note=note,
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


# Attention layers, alone and in Swin


def _layer(layer: Layer) -> Network:
    """Return the row for a single attention layer, with the dimensions that all of them share."""
    build = partial(layer.build, CHANNELS, KEY_DIM, HEADS)
    return Network(
        name=f"attention-{layer.kind}",
        family="attention",
        title=layer.title,
        paper=layer.paper,
        takes="features",
        fixed=lazily("attention.layer.AttentionLayer", build),
        usual_size=USUAL_SIZE,
        min_side=MIN_SIDE,
        note=layer.note,
        cost=layer.cost,
    )


def _swin(kind: str | None, **others: Any) -> Network:
    """Return the row of Swin-T; `kind` is the layer that replaces its attention, or None."""
    return Network(
        name="-".join(filter(None, ("swin-tiny", kind))),
        family="swin",
        builders={
            "classification": lazily("swin.swin_classifier", kind),
            "segmentation": lazily("swin.swin_segmenter", kind),
        },
        backbone=("embedding.", "stages."),
        stride=4,
        attention=kind or OWN_ATTENTION,
        **others,
    )


def _swin_with(layer: Layer) -> Network:
    """Return the row of Swin-T with another attention layer."""
    return _swin(
        layer.kind,
        title=f"Swin-T, {layer.title}",
        paper=f"{_SWIN_PAPER}; attention: {layer.paper}",
        min_side=max(64, SWIN_STRIDE * layer.min_side),
        note=layer.note,
        attention_cost=layer.cost,
    )


_ALL = (
    *(seaformer(variant) for variant in VARIANTS.values()),
    *(_retinanet(variant) for variant in VARIANTS.values()),
    _retinanet(VARIANTS["tiny"], 64, "Pyramid and heads of 64 channels, for experiments."),
    _topformer(
        "tiny",
        Published("1.4", "0.6", 33.6, TOPFORMER, f"{TOPFORMER}, batch 16", _on(43, 490.3)),
    ),
    _topformer(
        "small",
        Published("3.1", "1.2", 36.5, TOPFORMER, f"{TOPFORMER}, batch 16", _on(74)),
        note="The published number of parameters includes the moving averages of BatchNorm, 3.06 "
        "M; without them it is 3.03 M.",
    ),
    _topformer(
        "base",
        Published("5.1", "1.8", 38.3, TOPFORMER, f"{TOPFORMER}, batch 16", _on(110, 480.6)),
    ),
    _ppmobileseg(
        "tiny",
        Published("1.44", None, 36.39, PADDLESEG_README, PADDLESEG_README, _on(None, 215.3)),
        "The published number of parameters counts only the weights of convolutions; with biases, "
        "norms and position embeddings, the released code and this implementation have 1.49 M.",
        stride=16,
    ),
    _ppmobileseg(
        "base",
        Published("5.62", None, 41.57, PADDLESEG_README, PADDLESEG_README, _on(None, 265.5)),
        "The released code and this implementation have 5.94 M parameters, of which 5.82 M are "
        "weights of convolutions; the configuration behind the published number is unknown.",
    ),
    _mobilenet(
        "lraspp-mobilenetv3-large",
        "LR-ASPP MobileNetV3-Large",
        _MOBILENET_V3_PAPER,
        lazily("raspp.mobilenet_v3_lraspp", 1, 128),
        published=Published(
            "3.2", "2.0", 33.1, REPRINT, SEAFORMER_FIGURE, _on(126, 730.9), classes=19
        ),
        note="The published sizes match 19 classes (Cityscapes); with 150 classes, it has 3.24 M "
        "parameters and 2.12 G multiply-accumulates.",
    ),
    _mobilenet(
        "lraspp-mobilenetv3-large-reduce",
        "LR-ASPP MobileNetV3-Large-reduce",
        _MOBILENET_V3_PAPER,
        lazily("raspp.mobilenet_v3_lraspp", 2, 256),
        published=Published("1.6", "1.3", 32.3, REPRINT, SEAFORMER_FIGURE, _on(81), classes=19),
        note="The published sizes match 19 classes (Cityscapes) and a head of 256 channels; with "
        "150 classes, it has 1.67 M parameters and 1.45 G multiply-accumulates. It is unknown "
        "with how many classes the published latency was measured.",
    ),
    _mobilenet(
        "raspp-mobilenetv2",
        "R-ASPP MobileNetV2",
        _MOBILENET_V2_PAPER,
        lazily("raspp.mobilenet_v2_raspp"),
        stride=16,
        published=Published("2.2", "2.8", 32.0, REPRINT, SEAFORMER_FIGURE, _on(177)),
        note="The published numbers follow TensorFlow's convention: parameters include the moving "
        "averages of BatchNorm; multiply-accumulates count only convolutions, at 513x513.",
    ),
    _mobilenet(
        "lraspp-mobilenetv2",
        "LR-ASPP MobileNetV2",
        _MOBILENET_V3_PAPER,
        lazily("raspp.mobilenet_v2_lraspp"),
        note="The head of MobileNetV3 on MobileNetV2; only R-ASPP is published for MobileNetV2.",
    ),
    _segformer(
        "b0", (32, 64, 160, 256), Published("3.8", "8.4", 37.4, REPRINT, SEAFORMER_FIGURE, _on(770))
    ),
    _segformer(
        "b1", (64, 128, 320, 512), Published(None, None, 41.6, REPRINT, SEAFORMER_FIGURE, _on(1300))
    ),
    _afformer(
        "tiny",
        None,
        "No source that can be cited states its mIoU. The released code has 2.19 M parameters, of "
        "which 0.07 M are never used; it has 2.13 M here, and 3.12 G multiply-accumulates. "
        "In emulated half precision, its output is lost (1.2 dB, random weights).",
    ),
    _afformer(
        "small",
        None,
        "No source that can be cited states its mIoU. The released code has 2.39 M parameters, of "
        "which 0.07 M are never used; it has 2.32 M here, and 3.37 G multiply-accumulates. With "
        "random weights, its .tflite was verified at 128x192 on the CPU (120 dB) and the GPU (122 "
        "dB), but not at 512x512: an image of one color reaches 92.1 dB, because LiteRT adds the "
        "4,096 nearly equal products of the linear attention one by one; its .onnx reaches 109 dB.",
    ),
    _afformer(
        "base",
        Published("3", "4.6", 41.8, AFFORMER, AFFORMER, {}),
        "The released code has 3.00 M parameters, of which 0.07 M are a convolution that is never "
        "used; it is omitted here, which leaves 2.94 M. Counted by the convention of the other "
        "networks, it has 4.39 G multiply-accumulates; the convention of the published number is "
        "unknown. With random weights, its .tflite is refused at 512x512: a black image reaches "
        "89.0 dB.",
    ),
    _cgrseg(
        "tiny",
        Published("9.4", "4.0", 43.6, CGRSEG_README, CGRSEG_README, {}),
        "No latency on a phone is published. The published multiply-accumulates match those of the "
        "convolutions with their biases; counted like the other networks, with the products of the "
        "attention, it has 4.62 G. With random weights, its .tflite was verified at 128x192 "
        "(120 dB), but neither format at 512x512: a white image reaches 87.7 dB as .onnx and 83.4 "
        "dB as .tflite, and needs 90.8 dB.",
    ),
    _repvit(
        "m1-1",
        Published(None, None, 40.6, REPVIT_README, REPVIT_README, {}),
        "First published as RepViT-M2. Only the latency of the backbone is published. The released "
        "code and this implementation have 12.03 M parameters.",
    ),
    *(_layer(layer) for layer in ATTENTION_LAYERS.values()),
    _swin(
        None,
        title="Swin-T",
        paper=_SWIN_PAPER,
        official_names=lazily("swin.official_names"),
        library_names=(lazily("swin.timm_names"), lazily("swin.torchvision_names")),
        computed=(".relative_position_index", ".attn_mask"),
        attention_cost=ATTENTION_LAYERS["window"].cost,
        published_top1=PublishedTop1("28", "4.5", 81.2, SWIN_MODELHUB),
    ),
    *(_swin_with(layer) for layer in ATTENTION_LAYERS.values()),
)

REGISTRY: Mapping[str, Network] = {network.name: network for network in _ALL}
"""Value of --model -> the network."""

LAYERS: Mapping[str, Network] = {
    network.size: network for network in _ALL if network.cost is not None
}
"""The attention layers, by name without "attention-"."""

ATTENTION_KINDS = (*LAYERS, OWN_ATTENTION)
"""All attention layers, including a network's own attention."""

ATTENTIONS: Mapping[str, Mapping[str, Network]] = {
    network.name: {row.attention: row for row in _ALL if row.family == network.family}
    for network in _ALL
    if network.attention == OWN_ATTENTION
}
"""Network whose attention can be replaced -> value of --attention -> the row."""
