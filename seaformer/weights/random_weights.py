"""Seeded random weights: the same on every machine, with every branch alive, and well-conditioned.

They stand in where no trained weights are at hand: latency, conversion and its numerical error do
not need any. A fresh PyTorch model would not do. Its BatchNorms are identities, so that folding
them wrongly changes nothing, and its values depend on the version of PyTorch.

Nor would plain noise. Rounding grows far more in a network of random weights than in a trained one
(88 dB and 29 dB were seen where trained weights have 110 dB and 62 dB), and a check with the bars
of trained weights would fail for no fault of the export. So the attention's scores and the residual
branches are kept small, class after class has smaller logits, which tells the classes apart, and
the values are such that half precision holds them, also after the export's rewrites: weights are
rounded to it, BatchNorm scales by powers of two, and the kernels that the hard sigmoid's 1/6 is
folded into are multiples of 6.
"""

import zlib

import numpy as np
import torch
from torch import nn

QUERY_KEY_GAIN = 0.1
BRANCH_GAIN = 0.3
GATE_GAIN = 0.02
"""Of what a gate is made from: one that is all open or closed would multiply rounding."""
CLASS_DECAY = 0.8
FOLDED_SIXTH = (".local_embedding.conv", ".pointwise.conv")
"""Modules whose kernel takes the hard sigmoid's 1/6 in, see export/rewrite/fold_gate.py."""
STEP = 1 / 64
"""Of biases and means: sums and products of a few of them are exact in half precision."""


def fill_random(model: nn.Module, seed: int = 0) -> None:
    """Overwrite every parameter and buffer of `model` with values made from its name and `seed`.

    With n standard normal: convolutions are n sqrt(2 / fan-in) (He), less the gains of this module;
    biases 0.1 n and position embeddings 0.5 n. BatchNorm has a scale of 1/2 or 1 in all, made of
    scales from 1/4 to 2 and variances from 1/4 to 4, a shift of 0.1 n and means of 0.2 n standard
    deviations; LayerNorm has scales from 1/4 to 2 and that shift.

    Args:
        model: a network of `seaformer.models`, on any device and of any floating dtype.
        seed: another one gives other weights.
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
    normal = _stream(seed, name).standard_normal(shape)
    if module.endswith((".norm", "_norm")):
        return _norm_values(module, kind, normal, seed)
    if kind == "bias":
        return _round(0.1 * normal)
    if kind == "embedding":
        return 0.5 * normal
    # BatchNorm's scale is 1/2 or 1: a mean square of 5/8, which is made up for here.
    values = normal * np.sqrt(2 / np.prod(shape[1:]) * 8 / 5)
    part = module.removesuffix(".conv")  # which a linear layer or one without a norm does not have
    if part.endswith((".query", ".key")):
        values *= QUERY_KEY_GAIN
    elif part.endswith((".attention.projection", ".pointwise", ".ffn.reduce")):
        values *= BRANCH_GAIN
    elif module.endswith((".excite", ".pooled_gate")):
        values *= GATE_GAIN
    elif module.endswith((".classifier", ".linear")):
        values = (values.T * CLASS_DECAY ** np.arange(shape[0])).T
    factor = 1.5 if module.endswith(FOLDED_SIXTH) else 1.0  # 1.5 / 6 is a power of two
    return factor * (values / factor).astype(np.float16).astype(np.float64)


def _norm_values(module: str, kind: str, normal: np.ndarray, seed: int) -> np.ndarray:
    """Values of a norm; the tensors of a BatchNorm share two random exponents per channel."""
    deviation = 2.0 ** _stream(seed, f"{module}.deviation").randint(-1, 2, normal.shape)
    scale = 2.0 ** _stream(seed, f"{module}.scale").randint(-1, 1, normal.shape)
    if kind == "running_var":
        return deviation**2 - 1e-5  # to which BatchNorm adds its epsilon
    if kind == "running_mean":
        return deviation * _round(0.2 * normal)
    if kind == "weight":
        return scale * deviation
    return _round(0.1 * normal)


def _round(values: np.ndarray) -> np.ndarray:
    return np.round(values / STEP) * STEP


def _stream(seed: int, name: str) -> np.random.RandomState:
    # RandomState rather than torch or default_rng: NumPy guarantees that its stream never changes.
    return np.random.RandomState(zlib.crc32(f"{seed}:{name}".encode()))
