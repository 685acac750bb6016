"""Engines of the ONNX quantizer for the trained network and small graphs, and their content."""

from pathlib import Path

import numpy as np
import onnx
from exporting import read_metadata
from onnx import TensorProto, helper, numpy_helper
from quantizing import scenes

from seaformer.artifact.embedding import content_of
from seaformer.artifact.metadata import MappedOperator
from seaformer.artifact.precisions import FORMATS
from seaformer.export.quantize.calibration import network_inputs
from seaformer.export.quantize.onnx_engine import OnnxEngine
from seaformer.export.quantize.quality import open_bytes
from seaformer.quantization.ranges import choose
from seaformer.tasks import get_task

ONNX = FORMATS["onnx"]
SIZE = (128, 128)
BYTES = (0.0, 255.0)


def images(count: int, split: str = "val") -> list[np.ndarray]:
    """Return scenes as inputs of the network."""
    preprocessing = get_task("shapes").preprocessing
    return [*network_inputs(scenes(count, SIZE, split), preprocessing, SIZE, inside=True)]


def engine_of(file: Path) -> OnnxEngine:
    """Return the engine of an exported fp32 .onnx file, without calibrated ranges."""
    metadata = read_metadata(file)
    return OnnxEngine(onnx.load_from_string(content_of(file)), list(metadata.operators), BYTES)


def outputs(model: bytes, inputs: list[np.ndarray]) -> np.ndarray:
    with open_bytes(model, ONNX) as session:
        return np.concatenate([session.run(x) for x in inputs])


def nodes_of(model: bytes) -> dict[str, onnx.NodeProto]:
    return {node.name: node for node in onnx.load_from_string(model).graph.node}


def stored_in(model: bytes) -> dict[str, np.ndarray]:
    graph = onnx.load_from_string(model).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def small_engine(nodes: list[onnx.NodeProto], **weights: np.ndarray) -> OnnxEngine:
    """Return the calibrated engine of a graph from `image` [1, 3, 16, 16] to `logits`."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    for node in model.graph.node:
        node.name = f"/{node.output[0]}/{node.op_type}"
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    operators = [
        MappedOperator(index=index, type=node.op_type, module=node.output[0], nodes=(node.name,))
        for index, node in enumerate(model.graph.node)
    ]
    engine = OnnxEngine(model, operators, BYTES)
    engine.ranges = choose(engine.observe(noise(8)), "min-max")
    return engine


def noise(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (1, 3, 16, 16)).astype(np.float32) for _ in range(count)]
