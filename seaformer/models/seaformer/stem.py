"""The shared STEM: from the image to the feature at output stride 8."""

from types import MappingProxyType

from torch import Tensor, nn

from seaformer.models.seaformer.convolution import ConvBN, inverted_residuals
from seaformer.models.seaformer.variants import Variant


class Stem(nn.Module):
    """The convolutions that context branch and spatial branch share.

    Forward: [N, 3, H, W] -> [N, variant.spatial_channels, ceil(H / 8), ceil(W / 8)].
    """

    paper_title = "STEM"
    paper_section = "3.1 Overall architecture (shared STEM)"
    paper_parts = MappingProxyType(
        {"conv": "first convolution", "stage1": "stage 1", "stage2": "stage 2"}
    )

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.conv = ConvBN(3, variant.stem_channels, kernel=3, stride=2)
        self.act = nn.ReLU()
        self.stage1 = inverted_residuals(variant.stem_channels, variant.stem_stage1)
        self.stage2 = inverted_residuals(variant.stem_stage1[-1].channels, variant.stem_stage2)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the feature at one eighth of the image's height and width."""
        x = self.act(self.conv(x))
        for block in (*self.stage1, *self.stage2):
            x = block(x)
        return x
