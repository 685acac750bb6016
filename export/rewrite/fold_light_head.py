"""Fold the light head's depth-wise 1x1 convolution into the last fusion block.

With its BatchNorm folded, the head's first convolution is one factor w and one bias b per channel.
It reads the last fusion block's product of a local embedding l and a gate g:

    relu(w (l g) + b) = relu((w l) g + b)

so w scales the kernel and bias of the local embedding, and only an ADD with a fused RELU remains of
the convolution. The sign of w does not matter, as there is no activation in between.
"""

import torch
from torch import Tensor, nn

from seaformer.export.rewrite.sites import RewriteReport, folded, replace, sites
from seaformer.models.seaformer.light_head import LightHead
from seaformer.models.seaformer.network import SeaFormer
from seaformer.models.seaformer.spatial_branch import FusionBlock

NAME = "fold_light_head"


class ChannelBias(nn.Module):
    """Add one constant per channel: [1, C, H, W] -> [1, C, H, W]."""

    bias: Tensor

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias.detach().clone().reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Add the bias."""
        return x + self.bias


@torch.no_grad()
def fold_light_head(model: nn.Module) -> RewriteReport:
    """Reduce the light head's first convolution to its bias."""
    report = RewriteReport(NAME)
    branches = {ours.light_head: ours.spatial_branch for _, ours in sites(model, SeaFormer)}
    for path, head in sites(model, LightHead):
        if head not in branches:
            report.refuse(path, "it is not part of a SeaFormer, so its input is unknown")
            continue
        fuse: nn.Module = head.fuse
        is_per_channel = (
            isinstance(fuse, nn.Conv2d)
            and fuse.kernel_size == (1, 1)
            and fuse.groups == fuse.in_channels == fuse.out_channels
        )
        if not is_per_channel:
            report.refuse(f"{path}.fuse", "it is not a depth-wise 1x1 convolution with folded norm")
            continue
        *_, last = branches[head].fusion_blocks
        if not isinstance(last, FusionBlock) or not last.is_product:
            report.refuse(path, "the fusion block before it is not a product, so w cannot be moved")
            continue
        embedding, embedding_bias = folded(last.get_submodule("local_embedding"))
        convolution, bias = folded(fuse)
        factor = convolution.weight.flatten()
        embedding.weight *= factor.reshape(-1, 1, 1, 1)
        embedding_bias *= factor
        replace(model, f"{path}.fuse", ChannelBias(bias))
        report.count += 1
    return report.or_nothing("light head")
