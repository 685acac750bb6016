"""Configurations of published networks of transformers, for building them without network access.

The values come from the scripts that converted the published weights, in
huggingface/transformers: models/segformer/convert_segformer_original_to_pytorch.py and
models/mobilevit/convert_mlcvnets_to_pytorch.py. Values that the scripts do not set are the
defaults of the library's configuration class. A row has what config.json and
preprocessor_config.json of the network contain.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from seaformer.tasks import TASKS

# PASCAL VOC 2012 development kit, class 0 is the background.
VOC = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

Preset = tuple[dict[str, Any], dict[str, Any]]
"""Content of config.json and of preprocessor_config.json."""


def _segformer(depths: list[int], decoder: int, side: int = 512, first: int = 64) -> Preset:
    return (
        {
            "model_type": "segformer",
            "architectures": ["SegformerForSemanticSegmentation"],
            "depths": depths,
            "hidden_sizes": [first, 2 * first, 5 * first, 8 * first],
            "decoder_hidden_size": decoder,
            "id2label": dict(enumerate(TASKS["ade20k"].labels)),
        },
        {
            "do_resize": True,
            "size": {"height": side, "width": side},
            "resample": 2,
            "do_rescale": True,
            "do_normalize": True,
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
        },
    )


def _mobilevit(hidden: list[int], neck: list[int], expand_ratio: float = 4.0) -> Preset:
    return (
        {
            "model_type": "mobilevit",
            "architectures": ["MobileViTForSemanticSegmentation"],
            "hidden_sizes": hidden,
            "neck_hidden_sizes": neck,
            "expand_ratio": expand_ratio,
            "image_size": 512,
            "output_stride": 16,
            "id2label": dict(enumerate(VOC)),
        },
        {
            "do_resize": True,
            "size": {"shortest_edge": 544},
            "resample": 2,
            "do_center_crop": True,
            "crop_size": {"height": 512, "width": 512},
            "do_rescale": True,
            "do_flip_channel_order": True,
        },
    )


def _small(depths: list[int], side: int = 512) -> Preset:
    return _segformer(depths, 768, side)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "nvidia/segformer-b0-finetuned-ade-512-512": _segformer([2, 2, 2, 2], 256, first=32),
        "nvidia/segformer-b1-finetuned-ade-512-512": _segformer([2, 2, 2, 2], 256),
        "nvidia/segformer-b2-finetuned-ade-512-512": _small([3, 4, 6, 3]),
        "nvidia/segformer-b3-finetuned-ade-512-512": _small([3, 4, 18, 3]),
        "nvidia/segformer-b4-finetuned-ade-512-512": _small([3, 8, 27, 3]),
        "nvidia/segformer-b5-finetuned-ade-640-640": _small([3, 6, 40, 3], 640),
        "apple/deeplabv3-mobilevit-xx-small": _mobilevit(
            [64, 80, 96], [16, 16, 24, 48, 64, 80, 320], 2.0
        ),
        "apple/deeplabv3-mobilevit-x-small": _mobilevit(
            [96, 120, 144], [16, 32, 48, 64, 80, 96, 384]
        ),
        "apple/deeplabv3-mobilevit-small": _mobilevit(
            [144, 192, 240], [16, 32, 64, 96, 128, 160, 640]
        ),
    }
)
"""Name on the Hugging Face Hub -> configuration."""
