"""Squeeze-enhanced axial attention (paper, Section 3.2).

The feature map is squeezed to one token per row and one per column by taking means. Self-attention
over these H + W tokens costs O(H^2 + W^2) rather than O(H^2 W^2); the detail enhancement kernel, a
depth-wise separable convolution of the unsqueezed query, key and value, gives back local detail.
"""

from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.convolution import ConvBN, HardSigmoid

POSITION_EMBEDDING_LENGTH = 16
VALUE_RATIO = 2
"""Value channels over key channels of one head ("attn_ratio" of the official code)."""


class SqueezeAxialPositionEmbedding(nn.Module):
    """Learned position embedding along one squeezed axis, interpolated to its length.

    Forward: [N, C, L] -> [N, C, L].
    """

    paper_section = "3.2 Squeeze axial position embedding"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(1, channels, POSITION_EMBEDDING_LENGTH))

    def at_length(self, length: int) -> Tensor:
        """Interpolate the embedding linearly to [1, C, length]."""
        return F.interpolate(self.embedding, size=length, mode="linear", align_corners=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Add the position embedding to the tokens."""
        return tokens + self.at_length(tokens.shape[2])


class SqueezeAxialAttention(nn.Module):
    """Multi-head self-attention between the means of the rows, or of the columns.

    The mean is taken over the axis `squeezed_dim`, 3 for row tokens and 2 for column tokens.

    Forward: query and key [N, heads * key_dim, H, W] and value [N, heads * value_dim, H, W]
    -> [N, heads * value_dim, H, 1] for rows, [N, heads * value_dim, 1, W] for columns.
    """

    paper_section = "3.2 Squeeze axial attention"
    paper_own_title = "attention: products, softmax"

    def __init__(self, key_dim: int, heads: int, squeezed_dim: int) -> None:
        super().__init__()
        self.paper_title = f"attention along {'rows' if squeezed_dim == 3 else 'columns'}"
        self.heads = heads
        self.scale = key_dim**-0.5
        self.squeezed_dim = squeezed_dim
        value_channels = VALUE_RATIO * key_dim * heads
        self.query_position = SqueezeAxialPositionEmbedding(key_dim * heads)
        self.key_position = SqueezeAxialPositionEmbedding(key_dim * heads)
        self.act = nn.ReLU6()
        self.projection = ConvBN(value_channels, value_channels)

    def _split_heads(self, tokens: Tensor) -> Tensor:
        batch, _, length = tokens.shape
        return tokens.reshape(batch, self.heads, -1, length).transpose(2, 3)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Squeeze, attend along the remaining axis, and project."""
        q = self._split_heads(self.query_position(query.mean(self.squeezed_dim)))
        k = self._split_heads(self.key_position(key.mean(self.squeezed_dim)))
        v = self._split_heads(value.mean(self.squeezed_dim))
        weights = (q @ k.transpose(2, 3) * self.scale).softmax(dim=-1)
        tokens = (weights @ v).transpose(2, 3).flatten(1, 2).unsqueeze(self.squeezed_dim)
        return self.projection(self.act(tokens))


class DetailEnhancementKernel(nn.Module):
    """3x3 depth-wise then 1x1 convolution of the concatenated query, key and value.

    `qkv_channels` is the total width of query, key and value. `source` is "concat-qkv", or, in the
    ablations, "upconv" or "conv": a 1x1 convolution of the layer's input to the total width of
    query, key and value, or to the width of the input.

    Forward: x, query, key and value -> [N, channels, H, W], which the attention is multiplied by.
    """

    paper_title = "detail enhancement kernel"
    paper_section = "3.2 Detail enhancement kernel"
    paper_parts = MappingProxyType(
        {"depthwise": "depth-wise convolution", "pointwise": "projection, 1x1"}
    )

    def __init__(self, qkv_channels: int, channels: int, source: str = "concat-qkv") -> None:
        super().__init__()
        width = channels if source == "conv" else qkv_channels
        self.input = None if source == "concat-qkv" else ConvBN(channels, width)
        self.depthwise = ConvBN(width, width, kernel=3, groups=width)
        self.act = nn.ReLU6()
        self.pointwise = ConvBN(width, channels)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Convolve the features before squeezing, which still contain local detail."""
        fine = torch.cat([query, key, value], dim=1) if self.input is None else self.input(x)
        return self.pointwise(self.act(self.depthwise(fine)))


class SqueezeEnhancedAxialAttention(nn.Module):
    """The SEA attention layer.

    The published weights need two things that the figure of the paper omits: the value itself is
    added to the sum of the broadcast row and column attention, and h_sigmoid gates the result.

    `key_dim` is the number of query and key channels of one head; `detail` is the input of the
    detail enhancement kernel, "off" for no kernel; `combine` is "multiply", or, in the ablations,
    "add", without a gate.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "squeeze-enhanced axial attention"
    paper_section = "3.2 Squeeze-enhanced axial attention"
    paper_own_title = "sum, gate"

    def __init__(
        self,
        channels: int,
        key_dim: int,
        heads: int,
        detail: str = "concat-qkv",
        combine: str = "multiply",
    ) -> None:
        super().__init__()
        key_channels = key_dim * heads
        value_channels = VALUE_RATIO * key_channels
        self.query = ConvBN(channels, key_channels)
        self.key = ConvBN(channels, key_channels)
        self.value = ConvBN(channels, value_channels)
        self.row = SqueezeAxialAttention(key_dim, heads, squeezed_dim=3)
        self.column = SqueezeAxialAttention(key_dim, heads, squeezed_dim=2)
        qkv_channels = 2 * key_channels + value_channels
        self.detail = None
        if has_detail := detail != "off":
            self.detail = DetailEnhancementKernel(qkv_channels, channels, detail)
        self.act = nn.ReLU6()
        self.projection = ConvBN(value_channels, channels)
        self.is_product = combine == "multiply"
        self.gate = HardSigmoid() if has_detail and self.is_product else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Attend along both axes and multiply the detail by the gated result."""
        q, k, v = self.query(x), self.key(x), self.value(x)
        axial = v + (self.row(q, k, v) + self.column(q, k, v))
        attention = self.gate(self.projection(self.act(axial)))
        if self.detail is None:
            return attention
        detail = self.detail(x, q, k, v)
        return attention * detail if self.is_product else attention + detail
