"""Multiply-accumulates of operators, compared with the counter behind the published numbers."""

from collections import Counter
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from seaformer.artifact.metadata import MappedOperator
from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.benchmark.breakdown.macs import COUNTS, macs
from seaformer.benchmark.breakdown.onnx_graph import OnnxGraph
from seaformer.models.catalog import count_macs
from seaformer.runtimes import open_session


class EveryKind(nn.Module):
    """Every type of operator with MACs, and some without."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 8, (3, 5), padding=(1, 2), groups=4)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.adjoint = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.linear = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(self.grouped(self.conv(x)).relu())
        x = self.adjoint(x)
        x = nn.functional.interpolate(x, scale_factor=1.5, mode="bilinear")
        rows = x.flatten(2)
        mixed = (rows.transpose(1, 2) @ rows).softmax(-1) @ rows.transpose(1, 2)
        return self.linear(mixed.mean(1)) + self.linear(mixed)[:, 0]


def test_an_onnx_file_has_the_macs_of_its_network(tmp_path: Path) -> None:
    model, size = EveryKind().eval(), (16, 12)
    path = tmp_path / "every.onnx"
    torch.onnx.export(model, (torch.zeros(1, 3, *size),), str(path), dynamo=False)
    rows = [
        MappedOperator(index=index, type=node.op_type, module="", nodes=())
        for index, node in enumerate(onnx.load(path).graph.node)
    ]
    graph = OnnxGraph(path, rows)
    counted = {one.type for one in graph.operators if one.macs}
    assert counted == {"Conv", "ConvTranspose", "Resize", "MatMul", "Gemm"}
    assert sum(one.macs for one in graph.operators) == count_macs(model, size)


def by_part(path: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in open_graph(path, open_session(path).metadata).operators:
        found[".".join(one.module.split(".")[:4])] += one.macs
    return +found


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.slow
def test_both_formats_have_the_same_macs_in_every_module(tiny_export: Path, precision: str) -> None:
    (tflite,) = tiny_export.glob(f"*{precision}.tflite")
    (onnx_file,) = tiny_export.glob(f"*{precision}.onnx")
    assert by_part(tflite) == by_part(onnx_file)


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "expected"),
    [
        # by hand: elements of the output x taps x channels
        ("TRANSPOSE_CONV", [(4,), (7, 2, 2, 5), (1, 3, 4, 5)], (1, 6, 8, 7), 3 * 4 * 5 * 7 * 4),
        ("FULLY_CONNECTED", [(2, 9), (4, 9)], (2, 4), 2 * 4 * 9),
        ("ADD", [(2, 9), (2, 9)], (2, 9), 0),
    ],
)
def test_operators_that_no_export_contains(
    kind: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], expected: int
) -> None:
    assert macs(kind, inputs, output) == expected
    assert (kind in COUNTS) is bool(expected)
