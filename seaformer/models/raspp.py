"""The two reduced forms of atrous spatial pyramid pooling of the MobileNet papers.

Both pool the whole feature map: the 49x49 windows of the MobileNetV3 paper are for images of
1024x2048, and larger than the feature map of an image of 512x512.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.mobilenet import MobileNet, mobilenet_v2, mobilenet_v3_large
from seaformer.models.seaformer.convolution import ConvBN


class LiteReducedASPP(nn.Module):
    """LR-ASPP (Howard et al., 2019, Section 6.4 and Figure 10).

    Forward: fine [N, C_f, H, W] and coarse [N, C_c, h, w] -> logits [N, classes, H, W].
    """

    paper_title = "LR-ASPP"

    def __init__(
        self, fine_channels: int, coarse_channels: int, classes: int, channels: int
    ) -> None:
        super().__init__()
        self.embedding = ConvBN(coarse_channels, channels)
        self.act = nn.ReLU()
        self.pooled_gate = nn.Conv2d(coarse_channels, channels, 1, bias=False)
        self.gate = nn.Sigmoid()
        self.classifier = nn.Conv2d(channels, classes, 1)
        self.fine_classifier = nn.Conv2d(fine_channels, classes, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Gate the coarse feature by its mean, and classify both features."""
        gate = self.gate(self.pooled_gate(coarse.mean((2, 3), keepdim=True)))
        x = self.act(self.embedding(coarse)) * gate
        x = F.interpolate(x, size=fine.shape[2:], mode="bilinear", align_corners=False)
        return self.classifier(x) + self.fine_classifier(fine)


class ReducedASPP(nn.Module):
    """R-ASPP (Sandler et al., 2018, Section 6.3): a 1x1 convolution beside the pooled feature.

    Forward: fine, which it does not use, and coarse [N, C, h, w] -> logits [N, classes, h, w].
    """

    paper_title = "R-ASPP"

    def __init__(self, coarse_channels: int, classes: int, channels: int = 256) -> None:
        super().__init__()
        self.embedding = ConvBN(coarse_channels, channels)
        self.pooled_embedding = ConvBN(coarse_channels, channels)
        self.act = nn.ReLU()
        self.fuse = ConvBN(2 * channels, channels)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, _fine: Tensor, coarse: Tensor) -> Tensor:
        """Classify each position by its own feature and the pooled feature of the image."""
        pooled = self.act(self.pooled_embedding(coarse.mean((2, 3), keepdim=True)))
        # Every interpolation of a single value per channel is constant; delegates support this one.
        pooled = F.interpolate(pooled, size=coarse.shape[2:], mode="bilinear", align_corners=False)
        x = torch.cat([self.act(self.embedding(coarse)), pooled], dim=1)
        return self.classifier(self.act(self.fuse(x)))


class MobileSegmenter(nn.Module):
    """A MobileNet and one of the heads of this module.

    Forward: float32 [N, 3, H, W], normalized RGB -> logits float32 [N, classes, ceil(H / s),
    ceil(W / s)], s = 8 with `LiteReducedASPP` and 16 with `ReducedASPP`.
    """

    def __init__(self, backbone: MobileNet, head: LiteReducedASPP | ReducedASPP) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits."""
        return self.head(*self.backbone(image))


def mobilenet_v3_lraspp(last_divisor: int, channels: int, classes: int) -> MobileSegmenter:
    """Build LR-ASPP with this number of channels on MobileNetV3-Large."""
    return _lraspp(mobilenet_v3_large(last_divisor), channels, classes)


def mobilenet_v2_lraspp(classes: int) -> MobileSegmenter:
    """Build LR-ASPP on MobileNetV2."""
    return _lraspp(mobilenet_v2(), 128, classes)


def mobilenet_v2_raspp(classes: int) -> MobileSegmenter:
    """Build R-ASPP on MobileNetV2."""
    backbone = mobilenet_v2()
    return MobileSegmenter(backbone, ReducedASPP(backbone.coarse_channels, classes))


def _lraspp(backbone: MobileNet, channels: int, classes: int) -> MobileSegmenter:
    widths = (backbone.fine_channels, backbone.coarse_channels)
    return MobileSegmenter(backbone, LiteReducedASPP(*widths, classes, channels))
