"""Which layers and sides are asked for."""

from seaformer.errors import UsageError, look_up
from seaformer.imaging.input_size import MAX_SIDE
from seaformer.models.attention.dimensions import MIN_SIDE
from seaformer.models.entry import Network
from seaformer.models.registry import LAYERS

USUAL_SIDES = "8,16,32,64,128,256,512"
"""Those of the paper's figure."""


def parse_sides(text: str) -> tuple[int, ...]:
    """Read "8,16,32", in any order.

    Returns:
        Sides of square feature maps, ascending, each once.

    Raises:
        UsageError: one is no number, or out of range.
    """
    sides = set()
    for part in text.split(","):
        word = part.strip()
        if not word.isdecimal() or not MIN_SIDE <= int(word) <= MAX_SIDE:
            raise UsageError(
                f"--sides has '{word}'. Allowed: numbers from {MIN_SIDE} to {MAX_SIDE} with commas "
                f"between, such as {USUAL_SIDES}."
            )
        sides.add(int(word))
    return tuple(sorted(sides))


def parse_layers(text: str | None) -> tuple[Network, ...]:
    """Read "global,axial"; None stands for all.

    Returns:
        Layers in the order of the table, each once.

    Raises:
        UsageError: there is no such layer.
    """
    if text is None:
        return tuple(LAYERS.values())
    asked = {look_up(LAYERS, "attention layer", word.strip()).name for word in text.split(",")}
    return tuple(layer for layer in LAYERS.values() if layer.name in asked)
