"""Cases that onnx2tf would misread or refuse: axes of equal length, grouped convolutions."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from converted import run_converted
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.errors import SeaformerError
from seaformer.export.convert import tflite_file
from seaformer.export.convert.constants_behind_transposes import move_constants
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.equal_axes import replacements
from seaformer.export.convert.onnx_graph import INPUT_NAME, to_onnx
from seaformer.export.rewrite.fold_batch_norm import fold_batch_norm
from seaformer.export.rewrite.joint_attention import join_attention
from seaformer.models.attention.channels_first import ChannelNorm
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.segformer import EfficientSelfAttention
from seaformer.runtimes import open_content

SIDE = 16


class Tokens(nn.Module):
    """A map converted to tokens and back, as in one of several networks."""

    def __init__(self, conversion: str) -> None:
        super().__init__()
        self.conversion = conversion

    def forward(self, x: Tensor) -> Tensor:
        into, back = self.conversion.split("/")
        tokens = x.flatten(2).permute(0, 2, 1)
        if into == "permute":
            tokens = x.permute(0, 2, 3, 1).flatten(1, 2)
        tokens = tokens.softmax(-1) + tokens.cumsum(1) / 100  # treats every axis differently
        if back == "permute":
            return tokens.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
        return tokens.permute(0, 2, 1).unflatten(2, x.shape[2:])


class Multiplied(nn.Module):
    """Products without an axis of heads, with as many tokens as channels."""

    def __init__(self, is_attention: bool) -> None:
        super().__init__()
        self.is_attention = is_attention
        self.linear = nn.Linear(SIDE, SIDE)

    def forward(self, x: Tensor) -> Tensor:
        tokens = F.avg_pool2d(x, 4).flatten(2).permute(0, 2, 1)
        scores = self.linear(tokens) @ tokens.permute(0, 2, 1)
        if self.is_attention:
            scores = (scores * 0.3 + tokens).softmax(-1) @ tokens
        back = scores.permute(0, 2, 1).unflatten(2, (4, 4))
        return x * F.interpolate(back, scale_factor=4.0, mode="nearest")


class Biased(nn.Module):
    """Attention between as many tokens as channels, with a bias for each pair of positions."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = F.avg_pool2d(x, 4).flatten(2)
        bias = torch.arange(float(SIDE**2)).sin().reshape(SIDE, SIDE)
        scores = ((tokens.permute(0, 2, 1) @ tokens) * 0.3 + bias).softmax(-1)
        back = (tokens @ scores.permute(0, 2, 1)).unflatten(2, (4, 4))
        return x * F.interpolate(back, scale_factor=4.0, mode="nearest")


class Joined(nn.Module):
    """Attention as in timm: query, key and value of all heads from one projection."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order
        self.qkv = nn.Linear(SIDE, 3 * SIDE)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        qkv = self.qkv(tokens).reshape(1, -1, 3, 2, SIDE // 2).permute(self.order)
        q, k, v = qkv.unbind(0)
        tokens = (q @ k.transpose(-2, -1) * 0.01).softmax(-1) @ v
        tokens = tokens.permute(0, *(self.order.index(axis) - 1 for axis in (1, 3, 4)))
        return tokens.flatten(2).transpose(1, 2).unflatten(2, x.shape[2:])


class SharedKeys(nn.Module):
    """Attention as in MobileNetV4: heads that share as many keys as each key has channels."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Conv2d(SIDE, 2 * SIDE, 1)
        self.output = nn.Conv2d(2 * SIDE, SIDE, 1)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).reshape(1, 2, SIDE, -1).transpose(-1, -2)
        key = F.avg_pool2d(x, 4).reshape(1, SIDE, -1).transpose(1, 2).unsqueeze(1)
        heads = F.scaled_dot_product_attention(query, key, key * 0.5).transpose(1, 2)
        return self.output(heads.reshape(1, *x.shape[2:], 2 * SIDE).permute(0, 3, 1, 2))


class ClassToken(nn.Module):
    """A class token before as many tokens as channels, and its readout beside each, as in DPT."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, SIDE))
        self.mix = nn.Linear(SIDE, SIDE)
        self.readout = nn.Linear(2 * SIDE, SIDE)

    def forward(self, x: Tensor) -> Tensor:
        tokens = F.avg_pool2d(x, 4).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token, tokens], 1)
        tokens = tokens + self.mix(tokens).softmax(1)
        token, tokens = tokens[:, :1], tokens[:, 1:]
        tokens = self.readout(torch.cat([tokens, token.expand_as(tokens)], -1))
        back = tokens.transpose(1, 2).unflatten(2, (4, 4))
        return x * F.interpolate(back, scale_factor=4.0, mode="nearest")


class Prompts(nn.Module):
    """Learned positions before a map of equal axes, of which one side is as long as the map."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.prompts = nn.Parameter(torch.zeros(1, SIDE, SIDE, SIDE))

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.prompts, x.permute(0, 2, 3, 1)], self.axis).softmax(self.axis)
        return (joined.narrow(self.axis, SIDE, SIDE) * SIDE).permute(0, 3, 1, 2)


class Blocks(nn.Module):
    """A map as blocks of 2 x 2 positions and back, as in MobileViTv2."""

    def forward(self, x: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(x, 2).flatten(2).unflatten(1, (-1, 4))
        blocks = blocks * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None]
        return F.pixel_shuffle(blocks.flatten(1, 2).unflatten(2, (SIDE // 2, -1)), 2)


class JointHeads(nn.Module):
    """Parts of SIDE channels of a joint projection of tokens, one for each of SIDE windows."""

    def __init__(self) -> None:
        super().__init__()
        self.joint = nn.Linear(SIDE, 2 * SIDE)

    def forward(self, x: Tensor) -> Tensor:
        query, key = self.joint(x.permute(0, 2, 3, 1)).chunk(2, dim=-1)
        heads = (1, SIDE, SIDE, 2, SIDE // 2)
        scores = query.reshape(heads).softmax(3) + key.reshape(heads).sigmoid()
        return scores.reshape(1, SIDE, SIDE, SIDE).permute(0, 3, 1, 2)


class ScaledBehindTranspose(nn.Module):
    """The end of a block of ConvNeXt: a norm channels last, then a scale channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(SIDE)
        self.scale = nn.Parameter(torch.zeros(SIDE, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, SIDE, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.scale * self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) + self.shift)


class ScaledAlongEachAxis(nn.Module):
    """Scales of channels, rows and columns before and behind a transpose, on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = nn.Parameter(torch.zeros(SIDE, 1, 1))
        self.rows = nn.Parameter(torch.zeros(SIDE, 1))
        self.columns = nn.Parameter(torch.zeros(SIDE))

    def forward(self, x: Tensor) -> Tensor:
        x = self.columns * (x + self.channels) - self.rows
        x = self.columns * x.permute(0, 2, 3, 1) + self.channels - self.rows
        return x.permute(0, 3, 1, 2) * self.rows + self.columns


class Expanded(nn.Module):
    """Tokens converted to a map, and then to one of twice the size, as in dense prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(SIDE, SIDE)
        self.expand = nn.ConvTranspose2d(SIDE, SIDE, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.linear(x.flatten(2).transpose(1, 2)).transpose(1, 2)
        return self.expand(tokens.unflatten(2, x.shape[2:]))


def convert(middle: nn.Module, width: int, folder: Path) -> tuple[float, Counter[str]]:
    """Convert between two convolutions; return the SQNR in dB and the operators."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, SIDE, 1), middle, nn.Conv2d(SIDE, 8, 1)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    image = torch.randn(1, 3, SIDE, width)
    graph = to_onnx(model, (SIDE, width), "logits")
    onnx.save(graph, folder / "model.onnx")
    content = to_tflite(folder / "model.onnx", folder / "work", INPUT_NAME, "logits")
    with torch.no_grad():
        expected = model(image).permute(0, 2, 3, 1).numpy()
    error = run_converted(content, image) - expected
    sqnr_db = 10 * np.log10((expected**2).sum() / (error**2).sum())
    return sqnr_db, Counter(operator.type for operator in tflite_file.operators(content))


@pytest.mark.parametrize(
    "conversion",
    [
        "permute/permute",
        pytest.param("permute/flat", marks=pytest.mark.slow),
        pytest.param("flat/permute", marks=pytest.mark.slow),
        pytest.param("flat/flat", marks=pytest.mark.slow),
    ],
)
def test_tokens_of_equal_axes_are_not_transposed(conversion: str, tmp_path: Path) -> None:
    sqnr_db, _ = convert(Tokens(conversion), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.parametrize("is_attention", [False, True])
@pytest.mark.slow
def test_products_with_as_many_tokens_as_channels(is_attention: bool, tmp_path: Path) -> None:
    sqnr_db, _ = convert(Multiplied(is_attention), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
def test_attention_with_a_bias(tmp_path: Path) -> None:
    sqnr_db, _ = convert(Biased(), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.parametrize("order", [(2, 0, 3, 1, 4), (2, 0, 3, 4, 1)])
def test_a_joined_projection_has_at_most_four_axes(order: tuple[int, ...]) -> None:
    model = Joined(order).eval()
    x = torch.randn(1, SIDE, 4, 6, generator=torch.Generator().manual_seed(0))
    model.input_channels = SIDE  # type: ignore[assignment]
    graph = to_onnx(model, (4, 6), "logits")
    ranks = [len(one.type.tensor_type.shape.dim) for one in graph.graph.value_info]
    assert max(ranks) == 4
    with open_content(graph.SerializeToString(), ".onnx") as session, torch.no_grad():
        np.testing.assert_allclose(session.run([x.numpy()])[0], model(x).numpy(), atol=1e-5)


@pytest.mark.slow
def test_heads_that_share_keys(tmp_path: Path) -> None:
    sqnr_db, _ = convert(SharedKeys(), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
def test_a_class_token_of_as_many_channels_as_tokens(tmp_path: Path) -> None:
    sqnr_db, _ = convert(ClassToken(), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_constants_of_equal_axes_are_joined_along_each(axis: int, tmp_path: Path) -> None:
    sqnr_db, _ = convert(Prompts(axis), SIDE, tmp_path)
    assert sqnr_db > 100


def test_blocks_of_positions(tmp_path: Path) -> None:
    sqnr_db, _ = convert(Blocks(), 2 * SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
def test_a_transposed_convolution_of_tokens(tmp_path: Path) -> None:
    sqnr_db, _ = convert(Expanded(), 2 * SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
def test_a_norm_with_as_many_channels_as_rows(tmp_path: Path) -> None:
    sqnr_db, _ = convert(ChannelNorm(SIDE), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
def test_attention_of_equal_axes_has_no_extra_operators(tmp_path: Path) -> None:
    """The overrides for onnx2tf add no transposes to the file."""
    operators = {}
    for width in (SIDE, 2 * SIDE):
        folder = tmp_path / str(width)
        folder.mkdir()
        attention = EfficientSelfAttention(SIDE, heads=2, ratio=4)
        sqnr_db, operators[width] = convert(attention, width, folder)
        assert sqnr_db > 100
    assert operators[SIDE] == operators[2 * SIDE]


@pytest.mark.parametrize(
    ("heads", "key_dim"), [pytest.param(2, SIDE, marks=pytest.mark.slow), (8, SIDE // 2)]
)
def test_stacked_keys_with_as_many_rows_as_channels(
    heads: int, key_dim: int, tmp_path: Path
) -> None:
    """Keys are stacked along the tokens, in groups of four heads that form a square matrix."""
    operators = {}
    for side in (SIDE, 24):
        folder = tmp_path / str(side)
        folder.mkdir()
        attention = SqueezeEnhancedAxialAttention(SIDE, key_dim, heads).eval()
        joint = nn.Sequential(attention)
        fold_batch_norm(joint)
        join_attention(joint, {"0": (SIDE, side)})
        sqnr_db, operators[side] = convert(joint, side, folder)
        assert sqnr_db > 100
    assert operators[SIDE] == operators[24]
    assert "TRANSPOSE" not in operators[SIDE]


@pytest.mark.slow
def test_a_grouped_convolution_is_one_operator(tmp_path: Path) -> None:
    grouped = nn.Conv2d(SIDE, SIDE, 3, padding=1, groups=4)
    sqnr_db, operators = convert(grouped, 2 * SIDE, tmp_path)
    assert sqnr_db > 100
    assert operators == {"CONV_2D": 3}


@pytest.mark.slow
def test_parts_of_equal_axes_are_not_read_crosswise(tmp_path: Path) -> None:
    sqnr_db, _ = convert(JointHeads(), SIDE, tmp_path)
    assert sqnr_db > 100


@pytest.mark.slow
@pytest.mark.parametrize("width", [SIDE, 2 * SIDE])
def test_a_scale_behind_a_transpose(width: int, tmp_path: Path) -> None:
    sqnr_db, operators = convert(ScaledBehindTranspose(), width, tmp_path)
    assert sqnr_db > 100
    assert ("TRANSPOSE" in operators) == (width == SIDE)  # a norm of equal axes needs two


@pytest.mark.slow
def test_scales_along_each_of_equal_axes(tmp_path: Path) -> None:
    sqnr_db, _ = convert(ScaledAlongEachAxis(), SIDE, tmp_path)
    assert sqnr_db > 100


def test_a_scale_and_a_shift_move_before_their_transpose() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, SIDE, 1), ScaledBehindTranspose()).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    graph = to_onnx(model, (4, 8), "logits")
    image = torch.randn(1, 3, 4, 8).numpy()
    kinds, outputs = [], []
    for _ in range(2):
        kinds.append([node.op_type for node in graph.graph.node])
        with open_content(graph.SerializeToString(), ".onnx") as session:
            outputs += session.run([image])
        move_constants(graph)
        onnx.checker.check_model(graph)
    head = ["Conv", "Transpose", "LayerNormalization"]
    assert kinds == [
        [*head, "Transpose", "Mul", "Add", "Add"],
        [*head, "Mul", "Add", "Transpose", "Add"],
    ]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.slow
def test_the_worker_imports_nothing_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not json')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # for the log, which is not removed
    with pytest.raises(SeaformerError, match=r"missing\.onnx"):
        to_tflite(tmp_path / "missing.onnx", tmp_path / "work", "image", "logits")


def test_only_reshapes_and_transposes_of_equal_axes_are_overridden() -> None:
    model = nn.Sequential(nn.Conv2d(3, SIDE, 1), Tokens("permute/permute")).eval()
    equal, other = (
        replacements(to_onnx(model, (SIDE, width), "logits")) for width in (SIDE, 2 * SIDE)
    )
    assert other["operations"] == []
    corrected = [
        one.get("post_process_transpose_perm", one.get("values")) for one in equal["operations"]
    ]
    # The permuted map has the shape [1, 16, 16, 16], and so do the reshaped tokens.
    assert corrected == [[0, 2, 3, 1], [0, 2, 3, 1], [0, 3, 1, 2]]
