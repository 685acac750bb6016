"""Replacements for functions that an exporter or converter does not support.

While a network is traced, calls of the functions in `EQUIVALENTS` are replaced by exact equivalents
made of widely supported operators; each file of this folder states the algebra. The operators are
recorded in the calling module, so node names and latency breakdowns stay correct. Functions that
are operators of both ONNX and TFLite are not replaced. Shapes are integers instead of the tracer's
tensors.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seaformer.export.equivalents.activations import gelu, hardsigmoid, threshold
from seaformer.export.equivalents.channels_and_copies import (
    channel_shuffle,
    flip,
    repeat,
    tril,
    triu,
)
from seaformer.export.equivalents.convolutions import conv2d, conv_transpose2d, fold, unfold
from seaformer.export.equivalents.einsum import einsum
from seaformer.export.equivalents.norms import group_norm, instance_norm, layer_norm
from seaformer.export.equivalents.pooling import (
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool2d,
)
from seaformer.export.equivalents.products import matmul, scaled_dot_product_attention
from seaformer.export.equivalents.resampling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    interpolate,
)
from seaformer.export.equivalents.running_sums import cumsum, local_response_norm
from seaformer.export.equivalents.static_shapes import size, static_shape

EQUIVALENTS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    F.adaptive_avg_pool1d: adaptive_avg_pool1d,
    F.adaptive_max_pool1d: adaptive_max_pool1d,
    F.adaptive_avg_pool2d: adaptive_avg_pool2d,
    F.adaptive_max_pool2d: adaptive_max_pool2d,
    F.avg_pool2d: avg_pool2d,
    F.channel_shuffle: channel_shuffle,
    F.conv2d: conv2d,
    F.conv_transpose2d: conv_transpose2d,
    F.fold: fold,
    F.gelu: gelu,
    F.group_norm: group_norm,
    F.hardsigmoid: hardsigmoid,
    F.instance_norm: instance_norm,
    F.interpolate: interpolate,
    F.layer_norm: layer_norm,
    F.local_response_norm: local_response_norm,
    F.scaled_dot_product_attention: scaled_dot_product_attention,
    F.threshold: threshold,
    F.unfold: unfold,
    Tensor.__matmul__: matmul,
    Tensor.cumsum: cumsum,
    Tensor.flip: flip,
    Tensor.matmul: matmul,
    Tensor.repeat: repeat,
    Tensor.shape.__get__: static_shape,  # type: ignore[attr-defined]  # the stub has no descriptor
    Tensor.size: size,
    Tensor.tril: tril,
    Tensor.triu: triu,
    torch.channel_shuffle: channel_shuffle,
    torch.cumsum: cumsum,
    torch.einsum: einsum,
    torch.flip: flip,
    torch.group_norm: group_norm,
    torch.layer_norm: layer_norm,
    torch.matmul: matmul,
    torch.tril: tril,
    torch.triu: triu,
}
"""Function -> replacement with the same arguments and result. For arguments that need no
replacement, such as a tensor of another rank, it calls the original."""


class Equivalents(TorchFunctionMode):
    """Context manager that replaces the functions of `EQUIVALENTS` by their equivalents."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return EQUIVALENTS.get(func, func)(*args, **(kwargs or {}))
