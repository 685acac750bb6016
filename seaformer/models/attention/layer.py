"""One attention layer as a network."""

from collections.abc import Callable

from torch import Tensor, nn

from seaformer.models.attention.dimensions import CHANNELS


class AttentionLayer(nn.Module):
    """A network that consists of only the attention layer that `build` returns.

    `input_channels` is the number of channels of its input, see `seaformer.models.inputs`.

    Forward: float32 [N, CHANNELS, H, W] -> [N, CHANNELS, H, W].
    """

    input_channels = CHANNELS

    def __init__(self, build: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.attention = build()

    def forward(self, features: Tensor) -> Tensor:
        """Apply the attention layer."""
        return self.attention(features)
