"""Building one attention layer, alone, with seeded random weights."""

import torch
from torch import Tensor, nn

from seaformer.models.attention.layers import CHANNELS, Layer
from seaformer.weights.loading import RANDOM, SEED, WeightsRecord
from seaformer.weights.random_weights import fill_random


class AttentionLayer(nn.Module):
    """A network that is nothing but one attention layer.

    Attributes:
        input_channels: of the features that it takes; see `seaformer.imaging.input_size`.

    Forward: float32 [N, CHANNELS, H, W] -> [N, CHANNELS, H, W].
    """

    input_channels = CHANNELS

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, features: Tensor) -> Tensor:
        """Attend."""
        return self.attention(features)


def create_layer(layer: Layer) -> tuple[AttentionLayer, WeightsRecord]:
    """Create a layer that is ready to run, in eval mode and float32, with seeded random weights."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        model = AttentionLayer(layer.build()).eval().requires_grad_(False)
    fill_random(model, SEED)
    return model, WeightsRecord(RANDOM, f"seed {SEED}", None, True, None, "")
