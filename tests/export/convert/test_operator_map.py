"""The mapping from the operators of an export to modules."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, nn

from seaformer.artifact.embedding import content_of
from seaformer.errors import SeaformerError
from seaformer.export.convert import operator_map, tflite_file
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.onnx_graph import INPUT_NAME, to_onnx
from seaformer.export.convert.operator_map import (
    map_onnx,
    map_operators,
    map_tflite_like,
    module_path,
)
from seaformer.export.rewrite import deployment_form
from seaformer.models.create import create_model
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.variants import get_variant
from seaformer.tasks import get_task

STEM = "seaformer_tiny_ade20k_128x192"
IMAGE = np.random.default_rng(3).uniform(0, 255, (1, 3, 128, 192)).astype(np.float32)


# From the name of a node to the path of a module


@pytest.mark.parametrize(
    ("node", "modules", "path"),
    [
        ("/stem/stage1.0/expand/Conv", ["stem", "stem.stage1.0", "stem.stage1.0.expand"], None),
        ("/Conv", ["", "stem"], ""),
        # Inside a called nn.Sequential the exporter writes the container twice.
        ("/features/features.0/Conv", ["features", "features.0"], "features.0"),
        ("/a/b/b.1/b.1.2/Relu", ["a", "a.b", "a.b.1", "a.b.1.2"], None),
        # It numbers repeated calls of a module.
        ("/act_1/Relu", ["act"], "act"),
        ("/block/act_12/Relu", ["block", "block.act"], "block.act"),
        ("/features/features.0_1/Conv", ["features", "features.0"], "features.0"),
        # Containers that are not called are omitted.
        ("/layer1/layer1.0/Conv", ["trunk", "trunk.layer1", "trunk.layer1.0"], None),
        ("/net/a/a.0_1/Conv", ["net", "net.b", "net.d", "net.d.a", "net.d.a.0"], None),
        # If the name is ambiguous, the common parent is returned.
        ("/net/conv_1/Conv", ["net", "net.a", "net.a.conv", "net.b", "net.b.conv"], "net"),
        # A module may have such a name itself.
        ("/act_1/Relu", ["act", "act_1"], "act_1"),
        ("/conv_2/conv_2_1/Conv", ["conv_2", "conv_2.conv_2"], "conv_2.conv_2"),
        # A module of the network that is also an attribute of its blocks.
        ("/blocks.0/pos/proj/Conv", ["pos", "blocks", "blocks.0", "pos.proj"], "pos.proj"),
        ("/blocks.0/pos/Conv", ["pos", "blocks.0", "blocks.0.mix.pos"], "blocks.0.mix.pos"),
    ],
)
def test_path_of_a_node(node: str, modules: list[str], path: str | None) -> None:
    assert module_path(node, {"", *modules}) == (modules[-1] if path is None else path)


@pytest.mark.parametrize("node", ["/stem/other/Conv", "/other/stem/Conv", "/stem/conv/x_1/Conv"])
def test_a_name_without_a_module_is_an_error(node: str) -> None:
    with pytest.raises(SeaformerError, match=f"'{node}' belongs to no module"):
        module_path(node, {"", "stem", "stem.conv"})


class Shared(nn.Module):
    """Nested containers, and one activation for all calls."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1), nn.Sigmoid()),
        )
        self.tail = nn.Conv2d(8, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.act(self.body(self.act(image)))
        return self.tail(self.act(x + 1.0)) * 0.5


def test_nodes_of_a_users_model() -> None:
    model = Shared().eval()
    modules = dict(model.named_modules())
    graph = to_onnx(model, (64, 64), "logits")
    mapped = [(operator.type, operator.module) for operator in map_onnx(graph, modules)]
    assert [module for kind, module in mapped if kind == "Relu"] == ["act", "act", "act"]
    convolutions = ["body.0", "body.1.1", "tail"]
    assert [module for kind, module in mapped if kind == "Conv"] == convolutions
    assert ("Sigmoid", "body.1.2") in mapped
    assert [module for kind, module in mapped if kind in ("Add", "Mul")] == ["", ""]


class Rejoined(nn.Module):
    """Tokens that are normed behind a class token, and also taken from behind it, as in BEiT."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 8, stride=8)
        self.token = nn.Parameter(torch.ones(1, 1, 8))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        tokens = torch.cat([self.token, self.embed(image).flatten(2).transpose(1, 2)], 1)
        positions = tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 6))
        return self.head(positions * self.norm(tokens).sum((1, 2))[:, None, None, None].sigmoid())


@pytest.mark.slow
def test_tokens_behind_a_class_token_are_not_taken_for_the_joined_ones(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Rejoined().eval()
    graph = to_onnx(model, (32, 48), "logits")
    onnx.save(graph, tmp_path / "model.onnx")
    content = to_tflite(tmp_path / "model.onnx", tmp_path / "work", INPUT_NAME, "logits")
    image = np.random.default_rng(3).uniform(-2, 2, (1, 3, 32, 48)).astype(np.float32)
    mapped = map_operators(content, graph, {path for path, _ in model.named_modules()}, image)
    (joined,) = [one for one in mapped if any("Concat" in node for node in one.nodes)]
    assert joined.type == "CONCATENATION"
    assert {"embed", "norm", "head"} <= {one.module for one in mapped}


# A real export


def metadata(folder: Path, name: str) -> dict[str, Any]:
    """Return the metadata next to a file."""
    beside: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return beside


def operators(folder: Path, name: str) -> list[dict[str, Any]]:
    return metadata(folder, name)["operators"]


@pytest.fixture(scope="module")
def form() -> nn.Module:
    preprocessing = get_task("ade20k").preprocessing
    return deployment_form(create_model("tiny"), (128, 192), preprocessing).model


FILES = [
    f"{STEM}_{precision}{suffix}"
    for precision in ("fp32", "fp16")
    for suffix in (".onnx", ".tflite")
]


@pytest.mark.parametrize("name", FILES)
def test_every_operator_has_a_module_that_exists(tiny_export: Path, form, name: str) -> None:
    path = tiny_export / name
    if path.suffix == ".onnx":
        types = [node.op_type for node in onnx.load(path).graph.node]
    else:
        types = [operator.type for operator in tflite_file.operators(path.read_bytes())]
    mapped = operators(tiny_export, name)
    assert [operator["index"] for operator in mapped] == list(range(len(types)))
    assert [operator["type"] for operator in mapped] == types
    modules = {path for path, _ in form.named_modules() if path}
    assert {operator["module"] for operator in mapped} <= modules


@pytest.mark.parametrize("name", FILES)
def test_every_node_belongs_to_one_operator(tiny_export: Path, name: str) -> None:
    precision = "fp16" if name.endswith(".onnx") and "fp16" in name else "fp32"
    graph = onnx.load(tiny_export / f"{STEM}_{precision}.onnx").graph
    owned = Counter(node for operator in operators(tiny_export, name) for node in operator["nodes"])
    assert owned == Counter(node.name for node in graph.node)
    assert set(owned.values()) == {1}


def test_operators_belong_to_the_expected_modules(tiny_export: Path) -> None:
    mapped = operators(tiny_export, f"{STEM}_fp32.tflite")
    of_type: dict[str, list[str]] = {}
    for operator in mapped:
        of_type.setdefault(operator["type"], []).append(operator["module"])
    assert of_type["SUB"] == ["stem.normalize"]
    assert mapped[0]["module"] == "stem.normalize"
    assert of_type["CONV_2D"][0] == "stem.conv"
    assert of_type["CONV_2D"][-1] == "light_head.classifier"
    assert mapped[-1]["module"] == "light_head.classifier"
    layers = [
        f"context_branch.stage{stage}.blocks.{index}.attention"
        for stage, spec in zip((3, 4, 5), get_variant("tiny").context_stages, strict=True)
        for index in range(spec.depth)
    ]
    axes = [f"{layer}.{axis}" for layer in layers for axis in ("row", "column")]
    assert sorted(of_type["SOFTMAX"]) == sorted(axes)
    assert sorted(of_type["BATCH_MATMUL"]) == sorted(2 * axes)
    fusions = [f"spatial_branch.fusion_blocks.{index}" for index in (0, 1)]
    assert sorted(of_type["RESIZE_BILINEAR"]) == fusions
    assert sorted(of_type["MEAN"]) == sorted(f"{axis}.squeeze" for axis in axes)
    # The padding of a strided convolution is a separate operator of the same module.
    consumers = {mapped[o["index"] + 1]["module"] for o in mapped if o["type"] == "PAD"}
    assert set(of_type["PAD"]) <= consumers | {"stem.conv"}


def test_every_convolution_belongs_to_its_module(tiny_export: Path, form) -> None:
    """The module of a convolution has a kernel of the same shape."""
    flatbuffer = (tiny_export / f"{STEM}_fp32.tflite").read_bytes()
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph = model.subgraphs[0]
    found = []
    for mapped, operator in zip(
        operators(tiny_export, f"{STEM}_fp32.tflite"), graph.operators, strict=True
    ):
        if mapped["type"] not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            continue
        kernel = [int(side) for side in graph.tensors[operator.inputs[1]].shape]
        weight = form.get_submodule(mapped["module"]).weight
        order = (0, 2, 3, 1) if mapped["type"] == "CONV_2D" else (1, 2, 3, 0)
        assert kernel == list(weight.permute(order).shape)
        found.append(mapped["module"])
    convolutions = [name for name, m in form.named_modules() if isinstance(m, nn.Conv2d)]
    assert sorted(found) == sorted(convolutions)


def test_half_weights_belong_to_the_operator_that_reads_them(tiny_export: Path) -> None:
    single = operators(tiny_export, f"{STEM}_fp32.tflite")
    half = operators(tiny_export, f"{STEM}_fp16.tflite")
    assert len(half) > len(single)
    computing = [operator for operator in half if operator["type"] != "DEQUANTIZE"]
    for one, other in zip(single, computing, strict=True):
        assert one | {"index": 0} == other | {"index": 0}
    casts = {o["module"] for o in half if o["type"] == "DEQUANTIZE"}
    assert not any(o["nodes"] for o in half if o["type"] == "DEQUANTIZE")
    heavy = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")
    assert casts <= {o["module"] for o in computing if o["type"] in heavy}


def test_operators_of_a_users_export(users_export: Path) -> None:
    mapped = operators(users_export, "make_network_100x144_fp32.tflite")
    convolutions = [o["module"] for o in mapped if o["type"] == "CONV_2D"]
    expected = ["features.0", "blocks.0.conv.0", "blocks.1", "blocks.2.conv.0", "head"]
    assert convolutions == expected
    assert {o["module"] for o in mapped} >= {"act", "blocks.0.act"}
    graph = onnx.load(users_export / "make_network_100x144_fp32.onnx").graph
    names = [node.name for node in graph.node]
    assert sorted(node for o in mapped for node in o["nodes"]) == sorted(names)


def test_equal_values_behind_several_layers_are_left_out() -> None:
    """An operator with the values of both norms does not compute the layers between them."""
    size = (8, 8)
    branch = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU())
    graph = to_onnx(branch.eval(), size, "logits").graph
    first, act, second, last = (node.output[0] for node in graph.node)
    trace = operator_map._Trace(onnx.helper.make_model(graph))
    assert trace.nearest([first, act]) == [first, act]
    assert trace.nearest([act, second, last]) == [act]
    assert trace.nearest([second, last]) == [second, last]


# Files that do not correspond


class Repeated(nn.Module):
    """The first two channels are taken twice, as by AFFormer's two filters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.wide, self.narrow = (nn.Conv2d(2, 2, side, padding=side // 2) for side in (3, 1))
        self.last = nn.Conv2d(2, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.first(image)
        wide, *_ = x.split((2, 3, 3), 1)
        narrow, *_ = x.chunk(4, 1)
        return self.last(self.wide(wide) * self.narrow(narrow).sigmoid())


def test_values_that_two_nodes_compute_belong_to_both(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, file = Repeated().eval(), tmp_path / "model.onnx"
    graph = to_onnx(model, (24, 32), "logits")
    onnx.save(graph, file)
    content = to_tflite(file, tmp_path / "work", INPUT_NAME, "logits")
    image = np.random.default_rng(0).standard_normal((1, 3, 24, 32)).astype(np.float32)
    modules = [path for path, _ in model.named_modules()]
    mapped = map_operators(content, graph, modules, image)
    assert {node for one in mapped for node in one.nodes} == {
        node.name for node in graph.graph.node
    }
    convolutions = [one.module for one in mapped if one.type == "CONV_2D"]
    assert sorted(convolutions) == ["first", "last", "narrow", "wide"]


def single_precision(folder: Path) -> bytes:
    return content_of(folder / f"{STEM}_fp32.tflite")


def graph_of(folder: Path) -> onnx.ModelProto:
    return onnx.load(folder / f"{STEM}_fp32.onnx")


def test_the_map_can_be_recomputed_from_the_files(tiny_export: Path, form) -> None:
    modules = {path for path, _ in form.named_modules()}
    again = map_operators(single_precision(tiny_export), graph_of(tiny_export), modules, IMAGE)
    written = operators(tiny_export, f"{STEM}_fp32.tflite")
    assert [(o.type, o.module, list(o.nodes)) for o in again] == [
        (o["type"], o["module"], o["nodes"]) for o in written
    ]


def swapped(flatbuffer: bytes, convolution: int) -> bytes:
    """Swap two output channels in the kernel of a convolution, which changes no sum."""
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph = model.subgraphs[0]
    listed = [o.index for o in tflite_file.operators(flatbuffer) if o.type == "CONV_2D"]
    tensor = graph.tensors[graph.operators[listed[convolution]].inputs[1]]
    buffer = model.buffers[tensor.buffer]
    kernel = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape).copy()
    kernel[[0, 1]] = kernel[[1, 0]]
    buffer.data = kernel.view(np.uint8).ravel()
    return tflite_file.pack(model)


@pytest.mark.parametrize("convolution", [0, 20, -1])
def test_swapped_weights_are_an_error(tiny_export: Path, form, convolution: int) -> None:
    modules = {path for path, _ in form.named_modules()}
    changed = swapped(single_precision(tiny_export), convolution)
    with pytest.raises(SeaformerError, match="do not compute the same values"):
        map_operators(changed, graph_of(tiny_export), modules, IMAGE)


def test_the_graph_of_another_export_is_an_error(
    tiny_export: Path, outside_export: Path, form
) -> None:
    modules = {path for path, _ in form.named_modules()}
    with pytest.raises(SeaformerError, match="do not compute the same values"):
        map_operators(single_precision(tiny_export), graph_of(outside_export), modules, IMAGE)


def test_other_modules_are_an_error(tiny_export: Path) -> None:
    modules = {path for path, _ in create_model("tiny").named_modules()}
    with pytest.raises(SeaformerError, match="belongs to no module of the model"):
        map_operators(single_precision(tiny_export), graph_of(tiny_export), modules, IMAGE)


def test_a_half_precision_file_of_another_model_is_an_error(
    tiny_export: Path, small_export: Path, form
) -> None:
    modules = {path for path, _ in form.named_modules()}
    reference = map_operators(single_precision(tiny_export), graph_of(tiny_export), modules, IMAGE)
    other = tflite_file.operators(
        (small_export / "seaformer_small_ade20k_500x333_fp32.tflite").read_bytes()
    )
    with pytest.raises(SeaformerError, match="operators of the converted file differ"):
        map_tflite_like(other, reference)


def test_attention_with_as_many_heads_as_tokens_keeps_its_axes(small_export: Path) -> None:
    name = "seaformer_small_ade20k_500x333_fp32.tflite"
    model = create_model("small")
    layers = [
        path for path, m in model.named_modules() if isinstance(m, SqueezeEnhancedAxialAttention)
    ]
    softmax = [o["module"] for o in operators(small_export, name) if o["type"] == "SOFTMAX"]
    assert sorted(softmax) == sorted(f"{p}.{axis}" for p in layers for axis in ("row", "column"))


def test_tracing_restores_torch(form) -> None:
    with torch.no_grad():
        before = form(torch.zeros(1, 3, 128, 192))
        to_onnx(form, (128, 192), "logits")
        assert torch.equal(form(torch.zeros(1, 3, 128, 192)), before)
