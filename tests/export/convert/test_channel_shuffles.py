"""Shuffled channels, compared with PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import torch
from converted import run_converted
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from seaformer.export.convert import tflite_file
from seaformer.export.convert.channel_shuffles import gather_shuffled_channels
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.onnx_graph import INPUT_NAME, to_onnx


class Shuffles(nn.Module):
    """Two shuffles; the map has as many channels as rows and columns in the second."""

    def __init__(self, groups: int = 2, order: tuple[int, ...] = (0, 2, 1, 3, 4)) -> None:
        super().__init__()
        self.into, self.out = nn.Conv2d(3, 12, 1), nn.Conv2d(12, 5, 1)
        self.pool = nn.AvgPool2d(2)
        self.groups, self.order = groups, order

    def shuffle(self, x: Tensor) -> Tensor:
        """Written as in torchvision's ShuffleNet."""
        batch, channels, height, width = x.shape
        grouped = x.view(batch, self.groups, channels // self.groups, height, width)
        return grouped.permute(self.order).reshape(batch, channels, height, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.shuffle(self.pool(self.shuffle(self.into(x)))))


def traced(model: nn.Module) -> onnx.ModelProto:
    return to_onnx(model.eval(), (24, 24), "logits")


def test_channels_are_selected() -> None:
    torch.manual_seed(0)
    model, image = Shuffles(3), torch.randn(1, 3, 24, 24)
    graph = traced(model)
    gather_shuffled_channels(graph)
    types = [node.op_type for node in graph.graph.node]
    assert types.count("Gather") == 2
    assert {"Reshape", "Transpose"}.isdisjoint(types)
    (found,) = ReferenceEvaluator(graph).run(None, {INPUT_NAME: image.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, model(image).numpy(), atol=1e-5)


def test_other_orders_stay() -> None:
    graph = traced(Shuffles(2, (0, 2, 1, 4, 3)))
    before = [node.name for node in graph.graph.node]
    gather_shuffled_channels(graph)
    assert [node.name for node in graph.graph.node] == before


def test_a_shuffle_has_at_most_four_axes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, image = Shuffles(), torch.randn(1, 3, 24, 24)
    onnx.save(traced(model), tmp_path / "model.onnx")
    content = to_tflite(tmp_path / "model.onnx", tmp_path / "work", INPUT_NAME, "logits")
    types = {operator.type for operator in tflite_file.operators(content)}
    assert {"RESHAPE", "TRANSPOSE"}.isdisjoint(types)
    with torch.no_grad():
        expected = model(image).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(run_converted(content, image), expected, atol=1e-5)
