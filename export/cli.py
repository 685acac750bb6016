"""The command `seaformer-export`."""

from pathlib import Path
from typing import Any

import click

from seaformer.command_line import Command
from seaformer.export.formats import FORMATS, PRECISIONS
from seaformer.export.heads import HEADS
from seaformer.tasks import task_names
from seaformer.variants import VARIANTS

# torch, ONNX and rich are imported when there is work to do: --help shall not wait for them.


def _one_of(names: object) -> str:
    return ", ".join(names) + "."  # type: ignore[arg-type]


@click.command(cls=Command)
@click.option(
    "--variant",
    metavar="NAME",
    help=f"One of {_one_of(VARIANTS)} Not needed with weights that say it.",
)
@click.option(
    "--task",
    metavar="NAME",
    help=f"One of {_one_of(task_names())} [default: that of the weights, if they say it; ade20k]",
)
@click.option(
    "--format",
    "formats",
    metavar="NAME",
    multiple=True,
    default=("tflite",),
    show_default=True,
    help=f"One of {_one_of(FORMATS)} Repeatable.",
)
@click.option(
    "--precision",
    "precisions",
    metavar="NAME",
    multiple=True,
    default=("fp32",),
    show_default=True,
    help=f"One of {_one_of(PRECISIONS)} Repeatable.",
)
@click.option(
    "--input-size",
    "input_sizes",
    metavar="HxW",
    multiple=True,
    help="Height and width of the input, or one number for a square. Repeatable. "
    "[default: the task's]",
)
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="Released weights by name (see --list), a checkpoint by path, 'backbone:PATH' for stem "
    "and context branch only, or 'random'. [default: random]",
)
@click.option(
    "--normalize",
    metavar="WHERE",
    default="inside",
    show_default=True,
    help="inside: the file takes RGB in 0..255 and normalises it itself; outside: it takes the "
    "normalised tensor.",
)
@click.option(
    "--head",
    metavar="NAME",
    default="logits",
    show_default=True,
    help=f"What the file gives: {_one_of(HEADS)}",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder for the files; made if it is not there.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@click.option(
    "--model",
    "factory",
    metavar="MODULE:FACTORY",
    help="Export the nn.Module that a function of your own returns, rather than a SeaFormer.",
)
@click.option("--list", "list_only", is_flag=True, help="List every model and stop.")
@click.option(
    "--self-check",
    "checked_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Verify a file that was exported before, and stop.",
)
def main(list_only: bool, checked_file: Path | None, **asked: Any) -> None:
    r"""Export a SeaFormer to ONNX and TFLite, and prove that the files compute the same.

    Every file is run against PyTorch in float64 on a photograph and on noise. One that is further
    from it than its precision allows is not written.

    \b
    Example:
      seaformer-export --variant tiny --format tflite --format onnx --precision fp16
    """
    from rich.console import Console

    console = Console()
    if list_only:
        from seaformer.export.listing import print_models

        print_models(console)
        return
    if checked_file is not None:
        from seaformer.export.self_check import self_check

        self_check(checked_file, asked["weights"], console)
        return
    from seaformer.export.request import make_request

    request = make_request(**asked)
    from seaformer.export.pipeline import export
    from seaformer.export.report import Report

    report = Report(console)
    report.summary(export(request, report))


if __name__ == "__main__":
    main()
