"""Fold the scales of layers and the norms before 1x1 convolutions of CGRSeg into convolutions.

A LayerScale g after a convolution, and a BatchNorm before a 1x1 convolution, which pads nothing:

    g (W x + b) = (g W) x + g b
    W (s x + t) + b = (W s) x + W t + b      with s = g / sqrt(v + e), t = b' - s m
"""

import torch
from torch import nn

from seaformer.export.rewrite.sites import RewriteReport, folded, replace, sites
from seaformer.models.cgrseg import Calibration
from seaformer.models.efficientformer import Block, LayerScale

NAME = "fold_scales"


@torch.no_grad()
def fold_scales(model: nn.Module) -> RewriteReport:
    """Fold every LayerScale, and the norm of every calibration module."""
    report = RewriteReport(NAME)
    for path, block in sites(model, Block):
        _fold_scale(block.ffn_scale, block.ffn.reduce)
        replace(model, f"{path}.ffn_scale", nn.Identity())
        report.count += 1
        if block.attention is not None:
            _fold_scale(block.attention_scale, block.attention.get_submodule("projection"))
            replace(model, f"{path}.attention_scale", nn.Identity())
            report.count += 1
    for path, module in sites(model, Calibration):
        _fold_scale(module.scale, module.ffn.reduce)
        replace(model, f"{path}.scale", nn.Identity())
        report.count += 1
        if module.norm.training:
            report.refuse(path, "its BatchNorm uses the batch's own statistics (training mode)")
            continue
        _fold_norm(module.norm, module.ffn.expand)
        replace(model, f"{path}.norm", nn.Identity())
        report.count += 1
    return report  # without a remark on other networks: only CGRSeg has such modules


def _fold_scale(layer: LayerScale, before: nn.Module) -> None:
    convolution, bias = folded(before)
    scale = layer.scale.flatten()
    convolution.weight *= scale[:, None, None, None]
    bias *= scale


def _fold_norm(norm: nn.BatchNorm2d, after: nn.Module) -> None:
    convolution, bias = folded(after)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias += convolution.weight[:, :, 0, 0] @ (norm.bias - scale * norm.running_mean)
    convolution.weight *= scale[:, None, None]
