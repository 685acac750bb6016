"""Shapes that follow from other shapes become constants."""

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.export.convert.constant_shapes import fold_shapes
from seaformer.export.convert.onnx_graph import to_onnx
from seaformer.export.convert.simplification import simplified
from seaformer.runtimes import open_content

WINDOW = 3
SIDE = 8


class Padded(nn.Module):
    """Pads to a multiple of a window, and crops again, again and again, as Swin does."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(12):
            height, width = x.shape[2:]
            bottom = (WINDOW - height % WINDOW) % WINDOW
            right = (WINDOW - width % WINDOW) % WINDOW
            x = F.pad(x, (0, right, 0, bottom)).relu() + 1.0
            x = x[:, :, :height, :width]
        return x


def traced(model: nn.Module, path: str) -> onnx.ModelProto:
    torch.onnx.export(model, (torch.zeros(1, 3, SIDE, SIDE),), path, dynamo=False, opset_version=18)
    return onnx.load(path)


def run(graph: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    with open_content(graph.SerializeToString(), ".onnx") as session:
        return np.asarray(session.run([x])[0])


def test_nothing_is_computed_from_shapes(tmp_path) -> None:
    graph = traced(Padded().eval(), str(tmp_path / "model.onnx"))
    assert {"Shape", "Mod"} <= {node.op_type for node in graph.graph.node}
    x = np.random.default_rng(0).standard_normal((1, 3, SIDE, SIDE), dtype=np.float32)
    folded = fold_shapes(graph, x)
    assert not {"Shape", "Mod", "Gather"} & {node.op_type for node in folded.graph.node}
    other = np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE), dtype=np.float32)
    np.testing.assert_array_equal(run(folded, other), run(graph, other))


def test_a_shape_that_the_simplifier_leaves_is_folded(tmp_path) -> None:
    graph = traced(Padded().eval(), str(tmp_path / "model.onnx"))
    assert not {"Shape", "Mod"} & {node.op_type for node in simplified(graph).graph.node}
    exported = to_onnx(Padded().eval(), (SIDE, SIDE), "logits")
    assert {node.op_type for node in exported.graph.node} <= {"Pad", "Relu", "Add", "Slice"}
