"""Classifiers of SeaFormer and other libraries, with top-1 from `results/imagenet.csv`."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from seaformer.benchmark.results.imagenet import SOURCES, published_for
from seaformer.benchmark.results.schema import ModelResult
from seaformer.benchmark.studies.pareto.pareto_results import SEAFORMER
from seaformer.benchmark.studies.pareto.pareto_task import (
    ParetoTask,
    Published,
    is_in_floating_point,
)
from seaformer.benchmark.studies.study import Export
from seaformer.models.registry import REGISTRY
from seaformer.network_names import stored_name

TASK = "imagenet"

SEAFORMERS: Mapping[str, str] = MappingProxyType(
    {network.name: network.title for network in REGISTRY.values() if network.variant is not None}
)

PEERS: Mapping[str, str] = MappingProxyType(
    {
        "torchvision:mobilenet_v2": "MobileNetV2",
        "torchvision:mobilenet_v3_small": "MobileNetV3-Small",
        "torchvision:mobilenet_v3_large": "MobileNetV3-Large",
        "timm:mobilenetv3_small_100": "MobileNetV3-Small (timm)",
        "timm:mobilenetv3_large_100": "MobileNetV3-Large (timm)",
        "timm:mobilenetv4_conv_small": "MobileNetV4-Conv-S",
        "timm:mobilenetv4_conv_medium": "MobileNetV4-Conv-M",
        "timm:mobilenetv4_hybrid_medium": "MobileNetV4-Hybrid-M",
        "timm:mobilevit_xxs": "MobileViT-XXS",
        "timm:mobilevit_xs": "MobileViT-XS",
        "timm:mobilevit_s": "MobileViT-S",
        "timm:mobilevitv2_050": "MobileViTv2-0.5",
        "timm:mobilevitv2_075": "MobileViTv2-0.75",
        "timm:mobilevitv2_100": "MobileViTv2-1.0",
        "timm:efficientformer_l1": "EfficientFormer-L1",
        "timm:efficientformerv2_s0": "EfficientFormerV2-S0",
        "timm:efficientformerv2_s1": "EfficientFormerV2-S1",
        "timm:edgenext_xx_small": "EdgeNeXt-XXS",
        "timm:edgenext_x_small": "EdgeNeXt-XS",
        "timm:edgenext_small": "EdgeNeXt-S",
        "timm:repvit_m0_9": "RepViT-M0.9",
        "timm:repvit_m1_0": "RepViT-M1.0",
        "timm:fastvit_t8": "FastViT-T8",
        "timm:fastvit_t12": "FastViT-T12",
        "timm:efficientvit_b0": "EfficientViT-B0",
        "timm:efficientvit_b1": "EfficientViT-B1",
        "timm:swin_tiny_patch4_window7_224": "Swin-T",
    }
)
"""Name of a network of a library -> name in its paper. Each is exported with the input size of the
default weights of its library."""


def networks() -> Sequence[Export]:
    """Return the export of every network in single precision, with random weights."""
    return [
        *(Export(title, ("--model", name, "--task", TASK)) for name, title in SEAFORMERS.items()),
        *(Export(title, ("--model", name)) for name, title in PEERS.items()),
    ]


def published(model: ModelResult) -> Published | str:
    """Return the published figures of a classifier, or why it cannot be compared."""
    facts = model.facts
    name = stored_name(facts.variant, facts.model)
    if facts.kind != "classification" or name is None:
        return "it has no metadata of a classifier"
    if facts.variant is not None and facts.name != f"seaformer_{facts.variant}_{TASK}":
        title = facts.name or name
        return Published(title, SEAFORMER, None, "no top-1 is published for this variant")
    title = SEAFORMERS.get(name) or PEERS.get(name) or name.rpartition(":")[2]
    family = SEAFORMER if name in SEAFORMERS else family_of(name)
    rows = published_for(name)
    if not rows:
        return Published(title, family, None, "no published top-1 is known")
    if not is_in_floating_point(model):
        return Published(title, family, None, f"no top-1 is published for {model.precision}")
    size = model.input.size
    row = next((row for row in rows if (row.side, row.side) == size), None)
    if row is None:
        sides = ", ".join(f"{side}x{side}" for side in sorted({row.side for row in rows}))
        return Published(title, family, None, f"top-1 is published only for {sides}")
    return Published(
        title=title,
        family=family,
        score=row.top1,
        source=f"weights {row.weights} at {row.side}x{row.side}: {SOURCES[row.source]}",
        params_m=row.params_m,
        macs_g=row.macs_g,
    )


def family_of(name: str) -> str:
    """Return the design of a library's network: "timm:mobilevitv2_050" -> "mobilevitv2"."""
    word = re.match(r"[a-z]+?(v\d+)?(?=[^a-z]|$)", name.rpartition(":")[2].lower())
    return word[0] if word else name


IMAGENET = ParetoTask(
    metric="top-1",
    data="ImageNet-1k val, at the input size of each network",
    base=SEAFORMERS["seaformer-tiny"],
    networks=networks,
    published=published,
    extra="models",
)
