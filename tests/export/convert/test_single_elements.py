"""Single elements of an axis, compared with NumPy and with PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from converted import run_converted
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from seaformer.export.convert import tflite_file
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.onnx_graph import INPUT_NAME, to_onnx
from seaformer.export.convert.single_elements import slice_single_elements


def gathering(index: int | list[int], axis: int) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 5, 6])
    written = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = helper.make_node("Gather", ["x", "index"], ["y"], name="pick", axis=axis)
    constant = numpy_helper.from_array(np.array(index), "index")
    graph = helper.make_graph([node], "gather", [given], [written], [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("index", [0, 3, -1, -2])
def test_an_element_is_a_slice_without_its_axis(index: int, axis: int) -> None:
    graph = gathering(index, axis)
    x = np.random.default_rng(0).standard_normal((1, 5, 6)).astype(np.float32)
    slice_single_elements(graph)
    assert [node.op_type for node in graph.graph.node] == ["Slice", "Reshape"]
    (found,) = ReferenceEvaluator(graph).run(None, {"x": x})
    np.testing.assert_array_equal(found, x.take(index, axis))


def test_several_elements_stay_gathered() -> None:
    graph = gathering([0, 2], 1)
    slice_single_elements(graph)
    assert [node.op_type for node in graph.graph.node] == ["Gather"]


class ClassToken(nn.Module):
    """A vision transformer's embedding and head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, channels, 4, 4)
        self.token = nn.Parameter(torch.ones(1, 1, channels))
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat((self.token, tokens), dim=1))
        tokens = tokens + tokens.mean(1, keepdim=True)
        return self.head(tokens[:, 0])


def test_a_class_token_is_not_gathered(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, image = ClassToken(24).eval(), torch.randn(1, 3, 16, 16)
    onnx_file = tmp_path / "model.onnx"
    onnx.save(to_onnx(model, (16, 16), "logits"), onnx_file)
    content = to_tflite(onnx_file, tmp_path / "work", INPUT_NAME, "logits")
    types = {operator.type for operator in tflite_file.operators(content)}
    assert "GATHER" not in types
    with torch.no_grad():
        expected = model(image).numpy()
    np.testing.assert_allclose(run_converted(content, image), expected, atol=1e-5)
