"""Move the normalization into the graph, whose input is then a camera image, RGB in 0..255.

    conv((x - mean) / std) = conv'(x - mean)      conv' has the taps of channel c divided by std_c

The subtraction stays a separate operator: a convolution with zero padding pads (x - mean) with
zeros, exactly like the normalized image. Folding the mean into the bias instead would be wrong
along the border.

The mean is stored once per column, [1, 3, 1, W]: a row of the image and the constant are then
arrays of equal length, whose subtraction is limited by memory bandwidth only. As [1, 3, 1, 1],
three values are broadcast 512 x 512 times, which took XNNPACK 8 % of Tiny's latency.

A model that is not a SeaFormer gets the division as a second operator, even if it contains a
SeaFormer's stem: the input of that stem need not be the image.
"""

import torch
from torch import Tensor, nn

from seaformer.export.rewrite.sites import RewriteReport, folded, replace, sites
from seaformer.models.seaformer.network import SeaFormer, SeaFormerClassifier
from seaformer.models.seaformer.stem import Stem

NAME = "normalize_inside"


class Subtract(nn.Module):
    """Subtract the mean of each channel: [1, C, H, W] -> [1, C, H, W]."""

    paper_title = "normalization of the image"

    mean: Tensor
    """[1, C, 1, W]."""

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, image: Tensor) -> Tensor:
        """Subtract the mean."""
        return image - self.mean


class NormalizingStem(nn.Module):
    """The stem, preceded by the subtraction of the mean.

    Forward: RGB float32 [1, 3, H, W] in 0..255 -> output of the stem.
    """

    def __init__(self, stem: Stem, mean: Tensor) -> None:
        super().__init__()
        self.normalize = Subtract(mean)
        self.conv = stem.conv
        self.act = stem.act
        self.stage1 = stem.stage1
        self.stage2 = stem.stage2

    def forward(self, image: Tensor) -> Tensor:
        """Reduce the image to one eighth of its height and width."""
        x = self.act(self.conv(self.normalize(image)))
        for block in (*self.stage1, *self.stage2):
            x = block(x)
        return x


@torch.no_grad()
def normalize_inside(
    model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], width: int
) -> RewriteReport:
    """Make the model take RGB in 0..255.

    Args:
        model: the model, with folded BatchNorm.
        mean: mean of each channel, on the scale 0..255.
        std: standard deviation of each channel, on the scale 0..255.
        width: width of the input in pixels.
    """
    report = RewriteReport(NAME)
    dtype = next((p.dtype for p in model.parameters()), torch.float64)
    mean_, std_ = (torch.tensor(v, dtype=dtype).reshape(1, -1, 1, 1) for v in (mean, std))
    mean_of_column = mean_.expand(1, -1, 1, width).contiguous()
    of_class = vars(type(model))  # without inherited attributes: a subclass may differ
    is_ours = type(model) in (SeaFormer, SeaFormerClassifier) or "stem_takes_image" in of_class
    for path, stem in sites(model, Stem) if is_ours else ():
        folded(stem.conv)[0].weight.div_(std_)
        replace(model, path, NormalizingStem(stem, mean_of_column))
        report.count += 1
    if not report.count:
        report.refuse("model", "it is not a SeaFormer; std stays an operator")
        mean32 = mean_of_column.float()
        factor32 = (1.0 / std_).expand(1, -1, 1, width).float()
        model.register_forward_pre_hook(lambda _, image: ((image[0] - mean32) * factor32,))
    return report
