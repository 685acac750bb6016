"""Make the upsampling size of each fusion block a constant of the graph.

The network reads the size of the fine feature at run time. For a fixed input size it is known;
computing it in the graph would take SHAPE, GATHER and CONCATENATION operators.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.export.rewrite.sites import RewriteReport, replace_sized
from seaformer.models.seaformer.spatial_branch import FusionBlock

NAME = "static_upsampling"


class StaticFusionBlock(nn.Module):
    """The fusion block with its output size fixed.

    Forward: local [1, C_l, H, W] and context [1, C_c, h, w] -> [1, channels, H, W].
    """

    def __init__(self, block: FusionBlock, size: tuple[int, int]) -> None:
        super().__init__()
        self.local_embedding = block.local_embedding
        self.context_embedding = block.context_embedding
        self.gate = block.gate
        self.is_product = block.is_product
        self.size = size

    def forward(self, local: Tensor, context: Tensor) -> Tensor:
        """Combine the fine feature with the gated, upsampled context feature."""
        gate = self.gate(self.context_embedding(context))
        gate = F.interpolate(gate, size=self.size, mode="bilinear", align_corners=False)
        local = self.local_embedding(local)
        return local * gate if self.is_product else local + gate


def make_upsampling_static(
    model: nn.Module, feature_sizes: dict[str, tuple[int, int]]
) -> RewriteReport:
    """Fix the output size of every fusion block.

    Args:
        model: the network.
        feature_sizes: path of each fusion block -> height and width of its fine feature.
    """
    report = replace_sized(model, FusionBlock, feature_sizes, StaticFusionBlock, NAME)
    return report.or_nothing("fusion block")
