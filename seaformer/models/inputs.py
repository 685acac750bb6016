"""What a network takes: an image, or features of another network."""

from seaformer.tasks import IMAGE_CHANNELS


def input_shape(model: object, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the shape of a network's input, [1, channels, height, width].

    A network that takes features says by its attribute `input_channels` how many they have.
    """
    return (1, getattr(model, "input_channels", IMAGE_CHANNELS), *size)


def takes_features(model: object) -> bool:
    """Return whether a network takes features of another one, and not a picture."""
    return input_shape(model, (1, 1))[1] != IMAGE_CHANNELS
