"""Running an exported file with every intermediate tensor kept, to match its operators."""

import os
from collections.abc import Sequence

import numpy as np
import onnx

from seaformer.export.convert.operator_map import Fingerprint, MappedOperator, map_tflite
from seaformer.export.convert.tflite_file import input_tensor, operators
from seaformer.runtimes import open_content

BATCH = 48
"""Tensors fetched per run: bounds the memory, for the price of a few more runs."""


def map_operators(
    flatbuffer: bytes, graph: onnx.ModelProto, modules: set[str], picture: np.ndarray
) -> list[MappedOperator]:
    """Map the operators of a single-precision TFLite file to modules.

    Args:
        flatbuffer: the file.
        graph: the ONNX graph that it was converted from.
        modules: path of every module of the model that the graph was traced from.
        picture: what to run both on, float32 [1, 3, H, W] of values that the model is made for.
            Others saturate activations, and tensors that are mostly zero are hard to tell apart.

    Raises:
        SeaformerError: an operator or a node is left over.
    """
    mapped = operators(flatbuffer)
    channels_last = np.ascontiguousarray(picture.transpose(0, 2, 3, 1))
    numbers = [str(tensor) for operator in mapped for tensor in operator.outputs]
    tensors = _fingerprints(flatbuffer, ".tflite", numbers, channels_last)
    names = [name for node in graph.graph.node for name in node.output]
    return map_tflite(
        mapped,
        {int(number): fingerprint for number, fingerprint in tensors.items()},
        input_tensor(flatbuffer),
        graph,
        _fingerprints(graph.SerializeToString(), ".onnx", names, picture),
        modules,
    )


def _fingerprints(
    model: bytes, suffix: str, keys: Sequence[str], x: np.ndarray
) -> dict[str, Fingerprint]:
    found: dict[str, Fingerprint] = {}
    with open_content(model, suffix, threads=os.cpu_count() or 1) as session:
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            for key, tensor in zip(batch, session.fetch(batch, [x]), strict=True):
                found[key] = Fingerprint.of(tensor)
    return found
