"""Tiny real model files that classify pixels by their strongest color, so masks are known.

The logits are the averages of red, green and blue over 8 x 8 pixels, so there are three classes.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from seaformer.tasks import Task

LABELS = ["red", "green", "blue"]
PALETTE = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
SIDE = 64
OWN_WEIGHTS = {"name": "own", "source": "none", "sha256": None, "is_random": False}
RANDOM_WEIGHTS = {"name": "random", "source": "seed 0", "sha256": None, "is_random": True}


def metadata(layout: str = "NCHW", kind: str = "segmentation", **changes: Any) -> dict[str, Any]:
    """Return the metadata of a model, as an export writes it; `changes` replace whole members."""
    sides = [1, 3, SIDE, SIDE] if layout == "NCHW" else [1, SIDE, SIDE, 3]
    grid = [1, 3, 8, 8] if layout == "NCHW" else [1, 8, 8, 3]
    is_grid = kind == "segmentation"
    members = {
        "schema_version": 2,
        "name": "colors",
        "variant": "tiny",
        "model": None,
        "task": "colors",
        "kind": kind,
        "format": "onnx" if layout == "NCHW" else "tflite",
        "precision": "fp32",
        "head": "logits",
        "input": {
            "name": "image",
            "shape": sides,
            "dtype": "float32",
            "layout": layout,
            "color_order": "RGB",
            "range": [0, 255],
            "normalization": "inside",
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "resize": "stretch",
            "interpolation": "bilinear",
        },
        "output": {
            "name": "logits",
            "shape": grid if is_grid else [1, 3],
            "dtype": "float32",
            "layout": layout if is_grid else "NC",
            "stride": 8 if is_grid else None,
            "content": "logits",
        },
        "labels": LABELS,
        "palette": PALETTE,
        "weights": OWN_WEIGHTS,
        "params": 0,
        "macs": 0,
        "content_sha256": "0" * 64,
        "versions": {},
        "rewrites": [],
        "operators": [],
        "modules": {},
        "parity": {
            "reference": "PyTorch",
            "runtime": "none",
            "min_sqnr_db": 0,
            "min_argmax_agreement": 0,
            "comparisons": [],
            "passed": True,
        },
    } | changes
    network = members["model"] or f"SeaFormer-{members['variant']}"
    return {"title": f"{network}, {members['task']}, {members['precision']}"} | members


def write_onnx(
    path: Path,
    info: dict[str, Any] | None = None,
    *,
    sides: tuple[int | str, int | str] = (SIDE, SIDE),
    dtype: int = TensorProto.FLOAT,
    scale: float = 1.0,
    classify: bool = False,
) -> Path:
    """Write [1, 3, H, W] -> scale x averages; with `classify` one average per channel, [1, 3]."""
    nodes = [helper.make_node("Mul", ["image", "scale"], ["scaled"])]
    if classify:
        nodes.append(helper.make_node("GlobalAveragePool", ["scaled"], ["grid"]))
        nodes.append(helper.make_node("Flatten", ["grid"], ["logits"]))
    else:
        nodes.append(
            helper.make_node(
                "AveragePool", ["scaled"], ["logits"], kernel_shape=[8, 8], strides=[8, 8]
            )
        )
    numpy_type = helper.tensor_dtype_to_np_dtype(dtype)
    graph = helper.make_graph(
        nodes,
        "strongest color",
        [helper.make_tensor_value_info("image", dtype, [1, 3, *sides])],
        [helper.make_tensor_value_info("logits", dtype, [1, 3] if classify else None)],
        [onnx.numpy_helper.from_array(np.array(scale, dtype=numpy_type), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if info is not None:
        helper.set_model_props(model, {"seaformer": json.dumps(info)})
    onnx.save(model, path)
    return path


DETECTION: dict[str, Any] = {
    "levels": [{"grid": [8, 8], "stride": [8, 8], "sizes": [16], "aspect_ratios": [1]}],
    "box_weights": [1, 1, 1, 1],
    "max_log_scale": 4.0,
    "score_threshold": 0.05,
    "candidates_per_level": 1000,
    "iou_threshold": 0.5,
    "max_detections": 100,
}


def detection_metadata(**changes: Any) -> dict[str, Any]:
    """Return the metadata of `write_detector`; `changes` replace whole members."""
    output = {
        "name": "logits",
        "shape": [1, 64, 7],
        "dtype": "float32",
        "layout": "NLC",
        "stride": None,
        "content": "boxes",
    }
    return metadata(kind="detection") | {"output": output, "detection": DETECTION} | changes


def write_detector(path: Path, info: dict[str, Any]) -> Path:
    """Write an .onnx with an anchor of 16 pixels every 8 pixels.

    The logits of red, green and blue are (value - 200) / 10 at the anchor, and the offsets are 0.
    """
    weight = np.zeros((7, 3, 1, 1), np.float32)
    bias = np.zeros(7, np.float32)
    for channel in range(3):
        weight[channel, channel], bias[channel] = 0.1, -20
    graph = helper.make_graph(
        [
            helper.make_node("MaxPool", ["image"], ["most"], kernel_shape=[1, 1], strides=[8, 8]),
            helper.make_node("Conv", ["most", "weight", "bias"], ["maps"]),
            helper.make_node("Transpose", ["maps"], ["rows"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["rows", "shape"], ["logits"]),
        ],
        "boxes of strong colors",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 64, 7])],
        [
            onnx.numpy_helper.from_array(weight, "weight"),
            onnx.numpy_helper.from_array(bias, "bias"),
            onnx.numpy_helper.from_array(np.array([1, 64, 7]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"seaformer": json.dumps(info)})
    onnx.save(model, path)
    return path


def write_painter(path: Path, task: Task, classes: tuple[int, int, int]) -> Path:
    """Write an .onnx for `task` that classifies red, green and blue as the given classes."""
    weight = np.zeros((task.num_classes, 3, 1, 1), np.float32)
    bias = np.full(task.num_classes, -1.0, np.float32)
    for channel, index in enumerate(classes):
        weight[index, channel] = 1
        bias[index] = 0
    graph = helper.make_graph(
        [
            helper.make_node(
                "AveragePool", ["image"], ["means"], kernel_shape=[8, 8], strides=[8, 8]
            ),
            helper.make_node("Conv", ["means", "weight", "bias"], ["logits"]),
        ],
        "painter",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [
            onnx.numpy_helper.from_array(weight, "weight"),
            onnx.numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    info = metadata(task=task.name, labels=list(task.labels), palette=None)
    helper.set_model_props(model, {"seaformer": json.dumps(info)})
    onnx.save(model, path)
    return path


def tflite(*, quantized: bool = False, any_size: bool = False) -> bytes:
    """Return a .tflite of [1, H, W, 3] -> averages; `quantized` has int8 input and output."""
    import tensorflow as tf

    side = None if any_size else SIDE

    @tf.function(input_signature=[tf.TensorSpec([1, side, side, 3], tf.float32, name="image")])
    def strongest(image: Any) -> Any:
        return tf.nn.avg_pool2d(image, 8, 8, "VALID")

    converter = tf.lite.TFLiteConverter.from_concrete_functions([strongest.get_concrete_function()])
    if quantized:
        corners = [np.full((1, SIDE, SIDE, 3), value, np.float32) for value in (0, 255)]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([corner] for corner in corners)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def associate(path: Path, info: dict[str, Any]) -> Path:
    """Append the metadata to a .tflite file as an export does."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("seaformer.json", json.dumps(info))
    return path
