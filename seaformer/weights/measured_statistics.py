"""The running statistics of BatchNorms, measured as training would: on the input of each norm.

Random statistics suit a network whose layers have random weights of a known gain. In a network of
another library, whose gains are unknown, each block would multiply the values by a factor, which
made the outputs of RepViT 10^12 and no two float32 computations of them agree.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LEAST_VARIANCE = 1e-12
"""Below it, a channel is constant and stays as it is."""
STEP = 0.25
"""Step of means, in standard deviations."""


def measure_statistics(model: nn.Module, shape: tuple[int, ...], seed: int) -> None:
    """Set the running statistics of every norm that has them from one run on noise.

    The run is in float64, and deviations are rounded to powers of two and means to steps, so that
    the result is the same on every machine.

    Args:
        model: in eval mode, float32; its weights are not changed.
        shape: of the input.
        seed: of the noise.
    """
    exact = copy.deepcopy(model).double()
    norms = dict(model.named_modules())
    for path, module in exact.named_modules():
        if isinstance(getattr(module, "running_var", None), Tensor):
            module.register_forward_pre_hook(_measuring(norms[path]))
    noise = np.random.RandomState(seed).standard_normal(shape)
    with torch.no_grad():
        exact(torch.from_numpy(noise))


def _measuring(norm: nn.Module) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Return a hook that sets the statistics of a module, and of the norm that it is a copy of."""

    def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        axes = [axis for axis in range(x.dim()) if axis != 1]
        mean, variance = x.mean(axes), x.var(axes, correction=0)
        deviation = 2.0 ** (variance.clamp_min(LEAST_VARIANCE).log2() / 2).round()
        deviation = torch.where(variance > LEAST_VARIANCE, deviation, torch.ones_like(variance))
        one: Any
        for one in (module, norm):
            one.running_var.copy_(deviation**2)
            one.running_mean.copy_((mean / deviation / STEP).round() * STEP * deviation)

    return measure
