"""The attention layers of Figure 1: compared with plain formulations, their sizes and growth."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from seaformer.models.attention.dimensions import CHANNELS, HEADS, KEY_DIM
from seaformer.models.attention.window import WINDOW, join_windows, split_windows
from seaformer.models.catalog import count_macs
from seaformer.models.create import create_model
from seaformer.models.registry import LAYERS

KEYS = HEADS * KEY_DIM
VALUES = 2 * KEYS


def exact(kind: str) -> nn.Module:
    return create_model(LAYERS[kind]).double().attention


def features(height: int, width: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randn(batch, CHANNELS, height, width, generator=generator, dtype=torch.float64)


def by_heads(tokens: Tensor) -> Tensor:
    """Split [L, C] into heads, [heads, L, C / heads]."""
    return tokens.reshape(len(tokens), HEADS, -1).transpose(0, 1)


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute torch's own attention between tokens [L, C]."""
    out = F.scaled_dot_product_attention(by_heads(q), by_heads(k), by_heads(v), bias)
    return out.transpose(0, 1).reshape(len(q), -1)


def finish(layer: nn.Module, attended: Tensor) -> Tensor:
    return layer.projection(attended.clamp(0, 6))


# Compared with plain formulations


@torch.no_grad()
def test_global_attention_is_between_all_positions() -> None:
    layer, x = exact("global"), features(5, 7)
    q, k, v = (y[0].flatten(1).T for y in layer.qkv(x))
    expected = finish(layer, attention(q, k, v).T.reshape(1, VALUES, 5, 7))
    torch.testing.assert_close(layer(x), expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_axial_attention_is_along_columns_then_rows() -> None:
    layer, x = exact("axial"), features(6, 9)
    q, k, v = layer.height.qkv(x)
    y = torch.empty(1, VALUES, 6, 9, dtype=x.dtype)
    for column in range(9):
        y[0, :, :, column] = attention(*(z[0, :, :, column].T for z in (q, k, v))).T
    q, k, v = layer.width.qkv(y)
    z = torch.empty_like(y)
    for row in range(6):
        z[0, :, row] = attention(*(t[0, :, row].T for t in (q, k, v))).T
    torch.testing.assert_close(layer(x), finish(layer, z), rtol=1e-10, atol=1e-10)


def bias_by_offsets(table: Tensor) -> Tensor:
    """Look up the biases of all pairs of tokens, [heads, 49, 49]."""
    places = list(product(range(WINDOW), range(WINDOW)))
    bias = torch.empty(HEADS, len(places), len(places), dtype=table.dtype)
    for (i, (y, x)), (j, (v, u)) in product(enumerate(places), enumerate(places)):
        down, right = y - v + WINDOW - 1, x - u + WINDOW - 1
        bias[:, i, j] = table[down * (2 * WINDOW - 1) + right]
    return bias


def windows_of(height: int, width: int) -> list[tuple[slice, slice]]:
    steps = product(range(0, height, WINDOW), range(0, width, WINDOW))
    return [(slice(y, y + WINDOW), slice(x, x + WINDOW)) for y, x in steps]


def attend_in_windows(q: Tensor, k: Tensor, v: Tensor, table: Tensor) -> Tensor:
    out, bias = torch.empty_like(v), bias_by_offsets(table)
    for rows, columns in windows_of(*q.shape[2:]):
        qkv = (y[0, :, rows, columns].flatten(1).T for y in (q, k, v))
        out[0, :, rows, columns] = attention(*qkv, bias).T.reshape(-1, WINDOW, WINDOW)
    return out


@torch.no_grad()
@pytest.mark.parametrize("size", [(14, 21), (8, 16)], ids=["whole windows", "padded"])
def test_window_attention_is_within_each_window_with_its_bias(size: tuple[int, int]) -> None:
    layer, x = exact("window"), features(*size)
    padded = torch.zeros(1, CHANNELS, *(math.ceil(side / WINDOW) * WINDOW for side in size))
    padded = padded.double()
    padded[:, :, : size[0], : size[1]] = x
    attended = attend_in_windows(*layer.qkv(padded), layer.position.table)
    expected = finish(layer, attended[:, :, : size[0], : size[1]])
    torch.testing.assert_close(layer(x), expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_windows_are_independent() -> None:
    layer, x = exact("window"), features(14, 14)
    changed = x.clone()
    changed[:, :, :7, :7] += 1
    differs = (layer(x) - layer(changed)).abs().amax(1)[0] > 1e-9
    assert differs[:7, :7].all()
    assert differs.sum() == 49


def test_partitioned_windows_are_merged() -> None:
    x = torch.arange(2 * 14 * 21 * 3).reshape(2, 14, 21, 3)
    windows = split_windows(x)
    assert windows.shape == (2 * 2 * 3, 49, 3)
    assert torch.equal(windows[1], x[0, :7, 7:14].reshape(49, 3))
    assert torch.equal(join_windows(windows, 14, 21), x)


@torch.no_grad()
@pytest.mark.parametrize("size", [(7, 14), (8, 10)], ids=["whole windows", "padded"])
def test_mixing_attention_has_two_branches_that_gate_each_other(size: tuple[int, int]) -> None:
    layer, x = exact("mixformer"), features(*size)
    height, width = size
    padded = F.pad(x, (0, -width % WINDOW, 0, -height % WINDOW))

    def norm(module: nn.Module, y: Tensor) -> Tensor:
        weight, bias = module.weight.flatten(), module.bias.flatten()
        return F.layer_norm(y.movedim(1, -1), (len(weight),), weight, bias).movedim(-1, 1)

    def interact(module: nn.Module, y: Tensor) -> Tensor:
        return torch.sigmoid(module.expand(F.gelu(module.reduce(y))))

    entry = layer.convolution_entry
    fine = F.gelu(layer.convolution.depthwise(norm(entry.norm, entry.linear(padded))))
    entry = layer.attention_entry
    q, k, v = layer.qkv(norm(entry.norm, entry.linear(padded))).split(CHANNELS // 2, dim=1)
    v = v * interact(layer.channel_interaction, F.adaptive_avg_pool2d(fine, 1))
    attended = attend_in_windows(q, k, v, layer.position.table)
    weighed = interact(layer.spatial_interaction, attended) * layer.gated.projection(fine)
    mixed = torch.cat([norm(layer.exit.norm, attended), layer.gated.norm(weighed)], dim=1)
    expected = layer.projection(mixed)[:, :, :height, :width]
    torch.testing.assert_close(layer(x), expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_acmix_attends_to_neighbors_and_convolves_the_same_maps() -> None:
    """The reference follows the paper: the query's own encoding, unfolding, and tap by tap."""
    layer, x = exact("acmix"), features(8, 10)
    height, width, head_dim = 8, 10, CHANNELS // HEADS
    maps = [layer.query(x), layer.key(x), layer.value(x)]

    def around(y: Tensor) -> Tensor:
        """Unfold the neighbors of [heads, d, H, W] to [heads, d, 49, H, W]."""
        unfolded = F.unfold(nn.ReflectionPad2d(3)(y), 7)
        return unfolded.reshape(len(y), head_dim, 49, height, width)

    q, k, v = (y.reshape(HEADS, head_dim, height, width) for y in maps)
    across = torch.linspace(-1, 1, width, dtype=torch.float64).repeat(height, 1)
    down = torch.linspace(-1, 1, height, dtype=torch.float64)[:, None].repeat(1, width)
    encoding = layer.position.projection(torch.stack([across, down])[None])
    offsets = encoding[:, :, None] - around(encoding)
    scores = (q[:, :, None] * head_dim**-0.5 * (around(k) + offsets)).sum(1)
    attended = (scores.softmax(1)[:, None] * around(v)).sum(2).reshape(1, CHANNELS, height, width)

    stacked = torch.cat([y.reshape(HEADS, head_dim, height, width) for y in maps])
    taps = torch.einsum("tm,mdhw->dthw", layer.convolution.mix.weight[:, :, 0, 0], stacked)
    kernels = layer.convolution.shift.weight.reshape(head_dim, HEADS, 9, 3, 3)
    convolved = torch.cat(
        [F.conv2d(taps[d : d + 1], kernels[d], padding=1) for d in range(head_dim)], 1
    )
    expected = layer.attention_rate * attended + layer.convolution_rate * convolved
    assert attended.std() > 0.1
    torch.testing.assert_close(layer(x), expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(
    ("kind", "ablation"), [("squeeze-enhanced", {}), ("squeeze", {"detail": "off"})]
)
def test_the_squeezed_layers_match_the_network(kind: str, ablation: dict[str, str]) -> None:
    """SeaFormer-T has the same layer at stride 64, with and without the ablation."""
    network = create_model("tiny", ablation=ablation)
    theirs = network.get_submodule("context_branch.stage5.blocks.0.attention").double()
    ours = exact(kind)
    ours.load_state_dict(theirs.state_dict())
    x = features(8, 12)
    assert torch.equal(ours(x), theirs(x))
    assert theirs.query.conv.weight.shape == (KEYS, CHANNELS, 1, 1)
    assert theirs.row.heads == HEADS


@pytest.mark.parametrize("kind", LAYERS)
@torch.no_grad()
def test_a_layer_keeps_the_shape_and_separates_images_of_a_batch(kind: str) -> None:
    layer, x = exact(kind), features(8, 10, batch=2)
    together = layer(x)
    assert together.shape == x.shape
    torch.testing.assert_close(together[1:], layer(x[1:]), rtol=1e-10, atol=1e-10)


def test_weights_of_layers_are_reproducible() -> None:
    ours, again = (create_model(LAYERS["window"]).state_dict() for _ in range(2))
    assert all(torch.equal(ours[name], again[name]) for name in ours)


# Sizes

NORMED = 2  # of a BatchNorm: parameters per channel, and multiply-accumulates per element


def conv(inputs: int, outputs: int) -> int:
    """Return the parameters of a 1x1 convolution without bias, and its MACs per position."""
    return inputs * outputs


QKV = conv(CHANNELS, 2 * KEYS + VALUES)
LAST = conv(VALUES, CHANNELS)
QKV_NORMED = NORMED * (2 * KEYS + VALUES)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("global", QKV + QKV_NORMED + LAST + NORMED * CHANNELS),
        (
            "axial",
            QKV + conv(VALUES, 2 * KEYS + VALUES) + 2 * QKV_NORMED + LAST + NORMED * CHANNELS,
        ),
        ("window", QKV + QKV_NORMED + 13 * 13 * HEADS + LAST + NORMED * CHANNELS),
        (
            "acmix",
            3 * (conv(CHANNELS, CHANNELS) + CHANNELS)
            + (2 + 1) * CHANNELS // HEADS  # encoding
            + 3 * HEADS * 9  # maps to taps
            + 9 * 9 * CHANNELS  # shifts
            + 2,
        ),
    ],
)
def test_parameters(kind: str, params: int) -> None:
    assert sum(p.numel() for p in create_model(LAYERS[kind]).parameters()) == params


@pytest.mark.parametrize(
    ("kind", "projections", "seen"),
    [
        ("global", QKV + LAST, 14 * 14),
        ("axial", QKV + conv(VALUES, 2 * KEYS + VALUES) + LAST, 14 + 14),
        ("window", QKV + LAST, 49),
    ],
)
def test_macs(kind: str, projections: int, seen: int) -> None:
    """Projections and norms of every position, and its products with the visible positions."""
    norms = QKV_NORMED * (2 if kind == "axial" else 1) + NORMED * CHANNELS
    per_position = projections + norms + seen * (KEYS + VALUES)
    assert count_macs(create_model(LAYERS[kind]), (14, 14)) == 14 * 14 * per_position


def test_macs_of_acmix() -> None:
    """Projections, neighbors of every position, mixing and shifts; no BatchNorm."""
    around = 49 * 2 * CHANNELS
    per_position = 3 * conv(CHANNELS, CHANNELS) + around + (27 + 81) * CHANNELS
    encoding = conv(2, CHANNELS // HEADS)
    counted = count_macs(create_model(LAYERS["acmix"]), (14, 14))
    assert counted == 14 * 14 * (per_position + encoding)


# Growth


def on_meta(kind: str) -> nn.Module:
    return LAYERS[kind].build("features", 0).eval()


@pytest.mark.parametrize("kind", LAYERS)
def test_macs_grow_with_the_exponent_of_the_table(kind: str) -> None:
    """Between sides at which the fastest growing part dominates: attention, if there is any."""
    with torch.device("meta"):
        layer = on_meta(kind)
        small, large = (count_macs(layer, (side, side)) for side in (1792, 3584))
    assert math.log2(large / small) == pytest.approx(LAYERS[kind].cost.growth, abs=0.15)


class Written(TorchDispatchMode):
    """Counts the elements that operators write."""

    numbers = 0

    def __torch_dispatch__(self, operator, _types, args=(), kwargs=None):
        out = operator(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not operator.is_view:
            self.numbers += out.numel()
        return out


@pytest.mark.parametrize("side", [16, 64, 256])
@pytest.mark.parametrize("kind", LAYERS)
def test_written_elements_roughly_match_the_table(kind: str, side: int) -> None:
    with torch.device("meta"), torch.no_grad():
        layer = on_meta(kind)
        x = torch.zeros(1, CHANNELS, side, side)
        with Written() as written:
            layer(x)
    assert LAYERS[kind].cost.elements(side) == pytest.approx(written.numbers, rel=0.4)
