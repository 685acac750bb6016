"""Golden detections: outputs of a detection network, decoded by torchvision's RetinaNet.

`python -m detection_golden` writes tests/golden/detections.json, with which the
decoding in Python and in Kotlin is compared where torchvision is not installed.
"""

import json
import math
from typing import Any

import numpy as np
import torch
from locations import GOLDEN
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet
from torchvision.models.detection.transform import resize_boxes

FILE = GOLDEN / "detections.json"

Json = dict[str, Any]


def _described(size: tuple[int, int], strides: list[int], sizes: list[list[float]]) -> Json:
    grids = [[-(-side // stride) for side in size] for stride in strides]
    return {
        "levels": [
            {
                "grid": grid,
                "stride": [side // count for side, count in zip(size, grid, strict=True)],
                "sizes": of_level,
                "aspect_ratios": [0.5, 1.0, 2.0],
            }
            for grid, of_level in zip(grids, sizes, strict=True)
        ],
        "box_weights": [1.0, 1.0, 1.0, 1.0],
        "max_log_scale": math.log(1000 / 16),
        "score_threshold": 0.05,
        "candidates_per_level": 1000,
        "iou_threshold": 0.5,
        "max_detections": 100,
    }


_SMALL = _described((64, 96), [16, 32], [[16.0, 20.0], [32.0, 40.0]])
_UNEVEN = _described((72, 100), [8, 64], [[24.0], [48.0, 60.0]])

CASES: list[tuple[str, tuple[int, int], tuple[int, int], int, Json]] = [
    ("plain", (64, 96), (64, 96), 3, _SMALL),
    ("scaled", (64, 96), (480, 640), 3, _SMALL),
    (
        "limited",
        (64, 96),
        (31, 700),
        2,
        _SMALL | {"candidates_per_level": 20, "max_detections": 7, "score_threshold": 0.4},
    ),
    (
        "weights",
        (64, 96),
        (64, 96),
        1,
        _SMALL | {"box_weights": [10.0, 10.0, 5.0, 5.0], "max_log_scale": 0.5},
    ),
    ("uneven", (72, 100), (216, 300), 4, _UNEVEN | {"iou_threshold": 0.3}),
    ("nothing", (64, 96), (64, 96), 2, _SMALL | {"score_threshold": 0.999}),
]
"""Name, size of the input and of the image, number of classes, description of the output."""


def golden() -> list[Json]:
    """Compute all cases."""
    return [_case(index, *case) for index, case in enumerate(CASES)]


def _case(
    seed: int,
    name: str,
    input_size: tuple[int, int],
    image_size: tuple[int, int],
    classes: int,
    described: Json,
) -> Json:
    anchors = [math.prod(level["grid"]) * 3 * len(level["sizes"]) for level in described["levels"]]
    random = np.random.RandomState(seed)
    output = random.standard_normal((1, sum(anchors), classes + 4))
    # Torchvision does not define the order of equal scores.
    logits = np.linspace(-6, 2, output[..., :classes].size)
    output[..., :classes] = random.permutation(logits).reshape(1, -1, classes)
    output[..., classes:] *= 0.3 * np.array(described["box_weights"])
    output = output.round(3).astype(np.float32)
    boxes, scores, labels = by_torchvision(output, described, input_size, image_size)
    return {
        "name": name,
        "input_size": list(input_size),
        "image_size": list(image_size),
        "detection": described,
        "shape": list(output.shape),
        "output": [float(f"{value:.3f}") for value in output.ravel()],
        "boxes": boxes.round(4).tolist(),
        "scores": scores.round(6).tolist(),
        "classes": labels.tolist(),
    }


def by_torchvision(
    output: np.ndarray, described: Json, input_size: tuple[int, int], image_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode an output with torchvision; return boxes, scores and classes."""
    levels = described["levels"]
    generator = AnchorGenerator(
        tuple(tuple(level["sizes"]) for level in levels),
        tuple(tuple(level["aspect_ratios"]) for level in levels),
    )
    backbone = nn.Identity()
    backbone.out_channels = 1  # type: ignore[assignment]
    model = RetinaNet(
        backbone,
        1,
        anchor_generator=generator,
        head=nn.Identity(),
        score_thresh=described["score_threshold"],
        nms_thresh=described["iou_threshold"],
        detections_per_img=described["max_detections"],
        topk_candidates=described["candidates_per_level"],
    )
    model.box_coder.weights = tuple(described["box_weights"])
    model.box_coder.bbox_xform_clip = described["max_log_scale"]
    image = ImageList(torch.zeros(1, 3, *input_size), [input_size])
    anchors = generator(image, [torch.zeros(1, 1, *level["grid"]) for level in levels])[0]
    counts = [
        math.prod(level["grid"]) * len(level["sizes"]) * len(level["aspect_ratios"])
        for level in levels
    ]
    tensor = torch.from_numpy(np.ascontiguousarray(output, np.float32))
    heads = {
        "cls_logits": list(tensor[..., :-4].split(counts, 1)),
        "bbox_regression": list(tensor[..., -4:].split(counts, 1)),
    }
    (found,) = model.postprocess_detections(heads, [list(anchors.split(counts))], [input_size])
    boxes = resize_boxes(found["boxes"], list(input_size), list(image_size))
    return boxes.numpy(), found["scores"].numpy(), found["labels"].numpy()


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, golden())) + "\n]\n")
