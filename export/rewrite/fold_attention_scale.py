"""Fold the attention's 1 / sqrt(key_dim) into the query.

    s (W_q x + b_q + p_q) k^T = (s W_q x + s b_q + s p_q) k^T

If the detail kernel also reads the query, through a depth-wise kernel D, the taps of the query's
channels are divided by the scale: (D / s)(s q) = D q.
"""

import torch
from torch import nn

from seaformer.export.rewrite.joint_attention import JointAttention
from seaformer.export.rewrite.sites import RewriteReport, folded, sites

NAME = "fold_attention_scale"


@torch.no_grad()
def fold_attention_scale(model: nn.Module) -> RewriteReport:
    """Scale the query's kernel, bias and positions; unscale the detail kernel's taps."""
    report = RewriteReport(NAME)
    for _, attention in sites(model, JointAttention):
        scale = attention.row.scale
        query = slice(0, attention.row.key_channels)
        qkv, bias = folded(attention.qkv)
        qkv.weight[query] *= scale
        bias[query] *= scale
        if attention.detail is not None and attention.detail.reads_query:
            depthwise, _ = folded(attention.detail.depthwise)
            depthwise.weight[query] /= scale
        for axis in (attention.row, attention.column):
            axis.squeeze.positions[..., query] *= scale
            axis.scale = 1.0
        report.count += 1
    return report.or_nothing("joint attention")
