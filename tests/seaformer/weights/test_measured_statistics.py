"""Running statistics that keep the values of a deep network with random weights in range."""

import torch
from torch import Tensor, nn

from seaformer.weights.measured_statistics import measure_statistics

SHAPE = (1, 3, 32, 32)


class Deep(nn.Module):
    """Residual blocks whose kernels have a gain of 3, and a norm of pooled values."""

    def __init__(self) -> None:
        super().__init__()
        pairs = [(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)) for _ in range(20)]
        self.blocks = nn.ModuleList(nn.Sequential(*pair, nn.ReLU()) for pair in pairs)
        self.head = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean((2, 3)))


def network() -> Deep:
    torch.manual_seed(0)
    model = Deep().eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=3 / 27**0.5)
    return model


def test_values_stay_in_range_for_every_image() -> None:
    model = network()
    images = (torch.randn(SHAPE), torch.full(SHAPE, 2.0))
    with torch.no_grad():
        before = [model(image).abs().max() for image in images]
        measure_statistics(model, SHAPE, 0)
        after = [model(image).abs().max() for image in images]
    assert min(before) > 1e5
    assert max(after) < 20


def test_only_running_statistics_change_and_always_in_the_same_way() -> None:
    model, other = network(), network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure_statistics(model, SHAPE, 0)
    measure_statistics(other, SHAPE, 0)
    changed = {name for name, value in model.state_dict().items() if (value != before[name]).any()}
    assert changed == {name for name in before if "running_" in name}
    for name, value in other.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
