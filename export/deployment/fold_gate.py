"""Fold the hard sigmoid's + 3 and / 6 into the convolutions around it.

The gate multiplies another convolution's output y, so

    relu6(x + 3) / 6 * y = relu6(x') * y'      x' = x with 3 added to its bias,
                                               y' = y with kernel and bias divided by 6

In the fusion block the gate is upsampled before it multiplies; bilinear interpolation is linear, so
the 1/6 moves past it unchanged.
"""

import torch
from torch import nn

from seaformer.export.deployment.joint_attention import JointAttention
from seaformer.export.deployment.rewrite import RewriteReport, nothing_to_do, sites
from seaformer.network.spatial_branch import FusionBlock

NAME = "fold_gate"


@torch.no_grad()
def fold_gate(model: nn.Module) -> RewriteReport:
    """Turn every gate into a ReLU6 that its convolution can take in."""
    report = RewriteReport(NAME)
    gated: list[tuple[nn.Module, nn.Conv2d, nn.Conv2d]] = []
    for _, attention in sites(model, JointAttention):
        gated.append((attention, attention.projection, attention.detail.pointwise))
    for _, fusion in sites(model, FusionBlock):
        gated.append((fusion, fusion.context_embedding, fusion.local_embedding))
    for module, gate, factor in gated:
        gate.bias += 3.0
        factor.weight /= 6.0
        factor.bias /= 6.0
        module.gate = nn.ReLU6()
        report.count += 1
    return report if report.count else nothing_to_do(NAME, "gated attention or fusion block")
