"""The command `seaformer-benchmark attention`."""

import re
from collections.abc import Mapping

import click

from seaformer.benchmark.measure.options import Options, takes_study_options
from seaformer.cli.command import Command
from seaformer.errors import UsageError, look_up
from seaformer.imaging.input_size import MAX_SIDE
from seaformer.models.attention.dimensions import MIN_SIDE
from seaformer.models.entry import Network
from seaformer.models.registry import ATTENTION_KINDS, ATTENTIONS, LAYERS, OWN_ATTENTION
from seaformer.parameter_types import Name, Parsed

USUAL_SIDES = "8,16,32,64,128,256,512"
"""The sides in the paper's figure."""
USUAL_SIDE_OF_IMAGES = "224"
"""The side of the images for which the sizes of networks are published."""


def parse_sides(text: str) -> tuple[int, ...]:
    """Read "8,16,32", in any order.

    Returns:
        Sides of square feature maps, ascending, without duplicates.

    Raises:
        UsageError: a side is not a number, or is out of range.
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


def parse_layers(text: str, rows: Mapping[str, Network] = LAYERS) -> tuple[Network, ...]:
    """Read "global,axial".

    Args:
        text: the value of --layers.
        rows: kind of layer -> the layer, or a network with this layer.

    Returns:
        Rows in the order of the table, without duplicates.

    Raises:
        UsageError: there is no such layer.
    """
    asked = {look_up(rows, "attention layer", word.strip()).name for word in text.split(",")}
    return tuple(row for row in rows.values() if row.name in asked)


@click.command(
    cls=Command, short_help="Growth of attention latency with the size of the feature map."
)
@click.option(
    "--model",
    metavar="NAME",
    type=Name("network whose attention can be replaced", ATTENTIONS),
    help=f"Measure this network with each layer as its attention, instead of the layers alone: "
    f"{', '.join(ATTENTIONS)}.",
)
@click.option(
    "--sides",
    metavar="N,N,...",
    type=Parsed(parse_sides),
    help="Sides of the square feature maps; with --model, of the images. "
    f"[default: {USUAL_SIDES}; {USUAL_SIDE_OF_IMAGES} with --model]",
)
@click.option(
    "--layers",
    metavar="NAME,NAME,...",
    type=Parsed(str, ATTENTION_KINDS),
    help=f"Layers to measure, of {', '.join(LAYERS)}, and with --model also {OWN_ATTENTION}. "
    "[default: all]",
)
@takes_study_options()
def attention(
    options: Options, model: str | None, sides: tuple[int, ...] | None, layers: str | None
) -> None:
    """Compare attention layers as the feature map grows, as in the left half of Figure 1.

    With --model, a whole network is measured with each layer in place of its own attention. Every
    layer is exported for every side and verified, which takes minutes. The layers of each side are
    interleaved in one benchmark, with its own --time-limit.
    """
    from seaformer.benchmark.studies.attention.attention_study import AttentionStudy
    from seaformer.benchmark.studies.running import run_study

    rows = LAYERS if model is None else ATTENTIONS[model]
    chosen = tuple(rows.values()) if layers is None else parse_layers(layers, rows)
    usual = parse_sides(USUAL_SIDES if model is None else USUAL_SIDE_OF_IMAGES)
    study = AttentionStudy(options, chosen, usual if sides is None else sides, model)
    click.get_current_context().exit(run_study(study))
