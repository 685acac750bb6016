"""Seeded random weights for networks of other libraries, chosen by the type of each module.

`random_weights` chooses values by the names of modules. Other libraries use other names, so here
the types of modules decide; the reasons for the values are the same.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from seaformer.tasks.statement import TASK
from seaformer.weights.measured_statistics import measure_statistics
from seaformer.weights.random_weights import norm_values, rounded, stream

LINEAR_GAIN = 0.5
"""Gain of linear layers: it keeps attention scores small enough for a smooth softmax."""
BRANCH_SCALE = 0.3
"""Mean of the scales of residual branches, which libraries initialize with almost 0."""
SHIFT = 0.5
"""Mean of a norm that measures its input. Activations that cut off half of all values make a deep
network chaotic: every layer amplifies a difference by a fifth."""


def fill_by_type(model: nn.Module, seed: int = 0) -> None:
    """Overwrite every parameter with values from its name and `seed`, then measure the statistics.

    Other buffers, such as indices of relative positions, are computed by the network itself and do
    not change. Convolutions and linear layers are normally distributed with a deviation of
    gain / sqrt(fan-in). Norms with running statistics, which `measured_statistics` sets, have
    scales of 1/4 or 1/2 and a shift; other norms are as in `random_weights`. All other parameters
    are normally distributed with the deviation of their initial values, at least 0.02.

    Args:
        model: as initialized by its library, in eval mode, float32; it declares its input.
        seed: random seed.
    """
    with torch.no_grad():
        for path, module in model.named_modules():
            for name, tensor in module.named_parameters(recurse=False):
                values = _values(path, module, name, tensor, seed)
                tensor.copy_(torch.from_numpy(values.astype(np.float32)))
    height, width = getattr(model, TASK)["preprocessing"]["input_size"]
    channels: Any = model.input_channels
    measure_statistics(model, (1, channels, height, width), seed)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a normalization layer; libraries' own layers derive from torch's."""
    return "norm" in type(module).__name__.lower() or hasattr(module, "running_var")


def _values(path: str, module: nn.Module, name: str, tensor: torch.Tensor, seed: int) -> np.ndarray:
    shape = tuple(tensor.shape)
    normal = stream(seed, f"{path}.{name}").standard_normal(shape)
    if is_norm(module) and name in ("weight", "bias"):
        if hasattr(module, "running_var"):
            if name == "bias":
                return SHIFT + rounded(0.1 * normal)
            return 2.0 ** stream(seed, f"{path}.scale").randint(-2, 0, shape)
        return norm_values(path, name, normal, seed)
    if name == "bias" or name.endswith("_bias"):
        return rounded(0.1 * normal)
    if len(shape) == 4:
        return normal * np.sqrt(2 / np.prod(shape[1:]) * 8 / 5)
    if len(shape) == 2 and isinstance(module, nn.Linear):
        return normal * LINEAR_GAIN / np.sqrt(shape[1])
    if len(shape) <= 1 or max(shape) == tensor.numel():
        return BRANCH_SCALE * (1 + 0.1 * normal)  # the scale of a branch, or of one of its channels
    deviation = float(tensor.float().std())
    return max(deviation, 0.02) * normal
