"""Maps reshaped to six axes are rearranged with at most four, compared with PyTorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from converted import run_converted
from onnx.reference import ReferenceEvaluator
from torch import nn
from window_networks import (
    MaskedScores,
    MobileViTv2Blocks,
    PixelShuffles,
    Windows,
    WindowsOfMaps,
    between_convolutions,
)

from seaformer.export.convert.blocks_of_positions import rearrange_blocks
from seaformer.export.convert.constants_of_many_axes import flatten_constants
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.merged_axes import merge_axes, merged_groups
from seaformer.export.convert.onnx_graph import INPUT_NAME, to_onnx
from seaformer.export.convert.tensor_shapes import tensor_shapes

NETWORKS = (
    (MobileViTv2Blocks, rearrange_blocks),
    (PixelShuffles, rearrange_blocks),
    (Windows, merge_axes),
    (WindowsOfMaps, merge_axes),
    (MaskedScores, flatten_constants),
)
SIZES = ((16, 24), (8, 8))
"""The second is as long as there are channels."""


@pytest.mark.parametrize(("network", "rearrange"), NETWORKS)
def test_a_rearranged_graph_computes_the_same(
    network: type[nn.Module], rearrange: Callable[[onnx.ModelProto], None]
) -> None:
    model = between_convolutions(network())
    image = torch.randn(1, 3, *SIZES[0], generator=torch.Generator().manual_seed(1))
    graph = to_onnx(model, SIZES[0], "logits")
    rearrange(graph)
    shapes = tensor_shapes(graph)
    assert max(len(shapes[name]) for node in graph.graph.node for name in node.output) == 4
    (found,) = ReferenceEvaluator(graph).run(None, {INPUT_NAME: image.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, model(image).numpy(), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("network", [network for network, _ in NETWORKS])
def test_a_converted_file_has_at_most_four_axes(
    network: type[nn.Module], size: tuple[int, int], tmp_path: Path
) -> None:
    model = between_convolutions(network())
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    onnx.save(to_onnx(model, size, "logits"), tmp_path / "model.onnx")
    content = to_tflite(tmp_path / "model.onnx", tmp_path / "work", INPUT_NAME, "logits")
    tensors = Interpreter(model_content=content).get_tensor_details()
    assert max(len(tensor["shape"]) for tensor in tensors) == 4
    with torch.no_grad():
        expected = model(image).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(run_converted(content, image), expected, atol=1e-4)


def test_axes_that_stay_beside_each_other_are_one() -> None:
    assert merged_groups([1, 4, 8, 4, 8, 5], [0, 1, 3, 2, 4, 5]) == [(1,), (3,), (2,), (4, 5)]
    assert merged_groups([2, 3, 4, 5, 6], [0, 2, 1, 4, 3]) == [(0,), (2,), (1,), (4,), (3,)]
    assert merged_groups([2, 3, 1, 5], [2, 0, 1, 3]) == [(0, 1, 3)]
