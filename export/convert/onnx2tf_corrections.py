"""Corrections for operators that onnx2tf 1.28.8 reads wrongly.

ConvTranspose  It assumes that its input is stored channels last. If the input is in the order of
               ONNX, as after a Reshape, channels are read as rows, and LiteRT refuses the file.
Resize         From opset 18 on, it treats every coordinate transformation as half_pixel. Up to 17
               it also reads align_corners and asymmetric. The additions of opset 18, such as
               antialiasing, never occur in our graphs.
TopK           It calls int() on the number of values, which in ONNX is an array of one element;
               NumPy refuses this since 2.4.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

LAST_CORRECT_OPSET = 17
"""Last opset in which `Resize` is read correctly."""


def correct() -> None:
    """Correct onnx2tf in this process."""
    for operator, corrected in CORRECTIONS.items():
        module: Any = importlib.import_module(f"onnx2tf.ops.{operator}")
        module.make_node = _behind(corrected, module.make_node)


def _behind(
    corrected: Callable[[dict[str, Any]], dict[str, Any]], make_node: Callable[..., Any]
) -> Callable[..., Any]:
    def make_corrected_node(**arguments: Any) -> Any:
        return make_node(**corrected(arguments))

    return make_corrected_node


def _conv_transpose(arguments: dict[str, Any]) -> dict[str, Any]:
    given, weight = arguments["graph_node"].inputs[:2]
    layer = arguments["tf_layers_dict"][given.name]
    shape, channels = layer["tf_node"].shape, weight.shape[0]
    if shape[-1] != channels and shape[1] == channels:
        import tensorflow as tf

        perm = [0, *range(2, len(shape)), 1]
        layer["tf_node"] = tf.transpose(layer["tf_node"], perm)
    return arguments


def _resize(arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments | {"opset": min(arguments["opset"], LAST_CORRECT_OPSET)}


def _top_k(arguments: dict[str, Any]) -> dict[str, Any]:
    count = arguments["graph_node"].inputs[1]
    count.values = count.values.reshape(())
    return arguments


CORRECTIONS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ConvTranspose": _conv_transpose,
    "Resize": _resize,
    "TopK": _top_k,
}
"""Operator of ONNX -> function that corrects the arguments of its handler."""
