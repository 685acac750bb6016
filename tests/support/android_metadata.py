"""JSON of hypothetical exports, for the tests of the Android app's core."""

import json
from typing import Any

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.artifact.metadata import (
    Comparison,
    File,
    Input,
    Metadata,
    Output,
    Parity,
    Weights,
)
from seaformer.tasks import Preprocessing, get_task

Json = dict[str, Any]


def metadata_of(name: str, **changes: Any) -> Json:
    """Return the JSON of a hypothetical export, for a task, or with changes to its input."""
    task = get_task(name)
    rules: Preprocessing = changes.pop("preprocessing", task.preprocessing)
    height, width = changes.pop("size", rules.input_size)
    layout = changes.pop("layout", "NHWC")
    classes = len(task.labels)
    is_grid = task.kind == "segmentation"
    detection = detection_of((height, width)) if task.kind == "detection" else None
    channels = rules.channels
    shape = (1, height, width, channels) if layout == "NHWC" else (1, channels, height, width)
    rows, columns = -(-height // 8), -(-width // 8)
    grid = (1, rows, columns, classes) if layout == "NHWC" else (1, classes, rows, columns)
    output = Output(
        name="logits",
        shape=grid if is_grid else (1, classes),
        dtype="float32",
        layout=layout if is_grid else "NC",
        stride=8 if is_grid else None,
        content="logits",
    )
    if detection is not None:
        boxes = {"shape": (1, detection.anchors, classes + 4), "layout": "NLC", "content": "boxes"}
        output = output.model_copy(update=boxes)
    text = Metadata(
        title=f"SeaFormer-tiny, {name}, fp32",
        name=f"seaformer_tiny_{name}",
        variant="tiny",
        model=None,
        task=name,
        kind=task.kind,
        format="tflite" if layout == "NHWC" else "onnx",
        precision="fp32",
        head="logits",
        input=Input(
            name="image",
            shape=shape,
            dtype="float32",
            layout=layout,
            color_order=rules.color_order,
            range=None,
            normalization="inside",
            mean=rules.mean,
            std=rules.std,
            resize=rules.resize,
            interpolation=rules.interpolation,
            crop_fraction=rules.crop_fraction,
        ),
        output=output,
        labels=task.labels,
        palette=task.palette,
        detection=detection,
        weights=Weights(name="random", source="", sha256=None, is_random=True),
        params=1,
        macs=1,
        content_sha256="0" * 64,
        versions={},
        rewrites=(),
        operators=(),
        modules={},
        parity=Parity(
            reference="PyTorch",
            runtime="LiteRT",
            min_sqnr_db=100,
            min_argmax_agreement=0.9999,
            comparisons=(
                Comparison(
                    input="photograph",
                    max_abs_error=1e-6,
                    sqnr_db=130.5,
                    argmax_agreement=1,
                    pytorch_float32_sqnr_db=None,
                ),
            ),
            passed=True,
        ),
        file=File(name=f"{name}.tflite", bytes=1, sha256="0" * 64),
    ).text()
    data: Json = json.loads(text)
    data["input"].update(changes)
    return data


def detection_of(size: tuple[int, int], **changes: Any) -> DetectionOutput:
    """Return a description of boxes, of two levels, for an input of this height and width."""
    levels = [
        {
            "grid": (-(-size[0] // stride), -(-size[1] // stride)),
            "stride": (stride, stride),
            "sizes": (2.0 * stride, 2.5 * stride),
            "aspect_ratios": (0.5, 1.0, 2.0),
        }
        for stride in (16, 32)
    ]
    members: dict[str, Any] = {
        "levels": levels,
        "box_weights": (1.0, 1.0, 1.0, 1.0),
        "max_log_scale": 4.0,
        "score_threshold": 0.05,
        "candidates_per_level": 1000,
        "iou_threshold": 0.5,
        "max_detections": 100,
    }
    return DetectionOutput.model_validate_json(json.dumps(members | changes))
