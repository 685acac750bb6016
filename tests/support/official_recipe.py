"""The deterministic weights and inputs behind golden/official.json.

The official SeaFormer code (fudan-zvg/SeaFormer) computed each entry of official.json in float32,
in eval mode, with `fill` as its weights and `image` as its input:

  keys    every state_dict key -> shape, BatchNorm buffers included
  params  number of trainable parameters
  runs    one per input size: output shape, mean and std over all outputs (float64), and `value`,
          the output at the flat positions `index` (C order)

A faithful implementation loads the same keys and agrees to about 1e-4 x std.
"""

import zlib

import numpy as np


def fill(name, shape):
    """Weights for one state_dict tensor, from its official key alone. float32 array of `shape`."""
    a = (
        np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
        .standard_normal(tuple(shape))
        .astype(np.float32)
    )
    if name.endswith("running_var"):
        a = 0.5 + np.abs(a)
    elif name.endswith("running_mean"):
        a = 0.2 * a
    elif name.endswith("bn.weight"):
        a = 1 + 0.2 * a
    elif name.endswith("bias"):
        a = 0.1 * a
    elif "pos_embed" in name:
        a = 0.5 * a
    elif "layer_scale" in name or name.endswith("gamma"):
        a = 0.2 * a
    else:
        a = a * np.sqrt(2.0 / max(1, int(np.prod(shape[1:])))).astype(np.float32)
    return np.ascontiguousarray(a, dtype=np.float32)


def image(height, width):
    """Input [1, 3, height, width], float32, already normalized."""
    return np.random.RandomState(7).standard_normal((1, 3, height, width)).astype(np.float32)
