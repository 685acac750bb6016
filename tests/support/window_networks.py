"""Small networks that reshape maps to five and six axes, as those of other libraries do."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 8


class MobileViTv2Blocks(nn.Module):
    """A map as blocks of 2 x 2 positions and back, with six axes as in timm's MobileViTv2."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
        blocks = blocks.permute(0, 1, 3, 5, 2, 4).reshape(batch, channels, 4, -1)
        blocks = blocks.softmax(-1) * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None]
        blocks = blocks.reshape(batch, channels, 2, 2, height // 2, width // 2)
        return blocks.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, height, width)


class PixelShuffles(nn.Module):
    """Positions as channels, and channels as positions."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4 * SIDE, 4 * SIDE, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.mix(F.pixel_unshuffle(x, 2)), 2)


class Windows(nn.Module):
    """Windows of 4 x 4 positions and back, as in Swin."""

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(1, height // 4, 4, width // 4, 4, channels)
        windows = rows.permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, channels).softmax(1)
        rows = windows.reshape(1, height // 4, width // 4, 4, 4, channels).transpose(2, 3)
        return rows.reshape(1, height, width, channels).permute(0, 3, 1, 2)


class WindowsOfMaps(nn.Module):
    """Windows of 4 x 4 positions as maps of their own, and back, as in EfficientViT of timm."""

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(1, height // 4, 4, width // 4, 4, channels)
        windows = rows.transpose(2, 3).reshape(-1, 4, 4, channels).permute(0, 3, 1, 2)
        windows = F.avg_pool2d(windows, 3, 1, 1).permute(0, 2, 3, 1)
        rows = windows.reshape(1, height // 4, width // 4, 4, 4, channels).transpose(2, 3)
        return rows.reshape(1, height, width, channels).permute(0, 3, 1, 2)


class MaskedScores(nn.Module):
    """Channels as heads of two windows, with a mask for each window, as in Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(2, SIDE, SIDE))

    def forward(self, x: Tensor) -> Tensor:
        scores = x[:, :, :SIDE, :SIDE].softmax(-1).reshape(1, 2, SIDE // 2, SIDE, SIDE)
        return (scores + self.mask[:, None]).reshape(1, SIDE, SIDE, SIDE).softmax(-1)


def between_convolutions(middle: nn.Module) -> nn.Module:
    """Return a network of three channels with random weights, in eval mode."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, SIDE, 1), middle, nn.Conv2d(SIDE, 5, 1)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model
