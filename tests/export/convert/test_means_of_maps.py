"""Means of large maps, compared with NumPy and with PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from converted import run_converted
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.means_of_maps import split_means
from seaformer.export.convert.onnx_graph import INPUT_NAME, to_onnx


def graph_of(node: onnx.NodeProto, side: int, opset: int) -> onnx.ModelProto:
    shape = [1, 4, side, side]
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    written = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    axes = numpy_helper.from_array(np.array([-1, 2]), "axes")
    graph = helper.make_graph([node], "mean", [given], [written], [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def mean_over(name: str, keeps: int, opset: int) -> onnx.NodeProto:
    if name == "GlobalAveragePool":
        return helper.make_node(name, ["x"], ["y"], name="mean")
    given, axes = (["x"], {"axes": [2, 3]}) if opset < 18 else (["x", "axes"], {})
    return helper.make_node("ReduceMean", given, ["y"], name="mean", keepdims=keeps, **axes)


@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize(
    ("name", "keeps"), [("GlobalAveragePool", 1), ("ReduceMean", 1), ("ReduceMean", 0)]
)
def test_a_mean_is_taken_along_one_axis_after_the_other(name: str, keeps: int, opset: int) -> None:
    graph = graph_of(mean_over(name, keeps, opset), 16, opset)
    x = np.random.default_rng(0).standard_normal((1, 4, 16, 16)).astype(np.float32)
    split_means(graph)
    assert [node.name for node in graph.graph.node] == ["mean/rows", "mean"]
    (found,) = ReferenceEvaluator(graph).run(None, {"x": x})
    np.testing.assert_allclose(found, x.mean((2, 3), keepdims=bool(keeps)), atol=1e-6)


def test_means_of_small_maps_and_of_other_axes_stay() -> None:
    along_one = helper.make_node("ReduceMean", ["x"], ["y"], name="mean", axes=[3])
    for node, side in ((mean_over("GlobalAveragePool", 1, 17), 15), (along_one, 16)):
        graph = graph_of(node, side, 17)
        split_means(graph)
        assert list(graph.graph.node) == [node]


@pytest.mark.parametrize(("kernel", "strides"), [((16, 32), (16, 32)), ((20, 13), (4, 3))])
def test_large_windows_are_averaged_along_one_axis_after_the_other(
    kernel: tuple[int, int], strides: tuple[int, int]
) -> None:
    sizes = {"kernel_shape": kernel, "strides": strides}
    pooling = helper.make_node("AveragePool", ["x"], ["y"], name="pool", **sizes)
    graph = graph_of(pooling, 32, 18)
    x = np.random.default_rng(0).standard_normal((1, 4, 32, 32)).astype(np.float32)
    expected = F.avg_pool2d(torch.from_numpy(x), kernel, strides).numpy()
    split_means(graph)
    assert [node.name for node in graph.graph.node] == ["pool/rows", "pool"]
    (found,) = ReferenceEvaluator(graph).run(None, {"x": x})
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel_shape": [16, 16]},
        {"pads": [0, 0, 1, 1]},
        {"ceil_mode": 1},
        {"auto_pad": "SAME_UPPER"},
    ],
)
def test_small_windows_and_windows_beyond_the_border_stay(changed: dict[str, Any]) -> None:
    settings = {"kernel_shape": [20, 20], "strides": [6, 6]} | changed
    node = helper.make_node("AveragePool", ["x"], ["y"], name="pool", **settings)
    graph = graph_of(node, 32, 18)
    split_means(graph)
    assert list(graph.graph.node) == [node]


class Squeezed(nn.Module):
    """A map multiplied by the means of its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 112, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * x.mean((2, 3), keepdim=True)


class Pooled(Squeezed):
    """The same with the means of four quarters of the map."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * F.interpolate(F.avg_pool2d(x, 56), size=x.shape[2:])


@pytest.mark.parametrize("network", [Squeezed, Pooled])
def test_the_mean_of_a_uniform_map_is_as_accurate_as_in_pytorch(
    network: type[Squeezed], tmp_path: Path
) -> None:
    """The map has as many channels as rows and columns, so that its layout is ambiguous."""
    torch.manual_seed(0)
    model = network().eval()
    onnx_file = tmp_path / "model.onnx"
    onnx.save(to_onnx(model, (112, 112), "logits"), onnx_file)
    content = to_tflite(onnx_file, tmp_path / "work", INPUT_NAME, "logits")
    noise = np.random.default_rng(0).standard_normal((1, 3, 112, 112)).astype(np.float32)
    model.double()
    for x in (np.full_like(noise, 2.4), noise):
        image = torch.from_numpy(x)
        with torch.no_grad():
            reference = model(image.double()).permute(0, 2, 3, 1).numpy()
        error = run_converted(content, image) - reference
        assert 10 * np.log10(np.square(reference).sum() / np.square(error).sum()) > 115
