"""The running statistics of BatchNorms, measured as in training, on the input of each norm.

Random statistics work for a network whose layers have random weights of a known gain. In a network
of another library, the gains are unknown, and each block would multiply the values by some factor.
For RepViT, the outputs reached 10^12, and no two ways to compute them in float32 agreed.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

MIN_VARIANCE = 1e-12
"""A channel with a smaller variance counts as constant and is left unchanged."""
STEP = 0.25
"""Step of means, in standard deviations."""
MIN_RELATIVE_DEVIATION = 1 / 2
"""Minimum deviation as a share of the mean: a channel that hardly varies on noise may vary on other
images, where it would be amplified."""
BLOCKS = (1, 32)
"""Side of the noise's blocks in pixels, for each image: fine and coarse noise. With the statistics
of only one of the two, a network amplifies the other."""


def measure_statistics(model: nn.Module, shape: tuple[int, ...], seed: int) -> None:
    """Run the model once, and set the running statistics of every norm that has them.

    The input is noise, in float64. Deviations are rounded to powers of two, and means to multiples
    of `STEP` deviations, so that the result is the same on every machine.

    Args:
        model: a model in eval mode, float32; its weights are not changed.
        shape: shape of the input.
        seed: random seed of the noise.
    """
    exact = copy.deepcopy(model).double()
    norms = dict(model.named_modules())
    for path, module in exact.named_modules():
        if isinstance(getattr(module, "running_var", None), Tensor):
            module.register_forward_pre_hook(_measuring(norms[path]))
    with torch.no_grad():
        exact(torch.from_numpy(_noise(shape, seed)))


def _noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return noise for each block size in `BLOCKS`, float64 [images, channels, height, width]."""
    random = np.random.RandomState(seed)
    _, channels, height, width = shape
    images = []
    for block in BLOCKS:
        values = random.standard_normal((channels, -(-height // block), -(-width // block)))
        images.append(values.repeat(block, axis=1).repeat(block, axis=2)[:, :height, :width])
    return np.stack(images)


def _measuring(norm: nn.Module) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Return a hook that sets the statistics of its module, and of `norm`, its original."""

    def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        if x.dim() == 2:  # pooled: too few values per channel for a deviation of each
            x = x.flatten()[:, None, None].expand(-1, x.shape[1], 1)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        mean, variance = x.mean(axes), x.var(axes, correction=0)
        variance = variance.maximum((mean * MIN_RELATIVE_DEVIATION) ** 2)
        deviation = 2.0 ** (variance.clamp_min(MIN_VARIANCE).log2() / 2).round()
        deviation = torch.where(variance > MIN_VARIANCE, deviation, torch.ones_like(variance))
        steps = (mean / deviation / STEP).round()
        for one in (module, norm):
            one.get_buffer("running_var").copy_(deviation**2)
            one.get_buffer("running_mean").copy_(steps * STEP * deviation)

    return measure
