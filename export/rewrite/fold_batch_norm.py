"""Fold BatchNorm into the convolution before it.

    BN(W x) = g (W x - m) / sqrt(v + e) + b
            = (s W) x + (b - s m)            with s = g / sqrt(v + e), one number per channel

This is exact in eval mode, where the mean m and the variance v are constants. Zero padding is not
affected, since s scales the kernel's taps and not its input.
"""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from seaformer.export.rewrite.sites import RewriteReport, replace, sites
from seaformer.models.seaformer.convolution import ConvBN

NAME = "fold_batch_norm"


def fold_batch_norm(model: nn.Module) -> RewriteReport:
    """Replace every ConvBN by one convolution with bias, at the same path."""
    report = RewriteReport(NAME)
    for path, pair in sites(model, ConvBN):
        if pair.norm.training or not pair.norm.track_running_stats:
            report.refuse(path, "its BatchNorm uses the batch's own statistics (training mode)")
            continue
        replace(model, path, fuse_conv_bn_eval(pair.conv, pair.norm))
        report.count += 1
    return report.or_nothing("ConvBN")
