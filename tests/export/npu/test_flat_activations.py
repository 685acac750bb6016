"""Activations that the NPU approximates in maps, computed in tensors of three axes."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exporting import run_export
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.artifact.metadata import Metadata
from seaformer.evaluation.metrics import sqnr_db
from seaformer.export.convert.onnx_graph import to_onnx
from seaformer.export.npu.flat_activations import with_flat_activations
from seaformer.runtimes import open_content, open_session

SIDE, CHANNELS = 28, 32


class Activated(nn.Module):
    """Three activations of maps, and one of pooled values, which is left unchanged."""

    input_channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.second = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.gate = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.second(F.silu(self.first(x)))).tanh()
        return x.mean((2, 3)) + self.gate(x.mean((2, 3))).sigmoid()


@pytest.fixture(scope="module")
def graphs() -> tuple[onnx.ModelProto, onnx.ModelProto]:
    graph = to_onnx(Activated().eval(), (SIDE, SIDE), "features")
    flat, count = with_flat_activations(graph)
    assert count == 3
    return graph, flat


def run(graph: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    with open_content(graph.SerializeToString(), ".onnx") as session:
        return session.run([x])[0]


def noise() -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.standard_normal((1, CHANNELS, SIDE, SIDE), dtype=np.float32) + 0.5


def test_the_result_is_the_same(graphs: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    plain, flat = graphs
    onnx.checker.check_model(flat)
    np.testing.assert_array_equal(run(flat, noise()), run(plain, noise()))
    kinds = [Counter(node.op_type for node in graph.graph.node) for graph in graphs]
    assert kinds[1] - kinds[0] == {"Reshape": 6}


def test_the_npu_approximates_activations_only_in_maps(tmp_path: Path) -> None:
    """If it no longer does, `flat_activations` can be removed."""
    pytest.importorskip("onnxruntime_qnn")
    model = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.SiLU()).eval()
    model.input_channels = CHANNELS  # type: ignore[assignment]
    graph = to_onnx(model, (SIDE, SIDE), "features")
    expected, found = run(graph, noise()).astype(float), []
    for name, one in (("plain", graph), ("flat", with_flat_activations(graph)[0])):
        path = tmp_path / f"{name}.onnx"
        onnx.save(one, path)
        with open_session(path, accelerator="npu", chip="SM8650") as session:
            found.append(sqnr_db(expected, session.run([noise()])[0].astype(float)))
    assert found[0] < 55
    assert found[1] > 60


DEEP = """
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 32, 3, padding=1)]
    for _ in range(24):
        conv = nn.Conv2d(32, 32, 1)
        nn.init.normal_(conv.weight, std=0.3)
        layers += [conv, nn.Tanh()]
    return nn.Sequential(*layers, nn.Conv2d(32, 19, 1)).eval()
"""


@pytest.mark.slow
def test_an_export_computes_activations_accurately_if_the_network_needs_it(tmp_path: Path) -> None:
    """Approximated, this network reaches 16 dB."""
    pytest.importorskip("onnxruntime_qnn")
    (tmp_path / "deep.py").write_text(DEEP)
    options = ("--task", "cityscapes", "--input-size", "64", "--format", "onnx", "--output", ".")
    done = run_export(
        *("--model", "deep:make", *options, "--accelerator", "npu", "--soc", "SM8650"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Reshapes are added around 24 of them" in done.stdout + done.stderr
    described = (tmp_path / "make_64x64_fp32_SM8650.onnx.json").read_text()
    (parity,) = Metadata.model_validate_json(described).accelerators
    assert parity.status == "verified"
    assert min(row.sqnr_db or 0 for row in parity.comparisons) > 36
