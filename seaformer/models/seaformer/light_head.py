"""The two heads: segmentation (logits per pixel) and classification (logits per image)."""

from torch import Tensor, nn

from seaformer.models.seaformer.convolution import ConvBN

DROPOUT = 0.1


class LightHead(nn.Module):
    """The light segmentation head: depth-wise 1x1 convolution, ReLU, dropout, classifier.

    Forward: [N, channels, H, W] -> logits [N, classes, H, W].
    """

    paper_title = "light segmentation head"
    paper_section = "3.1 Overall architecture (light segmentation head)"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.fuse = ConvBN(channels, channels, groups=channels)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Classify every pixel."""
        return self.classifier(self.dropout(self.act(self.fuse(x))))


class ClassificationHead(nn.Module):
    """Global average pool and a linear layer: [N, channels, H, W] -> logits [N, classes]."""

    paper_title = "classification head"
    paper_section = "4.3 Image classification"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify the image."""
        return self.linear(x.mean((2, 3)))
