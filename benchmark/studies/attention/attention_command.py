"""The command `seaformer-benchmark attention`."""

import click

from seaformer.benchmark.measure.options import Options, takes_study_options
from seaformer.benchmark.studies.attention.choices import USUAL_SIDES, parse_layers, parse_sides
from seaformer.cli.command import Command
from seaformer.cli.parameter_types import Parsed
from seaformer.models.entry import Network
from seaformer.models.registry import LAYERS


@click.command(
    cls=Command, short_help="How the time of attention layers grows with the feature map."
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
    help=f"Of {', '.join(LAYERS)}. [default: all]",
)
@takes_study_options()
def attention(options: Options, sides: tuple[int, ...], layers: tuple[Network, ...] | None) -> None:
    """Compare attention layers over the side of the feature map: the paper's Figure 1, left.

    Every layer is exported for every side and verified, which takes minutes; those of one side are
    measured in turns. Each benchmark, of one side, has the --time-limit to itself.
    """
    from seaformer.benchmark.studies.attention.attention_study import AttentionStudy
    from seaformer.benchmark.studies.running import run_study

    chosen = parse_layers(None) if layers is None else layers
    click.get_current_context().exit(run_study(AttentionStudy(options, chosen, sides)))
