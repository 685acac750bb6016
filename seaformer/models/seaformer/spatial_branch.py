"""The spatial branch: fusion blocks multiply the stem's fine feature by each context feature."""

from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.convolution import ConvBN, HardSigmoid
from seaformer.models.seaformer.variants import Variant


class FusionBlock(nn.Module):
    """Multiply the fine feature by the gated, upsampled context feature.

    `fusion` is "sigmoid-multiply", or, in the ablations, "multiply", "sigmoid-add" or "add".

    Forward: local [N, local_channels, H, W] and context [N, context_channels, h, w]
    -> [N, channels, H, W].
    """

    paper_title = "fusion block"
    paper_section = "3.1 Overall architecture (fusion block)"
    paper_own_title = "upsampling, product"

    def __init__(
        self,
        local_channels: int,
        context_channels: int,
        channels: int,
        fusion: str = "sigmoid-multiply",
    ) -> None:
        super().__init__()
        self.local_embedding = ConvBN(local_channels, channels)
        self.context_embedding = ConvBN(context_channels, channels)
        self.gate = HardSigmoid() if fusion.startswith("sigmoid") else nn.Identity()
        self.is_product = fusion.endswith("multiply")

    def forward(self, local: Tensor, context: Tensor) -> Tensor:
        """Fuse both features. The published weights need the gate before the upsampling."""
        local = self.local_embedding(local)
        gate = self.gate(self.context_embedding(context))
        gate = F.interpolate(gate, size=local.shape[2:], mode="bilinear", align_corners=False)
        return local * gate if self.is_product else local + gate


class SpatialBranch(nn.Module):
    """One fusion block per context feature, each of which takes the output of the previous one.

    Forward: the stem's output and the context features -> [N, fusion_channels[-1], H/8, W/8].
    """

    paper_title = "spatial branch (fusion)"
    paper_section = "3.1 Overall architecture (spatial branch)"

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        local = (variant.spatial_channels, *variant.fusion_channels)
        self.fusion_blocks = nn.ModuleList(
            FusionBlock(local_channels, context_channels, channels, variant.fusion)
            for local_channels, context_channels, channels in zip(
                local, variant.context_channels, variant.fusion_channels, strict=False
            )
        )

    def forward(self, spatial: Tensor, context: list[Tensor]) -> Tensor:
        """Fuse the context features, finest first."""
        for block, feature in zip(self.fusion_blocks, context, strict=True):
            spatial = block(spatial, feature)
        return spatial
