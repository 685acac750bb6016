"""MobileNetV2 and MobileNetV3-Large as backbones of segmentation, at output stride 16.

Sandler et al., "MobileNetV2", CVPR 2018, Table 2; Howard et al., "Searching for MobileNetV3", ICCV
2019, Table 1 and Section 6.4: where the classifier would halve the grid to 1/32, the stride is
dropped and the kernels that follow are dilated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from seaformer.models.seaformer.convolution import ConvBN, HardSigmoid, InvertedResidual

FINE_STRIDE = 8
COARSE_STRIDE = 16
SQUEEZE_RATIO = 4


@dataclass(frozen=True)
class BlockSpec:
    """One inverted residual: kernel side, hidden channels and output channels.

    `stride` is the stride in the original classification network; `has_squeeze` means
    squeeze-and-excitation.
    """

    kernel: int
    hidden: int
    channels: int
    stride: int
    has_squeeze: bool
    activation: type[nn.Module]


class SqueezeExcite(nn.Module):
    """Scale channels by gates computed from their means (MobileNetV3, Section 5.3).

    `squeezed` is the number of channels between the two convolutions, `gate` squashes into [0, 1].

    Forward: [N, C, H, W] -> [N, C, H, W].
    """

    paper_title = "squeeze-and-excitation"
    paper_own_title = "mean, product"

    def __init__(self, channels: int, squeezed: int, gate: nn.Module) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU()
        self.excite = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze, excite, scale."""
        return x * self.gate(self.excite(self.act(self.squeeze(self.means(x)))))

    def means(self, x: Tensor) -> Tensor:
        """Return the mean of each channel, [N, C, 1, 1]."""
        return x.mean((2, 3), keepdim=True)


class FineSqueezeExcite(SqueezeExcite):
    """Squeeze-and-excitation of a fine map, whose means are taken along one axis after the other.

    PP-MobileSeg has it at output stride 2, RepViT at 4. The runtimes add the values of a map one by
    one; with 65,536 equal ones, the rounding of the sum is visible in the logits (71 dB on a white
    image).

    Forward: [N, C, H, W] -> [N, C, H, W].
    """

    def means(self, x: Tensor) -> Tensor:
        """Return the mean of each channel, [N, C, 1, 1]."""
        return x.mean(3, keepdim=True).mean(2, keepdim=True)


def _divisible(channels: float) -> int:
    """Return the nearest multiple of 8 that is at most 10 % smaller."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class MobileBlock(nn.Module):
    """Expand, depth-wise convolution, squeeze-and-excitation, reduce.

    Forward: [N, C, H, W] -> [N, spec.channels, ceil(H / stride), ceil(W / stride)].
    """

    paper_title = "inverted residual"
    paper_own_title = InvertedResidual.paper_own_title
    paper_parts = InvertedResidual.paper_parts

    def __init__(self, in_channels: int, spec: BlockSpec, stride: int, dilation: int) -> None:
        super().__init__()
        hidden = spec.hidden
        self.expand: ConvBN | None = None
        if hidden != in_channels:
            self.expand = ConvBN(in_channels, hidden)
        self.depthwise = ConvBN(hidden, hidden, spec.kernel, stride, hidden, dilation)
        self.act = spec.activation()
        self.squeeze_excite: nn.Module = nn.Identity()
        if spec.has_squeeze:
            squeezed = _divisible(hidden / SQUEEZE_RATIO)
            self.squeeze_excite = SqueezeExcite(hidden, squeezed, HardSigmoid())
        self.reduce = ConvBN(hidden, spec.channels)
        self.has_residual = spec.stride == 1 and in_channels == spec.channels

    def forward(self, x: Tensor) -> Tensor:
        """Transform x, with a residual connection where the shape does not change."""
        y = x if self.expand is None else self.act(self.expand(x))
        y = self.reduce(self.squeeze_excite(self.act(self.depthwise(y))))
        return x + y if self.has_residual else y


class MobileNet(nn.Module):
    """A backbone.

    Forward: [N, 3, H, W] -> the last features at output stride 8 (`fine_channels`) and at output
    stride 16 (`coarse_channels`).
    """

    def __init__(
        self,
        stem_channels: int,
        activation: type[nn.Module],
        specs: Sequence[BlockSpec],
        last_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.stem = ConvBN(3, stem_channels, kernel=3, stride=2)
        self.act = activation()
        self.blocks = nn.ModuleList()
        channels, reached, dilation = stem_channels, 2, 1
        for index, spec in enumerate(specs):
            is_dilated = spec.stride == 2 and reached == COARSE_STRIDE
            stride = 1 if is_dilated else spec.stride
            self.blocks.append(MobileBlock(channels, spec, stride, dilation))
            dilation *= 2 if is_dilated else 1
            channels, reached = spec.channels, reached * stride
            if reached == FINE_STRIDE:
                self.fine_index, self.fine_channels = index, channels
        self.last = None if last_channels is None else ConvBN(channels, last_channels)
        self.coarse_channels = last_channels or channels

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Extract the two features."""
        x = self.act(self.stem(image))
        fine = x
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == self.fine_index:
                fine = x
        return fine, x if self.last is None else self.act(self.last(x))


def mobilenet_v3_large(last_divisor: int) -> MobileNet:
    """Build MobileNetV3-Large without its classifier.

    Args:
        last_divisor: 2 halves the channels of all blocks after output stride 16 ("reduced" in
            Section 6.4), which costs no accuracy with 19 or 150 classes rather than 1000.
    """
    relu, swish = nn.ReLU, nn.Hardswish
    rows: list[tuple[int, int, int, int, bool, type[nn.Module]]] = [
        (3, 16, 16, 1, False, relu),
        (3, 64, 24, 2, False, relu),
        (3, 72, 24, 1, False, relu),
        (5, 72, 40, 2, True, relu),
        (5, 120, 40, 1, True, relu),
        (5, 120, 40, 1, True, relu),
        (3, 240, 80, 2, False, swish),
        (3, 200, 80, 1, False, swish),
        (3, 184, 80, 1, False, swish),
        (3, 184, 80, 1, False, swish),
        (3, 480, 112, 1, True, swish),
        (3, 672, 112, 1, True, swish),
        (5, 672 // last_divisor, 160 // last_divisor, 2, True, swish),
        (5, 960 // last_divisor, 160 // last_divisor, 1, True, swish),
        (5, 960 // last_divisor, 160 // last_divisor, 1, True, swish),
    ]
    return MobileNet(16, swish, [BlockSpec(*row) for row in rows], 960 // last_divisor)


def mobilenet_v2() -> MobileNet:
    """Build MobileNetV2 up to its layer of 320 channels, without the classifier's layer of 1280."""
    # expansion, channels, blocks, stride of the first
    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    specs, in_channels = [], 32
    for expansion, channels, blocks, stride in rows:
        for index in range(blocks):
            hidden = expansion * in_channels
            specs.append(BlockSpec(3, hidden, channels, 1 if index else stride, False, nn.ReLU6))
            in_channels = channels
    return MobileNet(32, nn.ReLU6, specs)
