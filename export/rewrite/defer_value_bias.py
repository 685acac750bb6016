"""Move the bias of the value after the attention, where RELU6 can be fused into its ADD.

The rows of the softmax P sum to one, so for the bias b of the value

    P (v + 1 b^T) = P v + b

Subtracting b from the squeezed values is free (it is merged into the position constants). Adding it
after the attention costs an ADD, into which the following RELU6 is fused; a separate RELU6 would
not run on XNNPACK in int8.
"""

import torch
from torch import nn

from seaformer.export.rewrite.joint_attention import JointAttention
from seaformer.export.rewrite.sites import RewriteReport, folded, sites

NAME = "defer_value_bias"


@torch.no_grad()
def defer_value_bias(model: nn.Module) -> RewriteReport:
    """Remove the bias of the value from the tokens of both axes and add it after the attention."""
    report = RewriteReport(NAME)
    for _, attention in sites(model, JointAttention):
        for axis in (attention.row, attention.column):
            bias = folded(attention.qkv)[1][-axis.value_channels :]
            axis.squeeze.positions[..., -axis.value_channels :] -= bias
            axis.value_bias = bias.detach().clone().reshape(1, 1, -1)
        report.count += 1
    return report.or_nothing("joint attention")
