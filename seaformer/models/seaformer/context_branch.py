"""The context branch: inverted residuals and SeaFormer layers down to output stride 64."""

from types import MappingProxyType

import torch
from torch import Tensor, nn

from seaformer.models.seaformer.convolution import inverted_residuals
from seaformer.models.seaformer.layer import SeaFormerLayer
from seaformer.models.seaformer.variants import StageSpec, Variant

DROP_PATH = 0.1
"""Drop probability of the last layer of a stage; it grows linearly from 0 at the first layer."""


class ContextStage(nn.Module):
    """Inverted residuals that halve the resolution, then `depth` SeaFormer layers.

    Forward: [N, in_channels, H, W] -> [N, spec.channels, ceil(H / 2), ceil(W / 2)].
    """

    paper_section = "3.1 Overall architecture (stage of the context branch)"
    paper_parts = MappingProxyType(
        {"mobile_blocks": "MobileNetV2 blocks", "blocks": "SeaFormer layers"}
    )

    def __init__(self, in_channels: int, spec: StageSpec, variant: Variant) -> None:
        super().__init__()
        self.mobile_blocks = inverted_residuals(in_channels, spec.inverted_residuals)
        drop_paths = torch.linspace(0, DROP_PATH, spec.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(
            SeaFormerLayer(variant, spec, drop_path) for drop_path in drop_paths
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the inverted residuals, then the SeaFormer layers."""
        for block in (*self.mobile_blocks, *self.blocks):
            x = block(x)
        return x


class ContextBranch(nn.Module):
    """Stages 3, 4 and 5.

    Forward: the stem's output -> the output of every stage that has SeaFormer layers, finest first
    (output strides 32 and 64; for the large variant 16, 32 and 64). With `every_stage`, the outputs
    of all three stages.
    """

    paper_title = "context branch"
    paper_section = "3.1 Overall architecture (context branch)"
    paper_parts = MappingProxyType({f"stage{number}": f"stage {number}" for number in (3, 4, 5)})

    def __init__(self, variant: Variant, every_stage: bool = False) -> None:
        super().__init__()
        self.every_stage = every_stage
        third, fourth, fifth = variant.context_stages
        self.stage3 = ContextStage(variant.spatial_channels, third, variant)
        self.stage4 = ContextStage(third.channels, fourth, variant)
        self.stage5 = ContextStage(fourth.channels, fifth, variant)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Collect the context features."""
        features = []
        for stage in (self.stage3, self.stage4, self.stage5):
            x = stage(x)
            if stage.blocks or self.every_stage:
                features.append(x)
        return features
