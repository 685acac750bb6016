"""SeaFormer for segmentation and for classification (paper, Figure 2), and as a backbone."""

from torch import Tensor, nn

from seaformer.models.seaformer.context_branch import ContextBranch
from seaformer.models.seaformer.light_head import ClassificationHead, LightHead
from seaformer.models.seaformer.spatial_branch import SpatialBranch
from seaformer.models.seaformer.stem import Stem
from seaformer.models.seaformer.variants import Variant


class SeaFormer(nn.Module):
    """Semantic segmentation.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32
    [N, classes, ceil(H / 8), ceil(W / 8)].
    """

    paper_section = "3.1 Overall architecture"

    def __init__(self, variant: Variant, classes: int) -> None:
        super().__init__()
        self.stem = Stem(variant)
        self.context_branch = ContextBranch(variant)
        self.spatial_branch = SpatialBranch(variant)
        self.light_head = LightHead(variant.fusion_channels[-1], classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits at one eighth of the image's height and width."""
        spatial = self.stem(image)
        context = self.context_branch(spatial)
        return self.light_head(self.spatial_branch(spatial, context))


class SeaFormerClassifier(nn.Module):
    """Image classification: stem and context branch, no spatial branch.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32 [N, classes].
    """

    paper_section = "4.3 Image classification"

    def __init__(self, variant: Variant, classes: int) -> None:
        super().__init__()
        self.stem = Stem(variant)
        self.context_branch = ContextBranch(variant)
        self.head = ClassificationHead(variant.context_channels[-1], classes)

    def forward(self, image: Tensor) -> Tensor:
        """Compute one logit per class."""
        return self.head(self.context_branch(self.stem(image))[-1])


class SeaFormerBackbone(nn.Module):
    """The classification network without its head.

    Forward: float32 [N, 3, H, W], normalized RGB -> features at output strides 8, 16, 32 and 64.
    """

    paper_section = "3.1 Overall architecture"

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.stem = Stem(variant)
        self.context_branch = ContextBranch(variant, every_stage=True)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Collect the features, finest first."""
        spatial = self.stem(image)
        return [spatial, *self.context_branch(spatial)]
