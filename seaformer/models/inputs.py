"""The input of a network: an image, or features of another network."""

from seaformer.tasks.task import COLOR_ORDERS, channels_of

IMAGE_CHANNELS = frozenset(map(channels_of, COLOR_ORDERS))
"""Possible numbers of channels of an image."""

USUAL_CHANNELS = 3


def input_channels(model: object) -> int:
    """Return the number of channels of a network's input.

    It is the attribute `input_channels`. Without that attribute, it is 1 if the first convolution
    of the network takes one channel, and 3 otherwise.
    """
    from torch import nn

    stated = getattr(model, "input_channels", None)
    if stated is not None:
        return int(stated)
    layers = model.modules() if isinstance(model, nn.Module) else ()
    first = next((layer for layer in layers if isinstance(layer, nn.Conv2d)), None)
    return 1 if first is not None and first.in_channels == 1 else USUAL_CHANNELS


def input_shape(model: object, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the shape of a network's input, [1, channels, height, width]."""
    return (1, input_channels(model), *size)


def takes_features(model: object) -> bool:
    """Return whether a network takes features of another network rather than an image."""
    return input_channels(model) not in IMAGE_CHANNELS
