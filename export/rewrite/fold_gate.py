"""Fold the hard sigmoid's + 3 and / 6 into the convolutions around it.

The gate multiplies another convolution's output y, so

    relu6(x + 3) / 6 * y = relu6(x') * y'      x' = x with 3 added to its bias,
                                               y' = y with kernel and bias divided by 6

In the fusion block the gate is upsampled before the multiplication; bilinear interpolation is
linear, so it commutes with the factor 1/6.

Other gates, as in ablations, are not rewritten: if the gate is added, there is no factor that can
absorb the 1/6.
"""

import torch
from torch import nn

from seaformer.export.rewrite.joint_attention import JointAttention
from seaformer.export.rewrite.sites import RewriteReport, folded, replace, sites
from seaformer.models.seaformer.convolution import HardSigmoid
from seaformer.models.seaformer.spatial_branch import FusionBlock

NAME = "fold_gate"


@torch.no_grad()
def fold_gate(model: nn.Module) -> RewriteReport:
    """Turn every gate into a ReLU6 that can be fused into its convolution."""
    report = RewriteReport(NAME)
    gated: list[tuple[str, nn.Module, nn.Module]] = []
    for path, attention in sites(model, JointAttention):
        if not isinstance(attention.gate, HardSigmoid) or attention.detail is None:
            report.refuse(path, "its attention is not gated (an ablation)")
            continue
        gated.append((path, attention.projection, attention.detail.pointwise))
    for path, fusion in sites(model, FusionBlock):
        if not isinstance(fusion.gate, HardSigmoid):
            report.refuse(path, "its context feature is not gated (an ablation)")
        elif not fusion.is_product:
            report.refuse(path, "its gate is added, so its 1/6 cannot move to a factor")
        else:
            gated.append((path, fusion.context_embedding, fusion.local_embedding))
    for path, gate, multiplied in gated:
        _, gate_bias = folded(gate)
        factor, factor_bias = folded(multiplied)
        gate_bias += 3.0
        factor.weight /= 6.0
        factor_bias /= 6.0
        replace(model, f"{path}.gate", nn.ReLU6())
        report.count += 1
    return report.or_nothing("gated attention or fusion block")
