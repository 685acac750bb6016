"""Networks of transformers: on the Hugging Face Hub, in a local folder, or among the presets.

A folder has a config.json written by `save_pretrained`; it selects one of the library's own classes
and never runs code from the folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seaformer.errors import SeaformerError, UsageError
from seaformer.models.collections.declaration import Classes, declare, normalized, returning
from seaformer.models.collections.library_errors import first_line, unknown_network
from seaformer.models.collections.transformers_presets import PRESETS, VOC
from seaformer.tasks import Kind, Preprocessing
from seaformer.tasks.task_file import OWN

_KINDS: Mapping[str, Kind] = {
    "ForSemanticSegmentation": "segmentation",
    "ForImageClassification": "classification",
}
_OF_QUERIES = ("ForUniversalSegmentation", "ForInstanceSegmentation", "ForSegmentation")
"""Ends of the names of networks such as Mask2Former, MaskFormer, OneFormer and DETR."""
USUAL_SIDE = 512
_INTERPOLATIONS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Value of Pillow's enumeration, which a processor stores -> our name."""


def names() -> list[str]:
    """Return the names that need no network access."""
    return list(PRESETS)


def build(name: str, pretrained: bool) -> nn.Module:
    """Build a network.

    Raises:
        UsageError: there is no network of this name, or it is for another purpose.
        SeaformerError: its configuration or weights cannot be downloaded.
    """
    import transformers

    _silence()
    config, processor = _configuration(name)
    architecture = (config.architectures or [""])[0]
    kind = next((kind for end, kind in _KINDS.items() if architecture.endswith(end)), None)
    if architecture.endswith(_OF_QUERIES):
        raise UsageError(
            f"'transformers:{name}' is a {architecture}, which predicts a class and a mask for "
            "each of its queries, [queries, classes + 1] and [queries, height, width]; an exported "
            "file needs one output, logits of each class [classes, height, width]. Write a module "
            "that combines them, and give it as --model FILE.py:FACTORY (see docs/models.md), or "
            "choose a network ...ForSemanticSegmentation."
        )
    if kind is None:
        raise UsageError(
            f"'transformers:{name}' is a {architecture or 'network without a head'}. Allowed: "
            f"{' and '.join(f'...{end}' for end in _KINDS)}."
        )
    automatic = (
        transformers.AutoModelForSemanticSegmentation
        if kind == "segmentation"
        else transformers.AutoModelForImageClassification
    )
    if pretrained:
        model = automatic.from_pretrained(_place(name), config=config, trust_remote_code=False)
    else:
        model = automatic.from_config(config, trust_remote_code=False)
    labels = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    is_named = not all(label == f"LABEL_{index}" for index, label in enumerate(labels))
    return declare(
        returning(model, lambda outputs: outputs.logits),
        kind,
        Classes(labels if is_named else None, len(labels), "voc" if labels == VOC else OWN),
        _preprocessing(processor, config),
        f"transformers {transformers.__version__}: config.json of {name}",
        knows_normalization=bool(processor),
    )


def renamed(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a checkpoint as the library does when it loads one.

    Published checkpoints keep the names of the library's earlier versions. Tensors that do not fit
    the network keep their names and shapes.
    """
    network: Any = type(model).__mro__[1]  # the library's own class, see `returning`
    loaded, report = network.from_pretrained(
        None,
        config=model.config,
        state_dict=dict(tensors),
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    misshapen = {key: torch.empty(shape) for key, shape, _ in report["mismatched_keys"]}
    left = {key: tensors[key] for key in report["unexpected_keys"] if key in tensors}
    found = {
        key: tensor
        for key, tensor in loaded.state_dict().items()
        if key not in report["missing_keys"]
    }
    return found | misshapen | left


def _silence() -> None:
    """Turn off the libraries' warnings and progress bars: our own errors report what fails."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    hub_logging.set_verbosity_error()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _place(name: str) -> str:
    return str(Path(name).expanduser()) if _is_folder(name) else name


def _is_folder(name: str) -> bool:
    return name.startswith(("./", "../", "/", "~")) or Path(name).is_dir()


def _configuration(name: str) -> tuple[Any, Mapping[str, Any]]:
    """Return the configurations of a network and of its image processor, {} if unknown."""
    from transformers import AutoConfig
    from transformers.image_processing_base import ImageProcessingMixin

    if name in PRESETS:
        values, processor = PRESETS[name]
        return AutoConfig.for_model(**values), processor
    place = _place(name)
    if _is_folder(name) and not (Path(place) / "config.json").is_file():
        raise UsageError(
            f"there is no file '{Path(place) / 'config.json'}'. Give a folder written "
            "by save_pretrained, or a name on the Hugging Face Hub."
        )
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        if _is_folder(name):
            raise SeaformerError(
                f"'{Path(place) / 'config.json'}' cannot be used: {first_line(error)}."
            ) from error
        why = f"its config.json cannot be downloaded ({first_line(error)})"
        raise unknown_network("transformers", name, names(), why) from error
    try:
        processor, _ = ImageProcessingMixin.get_image_processor_dict(place)
    except (OSError, ValueError):
        processor = {}
    return config, processor


def _preprocessing(processor: Mapping[str, Any], config: Any) -> Preprocessing:
    """Return the preprocessing of an image processor, described as in preprocessor_config.json."""
    size, crop = (_sides(processor.get(key)) for key in ("size", "crop_size"))
    is_cropped = bool(processor.get("do_center_crop"))
    final = crop if is_cropped else size
    side = size.get("shortest_edge") or getattr(config, "image_size", None) or USUAL_SIDE
    is_normalized = processor.get("do_normalize", "image_mean" in processor)
    is_scaled = processor.get("do_rescale", True)
    return normalized(
        processor["image_mean"] if is_normalized else (0.0, 0.0, 0.0),
        processor["image_std"] if is_normalized else (1.0, 1.0, 1.0),
        (final.get("height", side), final.get("width", side)),
        interpolation=_INTERPOLATIONS.get(processor.get("resample", 2), "bilinear"),
        short_side=size.get("height", side) if is_cropped else None,
        color_order="BGR" if processor.get("do_flip_channel_order") else "RGB",
        scale=1 / processor.get("rescale_factor", 1 / 255) if is_scaled else 1,
    )


def _sides(value: Any) -> Mapping[str, int]:
    """Return a size as a mapping; older files have one number for a square."""
    return {"height": value, "width": value} if isinstance(value, int) else value or {}
