"""One convolution for query, key and value; heads by masks; positions as constants.

Four changes to the squeeze-enhanced axial attention, all exact:

1.  One convolution. Query, key and value are 1x1 convolutions of the same x, so stacking their
    kernels gives t = [q | k | v] at once. The detail kernel's concatenation disappears, and each
    axis is squeezed with one mean of t instead of three.

2.  Positions. For a fixed input size the axes have fixed lengths, so the interpolated position
    embeddings are constants: added to mean(t), with zeros for v, they cost one ADD per axis.

3.  Heads by masks. Let m_h be 1 on the channels of head h and 0 elsewhere, and stack the masked
    keys and values of all heads along the tokens:

        K = [k * m_1; ...; k * m_n]        q K^T       = [q_1 k_1^T | ... | q_n k_n^T]
        V = [v * m_1; ...; v * m_n]        [P_1 | ... | P_n] V = concat_h(P_h v_h)

    so no RESHAPEs and TRANSPOSEs are needed to gather each head's channels, and the sum over heads
    is part of the second product. Only the softmax separates heads: [L, n L] is reshaped to
    [L n, L]. The two products over the H + W squeezed tokens grow n-fold for n heads: for Tiny at
    512x512 from 0.05 % of its MACs to 0.2 %.

    Heads on the batch axis, by masks of shape [n, 1, C], would be equivalent on a CPU. But LiteRT's
    GPU accelerator interprets the first axis of a rank-3 constant as the height, and multiplies
    matrices of unequal batches without broadcasting: the SQNR was 30 dB, without any error. Here
    every tensor has a batch of 1, and no constant has a first axis above 1.

4.  Layout. Tokens are [1, L, C], channels last as in TFLite.

No weight is stored twice: the parameters are the same as in the BatchNorm-folded model, without the
ends of the position embeddings that the interpolation does not use.
"""

import torch
from torch import Tensor, nn

from seaformer.export.rewrite.sites import RewriteReport, folded, replace_sized
from seaformer.models.seaformer.attention import (
    DetailEnhancementKernel,
    SqueezeAxialAttention,
    SqueezeEnhancedAxialAttention,
)

NAME = "joint_attention"

MAX_CONCATENATED = 4
"""XNNPACK supports at most 5 inputs of a CONCATENATION; more would split the graph into partitions.
More heads are masked in groups; the multiplications in between prevent the converter from merging
them.
"""


class Squeeze(nn.Module):
    """Mean over one axis plus the positions along the other.

    Forward: t [1, C, H, W] -> tokens [1, L, C], L = H for rows and W for columns.
    """

    positions: Tensor
    """[1, L, C]."""

    def __init__(self, squeezed_dim: int, positions: Tensor) -> None:
        super().__init__()
        self.squeezed_dim = squeezed_dim
        self.register_buffer("positions", positions)

    def forward(self, t: Tensor) -> Tensor:
        """Squeeze, and add the positions of the tokens."""
        return t.mean(self.squeezed_dim).transpose(1, 2) + self.positions


class JointAxialAttention(nn.Module):
    """Squeeze axial attention along one axis, on the joint [q | k | v].

    Attributes:
        scale: factor of q k^T; 1 once `fold_attention_scale` has run.
        value_bias: [1, 1, value_channels], added after attention; None until `defer_value_bias`.

    Forward: t [1, C, H, W] -> [1, value_channels, H, 1] for rows, [1, value_channels, 1, W] for
    columns.
    """

    key_mask: Tensor
    """[1, heads * L, key_channels]: m_h on the L keys of head h."""
    value_mask: Tensor
    """[1, heads * L, value_channels]: m_h on the L values of head h."""
    value_bias: Tensor | None

    def __init__(self, axis: SqueezeAxialAttention, length: int) -> None:
        super().__init__()
        projection, _ = folded(axis.projection)
        query, key = (p.at_length(length) for p in (axis.query_position, axis.key_position))
        self.key_channels = query.shape[1]
        self.value_channels = projection.in_channels
        value = query.new_zeros(1, self.value_channels, length)
        positions = torch.cat([query, key, value], dim=1).transpose(1, 2).detach()
        self.squeeze = Squeeze(axis.squeezed_dim, positions)
        self.scale = axis.scale
        self.heads = axis.heads
        heads = torch.eye(axis.heads, dtype=query.dtype).repeat_interleave(length, dim=0)[None]
        for name, channels in (
            ("key_mask", self.key_channels),
            ("value_mask", self.value_channels),
        ):
            self.register_buffer(name, heads.repeat_interleave(channels // axis.heads, dim=2))
        self.register_buffer("value_bias", None)
        self.act = axis.act
        self.projection = projection
        self.grid = (length, 1) if axis.squeezed_dim == 3 else (1, length)

    def forward(self, t: Tensor) -> Tensor:
        """Squeeze, attend along the remaining axis, and project."""
        query_key, value = self.squeeze(t).split(self.value_channels, dim=2)
        query, key = query_key.split(self.key_channels, dim=2)
        keys, values = _stacked(key, self.key_mask), _stacked(value, self.value_mask)
        scores = query @ keys.transpose(1, 2)
        if self.scale != 1.0:
            scores = scores * self.scale
        length = self.grid[0] * self.grid[1]
        weights = scores.reshape(1, length * self.heads, length).softmax(dim=-1)
        tokens = weights.reshape(1, length, self.heads * length) @ values
        if self.value_bias is not None:
            tokens = tokens + self.value_bias
        tokens = self.act(tokens).reshape(1, *self.grid, self.value_channels)
        return self.projection(tokens.permute(0, 3, 1, 2))


class JointDetailKernel(nn.Module):
    """The detail enhancement kernel on the joint [q | k | v], which needs no concatenation.

    Attributes:
        reads_query: whether it reads t. In some ablations it has a convolution of the layer's
            input x instead, which is not rewritten.

    Forward: x [1, channels, H, W] and t [1, C, H, W] -> [1, channels, H, W].
    """

    def __init__(self, detail: DetailEnhancementKernel) -> None:
        super().__init__()
        self.reads_query = detail.input is None
        self.input = detail.input
        self.depthwise = detail.depthwise
        self.act = detail.act
        self.pointwise = detail.pointwise

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Convolve depth-wise, then point-wise."""
        fine = t if self.input is None else self.input(x)
        return self.pointwise(self.act(self.depthwise(fine)))


class JointAttention(nn.Module):
    """The SEA attention layer for one size of feature map and a batch of one.

    Forward: [1, channels, H, W] -> [1, channels, H, W].
    """

    def __init__(self, attention: SqueezeEnhancedAxialAttention, size: tuple[int, int]) -> None:
        super().__init__()
        self.qkv = _stack(attention.query, attention.key, attention.value)
        self.row = JointAxialAttention(attention.row, length=size[0])
        self.column = JointAxialAttention(attention.column, length=size[1])
        detail = attention.detail
        self.detail = None if detail is None else JointDetailKernel(detail)
        self.act = attention.act
        self.projection = attention.projection
        self.is_product = attention.is_product
        self.gate = attention.gate

    def forward(self, x: Tensor) -> Tensor:
        """Attend along both axes and weight the detail with the gated result."""
        t = self.qkv(x)
        value = t[:, 2 * self.row.key_channels :]
        axial = value + (self.row(t) + self.column(t))
        weights = self.gate(self.projection(self.act(axial)))
        if self.detail is None:
            return weights
        detail = self.detail(x, t)
        return weights * detail if self.is_product else weights + detail


def _stacked(tokens: Tensor, masks: Tensor) -> Tensor:
    """The tokens [1, L, C] under every head's mask: masks [1, heads * L, C] -> the same shape."""
    length = tokens.shape[1]
    groups = masks.split(MAX_CONCATENATED * length, dim=1)
    masked = [torch.cat([tokens] * (group.shape[1] // length), dim=1) * group for group in groups]
    return masked[0] if len(masked) == 1 else torch.cat(masked, dim=1)


def _stack(*convolutions: nn.Module) -> nn.Conv2d:
    """Return one 1x1 convolution whose output concatenates the outputs of these."""
    pairs = [folded(conv) for conv in convolutions]
    channels = sum(conv.out_channels for conv, _ in pairs)
    joint = nn.Conv2d(pairs[0][0].in_channels, channels, 1)
    joint.weight = nn.Parameter(torch.cat([conv.weight for conv, _ in pairs]))
    joint.bias = nn.Parameter(torch.cat([bias for _, bias in pairs]))
    return joint


def join_attention(model: nn.Module, feature_sizes: dict[str, tuple[int, int]]) -> RewriteReport:
    """Rewrite every attention layer for the size of its input.

    Args:
        model: the model, with folded BatchNorm.
        feature_sizes: path of each attention layer -> height and width of its input.
    """
    report = replace_sized(
        model, SqueezeEnhancedAxialAttention, feature_sizes, JointAttention, NAME
    )
    return report.or_nothing("squeeze-enhanced axial attention")
