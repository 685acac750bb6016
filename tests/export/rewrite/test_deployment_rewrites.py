"""Every rewrite of the deployment form: where it applies, that it is exact, and refusals.

A single rewrite is compared in float64, where it is exact up to the order of additions.
"""

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from official_weights import build_network
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.export.convert.onnx_graph import MIN_SHARED, to_onnx
from seaformer.export.rewrite import RewriteReport, deployment_form
from seaformer.export.rewrite.argmax_inside import end_with_argmax
from seaformer.export.rewrite.constant_positions import make_positions_constant
from seaformer.export.rewrite.defer_value_bias import defer_value_bias
from seaformer.export.rewrite.fold_attention_scale import fold_attention_scale
from seaformer.export.rewrite.fold_batch_norm import fold_batch_norm
from seaformer.export.rewrite.fold_gate import fold_gate
from seaformer.export.rewrite.fold_light_head import ChannelBias, fold_light_head
from seaformer.export.rewrite.fold_scales import fold_scales
from seaformer.export.rewrite.joint_attention import JointAttention, join_attention
from seaformer.export.rewrite.merge_depthwise import merge_depthwise
from seaformer.export.rewrite.normalization import normalize_inside
from seaformer.export.rewrite.static_upsampling import (
    StaticFusionBlock,
    make_upsampling_static,
)
from seaformer.models.cgrseg import Calibration
from seaformer.models.create import create_model
from seaformer.models.efficientformer import (
    Block,
    DownsamplingAttention,
    LayerScale,
    PositionBias,
    TalkingAttention,
)
from seaformer.models.repvit import ParallelDepthwise, build_repvit
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.convolution import ConvBN, HardSigmoid
from seaformer.models.seaformer.light_head import LightHead
from seaformer.models.seaformer.network import SeaFormer
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.models.seaformer.stem import Stem
from seaformer.models.seaformer.variants import VARIANTS, get_variant
from seaformer.tasks import get_task
from seaformer.tasks.output_meaning import LOGITS

ADE20K = get_task("ade20k").preprocessing
MEAN, STD = ADE20K.mean, ADE20K.std

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def prepared(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network random float64 weights: no BatchNorm is an identity, all signs occur."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval().requires_grad_(False)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0, generator=generator)
        elif tensor.is_floating_point():
            spread = 1.0 if tensor.ndim < 2 else (2.0 / tensor[0].numel()) ** 0.5
            tensor.normal_(0.0, spread, generator=generator)
    return model


def random(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def error(output: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value; the expected ones must vary."""
    assert output.shape == expected.shape
    assert expected.std() > 0
    return float((output - expected).abs().max() / expected.abs().max())


def kinds(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


class Attentions(nn.Module):
    """Two attention layers, of 3 heads with 4 query channels each."""

    def __init__(self) -> None:
        super().__init__()
        self.first = SqueezeEnhancedAxialAttention(20, 4, 3)
        self.second = SqueezeEnhancedAxialAttention(20, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Fusions(nn.Module):
    """Two fusion blocks; the context is a pooled image."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = FusionBlock(6, 6, 8)
        self.coarse = FusionBlock(8, 6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fine(x, F.avg_pool2d(x, 2)), F.avg_pool2d(x, 4)
        return self.coarse(*x)


# Folding BatchNorm


def test_batch_norm_is_folded() -> None:
    model = prepared(
        nn.Sequential(
            ConvBN(3, 8, kernel=3, stride=2),
            nn.ReLU(),
            ConvBN(8, 8, kernel=5, groups=8),
            nn.Sequential(ConvBN(8, 4)),
        )
    )
    x = random(1, 3, 13, 9)
    expected = model(x)
    assert fold_batch_norm(model) == RewriteReport("fold_batch_norm", 3, [])
    assert not kinds(model, nn.BatchNorm2d)
    assert error(model(x), expected) < 1e-12
    # The path is unchanged, and so is the name in every exported file.
    assert isinstance(model.get_submodule("3.0"), nn.Conv2d)


def test_batch_norm_in_training_mode_is_refused() -> None:
    model = prepared(nn.Sequential(ConvBN(3, 8), ConvBN(8, 8)))
    model[1].train()
    report = fold_batch_norm(model)
    assert report.count == 1
    (refusal,) = report.refusals
    assert refusal.startswith("1: ")
    assert "batch's own statistics" in refusal
    assert len(kinds(model, nn.BatchNorm2d)) == 1


def test_batch_norm_without_statistics_is_refused() -> None:
    model = nn.Sequential(ConvBN(3, 8))
    model[0].norm = nn.BatchNorm2d(8, track_running_stats=False)
    model = prepared(model)
    x = random(1, 3, 5, 5)
    expected = model(x)
    report = fold_batch_norm(model)
    assert report.count == 0
    assert "batch's own statistics" in report.refusals[0]
    assert torch.equal(model(x), expected)


# Attention


def folded_attentions() -> nn.Module:
    model = prepared(Attentions())
    fold_batch_norm(model)
    return model


def sizes(height: int, width: int) -> dict[str, tuple[int, int]]:
    return {"first": (height, width), "second": (height, width)}


# As many tokens as heads, one token, and a side longer than the 16 learned positions.
@pytest.mark.parametrize("size", [(7, 5), (3, 3), (1, 4), (2, 1), (20, 33)])
def test_attention_is_joined(size: tuple[int, int]) -> None:
    model = folded_attentions()
    x = random(1, 20, *size)
    expected = model(x)
    assert join_attention(model, sizes(*size)) == RewriteReport("joint_attention", 2, [])
    assert not kinds(model, SqueezeEnhancedAxialAttention)
    assert error(model(x), expected) < 1e-12


@pytest.mark.parametrize(
    ("rewrite", "name"),
    [(fold_attention_scale, "fold_attention_scale"), (defer_value_bias, "defer_value_bias")],
)
def test_constants_of_the_joint_attention_are_folded(rewrite, name: str) -> None:
    model = folded_attentions()
    join_attention(model, sizes(6, 9))
    x = random(1, 20, 6, 9)
    expected, before = model(x), copy.deepcopy(model.state_dict())
    assert rewrite(model) == RewriteReport(name, 2, [])
    after = model.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    assert error(model(x), expected) < 1e-12


def test_the_scale_is_folded_and_the_bias_follows_the_products() -> None:
    model = folded_attentions()
    join_attention(model, sizes(6, 9))
    axes = [axis for joint in kinds(model, JointAttention) for axis in (joint.row, joint.column)]
    assert {axis.scale for axis in axes} == {0.5}
    assert {axis.value_bias for axis in axes} == {None}
    fold_attention_scale(model)
    defer_value_bias(model)
    assert {axis.scale for axis in axes} == {1.0}
    assert all(axis.value_bias.shape == (1, 1, 24) for axis in axes)


def test_attention_called_with_several_sizes_is_refused() -> None:
    model = folded_attentions()
    x = random(1, 20, 6, 9)
    expected = model(x)
    report = join_attention(model, {"first": (6, 9)})
    assert report.count == 1
    assert report.refusals == [
        "second: its input has no fixed size: it is called with several, or never"
    ]
    assert isinstance(model.second, SqueezeEnhancedAxialAttention)
    assert error(model(x), expected) < 1e-12


def test_the_order_of_rewrites_is_enforced() -> None:
    with pytest.raises(TypeError, match="fold_batch_norm comes first"):
        join_attention(prepared(Attentions()), sizes(4, 4))


# Gates and fusion blocks


def test_gates_are_folded() -> None:
    model = prepared(nn.Sequential(Attentions(), ConvBN(20, 6), Fusions()))
    x = random(1, 20, 16, 12)
    fold_batch_norm(model)
    join_attention(model, {"0.first": (16, 12), "0.second": (16, 12)})
    expected = model(x)
    assert len(kinds(model, HardSigmoid)) == 4
    assert fold_gate(model) == RewriteReport("fold_gate", 4, [])
    assert not kinds(model, HardSigmoid)
    assert error(model(x), expected) < 1e-12


def test_upsampling_is_made_static() -> None:
    model = prepared(Fusions())
    x = random(1, 6, 13, 10)
    expected = model(x)
    known = {"fine": (13, 10), "coarse": (13, 10)}
    assert make_upsampling_static(model, known) == RewriteReport("static_upsampling", 2, [])
    assert [block.size for block in kinds(model, StaticFusionBlock)] == [(13, 10), (13, 10)]
    assert torch.equal(model(x), expected)


def test_upsampling_to_an_unknown_size_is_refused() -> None:
    model = prepared(Fusions())
    report = make_upsampling_static(model, {"coarse": (13, 10)})
    assert report.count == 1
    assert report.refusals == [
        "fine: its input has no fixed size: it is called with several, or never"
    ]
    assert isinstance(model.fine, FusionBlock)


# The light head


def tiny(seed: int = 0) -> SeaFormer:
    model = prepared(build_network(get_variant("tiny"), get_task("cityscapes")), seed)
    assert isinstance(model, SeaFormer)
    return model


def test_light_head_is_folded() -> None:
    model = tiny()
    # Positive, negative and zero factors.
    assert (model.light_head.fuse.norm.weight < 0).any()
    model.light_head.fuse.norm.weight[3] = 0.0
    x = random(1, 3, 72, 96)
    expected = model(x)
    fold_batch_norm(model)
    assert fold_light_head(model) == RewriteReport("fold_light_head", 1, [])
    assert isinstance(model.light_head.fuse, ChannelBias)
    assert error(model(x), expected) < 1e-12


def test_light_head_with_a_dense_convolution_is_refused() -> None:
    model = tiny()
    model.light_head.fuse = prepared(ConvBN(96, 96))
    x = random(1, 3, 64, 64)
    expected = model(x)
    fold_batch_norm(model)
    report = fold_light_head(model)
    assert report.count == 0
    assert report.refusals == [
        "light_head.fuse: it is not a depth-wise 1x1 convolution with folded norm"
    ]
    assert error(model(x), expected) < 1e-12


def test_light_head_whose_norm_is_not_folded_is_refused() -> None:
    model = tiny()
    model.light_head.fuse.train()
    fold_batch_norm(model)
    assert "not a depth-wise 1x1 convolution with folded norm" in fold_light_head(model).refusals[0]
    assert isinstance(model.light_head.fuse, ConvBN)


def test_light_head_of_another_network_is_refused() -> None:
    model = prepared(nn.Sequential(ConvBN(3, 8), LightHead(8, 5)))
    x = random(1, 3, 6, 6)
    expected = model(x)
    fold_batch_norm(model)
    report = fold_light_head(model)
    assert report.count == 0
    assert report.refusals == ["1: it is not part of a SeaFormer, so its input is unknown"]
    assert error(model(x), expected) < 1e-12


# Normalization in the graph


def random_image(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (1, 3, height, width), generator=generator).double()


def normalized(image: Tensor) -> Tensor:
    mean, std = (torch.tensor(v, dtype=image.dtype).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return (image - mean) / std


def test_normalization_is_folded_into_the_stem() -> None:
    model = tiny()
    image = random_image(72, 88)
    expected, first = model(normalized(image)), model.stem.conv(normalized(image))
    fold_batch_norm(model)
    assert normalize_inside(model, MEAN, STD, 88) == RewriteReport("normalize_inside", 1, [])
    inside = model.stem.conv(model.stem.normalize(image))
    # Every border reads padding: the top and left ones, and with an odd side the others too.
    for border in (inside[:, :, 0] - first[:, :, 0], inside[..., 0] - first[..., 0]):
        assert border.abs().max() < 1e-12 * first.abs().max()
    assert error(inside, first) < 1e-12
    assert error(model(image), expected) < 1e-12


def test_padding_is_the_mean_in_the_image() -> None:
    model = tiny()
    fold_batch_norm(model)
    normalize_inside(model, MEAN, STD, 71)
    gray = torch.tensor(MEAN, dtype=torch.float64).reshape(1, 3, 1, 1).expand(1, 3, 65, 71)
    first = model.stem.conv(model.stem.normalize(gray))
    # An image of mean values is zero after normalization, like the padding around it.
    assert torch.equal(first, first[:, :, 5:6, 5:6].expand_as(first))


def test_other_models_are_normalized_by_separate_operators() -> None:
    model = prepared(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()))
    image = random_image(9, 7)
    expected = model(normalized(image))
    report = normalize_inside(model, MEAN, STD, 7)
    assert report.count == 0
    assert report.refusals == ["model: it is not a SeaFormer; std stays an operator"]
    assert error(model(image), expected) < 1e-6  # its constants are float32


class Bgr(nn.Module):
    """A user's wrapper: its stem does not read the image, and its head is not the last module."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny()

    def forward(self, image: Tensor) -> Tensor:
        return -self.network(image.flip(1))


@pytest.mark.parametrize("head", ["logits", "classes"])
def test_normalization_and_arg_max_are_added_around_a_wrapper(head: str) -> None:
    model = Bgr().eval()
    image = random_image(64, 96)
    expected = model(normalized(image))
    form = deployment_form(model.float(), (64, 96), ADE20K, head)
    refused = {report.name for report in form.reports if report.refusals}
    assert refused == {"normalize_inside"} | ({"argmax_inside"} if head == "classes" else set())
    output = form.model.double()(image)
    if head == "logits":
        assert error(output, expected) < 1e-4
    else:
        assert (output == expected.argmax(1)).double().mean() > 0.999


# The arg-max


@pytest.mark.parametrize("size", [None, (64, 80)])
def test_the_graph_ends_with_the_arg_max(size: tuple[int, int] | None) -> None:
    model = tiny()
    x = random(1, 3, 64, 80)
    logits = model(x)
    if size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    assert len(logits.argmax(1).unique()) > 3
    assert end_with_argmax(model, size, LOGITS) == RewriteReport("argmax_inside", 1, [])
    assert torch.equal(model(x), logits.argmax(1))


@pytest.mark.parametrize("size", [None, (18, 22)])
def test_other_models_also_end_with_the_arg_max(size: tuple[int, int] | None) -> None:
    model = prepared(nn.Sequential(nn.Conv2d(3, 6, 3, stride=2)))
    x = random(1, 3, 18, 22)
    logits = model(x)
    if size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    report = end_with_argmax(model, size, LOGITS)
    assert report.count == 0
    assert report.refusals == ["model: it is not a SeaFormer; the arg-max follows the whole model"]
    assert torch.equal(model(x), logits.argmax(1))


# A model without matches


@pytest.mark.parametrize(
    ("rewrite", "missing"),
    [
        (fold_batch_norm, "ConvBN"),
        (lambda model: join_attention(model, {}), "squeeze-enhanced axial attention"),
        (fold_attention_scale, "joint attention"),
        (defer_value_bias, "joint attention"),
        (fold_gate, "gated attention or fusion block"),
        (fold_light_head, "light head"),
        (lambda model: make_upsampling_static(model, {}), "fusion block"),
    ],
)
def test_a_model_without_matches_is_unchanged(rewrite, missing: str) -> None:
    model = prepared(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    before = copy.deepcopy(model.state_dict())
    modules = list(model.modules())
    report = rewrite(model)
    assert report.count == 0
    assert report.refusals == [f"model: it has no {missing}"]
    assert list(model.modules()) == modules
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


# All rewrites


@pytest.fixture(scope="module", params=VARIANTS)
def network(request: pytest.FixtureRequest) -> SeaFormer:
    return create_model(request.param)


@pytest.mark.parametrize("size", [(96, 128), (200, 136)])
def test_the_deployment_form_is_the_same_function(network, size: tuple[int, int]) -> None:
    image = random_image(*size)
    expected = copy.deepcopy(network).double()(normalized(image))
    form = deployment_form(network, size, ADE20K)
    # The only difference in float64 is the rounding of its weights to float32.
    output = form.model.double()(image)
    assert error(output, expected) < 2e-6
    assert (output.argmax(1) == expected.argmax(1)).all()


def test_every_rewrite_finds_all_its_matches(network) -> None:
    layers = len(kinds(network, SqueezeEnhancedAxialAttention))
    fusions = len(kinds(network, FusionBlock))
    form = deployment_form(network, (96, 128), ADE20K, "mask")
    assert not any(report.refusals for report in form.reports)
    assert {report.name: report.count for report in form.reports} == {
        "fold_batch_norm": len(kinds(network, ConvBN)),
        "fold_scales": 0,
        "merge_depthwise": 0,
        "constant_positions": 0,
        "joint_attention": layers,
        "fold_attention_scale": layers,
        "defer_value_bias": layers,
        "fold_gate": layers + fusions,
        "fold_light_head": 1,
        "static_upsampling": fusions,
        "normalize_inside": 1,
        "argmax_inside": 1,
    }
    assert not form.model.training
    left = (nn.BatchNorm2d, nn.Dropout2d, HardSigmoid, FusionBlock, Stem, LightHead)
    assert not kinds(form.model, left)  # type: ignore[arg-type]


def test_no_weight_is_stored_twice(network) -> None:
    folded = copy.deepcopy(network)
    fold_batch_norm(folded)
    form = deployment_form(network, (128, 192), ADE20K).model
    fuse = folded.light_head.fuse
    positions = [p for name, p in folded.named_parameters() if name.endswith("embedding")]
    count = sum(p.numel() for p in folded.parameters())
    # The interpolation of positions is removed, and of the light head's first convolution only
    # the bias remains, as a constant.
    removed = sum(p.numel() for p in positions) + fuse.weight.numel() + fuse.bias.numel()
    assert sum(p.numel() for p in form.parameters()) == count - removed
    # The new constants are: per axis, the positions interpolated to its length, the masks of the
    # heads and the value's bias; the light head's bias; the mean, repeated for every column.
    constants = fuse.bias.numel() + 3 * 192
    for joint in kinds(form, JointAttention):
        keys, values = joint.row.key_channels, joint.row.value_channels
        for axis, length in ((joint.row, joint.row.grid[0]), (joint.column, joint.column.grid[1])):
            assert axis.squeeze.positions.shape == (1, length, 2 * keys + values)
            assert axis.key_mask.shape == (1, axis.heads * length, keys)
            assert axis.value_mask.shape == (1, axis.heads * length, values)
            constants += length * (2 * keys + values) + values
            constants += axis.heads * length * (keys + values)
    assert sum(b.numel() for b in form.buffers()) == constants
    # A file stores hardly more numbers than the network with BatchNorm has, because the layers of
    # a stage have equal masks, which are stored once.
    stored = {(t.shape, t.detach().numpy().tobytes()) for t in form.state_dict().values()}
    assert sum(shape.numel() for shape, _ in stored) < 1.02 * count


@pytest.mark.slow
def test_equal_constants_are_stored_once(network) -> None:
    graph = to_onnx(deployment_form(network, (128, 192), ADE20K).model, (128, 192), "logits")
    constants = [numpy_helper.to_array(tensor) for tensor in graph.graph.initializer]
    large = [(c.shape, c.tobytes()) for c in constants if c.size >= MIN_SHARED]
    assert large
    assert len(set(large)) == len(large)


def test_the_original_model_is_unchanged(network) -> None:
    state = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    modules = [(path, type(module)) for path, module in network.named_modules()]
    deployment_form(network, (64, 96), ADE20K, "classes")
    assert network.state_dict().keys() == state.keys()
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    assert [(path, type(module)) for path, module in network.named_modules()] == modules
    assert all(p.dtype == torch.float32 for p in network.parameters())
    hooks = [len(m._forward_pre_hooks) + len(m._forward_hooks) for m in network.modules()]
    assert sum(hooks) == 0


class TwoScales(nn.Module):
    """A user's wrapper that runs a network on an image at two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny()

    def forward(self, image: Tensor) -> Tensor:
        small = F.avg_pool2d(image, 2)
        return self.network(image)[:, :, ::2, ::2] + self.network(small)


def test_a_network_run_at_two_scales_keeps_its_attention() -> None:
    model = TwoScales().eval()
    x = random(1, 3, 128, 192)
    expected = model(x)
    form = deployment_form(model.float(), (128, 192))
    reports = {report.name: report for report in form.reports}
    assert reports["fold_batch_norm"].count > 0
    for name in ("joint_attention", "static_upsampling"):
        assert reports[name].count == 0
        assert "called with several" in reports[name].refusals[0]
    assert error(form.model.double()(x), expected) < 1e-4


def test_parallel_depthwise_convolutions_are_merged_exactly() -> None:
    model = prepared(nn.Sequential(ParallelDepthwise(6), nn.GELU(), ParallelDepthwise(6)))
    x = random(2, 6, 5, 7)
    expected = model(x)
    fold_batch_norm(model)
    report = merge_depthwise(model)
    assert (report.count, report.refusals) == (2, [])
    assert [type(module) for module in model] == [nn.Conv2d, nn.GELU, nn.Conv2d]
    assert error(model(x), expected) < 1e-12


def test_repvit_has_one_depthwise_convolution_per_block_when_deployed() -> None:
    form = deployment_form(build_repvit("m1-1", 4).eval(), (64, 64))
    merged = next(report for report in form.reports if report.name == "merge_depthwise")
    assert merged.count == 21  # 24 blocks, of which 3 halve the grid
    assert not kinds(form.model, nn.BatchNorm2d)


def test_position_biases_become_constants() -> None:
    model = prepared(nn.Sequential(DownsamplingAttention(6, 6), TalkingAttention(6, halves=True)))
    x = random(1, 6, 10, 12)
    expected = model(x)
    sizes = {"0.position": (5 * 6, 10 * 12), "1.position": (3 * 3, 3 * 3)}
    report = make_positions_constant(model, sizes)
    assert (report.count, report.refusals) == (2, [])
    assert not kinds(model, PositionBias)
    assert error(model(x), expected) < 1e-12


def test_position_biases_are_those_of_the_distances() -> None:
    position = prepared(PositionBias(2, 4, stride=2))
    matrix = position.matrix((4, 16))[0].reshape(2, 2, 2, 4, 4)
    for (row, column, key_row, key_column), bias in np.ndenumerate(matrix[1].numpy()):
        distances = abs(2 * row - key_row), abs(2 * column - key_column)
        assert abs(bias - float(position.table[1, 4 * distances[0] + distances[1]])) < 1e-12


def test_scales_and_norms_of_cgrseg_are_folded_exactly() -> None:
    block = Block(6, 2, TalkingAttention(6, halves=False))
    model = prepared(nn.Sequential(block, Calibration(6, 5)))
    x = random(2, 6, 5, 7)
    expected = model(x)
    fold_batch_norm(model)
    report = fold_scales(model)
    assert (report.count, report.refusals) == (4, [])
    assert not kinds(model, nn.BatchNorm2d)
    assert not kinds(model, LayerScale)
    assert error(model(x), expected) < 1e-12
