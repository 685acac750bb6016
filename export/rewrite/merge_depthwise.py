"""Merge the parallel depth-wise convolutions of RepViT and their norm into one convolution.

For a 3x3 kernel K with bias k, a 1x1 kernel L with bias l, and the identity, of one channel

    BN(K x + k + L x + l + x) = s (K + pad(L) + pad(1)) x + b + s (k + l - m)

with s = g / sqrt(v + e) and the mean m, variance v, scale g and bias b of the norm. Zero padding is
not affected: the padded taps of the 1x1 kernel and of the identity are zero.
"""

import torch
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from seaformer.export.rewrite.sites import RewriteReport, folded, replace, sites
from seaformer.models.repvit import ParallelDepthwise

NAME = "merge_depthwise"


@torch.no_grad()
def merge_depthwise(model: torch.nn.Module) -> RewriteReport:
    """Replace every ParallelDepthwise by one depth-wise convolution with bias."""
    report = RewriteReport(NAME)
    for path, branches in sites(model, ParallelDepthwise):
        if branches.norm.training:
            report.refuse(path, "its BatchNorm uses the batch's own statistics (training mode)")
            continue
        merged, bias = folded(branches.wide)
        narrow, narrow_bias = folded(branches.narrow)
        merged.weight += F.pad(narrow.weight + 1, (1, 1, 1, 1))
        bias += narrow_bias
        replace(model, path, fuse_conv_bn_eval(merged, branches.norm))
        report.count += 1
    return report  # without a remark on other networks: only RepViT has such modules
