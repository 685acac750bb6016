"""Make the position biases of attention constants of the graph.

For a fixed input size the number of queries and keys is known, and with it the matrix of biases,
which a table and an interpolation give otherwise.
"""

import torch
from torch import Tensor, nn

from seaformer.export.rewrite.sites import RewriteReport, replace_sized
from seaformer.models.efficientformer import PositionBias

NAME = "constant_positions"


class ConstantBias(nn.Module):
    """Add a constant. Forward: scores [1, heads, queries, keys] -> the same."""

    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(self, scores: Tensor) -> Tensor:
        """Add the biases."""
        return scores + self.matrix


@torch.no_grad()
def make_positions_constant(
    model: nn.Module, feature_sizes: dict[str, tuple[int, int]]
) -> RewriteReport:
    """Replace every PositionBias.

    Args:
        model: the network.
        feature_sizes: path of each PositionBias -> number of queries and keys.
    """

    def constant(position: PositionBias, size: tuple[int, int]) -> ConstantBias:
        return ConstantBias(position.matrix(size))

    # Without a remark on other networks: only EfficientFormer has such modules.
    return replace_sized(model, PositionBias, feature_sizes, constant, NAME)
