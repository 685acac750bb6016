"""Operators of users' networks: each is exported, or refused by name with an alternative."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import assert_one_line, names, run_export
from locations import SUPPORT
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.errors import SeaformerError
from seaformer.export.convert.onnx_graph import to_onnx
from seaformer.export.convert.tensor_shapes import tensor_shapes
from seaformer.export.equivalents import Equivalents
from seaformer.export.verify.double_precision import InFloat64
from seaformer.runtimes import open_content

SIDE = 16

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "nearest by a scale": lambda x: F.interpolate(x, scale_factor=1.7),
    "nearest-exact": lambda x: F.interpolate(x, size=(23, 37), mode="nearest-exact"),
    "nearest-exact to a multiple": lambda x: F.interpolate(x, size=32, mode="nearest-exact"),
    "bilinear by a scale": lambda x: F.interpolate(x, scale_factor=(1.7, 0.6), mode="bilinear"),
    "bilinear, antialias": lambda x: F.interpolate(x, (7, 9), mode="bilinear", antialias=True),
    "bicubic": lambda x: F.interpolate(x, scale_factor=2.0, mode="bicubic"),
    "bicubic, corners": lambda x: F.interpolate(x, (23, 9), mode="bicubic", align_corners=True),
    "bicubic, antialias": lambda x: F.interpolate(x, (7, 9), mode="bicubic", antialias=True),
    "area": lambda x: F.interpolate(x, size=(7, 9), mode="area"),
    "area by a scale": lambda x: F.interpolate(x, scale_factor=0.4, mode="area"),
    "adaptive average": lambda x: F.adaptive_avg_pool2d(x, (3, None)),
    "adaptive average, larger": lambda x: F.adaptive_avg_pool2d(x, (18, 20)),
    "adaptive maximum": lambda x: F.adaptive_max_pool2d(x, (6, 5)),
    "adaptive maximum, larger": lambda x: F.adaptive_max_pool2d(x, (18, 20)),
    "adaptive average of a line": lambda x: F.adaptive_avg_pool1d(x.flatten(2), 100)[..., None],
    "adaptive maximum of a line": lambda x: F.adaptive_max_pool1d(x.flatten(2), 100)[..., None],
    "area of a line": lambda x: F.interpolate(x.flatten(2), 100, mode="area")[..., None],
    "average, divisor": lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=4),
    "GELU": F.gelu,
    "GELU by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hard sigmoid": lambda x: F.hardsigmoid(4 * x),
    "threshold": lambda x: F.threshold(x, 0.1, -0.3),
    "channel shuffle": lambda x: F.channel_shuffle(x, 4),
    "flip": lambda x: x.flip(1, -1),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "tril": lambda x: x.tril(2),
    "triu": lambda x: torch.triu(x, -1),
    "scaled copies": lambda x: F.conv2d(x, torch.linspace(-1, 1, 16).view(16, 1, 1, 1), groups=8)[
        :, 3:11
    ],
    "dilated transposed": lambda x: F.conv_transpose2d(
        x, torch.linspace(-1, 1, 288).view(8, 4, 3, 3), None, 2, 2, 1, 2, (2, 3)
    ),
    "unfold": lambda x: F.unfold(x, (3, 2), 1, 1, 2).unflatten(2, (8, 9)),
    "unfold to blocks": lambda x: F.unfold(x, 2, stride=2).unflatten(2, (8, 8)),
    "fold": lambda x: F.fold(F.unfold(x, 3, 2, 2, 2), (SIDE, SIDE), 3, 2, 2, 2),
    "LayerNorm of the map": lambda x: F.layer_norm(x, [8, SIDE, SIDE]),
    "LayerNorm of the channels": lambda x: F.layer_norm(x.movedim(1, 3), [8]).movedim(3, 1),
    "GroupNorm": lambda x: F.group_norm(x, 2, torch.arange(8.0), torch.arange(8.0)),
    "GroupNorm of one group": lambda x: F.group_norm(x, 1, torch.arange(8.0)),
    "InstanceNorm": lambda x: F.instance_norm(x, weight=torch.arange(8.0), bias=torch.arange(8.0)),
    "cumsum": lambda x: x.cumsum(1) + torch.cumsum(x, -1) + x.cumsum(dim=2),
    "local response norm": lambda x: F.local_response_norm(x, 4),
    "einsum of a map": lambda x: torch.einsum("bchw,dc->bdhw", x, torch.ones(3, 8).cumsum(1)),
    "product with one matrix": lambda x: x @ x[:, :1].transpose(2, 3) * 0.5,
    "product of one matrix": lambda x: torch.matmul(x[:, :1], x) * 0.5,
    "attention with shared keys": lambda x: F.scaled_dot_product_attention(x, x[:, :1], x[:, :1]),
    "einsum of heads": lambda x: torch.einsum("bhid,bhjd->bhij", x, x * 0.5),
}
"""Functions of [1, 8, SIDE, SIDE] that are replaced by equivalents during tracing."""


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_an_equivalent_is_exact(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(1, 8, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).double()
    with InFloat64():
        expected = function(x)
        with Equivalents():
            found = function(x)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


class Calling(nn.Module):
    """A network that applies a function to a map."""

    input_channels = 8

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_an_equivalent_exports_to_onnx(function: Callable[[Tensor], Tensor]) -> None:
    """torch's exporter refuses most of these functions, and computes wrong averages."""
    x = torch.randn(1, 8, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    places: list[str] = []
    graph = to_onnx(Calling(function), (SIDE, SIDE), "y", places.append)
    with open_content(graph.SerializeToString(), ".onnx") as session:
        (found,) = session.run([x.numpy()])
    np.testing.assert_allclose(found, function(x).numpy(), rtol=1e-3, atol=1e-4)
    assert places == []


def test_a_hard_sigmoid_has_operators_that_gpus_take() -> None:
    graph = to_onnx(Calling(F.hardsigmoid), (SIDE, SIDE), "y").graph
    assert [node.op_type for node in graph.node] == ["Add", "Clip", "Mul"]


SHARED = ("product with one matrix", "product of one matrix", "attention with shared keys")


@pytest.mark.parametrize("name", SHARED)
def test_a_gpu_need_not_repeat_the_matrices_of_a_product(name: str) -> None:
    graph = to_onnx(Calling(FUNCTIONS[name]), (SIDE, SIDE), "y")
    shapes = tensor_shapes(graph)
    products = [node for node in graph.graph.node if node.op_type == "MatMul"]
    batches = [[shapes[name][:-2] for name in node.input] for node in products]
    assert batches == [[[1, 1], [1, 1]]] * (2 if "attention" in name else 1)


class Branches(nn.Module):
    """The sum of all functions of one map, resized to one size."""

    def __init__(self, *functions: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.functions = functions
        self.dilated = nn.ConvTranspose2d(8, 8, 3, stride=2, dilation=2, groups=2)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm([8, SIDE, SIDE])
        self.act = nn.GELU()
        self.head = nn.Conv2d(8, 12, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.first(image)
        tokens = self.encoder(x.flatten(2).transpose(1, 2))
        tokens = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        maps = [tokens.transpose(1, 2).reshape(x.shape), self.dilated(x), self.act(self.norm(x))]
        maps += [function(x.float()) for function in self.functions]
        return self.head(sum(F.interpolate(m, x.shape[2:], mode="bilinear") for m in maps))


def export_branches(folder: Path, functions: str, *formats: str) -> None:
    """Export `Branches` of functions with the command, as a user's network."""
    (folder / "own.py").write_text(
        "from test_equivalents import FUNCTIONS, F, torch, Branches\n"
        f"def network():\n    torch.manual_seed(0)\n    return Branches({functions})\n"
    )
    done = run_export(
        *("--model", "own:network", "--input-size", "64", "--task", "shapes", "--output", "build"),
        *("--accelerator", "cpu", *formats),
        cwd=folder,
        PYTHONPATH=f"{Path(__file__).parent}:{SUPPORT}",
    )
    assert done.returncode == 0, done.stderr
    assert "searching layouts" not in done.stdout
    assert "Torch IR" not in done.stdout + done.stderr


def test_a_network_of_many_operators_exports(tmp_path: Path) -> None:
    """A network with functions that onnx2tf misreads, torch cannot export, or TFLite lacks."""
    export_branches(
        tmp_path,
        "lambda x: F.interpolate(x, (23, 37), mode='bilinear', align_corners=True),"
        "lambda x: F.interpolate(x, (23, 37)),"
        "lambda x: F.interpolate(x, (37, 23), mode='bicubic'),"
        "lambda x: F.adaptive_avg_pool2d(x, (3, 5)),"
        "lambda x: F.adaptive_max_pool2d(x, (3, 5)),"
        "lambda x: F.channel_shuffle(x, 4).cumsum(2),"
        "lambda x: x.topk(8, 1)[0],"
        "lambda x: x @ x.transpose(2, 3) / 10",
        *("--format", "onnx", "--format", "tflite"),
    )
    assert sorted(file.suffix for file in (tmp_path / "build").iterdir()) == [
        ".json",
        ".json",
        ".onnx",
        ".tflite",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_equivalent_exports(name: str, tmp_path: Path) -> None:
    is_wider = name in ("repeat", "einsum of a map", "unfold", "unfold to blocks")
    fit = "[:, :1]" if is_wider else ""
    function = f"lambda x: FUNCTIONS[{name!r}](x){fit}"
    export_branches(tmp_path, function, "--format", "onnx", "--format", "tflite")


@pytest.mark.slow
def test_topformer_at_a_size_not_divisible_by_its_strides(tmp_path: Path) -> None:
    done = run_export("--model", "topformer-tiny", "--input-size", "65x97", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


class Unpooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.unpool(*self.pool(x))


class Ranking(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.kthvalue(2, 1, keepdim=True)[0]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Unpooling(), r"MaxUnpool2d of the module 'layer\.unpool' .* F\.interpolate"),
        (Ranking(), r"kthvalue of the module 'layer' .*x\.kthvalue\(2.* torch\.topk"),
    ],
)
def test_functions_that_torch_cannot_export_are_named(
    layer: nn.Module, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = nn.Sequential()
    model.add_module("layer", layer)
    with pytest.raises(SeaformerError, match=message) as raised:
        to_onnx(model.eval(), (SIDE, SIDE), "logits")
    assert not re.search(r"\n|pull request|graph\(|defined in", str(raised.value))
    assert "".join(capfd.readouterr()) == ""


NOT_IN_TFLITE = """
import torch
from torch import nn

class Act(nn.Module):
    def forward(self, x):
        return {function}

def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.Sequential(Act()), nn.Conv2d(8, 12, 1))
    return model
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("x.erf()", r"Erf of the module '1\.0' .*TFLite has no Erf.*nn\.GELU.*--format onnx"),
        ("torch.fmod(x, 0.7)", r"Mod of the module '1\.0' .*other operators.*--format onnx"),
    ],
)
def test_functions_that_tflite_lacks_are_named(function: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(NOT_IN_TFLITE.format(function=function))
    common = ("--model", "own:network", "--input-size", "64", "--task", "shapes", "--output", "o")
    assert_one_line(run_export(*common, cwd=tmp_path), 1, message)
    assert "o" not in names(tmp_path)
    done = run_export(*common, "--format", "onnx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


class Scaled(nn.Module):
    """A constant for each column, with as many columns as channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, SIDE, 3, padding=1)
        self.columns = nn.Parameter(torch.rand(SIDE))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.columns


class ReadingShapes(nn.Module):
    """Computes with shapes, with a branch for the tracer, as networks of transformers do."""

    input_channels = 8

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        rows = torch.ceil(height / 3) if torch.jit.is_tracing() else math.ceil(height / 3)
        first = x.flatten(2)[:, :, 0].unsqueeze(2).expand(-1, -1, x.size(3) * rows)
        return first.reshape(x.size()[0], channels, int(rows), width) * (x.size(dim=-2) / rows)


class Padded(nn.Module):
    """Pads to a multiple of a window, and crops again, again and again, as Swin does."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(12):
            height, width = x.shape[2:]
            x = F.pad(x, (0, -width % 3, 0, -height % 3)).relu() + 1.0
            x = x[:, :, :height, :width]
        return x


def test_nothing_is_computed_from_shapes_in_an_exported_graph() -> None:
    graph = to_onnx(Padded().eval(), (SIDE, SIDE), "output").graph
    assert {node.op_type for node in graph.node} <= {"Pad", "Relu", "Add", "Slice"}


def test_shapes_are_integers_while_a_network_is_traced() -> None:
    warned: list[str] = []
    graph = to_onnx(ReadingShapes(), (SIDE, SIDE), "output", warned.append)
    x = np.random.default_rng(0).standard_normal((1, 8, SIDE, SIDE), dtype=np.float32)
    with open_content(graph.SerializeToString(), ".onnx") as session:
        (found,) = session.run([x])
    np.testing.assert_allclose(found, ReadingShapes()(torch.from_numpy(x)).numpy(), rtol=1e-6)
    assert not warned
    assert not {"Shape", "Ceil"} & {node.op_type for node in graph.graph.node}
    assert torch.jit.is_tracing() is False


def test_a_scale_of_columns_is_not_mistaken_for_one_of_channels() -> None:
    torch.manual_seed(0)
    model = Scaled().eval()
    x = torch.randn(1, 3, SIDE, SIDE)
    with open_content(to_onnx(model, (SIDE, SIDE), "y").SerializeToString(), ".onnx") as session:
        (found,) = session.run([x.numpy()])
    np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


class Casting(nn.Module):
    """A network with every form of cast to float32, and a constant that is not a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.mixing = torch.linspace(-1, 1, 9).view(3, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv(image.float()) + self.conv(image.to(torch.float32))
        x = self.conv(x.type(torch.float32)).softmax(1, dtype=torch.float32)
        ramp = torch.linspace(0, 1, x.shape[3]) + torch.zeros(1, dtype=torch.float32)
        return torch.einsum("bchw,dc->bdhw", x, self.mixing) * ramp


def test_the_reference_of_a_network_that_casts_is_float64() -> None:
    model = Casting().eval()
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        expected = model(x)
        with InFloat64():
            found = model.double()(x.double())
    assert found.dtype == torch.float64
    assert 0 < (found - expected).abs().max() < 1e-5
    assert torch.get_default_dtype() == torch.float32
