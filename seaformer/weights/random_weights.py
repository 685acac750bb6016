"""Seeded random weights: reproducible on every machine, with all branches active, well-conditioned.

They replace trained weights where none are available: measuring latency, conversion and its
numerical error needs no trained weights. A freshly initialized PyTorch model is unsuitable: its
BatchNorms are identities, so that folding them wrongly has no effect, and its values depend on the
version of PyTorch.

Plain noise is unsuitable too. Rounding errors grow far more in a network with random weights than
in a trained one (measured: 88 dB and 29 dB, with trained weights 110 dB and 62 dB), and a correct
export would miss the thresholds for trained weights. Therefore, attention scores and residual
branches are small, and logits decrease from class to class, which separates the classes. All
values are exact in half precision, even after the rewrites of the export: weights are rounded to
it, BatchNorm scales by powers of two, and kernels that the hard sigmoid's 1/6 is folded into are
multiples of 6.
"""

import zlib

import numpy as np
import torch
from torch import nn

QUERY_KEY_GAIN = 0.1
BRANCH_GAIN = 0.3
GATE_GAIN = 0.02
"""Gain of the input of a gate: fully open or closed gates would amplify rounding errors."""
CLASS_DECAY = 0.8
DETECTION_GAINS = {".cls_logits": 0.02, ".bbox_reg": 0.004}
"""Gains of the last layers of a detection network: large offsets would move boxes out of the
image."""
UNNORMALIZED_GAIN = 0.75
"""Gain of the convolutions of a feature pyramid and of detection heads, which have no norm."""
_BRANCHES = (".attention.projection", ".pointwise", ".ffn.reduce", ".wide", ".narrow")
"""Last layers of residual branches."""
FOLDED_SIXTH = (".local_embedding.conv", ".pointwise.conv")
"""Modules whose kernel the hard sigmoid's 1/6 is folded into, see export/rewrite/fold_gate.py."""
STEP = 1 / 64
"""Step of biases and means: sums and products of a few of them are exact in half precision."""


def fill_random(model: nn.Module, seed: int = 0) -> None:
    """Overwrite every parameter and buffer of `model` with values derived from its name and `seed`.

    With n standard normal: convolutions are n sqrt(2 / fan-in) (He) times the gains of this module,
    biases 0.1 n, and position embeddings 0.5 n. LayerScales are 1/4 or 1/2. BatchNorm has a total
    scale of 1/2 or 1, composed of scales from 1/4 to 2 and variances from 1/4 to 4, a shift of
    0.1 n, and means of 0.2 n standard deviations. LayerNorm has scales from 1/4 to 2 and a shift
    of 0.1 n.

    Args:
        model: a network of `seaformer.models`, on any device and of any floating dtype.
        seed: random seed.
    """
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                values = _values(name, tuple(tensor.shape), seed)
                tensor.copy_(torch.from_numpy(values.astype(np.float32)))
            else:
                tensor.zero_()  # num_batches_tracked


def _values(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    module, _, kind = name.rpartition(".")
    normal = stream(seed, name).standard_normal(shape)
    if module.endswith((".norm", "_norm")):
        return norm_values(module, kind, normal, seed)
    if kind == "bias":
        return rounded(0.1 * normal)
    if kind == "embedding":
        return 0.5 * normal
    if kind == "scale":
        return 2.0 ** stream(seed, f"{name}.exponent").randint(-2, 0, shape)
    # Compensates BatchNorm's scale of 1/2 or 1, whose mean square is 5/8.
    values = normal * np.sqrt(2 / np.prod(shape[1:]) * 8 / 5)
    layer = module.removesuffix(".conv")  # only convolutions with a norm have this suffix
    if layer.endswith((".query", ".key")):
        values *= QUERY_KEY_GAIN
    elif layer.endswith(".query_key_value"):
        values[: 2 * len(values) // 3] *= QUERY_KEY_GAIN
    elif layer.endswith(_BRANCHES):
        values *= BRANCH_GAIN
    elif module.endswith((".excite", ".pooled_gate", ".vertical")):
        values *= GATE_GAIN
    elif module.endswith(tuple(DETECTION_GAINS)):
        values *= DETECTION_GAINS[f".{module.rpartition('.')[2]}"]
    elif module.startswith(
        ("fpn.", "pyramid.", "head.classification_head.", "head.regression_head.")
    ):
        values *= UNNORMALIZED_GAIN
    elif module.endswith((".classifier", ".linear")):
        values = (values.T * CLASS_DECAY ** np.arange(shape[0])).T
    factor = 1.5 if module.endswith(FOLDED_SIXTH) else 1.0  # 1.5 / 6 is a power of two
    return factor * (values / factor).astype(np.float16).astype(np.float64)


def norm_values(module: str, kind: str, normal: np.ndarray, seed: int) -> np.ndarray:
    """Return values of a norm; tensors of a BatchNorm share two random exponents per channel."""
    deviation = 2.0 ** stream(seed, f"{module}.deviation").randint(-1, 2, normal.shape)
    scale = 2.0 ** stream(seed, f"{module}.scale").randint(-1, 1, normal.shape)
    if kind == "running_var":
        return deviation**2 - 1e-5  # to which BatchNorm adds its epsilon
    if kind == "running_mean":
        return deviation * rounded(0.2 * normal)
    if kind == "weight":
        return scale * deviation
    return rounded(0.1 * normal)


def rounded(values: np.ndarray) -> np.ndarray:
    """Round to multiples of `STEP`."""
    return np.round(values / STEP) * STEP


def stream(seed: int, name: str) -> np.random.RandomState:
    """Return the random numbers of a tensor, the same on every machine."""
    # NumPy guarantees that the stream of RandomState never changes, unlike torch and default_rng.
    return np.random.RandomState(zlib.crc32(f"{seed}:{name}".encode()))
