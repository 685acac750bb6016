"""Rounding in PyTorch, compared with torch's own operators and with the training form."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seaformer.artifact.metadata import Scale
from seaformer.artifact.precisions import PRECISIONS
from seaformer.datasets.shapes import ShapesDataset
from seaformer.errors import UsageError
from seaformer.evaluation.metrics import sqnr_db
from seaformer.models.create import create_model
from seaformer.models.resolve import as_network, with_ablation
from seaformer.quantization.preparation import (
    calibrate,
    fake_quantize,
    range_tensors,
    ranges_in,
    require_supported,
)
from seaformer.quantization.rounding import Range, Rounding
from seaformer.quantization.tensors import integer_tensors
from seaformer.tasks import get_task
from seaformer.training.validation import prepared

SHAPES = get_task("shapes")
INT8, INT4 = PRECISIONS["int8"], PRECISIONS["int4-weights"]


def images(count: int, side: int = 64) -> Tensor:
    """Return scenes as normalized inputs [count, 3, side, side]."""
    scenes = ShapesDataset("val", (side, side))
    preprocessing = replace(SHAPES.preprocessing, input_size=(side, side))
    task = replace(SHAPES, preprocessing=preprocessing)
    return prepared([scenes[index][0] for index in range(count)], task)


@dataclass(frozen=True)
class Exact(Rounding):
    """Rounds neither weights nor constants."""

    def weights(self, weights: Tensor) -> Tensor:
        return weights

    def constant(self, values: Tensor) -> Tensor:
        return values


@pytest.mark.parametrize("zero_point", [-128, -3, 60])
def test_values_and_gradients_equal_torchs_fake_quantization(zero_point: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 8, 5, 5, generator=generator).requires_grad_()
    weights = torch.randn(x.shape, generator=generator)
    ours = Range()
    ours.set(Scale(scale=0.013, zero_point=zero_point))
    (ours(x) * weights).sum().backward()
    assert x.grad is not None
    found, x.grad = x.grad.clone(), None
    step = float(ours.log_step.detach().exp())
    theirs = torch.fake_quantize_per_tensor_affine(x, step, zero_point, -128, 127)
    (theirs * weights).sum().backward()
    torch.testing.assert_close(ours(x), theirs)
    torch.testing.assert_close(found, x.grad)


@pytest.mark.parametrize("zero_point", [-128, -3, 60])
def test_the_gradient_of_the_step_passes_through_the_rounding(zero_point: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weights = (torch.randn(4, 8, 5, 5, generator=generator) for _ in range(2))
    ours = Range()
    ours.set(Scale(scale=0.013, zero_point=zero_point))
    (ours(x) * weights).sum().backward()
    log_step = ours.log_step.detach().clone().requires_grad_()
    scaled = x / log_step.exp()
    rounded = scaled + (scaled.round() - scaled).detach()
    integers = (rounded + zero_point).clamp(-128, 127)
    ((integers - zero_point) * log_step.exp() * weights).sum().backward()
    torch.testing.assert_close(ours.log_step.grad, log_step.grad, rtol=1e-4, atol=1e-4)


def test_a_range_includes_zero_as_an_integer() -> None:
    one = Range()
    one.cover(-0.31, 2.0)
    assert float(one(torch.zeros(1)).detach()) == 0
    assert one.scale.scale == pytest.approx(2.31 / 255)
    assert -128 <= one.scale.zero_point <= 127


@pytest.mark.parametrize(("precision", "levels"), [(INT8, 255), (INT4, 15)])
def test_weights_have_a_step_for_each_channel(precision, levels: int) -> None:  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([1.0, 0.1, 0.01]).reshape(-1, 1, 1, 1)
    weights = torch.randn(3, 400, 1, 1, generator=generator) * scales
    rounded = Rounding(precision, "tflite", SHAPES.preprocessing).weights(weights)
    for before, after in zip(weights, rounded, strict=True):
        assert len(after.unique()) <= levels
        step = float(before.abs().max()) / (levels // 2)
        assert float((after - before).abs().max()) <= 0.501 * step
    depthwise = torch.randn(2, 1, 31, 31, generator=generator)
    rounded = Rounding(precision, "tflite", SHAPES.preprocessing).weights(depthwise)
    assert len(rounded[0].unique()) > 100  # eight bits in every precision


@pytest.mark.parametrize("variant", ["tiny", "large"])
def test_without_rounding_the_network_computes_the_same(variant: str) -> None:
    weights = "shapes" if variant == "tiny" else "random"
    model = create_model(variant, "shapes", weights)
    x = images(2)
    levels = SHAPES.preprocessing
    std, mean = (torch.tensor(v)[:, None, None] for v in (levels.std, levels.mean))
    x = ((x * std + mean).round() - mean) / std  # bytes, like the input of the file
    expected = model(x)
    fake_quantize(model, INT8, SHAPES.preprocessing)
    for module in model.modules():
        if hasattr(module, "rounding"):
            module.rounding = Exact(INT8, "tflite", SHAPES.preprocessing)
    for one in ranges_in(model).values():
        one.observer = lambda _: None
    assert sqnr_db(expected.numpy(), model(x).detach().numpy()) > 90


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_every_tensor_gets_a_range_and_the_output_stays_close(format: str) -> None:
    model = create_model("tiny", "shapes", "shapes")
    x = images(4, 128)
    expected = model(x).numpy()
    fake_quantize(model, INT8, SHAPES.preprocessing, format)
    listed = {name for name, (_, row) in integer_tensors(model).items() if format in row.formats}
    assert set(ranges_in(model)) == listed
    assert calibrate(model, [images(4, 128)], "mse") == len(listed)
    found = model(x).detach().numpy()
    assert 20 < sqnr_db(expected, found) < 50
    assert len(np.unique(found)) <= 256


def test_parameters_keep_their_names() -> None:
    model = create_model("tiny", "shapes", "shapes")
    before = set(model.state_dict())
    fake_quantize(model, INT4, SHAPES.preprocessing)
    assert set(model.state_dict()) - range_tensors(model) == before
    assert len(range_tensors(model)) == 2 * len(ranges_in(model))


def test_every_parameter_and_every_range_learns() -> None:
    model = create_model("tiny", "shapes", "shapes").requires_grad_(True)
    fake_quantize(model, INT4, SHAPES.preprocessing)
    x = images(2, 128)  # with 64 pixels, the last stage has a single token
    calibrate(model, [x], "mse")
    model.train()
    torch.manual_seed(0)  # stochastic depth can drop a layer for both scenes
    model(x).square().mean().backward()
    idle = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.abs().sum() > 0)
    ]
    # The softmax does not change if all keys change by the same vector.
    assert not [name for name in idle if not name.endswith("key.norm.bias")]


@pytest.mark.parametrize(
    ("name", "ablation"),
    [("topformer-tiny", {}), ("tiny", {"detail": "off"}), ("tiny", {"combine": "add"})],
)
def test_other_networks_are_refused(name: str, ablation: dict[str, str]) -> None:
    network = with_ablation(as_network(name), ablation)
    model: nn.Module = network.build("segmentation", 12)
    with pytest.raises(UsageError, match=r"cannot be trained with --quantization\. Allowed: "):
        require_supported(model, network.name)
