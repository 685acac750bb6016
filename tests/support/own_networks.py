"""User-defined networks with various kinds of outputs, and a file that contains them."""

from pathlib import Path

NETWORKS = '''
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Averages of 4x4 pixels: the class is the strongest color, or 0 where it is dark."""

    def __init__(self, channels=3, classes=3, end=None):
        super().__init__()
        self.conv = nn.Conv2d(channels, classes, 4, stride=4)
        self.end = end
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.zero_()
            for c in range(classes):
                self.conv.weight[c, c % channels] = 1 / 16
            self.conv.bias -= 0.5  # the middle of 0..1; negligible in 0..255

    def forward(self, x):
        y = self.conv(x)
        return y if self.end is None else self.end(y)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 8, stride=8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(self.patch(x).flatten(2).transpose(1, 2))


def logits():
    return Net()


def declared():
    model = Net()
    model.seaformer_task = {
        "labels": ["red", "green", "blue"],
        "preprocessing": {"input_range": [0, 1], "input_size": [64, 64]},
    }
    return model


def misdeclared():
    model = Net()
    keys = {"labels": ["a", "b"], "preprocesing": {}}  # codespell:ignore preprocesing
    model.seaformer_task = keys
    return model


def softmax():
    return Net(end=lambda y: y.softmax(1))


def argmax():
    rising = torch.arange(64.0).view(1, -1, 1, 1) * 1e-3
    return Net(classes=64, end=lambda y: (y + rising).argmax(1))


def boolean():
    return Net(classes=1, end=lambda y: y > 0)


def whole():
    return Net(end=lambda y: y.round().long().sum(1))


def binary():
    return Net(classes=1)


def small_binary():
    return Net(classes=1, end=lambda y: y.abs() / 10)  # logits in 0..1, without a sigmoid


def sigmoid():
    return Net(classes=1, end=lambda y: torch.sigmoid(8 * y))


def squeezed():
    def end(y):
        return torch.sigmoid(8 * F.interpolate(y, scale_factor=4)).squeeze(1)

    return Net(classes=1, end=end)


def gray():
    return Net(channels=1, classes=2)


def tokens():
    torch.manual_seed(0)
    return Tokens()


def one_class():
    return Net(end=lambda y: torch.cat([y[:, :2], y[:, 2:] + 1000], 1))
'''


def write_own_networks(folder: Path) -> Path:
    """Write the file own.py to a folder."""
    file = folder / "own.py"
    file.write_text(NETWORKS)
    return file
