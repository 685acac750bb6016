"""The modules of a SeaFormer with the rounding of its exported files.

Each class has the parameters of the class that it extends, and computes the same in the deployment
form, see `seaformer.export.rewrite`, with every tensor of `tensors` rounded. BatchNorm is folded
with its running statistics, also in training.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.attention import (
    SqueezeAxialAttention,
    SqueezeEnhancedAxialAttention,
)
from seaformer.models.seaformer.convolution import ConvBN, InvertedResidual
from seaformer.models.seaformer.layer import FeedForward, SeaFormerLayer
from seaformer.models.seaformer.light_head import LightHead
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.models.seaformer.stem import Stem
from seaformer.quantization.rounding import Rounding

Activation = Callable[[Tensor], Tensor]


def _identity(x: Tensor) -> Tensor:
    return x


def folded(pair: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a ConvBN with its BatchNorm folded, or of a convolution."""
    if not isinstance(pair, ConvBN):
        return pair.weight, pair.bias  # type: ignore[return-value]
    norm = pair.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return pair.conv.weight * _per_channel(scale), norm.bias - norm.running_mean * scale


def _per_channel(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class FakeQuantized(nn.Module):
    """What all modules with fake quantization have in common.

    Attributes:
        ranges: name of each of its tensors in the format -> its `Range`.
        rounding: how weights and constants are rounded.
    """

    ranges: nn.ModuleDict
    rounding: Rounding

    def _round(self, name: str, x: Tensor) -> Tensor:
        """Round an activation, unless the format does not round it."""
        return self.ranges[name](x) if name in self.ranges else x

    def _convolve(
        self,
        name: str,
        x: Tensor,
        pair: nn.Module,
        act: Activation = _identity,
        weights: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Convolve with rounded weights, apply the activation function, and round.

        `weights` are weight and bias if they are not those of `pair`.
        """
        weight, bias = weights or folded(pair)
        conv = pair.conv if isinstance(pair, ConvBN) else pair
        assert isinstance(conv, nn.Conv2d)
        rounded = self.rounding.weights(weight)
        y = F.conv2d(x, rounded, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
        return self._round(name, act(y))


class FakeQuantizedStem(FakeQuantized, Stem):
    """Takes the normalized image, and rounds it to the bytes that the file gets."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute the feature at one eighth of the image's height and width."""
        rule = self.rounding.preprocessing
        mean, std = (x.new_tensor(values)[:, None, None] for values in (rule.mean, rule.std))
        image = (x * std + mean).round().clamp(0, 255)
        # ONNX Runtime subtracts in floating point.
        is_float = self.rounding.format == "onnx"
        centered = image - (mean if is_float else self.rounding.constant(mean))
        centered = self._round("centered", centered)
        weight, bias = folded(self.conv)
        x = self._convolve("conv", centered, self.conv, self.act, (weight / std, bias))
        for block in (*self.stage1, *self.stage2):
            x = block(x)
        return x


class FakeQuantizedInvertedResidual(FakeQuantized, InvertedResidual):
    """See `InvertedResidual`."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform x, with a residual connection where the shape does not change."""
        y = x
        if self.expand is not None:
            y = self._convolve("expand", y, self.expand, self.act)
        y = self._convolve("depthwise", y, self.depthwise, self.act)
        y = self._convolve("reduce", y, self.reduce)
        return self._round("sum", x + y) if self.has_residual else y


class FakeQuantizedAxialAttention(FakeQuantized, SqueezeAxialAttention):
    """See `SqueezeAxialAttention`."""

    def forward(self, qkv: Tensor, value_bias: Tensor) -> Tensor:  # type: ignore[override]
        """Squeeze, attend along the remaining axis, and project.

        Args:
            qkv: query, scaled by 1 / sqrt(key_dim), key and value [N, C, H, W].
            value_bias: the bias of the value [value_channels], added after the attention.
        """
        mean = self._round("mean", qkv.mean(self.squeezed_dim))
        length = mean.shape[2]
        query, key = (p.at_length(length) for p in (self.query_position, self.key_position))
        bias = value_bias[None, :, None]
        positions = torch.cat([self.scale * query, key, -bias.expand(-1, -1, length)], dim=1)
        tokens = self._round("tokens", mean + self._constant(positions))
        widths = (query.shape[1], key.shape[1], bias.shape[1])
        q, k, v = (self._split_heads(part) for part in tokens.split(widths, dim=1))
        attended = (q @ k.transpose(2, 3)).softmax(dim=-1) @ v
        attended = self.act(attended.transpose(2, 3).flatten(1, 2) + bias)
        attended = self._round("attended", attended.unsqueeze(self.squeezed_dim))
        return self._convolve("projection", attended, self.projection)

    def _constant(self, positions: Tensor) -> Tensor:
        return self.rounding.constant(positions) if "tokens" in self.ranges else positions


class FakeQuantizedAttention(FakeQuantized, SqueezeEnhancedAxialAttention):
    """See `SqueezeEnhancedAxialAttention`; only with the paper's detail kernel and gate."""

    def forward(self, x: Tensor) -> Tensor:
        """Attend along both axes and multiply the detail by the gated result."""
        assert self.detail is not None
        scale = self.row.scale
        query, key, value = (folded(pair) for pair in (self.query, self.key, self.value))
        query = (scale * query[0], scale * query[1])
        joint = tuple(torch.cat(parts) for parts in zip(query, key, value, strict=True))
        qkv = self._convolve("qkv", x, self.query, weights=joint)  # type: ignore[arg-type]
        axes = self._round("axes", self.row(qkv, value[1]) + self.column(qkv, value[1]))
        values = qkv[:, -len(value[1]) :]
        axial = self._round("axial", self.act(values + axes))
        gate = self._convolve("projection", axial, self.projection, F.relu6, _gate(self.projection))
        weight, bias = folded(self.detail.depthwise)
        taps = torch.cat([weight[: len(query[1])] / scale, weight[len(query[1]) :]])
        depthwise = self.detail.depthwise
        fine = self._convolve("depthwise", qkv, depthwise, self.detail.act, (taps, bias))
        pointwise = self.detail.pointwise
        detail = self._convolve("pointwise", fine, pointwise, weights=_gated(pointwise))
        return self._round("product", gate * detail)


class FakeQuantizedFeedForward(FakeQuantized, FeedForward):
    """See `FeedForward`."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of each pixel with the channels of its eight neighbors."""
        y = self._convolve("expand", x, self.expand)
        y = self._convolve("depthwise", y, self.depthwise, self.act)
        return self._convolve("reduce", y, self.reduce)


class FakeQuantizedLayer(FakeQuantized, SeaFormerLayer):
    """See `SeaFormerLayer`."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention and feed-forward network."""
        x = self._round("attended", x + self.drop_path(self.attention(x)))
        return self._round("sum", x + self.drop_path(self.ffn(x)))


class FakeQuantizedFusionBlock(FakeQuantized, FusionBlock):
    """See `FusionBlock`; only with a gate that is multiplied.

    `following` is the depth-wise convolution of the light head if this is the last block, which
    includes its weights; empty for the other blocks. A tuple is not registered as a submodule.
    """

    following: tuple[nn.Module, ...] = ()

    def forward(self, local: Tensor, context: Tensor) -> Tensor:
        """Fuse both features."""
        weight, bias = _gated(self.local_embedding)
        for pair in self.following:
            factor = folded(pair)[0].flatten()
            weight, bias = weight * _per_channel(factor), bias * factor
        local = self._convolve("local", local, self.local_embedding, weights=(weight, bias))
        embedding = self.context_embedding
        gate = self._convolve("gate", context, embedding, F.relu6, _gate(embedding))
        gate = F.interpolate(gate, size=local.shape[2:], mode="bilinear", align_corners=False)
        return self._round("product", local * self._round("gate", gate))


class FakeQuantizedLightHead(FakeQuantized, LightHead):
    """See `LightHead`; the last fusion block includes the weights of the first convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Classify every pixel."""
        bias = self.rounding.constant(folded(self.fuse)[1])[:, None, None]
        biased = self._round("biased", self.act(x + bias))
        return self._convolve("logits", self.dropout(biased), self.classifier)


def _gate(pair: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution before a gate: relu6(x + 3) / 6, without the factor."""
    weight, bias = folded(pair)
    return weight, bias + 3.0


def _gated(pair: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that the gate multiplies, with the factor 1/6."""
    weight, bias = folded(pair)
    return weight / 6.0, bias / 6.0


FAKE_QUANTIZED: Mapping[type[nn.Module], type[FakeQuantized]] = MappingProxyType(
    {
        Stem: FakeQuantizedStem,
        InvertedResidual: FakeQuantizedInvertedResidual,
        SqueezeAxialAttention: FakeQuantizedAxialAttention,
        SqueezeEnhancedAxialAttention: FakeQuantizedAttention,
        FeedForward: FakeQuantizedFeedForward,
        SeaFormerLayer: FakeQuantizedLayer,
        FusionBlock: FakeQuantizedFusionBlock,
        LightHead: FakeQuantizedLightHead,
    }
)
"""Class of a module -> the class that rounds its tensors."""
