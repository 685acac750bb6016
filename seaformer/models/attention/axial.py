"""Axial attention without squeezing: every position attends to its column, then to its row.

    y = row(column(x))      column: y_hw = sum_i softmax_i(q_hw k_iw) v_iw      O(H * HW (Cqk + Cv))
                            row:    y_hw = sum_j softmax_j(q_hw k_hj) v_hj      O(W * HW (Cqk + Cv))

The order is as in Axial-DeepLab (Wang et al., ECCV 2020, arXiv 2003.07853, Section 3.2): two
layers in sequence, height axis first, each with its own query, key and value, then ReLU and a 1x1
convolution. Its position terms, three products of a table with query, key and value, are omitted,
which leaves the axial attention of Ho et al. (arXiv 1912.12180).
"""

from torch import Tensor, nn

from seaformer.models.attention.heads import QueryKeyValue, attend
from seaformer.models.seaformer.attention import VALUE_RATIO
from seaformer.models.seaformer.convolution import ConvBN


class LineAttention(nn.Module):
    """Self-attention along one axis of a feature map, 2 for columns and 3 for rows.

    Forward: [N, channels, H, W] -> [N, heads * VALUE_RATIO * key_dim, H, W].
    """

    def __init__(self, channels: int, key_dim: int, heads: int, axis: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = QueryKeyValue(channels, key_dim, heads)
        # From [N, C, H, W] to lines of tokens, and back.
        self.order = (0, 2, 3, 1) if axis == 3 else (0, 3, 2, 1)
        self.back = (0, 3, 1, 2) if axis == 3 else (0, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Let every line attend to itself."""
        lines = (y.permute(self.order).flatten(0, 1) for y in self.qkv(x))
        attended = attend(*lines, heads=self.heads)
        return attended.unflatten(0, (x.shape[0], -1)).permute(self.back)


class AxialAttention(nn.Module):
    """Attention along the height, then along the width.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    def __init__(self, channels: int, key_dim: int, heads: int) -> None:
        super().__init__()
        value_channels = VALUE_RATIO * key_dim * heads
        self.height = LineAttention(channels, key_dim, heads, axis=2)
        self.width = LineAttention(value_channels, key_dim, heads, axis=3)
        self.act = nn.ReLU6()
        self.projection = ConvBN(value_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attend along both axes, one after the other."""
        return self.projection(self.act(self.width(self.height(x))))
