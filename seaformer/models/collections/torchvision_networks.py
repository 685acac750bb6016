"""Networks of torchvision for classification and semantic segmentation."""

from types import MappingProxyType
from typing import Any

from torch import nn

from seaformer.errors import UsageError
from seaformer.models.collections.declaration import Classes, declare, normalized, returning
from seaformer.models.collections.library_errors import unknown_network
from seaformer.tasks import TASKS, Evaluation

NOTE = "torchvision's own validation transform."
"""Source of the evaluation protocol."""

_ARGUMENTS = MappingProxyType(
    {
        # As with weights: the forward then converts ImageNet's normalization to its own.
        "googlenet": {"transform_input": True, "aux_logits": False, "init_weights": False},
        "inception_v3": {"transform_input": True, "aux_logits": False, "init_weights": False},
    }
)
"""Arguments without which a network would differ from the network of its weights."""


def names() -> list[str]:
    """Return all names."""
    from torchvision import models

    return [name for place in (models, models.segmentation) for name in models.list_models(place)]


def build(name: str, pretrained: bool) -> nn.Module:
    """Build a network.

    Raises:
        UsageError: torchvision has no network of this name, or it is for another purpose.
    """
    import torchvision
    from torchvision import models

    if name not in names():
        if name in models.list_models():
            raise UsageError(
                f"'torchvision:{name}' is neither for classification nor for semantic "
                "segmentation of images. No other networks of torchvision can be exported."
            )
        raise unknown_network("torchvision", name, names())
    weights = models.get_model_weights(name).DEFAULT
    is_segmentation = name in models.list_models(models.segmentation)
    # The backbone's own weights would be downloaded too.
    own = {"weights_backbone": None} if is_segmentation else _ARGUMENTS.get(name, {})
    model = models.get_model(name, weights=weights if pretrained else None, **own)
    if is_segmentation:
        model.aux_classifier = None
        model = returning(model, lambda outputs: outputs["out"])
    rule = weights.transforms()
    if is_segmentation:
        size, short_side = 2 * list(rule.resize_size), None
        evaluation = Evaluation(rule.resize_size[0], note=NOTE)
    else:
        size, short_side = 2 * list(rule.crop_size), rule.resize_size[0]
        evaluation = Evaluation(short_side, crop_size=(size[0], size[1]), note=NOTE)
    return declare(
        model,
        "segmentation" if is_segmentation else "classification",
        _classes(weights),
        normalized(
            rule.mean,
            rule.std,
            size,
            interpolation=rule.interpolation.value,
            short_side=short_side,
        ),
        f"torchvision {torchvision.__version__}: {weights}",
        evaluation=evaluation,
    )


def _classes(weights: Any) -> Classes:
    labels, data_set = tuple(weights.meta["categories"]), str(weights.name).rpartition("_V")[0]
    if data_set.startswith("IMAGENET1K"):
        return Classes(labels, len(labels), "imagenet", TASKS["imagenet"].ids)
    return Classes(labels, len(labels), data_set)
