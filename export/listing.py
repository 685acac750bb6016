"""The tables of `seaformer-export --list` and `--soc list`."""

from rich.table import Table

from seaformer.artifact.chips import CHIPS, UNSUPPORTED
from seaformer.console import Console
from seaformer.models.catalog import list_models
from seaformer.models.collections.collection_table import COLLECTIONS
from seaformer.models.registry import ATTENTIONS, LAYERS, REGISTRY
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.released import RELEASED


def print_models(console: Console) -> None:
    """Print every model with its parameters, multiply-accumulates and released weights."""
    with console.status("counting parameters and multiply-accumulates ..."):
        cards = list_models()
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "variant", "input"):
        table.add_column(heading, no_wrap=True)
    for heading in ("params", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("--weights", overflow="fold")
    task = ""
    for card in cards:
        if task and card.task != task:
            table.add_row()
        task = card.task
        released = [
            weights.name
            if weights.is_backbone
            else f"{weights.name} ({weights.score:g} {weights.metric})"
            for weights in card.weights
        ]
        released += [f"{weights.name} (built in)" for weights in card.builtin]
        table.add_row(
            card.task,
            card.variant,
            f"{card.input_size[0]}x{card.input_size[1]}",
            f"{card.params / 1e6:.2f} M",
            f"{card.macs / 1e9:.3f} G",
            ", ".join(released) or "-",
        )
    console.print(table)
    console.print("Any other checkpoint: --weights PATH. Scores as published, in percent.")
    console.print("Each can also be given as --model seaformer-VARIANT.")
    console.print()
    _print_others(console)
    console.print()
    _print_layers(console)
    console.print()
    _print_attentions(console)
    console.print()
    _print_collections(console)
    console.print()
    console.print("A network of your own: --model package.module:factory")


def print_chips(console: Console) -> None:
    """Print every chip that a file can be compiled for."""
    table = Table(box=None, pad_edge=False)
    for heading in ("--soc", "sold as", "NPU", "floating point"):
        table.add_column(heading, no_wrap=True)
    for chip in CHIPS.values():
        table.add_row(
            chip.name,
            chip.snapdragon,
            f"Hexagon V{chip.hexagon}",
            "half precision" if chip.has_float else "no: integers only",
        )
    console.print(table)
    for name, why in UNSUPPORTED.items():
        console.print(f"Not supported: {name}: {why}.", soft_wrap=True)
    console.print("The chip of a phone: adb shell getprop ro.soc.model")


def _print_others(console: Console) -> None:
    """Print the published numbers: counting them here would mean building every network."""
    table = Table(box=None, pad_edge=False)
    table.add_column("--model", no_wrap=True)
    for heading in ("params", "MACs", "mIoU"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("--weights", overflow="fold")
    for network in REGISTRY.values():
        if network.variant is None and network.cost is None and not network.attention:
            published = network.published
            names = [row.name for row in RELEASED if row.network == network.name]
            names += [f"{row.name} (built in)" for row in BUILTIN if row.network == network.name]
            table.add_row(
                network.name,
                f"{published.params_m} M" if published and published.params_m else "-",
                f"{published.macs_g} G" if published and published.macs_g else "-",
                f"{published.miou:g}" if published else "-",
                ", ".join(names) or "-",
            )
    console.print(table)
    console.print("Other networks for comparison; numbers as published, ADE20K at 512x512.")


def _print_collections(console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("--model", "library", "example"):
        table.add_column(heading, overflow="fold")
    for row in COLLECTIONS.values():
        table.add_row(f"{row.prefix}:NAME", row.title, f"{row.prefix}:{row.example}")
    console.print(table)
    console.print(
        "Networks of other libraries, by their names there; they need the extra 'models'."
    )


def _print_attentions(console: Console) -> None:
    for name, rows in ATTENTIONS.items():
        table = Table(box=None, pad_edge=False)
        for heading in ("--model", "--attention"):
            table.add_column(heading, no_wrap=True)
        for attention, row in rows.items():
            table.add_row(row.name, attention)
        console.print(table)
        console.print(
            f"{name} with another attention layer: --model {name} --attention NAME, or by its name."
        )


def _print_layers(console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("--model", no_wrap=True)
    table.add_column("attention layer", overflow="fold")
    table.add_column("growth", no_wrap=True)
    for layer in LAYERS.values():
        assert layer.cost is not None  # true of every row of `LAYERS`
        table.add_row(layer.name, layer.title, f"side^{layer.cost.growth}")
    console.print(table)
    console.print(
        "Single attention layers, which take features; growth: how the latency grows with the side."
    )
