"""Shared by the layers: query, key and value of a feature map, and attention between tokens."""

from torch import Tensor, nn

from seaformer.models.seaformer.attention import VALUE_RATIO
from seaformer.models.seaformer.convolution import ConvBN


class QueryKeyValue(nn.Module):
    """The three projections, as in SeaFormer and TopFormer: 1x1 convolutions with BatchNorm.

    Forward: [N, channels, H, W] -> query and key [N, heads * key_dim, H, W] and value
    [N, heads * VALUE_RATIO * key_dim, H, W].
    """

    def __init__(self, channels: int, key_dim: int, heads: int) -> None:
        super().__init__()
        self.query = ConvBN(channels, key_dim * heads)
        self.key = ConvBN(channels, key_dim * heads)
        self.value = ConvBN(channels, VALUE_RATIO * key_dim * heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute query, key and value."""
        return self.query(x), self.key(x), self.value(x)


def attend_maps(query: Tensor, key: Tensor, value: Tensor, *, heads: int) -> Tensor:
    """Let every position of one map attend to every position of another.

    Query [N, heads * key_dim, H, W], key [N, heads * key_dim, h, w] and value
    [N, heads * value_dim, h, w] -> [N, heads * value_dim, H, W].
    """
    tokens = (y.permute(0, 2, 3, 1).flatten(1, 2) for y in (query, key, value))
    attended = attend(*tokens, heads=heads).unflatten(1, query.shape[2:])
    return attended.permute(0, 3, 1, 2)


def attend(
    query: Tensor, key: Tensor, value: Tensor, *, heads: int, bias: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention within each group of tokens.

    Query and key [groups, tokens, heads * key_dim], value [groups, tokens, heads * value_dim] and
    an optional bias of the scores, [heads, tokens, tokens] or with the groups in front
    -> [groups, tokens, heads * value_dim].
    """
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
    if bias is not None:
        scores = scores + bias
    return (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
