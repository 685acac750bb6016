"""The option --attention of all commands that take the name of a network."""

import click

from seaformer.models.registry import ATTENTIONS

attention_option = click.option(
    "--attention",
    metavar="NAME",
    help="Replace the attention of the network: "
    + "; ".join(f"of {name} by {', '.join(layers)}" for name, layers in ATTENTIONS.items())
    + ". [default: its own, the first]",
)
