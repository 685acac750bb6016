"""The command `seaformer-benchmark attention`."""

import re

import click

from seaformer.benchmark.measure.options import Options, takes_study_options
from seaformer.cli.command import Command
from seaformer.errors import UsageError, look_up
from seaformer.imaging.input_size import MAX_SIDE
from seaformer.models.attention.dimensions import MIN_SIDE
from seaformer.models.entry import Network
from seaformer.models.registry import LAYERS
from seaformer.parameter_types import Parsed

USUAL_SIDES = "8,16,32,64,128,256,512"
"""The sides in the paper's figure."""


def parse_sides(text: str) -> tuple[int, ...]:
    """Read "8,16,32", in any order.

    Returns:
        Sides of square feature maps, ascending, without duplicates.

    Raises:
        UsageError: one is not a number, or out of range.
    """
    sides = set()
    for part in text.split(","):
        word = part.strip()
        if not re.fullmatch(r"\d{1,9}", word) or not MIN_SIDE <= int(word) <= MAX_SIDE:
            raise UsageError(
                f"--sides has '{word}'. Allowed: numbers from {MIN_SIDE} to {MAX_SIDE}, separated "
                f"by commas, such as {USUAL_SIDES}."
            )
        sides.add(int(word))
    return tuple(sorted(sides))


def parse_layers(text: str) -> tuple[Network, ...]:
    """Read "global,axial".

    Returns:
        Layers in the order of the table, without duplicates.

    Raises:
        UsageError: there is no such layer.
    """
    asked = {look_up(LAYERS, "attention layer", word.strip()).name for word in text.split(",")}
    return tuple(layer for layer in LAYERS.values() if layer.name in asked)


@click.command(
    cls=Command, short_help="Growth of attention latency with the size of the feature map."
)
@click.option(
    "--sides",
    metavar="N,N,...",
    type=Parsed(parse_sides),
    default=USUAL_SIDES,
    show_default=True,
    help="Sides of the square feature maps.",
)
@click.option(
    "--layers",
    metavar="NAME,NAME,...",
    type=Parsed(parse_layers, LAYERS),
    help=f"Layers to measure, of {', '.join(LAYERS)}. [default: all]",
)
@takes_study_options()
def attention(options: Options, sides: tuple[int, ...], layers: tuple[Network, ...] | None) -> None:
    """Compare attention layers as the feature map grows, as in the left half of Figure 1.

    Every layer is exported for every side and verified, which takes minutes. The layers of each
    side are interleaved in one benchmark, with its own --time-limit.
    """
    from seaformer.benchmark.studies.attention.attention_study import AttentionStudy
    from seaformer.benchmark.studies.running import run_study

    chosen = tuple(LAYERS.values()) if layers is None else layers
    click.get_current_context().exit(run_study(AttentionStudy(options, chosen, sides)))
