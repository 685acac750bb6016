"""The map between our names and the official ones, compared with lists of the official code."""

import json

import pytest
import torch
from locations import GOLDEN
from official_weights import from_official, network_shapes, to_official

from seaformer.errors import SeaformerError
from seaformer.models.seaformer.official_names import official_names
from seaformer.models.seaformer.variants import VARIANTS, get_variant

OFFICIAL = json.loads((GOLDEN / "official.json").read_text())
CLASSES = {"ade20k": 150, "imagenet": 1000}
TENSORS = {"tiny": 458, "small": 590, "base": 722, "large": 806}
"""Tensors of an official segmentation checkpoint, BatchNorm buffers included."""


@pytest.mark.parametrize("entry", OFFICIAL)
def test_names_and_shapes_match_the_official_checkpoints(entry: str) -> None:
    kind, name, task = entry.split("-")
    variant = get_variant(name)
    shapes = network_shapes(variant, kind == "seg", CLASSES[task])
    names = official_names(shapes, variant)
    ours = {names[key]: list(shape) for key, shape in shapes.items()}
    assert ours == OFFICIAL[entry]["keys"]


@pytest.mark.parametrize("name", VARIANTS)
def test_number_of_tensors_of_each_variant(name: str) -> None:
    assert len(network_shapes(get_variant(name), is_segmentation=True)) == TENSORS[name]


@pytest.mark.parametrize("is_segmentation", [True, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_map_is_a_bijection(name: str, is_segmentation: bool) -> None:
    variant = get_variant(name)
    shapes = network_shapes(variant, is_segmentation)
    state = {key: torch.full((1,), index) for index, key in enumerate(shapes)}
    official = to_official(state, variant)
    assert len(official) == len(state)
    assert official.keys().isdisjoint(state)
    assert from_official(official, variant) == state


def test_segmentation_and_classification_share_the_backbone_names() -> None:
    variant = get_variant("large")
    segmentation = set(official_names(network_shapes(variant, True), variant).values())
    classification = set(official_names(network_shapes(variant, False), variant).values())
    backbone = {f"backbone.{name}" for name in classification if not name.startswith("linear.")}
    assert backbone == {name for name in segmentation if not name.startswith("decode_head.")}


def test_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"'decoder\.conv\.weight'"):
        official_names(["decoder.conv.weight"], get_variant("tiny"))


def test_two_keys_with_one_official_name_are_an_error() -> None:
    keys = ["light_head.fuse.norm.weight", "light_head.fuse.bn.weight"]
    with pytest.raises(KeyError, match="same official name"):
        official_names(keys, get_variant("tiny"))


def test_official_name_of_another_variant_is_an_error() -> None:
    small = get_variant("small")
    names = official_names(network_shapes(small, True), small).values()
    state = {name: torch.zeros(1) for name in names}
    with pytest.raises(SeaformerError, match=r"132 tensors \(backbone\.trans1.*SeaFormer-Tiny"):
        from_official(state, get_variant("tiny"))
