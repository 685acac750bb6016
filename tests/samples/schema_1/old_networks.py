"""The network of the samples that schema 1 was read with."""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.weigh = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.weigh(x))


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=8, padding=1)
        self.attention = Attention()
        self.classify = nn.Conv2d(8, 12, 1)

    def forward(self, x):
        return self.classify(self.attention(torch.relu(self.down(x))))


def make_tiny():
    torch.manual_seed(0)
    return Tiny()
