"""Networks of timm, by the names of `timm.list_models()`, with or without a tag of weights."""

import math
from typing import Any

from torch import nn

from seaformer.errors import UsageError
from seaformer.models.collections.declaration import Classes, declare, normalized
from seaformer.models.collections.library_errors import unknown_network
from seaformer.tasks import Evaluation
from seaformer.tasks.task_file import OWN


def names() -> list[str]:
    """Return all names."""
    import timm

    return sorted({*timm.list_models(), *timm.list_pretrained()})


def build(name: str, pretrained: bool) -> nn.Module:
    """Build a network.

    Raises:
        UsageError: timm has no network of this name, or it is not a classifier.
    """
    import timm

    # timm would read "hf-hub:" and "local-dir:" in a name as locations of files.
    if name not in names():
        raise unknown_network("timm", name, names())
    model = timm.create_model(name, pretrained=pretrained, exportable=True)
    if not model.num_classes:
        raise UsageError(
            f"'timm:{name}' has no classifier, so it predicts no classes. Give a network with "
            "a classifier."
        )
    config = timm.data.resolve_data_config({}, model=model)
    height, width = config["input_size"][1:]
    short_side = math.floor(min(height, width) / config["crop_pct"])  # as in its transform
    is_cropped = config["crop_mode"] != "squash"
    preprocessing = normalized(
        config["mean"],
        config["std"],
        (height, width),
        interpolation=config["interpolation"],
        short_side=short_side if is_cropped else None,
    )
    return declare(
        model,
        "classification",
        _classes(model),
        preprocessing,
        f"timm {timm.__version__}: pretrained_cfg of {_full_name(model)}",
        evaluation=Evaluation(
            short_side, crop_size=(height, width), note="timm's own validation transform."
        )
        if is_cropped
        else None,
    )


def _full_name(model: Any) -> str:
    config = model.pretrained_cfg
    return f"{config['architecture']}.{config['tag']}" if config["tag"] else config["architecture"]


def _classes(model: Any) -> Classes:
    """Return the classes that timm names, which are ImageNet-1k and its supersets."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(model)
    if subset is None:
        return Classes(None, model.num_classes, model.pretrained_cfg.get("tag") or OWN)
    info = ImageNetInfo(subset)
    return Classes(
        labels=tuple(info.label_descriptions()),
        count=model.num_classes,
        data_set=subset,
        ids=tuple(info.label_names()),
    )
