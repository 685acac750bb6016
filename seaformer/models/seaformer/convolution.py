"""The building blocks: convolution with BatchNorm, hard sigmoid, MobileNetV2 inverted residual."""

from collections import OrderedDict
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.seaformer.variants import InvertedResidualSpec


class ConvBN(nn.Sequential):
    """Convolution, padded to keep the grid, then BatchNorm.

    `kernel` is a side, or height and width; `bias` adds a bias, which BatchNorm makes redundant.
    """

    conv: nn.Conv2d
    norm: nn.BatchNorm2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        bias: bool = False,
    ) -> None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2 * dilation, width // 2 * dilation)
        conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding, dilation, groups, bias=bias
        )
        norm = nn.BatchNorm2d(out_channels)
        super().__init__(OrderedDict(conv=conv, norm=norm))


class HardSigmoid(nn.Module):
    """relu6(x + 3) / 6, the gate in the figures of the paper ("Sigmoid").

    Unlike nn.Hardsigmoid, which multiplies by a rounded 1/6, this divides, as the official code
    does.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Squash x into [0, 1]."""
        return F.relu6(x + 3.0) / 6.0


class InvertedResidual(nn.Module):
    """MobileNetV2 block: expand, depth-wise convolution, reduce (Sandler et al., 2018).

    Forward: [N, C, H, W] -> [N, spec.channels, ceil(H / stride), ceil(W / stride)].
    """

    paper_title = "MobileNetV2 block"
    paper_own_title = "residual"
    paper_parts = MappingProxyType(
        {
            "expand": "expansion, 1x1",
            "depthwise": "depth-wise convolution",
            "reduce": "reduction, 1x1",
        }
    )

    def __init__(self, in_channels: int, spec: InvertedResidualSpec) -> None:
        super().__init__()
        hidden = in_channels * spec.expansion
        self.expand = ConvBN(in_channels, hidden) if spec.expansion > 1 else None
        self.depthwise = ConvBN(hidden, hidden, spec.kernel, spec.stride, groups=hidden)
        self.reduce = ConvBN(hidden, spec.channels)
        self.act = nn.ReLU()
        self.has_residual = spec.stride == 1 and in_channels == spec.channels

    def forward(self, x: Tensor) -> Tensor:
        """Transform x, with a residual connection where the shape does not change."""
        y = x if self.expand is None else self.act(self.expand(x))
        y = self.reduce(self.act(self.depthwise(y)))
        return x + y if self.has_residual else y


def inverted_residuals(in_channels: int, specs: tuple[InvertedResidualSpec, ...]) -> nn.ModuleList:
    """Build the blocks of one stage, each of which takes the output of the previous one."""
    widths = (in_channels, *(spec.channels for spec in specs))
    return nn.ModuleList(
        InvertedResidual(width, spec) for width, spec in zip(widths, specs, strict=False)
    )
