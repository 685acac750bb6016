"""The table of published top-1: complete, and equal to its sources as far as they are available."""

from other_libraries import library

from seaformer.benchmark.results.imagenet import SOURCES, imagenet_scores, published_for
from seaformer.benchmark.studies.pareto.classification_networks import PEERS
from seaformer.weights.released import RELEASED


def test_every_score_has_its_weights_its_size_and_its_source() -> None:
    scores = imagenet_scores()
    assert len({(one.model, one.weights, one.side) for one in scores}) == len(scores)
    assert {one.source for one in scores} == set(SOURCES)
    for one in scores:
        assert 20 < one.top1 < 92, one
        assert 0 < one.params_m <= 100, one
        assert 0 < one.macs_g < 500, one
        assert 64 <= one.side <= 1024, one
        assert one.weights, one


def test_seaformers_are_those_whose_weights_are_released() -> None:
    published = {
        (one.model, one.weights): (one.side, one.top1)
        for one in imagenet_scores()
        if one.source == "seaformer"
    }
    assert published == {
        (one.network, one.name): (one.input_size[0], one.score)
        for one in RELEASED
        if one.task == "imagenet" and not one.is_backbone
    }


def test_a_name_with_weights_has_only_their_scores() -> None:
    every = published_for("timm:efficientvit_b1")
    assert {one.weights for one in every} == {"r224_in1k", "r256_in1k", "r288_in1k"}
    (one,) = published_for("timm:efficientvit_b1.r224_in1k")
    assert (one.side, one.top1) == (224, 79.254)
    assert published_for("timm:efficientvit_b") == ()
    assert published_for("seaformer-tiny.pth") == ()


def test_torchvision_has_the_same_numbers() -> None:
    models = library("torchvision.models")
    rows = [one for one in imagenet_scores() if one.source == "torchvision"]
    assert {"mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "swin_t"} <= {
        one.model.removeprefix("torchvision:") for one in rows
    }
    for one in rows:
        name = one.model.removeprefix("torchvision:")
        weights = models.get_weight(f"{models.get_model_weights(name).__name__}.{one.weights}")
        meta = weights.meta
        assert one.top1 == meta["_metrics"]["ImageNet-1K"]["acc@1"], one
        assert (one.params_m, one.macs_g) == (round(meta["num_params"] / 1e6, 2), meta["_ops"])
        assert [one.side] == weights.transforms().crop_size, one


def test_timm_has_these_weights_and_the_default_ones_come_first() -> None:
    timm = library("timm")
    rows = [one for one in imagenet_scores() if one.source == "timm"]
    tags: dict[str, list[str]] = {}
    for one in rows:
        tags.setdefault(one.model.removeprefix("timm:"), []).append(one.weights)
    for name in PEERS:
        prefix, _, network = name.partition(":")
        if prefix == "timm":  # exported with this size, which has to have a score
            assert (
                timm.get_pretrained_cfg(network).input_size[1:]
                == (published_for(name)[0].side,) * 2
            )
    for network, weights in tags.items():
        known = {name.partition(".")[2] for name in timm.list_pretrained(f"{network}.*")}
        assert set(weights) <= known, network
        default = timm.get_pretrained_cfg(network).tag
        assert default not in weights or weights[0] == default, network
