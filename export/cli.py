"""The command `seaformer-export`."""

from pathlib import Path
from typing import Any

import click

from seaformer.artifact.accelerators import ACCELERATORS, parse_accelerators
from seaformer.artifact.chips import LIST
from seaformer.artifact.precisions import FORMATS, PRECISIONS
from seaformer.cli.attention_option import attention_option
from seaformer.cli.command import FAILED, Command
from seaformer.cli.statement_options import read_output, read_statement, statement_options
from seaformer.export.heads import HEADS
from seaformer.extras import require
from seaformer.interpreter import command_line
from seaformer.models.ablation import SWITCHES
from seaformer.models.collections.collection_table import COLLECTIONS
from seaformer.models.registry import REGISTRY
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.quantization.methods import METHODS

# torch, ONNX and rich are imported only when needed, so that --help stays fast.


def _one_of(names: object) -> str:
    return ", ".join(names) + "."  # type: ignore[arg-type]


def _switches() -> str:
    return ", ".join(f"{name}={'|'.join(values) or 'C,C'}" for name, values in SWITCHES.items())


@click.command(
    cls=Command,
    epilog="\b\nExample:\n  seaformer-export --variant tiny --format tflite --format onnx "
    "--precision fp16",
)
@click.option(
    "--variant",
    metavar="NAME",
    help=f"Short for --model seaformer-NAME: one of {_one_of(VARIANTS)} Optional if the checkpoint "
    "records it.",
)
@statement_options(defaults={"task": "the task recorded in the checkpoint, else ade20k"})
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
    "and context branch only, 'pretrained' for the weights that another library downloads for "
    "its network, or 'random'. [default: random]",
)
@click.option(
    "--normalize",
    metavar="WHERE",
    default="inside",
    show_default=True,
    help="inside: the input is RGB in 0..255 and the model normalizes it; outside: the input is "
    "the normalized tensor.",
)
@click.option(
    "--metadata",
    metavar="WHERE",
    default="inside",
    show_default=True,
    help="inside: metadata goes into the file and into the .json beside it; beside: into the .json "
    "only, for tools that reject metadata properties (.onnx only).",
)
@click.option(
    "--head",
    metavar="NAME",
    default="logits",
    show_default=True,
    help=f"Output of the model: {_one_of(HEADS)}",
)
@click.option(
    "--allow-tracer-warnings",
    is_flag=True,
    help="Export a network that converts input values to Python values, for example to branch on "
    "a mean. The trace records one such value as a constant for all images.",
)
@click.option(
    "--calibration",
    metavar="DIR|random",
    help="Images to calibrate with: a folder of photos like those the model will see, or a "
    "data set of the task, whose labels then give mIoU or top-1. Use 'random' if only latency "
    "matters. [default: procedural scenes for the task shapes, otherwise none]",
)
@click.option(
    "--calibration-samples",
    type=int,
    default=200,
    show_default=True,
    help="Maximum number of images to calibrate with.",
)
@click.option(
    "--verify-images",
    metavar="DIR",
    help="Images, or a data set of the task, to verify quantized files on, besides the images held "
    "out of the calibration. [default: procedural scenes for the task shapes, otherwise the "
    "bundled photo at several brightness levels; failing on the photo is an error for the built-in "
    "tasks and a warning for others]",
)
@click.option(
    "--calibration-method",
    metavar="NAME",
    help=f"Method for choosing ranges: {_one_of(METHODS)} [default: depends on the precision]",
)
@click.option(
    "--keep-float",
    metavar="MODULE",
    multiple=True,
    help="Module to keep in floating point in an integer file, such as light_head. Repeatable.",
)
@click.option(
    "--keep-16bit",
    "keep_16bit",
    metavar="MODULE",
    multiple=True,
    help="Module whose activations stay at 16 bits in w8a8, for NPUs. Repeatable.",
)
@click.option(
    "--mixed-precision",
    metavar="auto",
    help="auto: keep as few modules as possible in floating point (in w8a8: at 16 bits) to bring "
    "the loss within --budget.",
)
@click.option(
    "--budget",
    type=float,
    default=0.2,
    show_default=True,
    help="Largest loss allowed for --mixed-precision auto, in points of mIoU.",
)
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Rank modules and operators by the accuracy lost when quantizing them; writes JSON and "
    "HTML.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Write quantized files even if they miss the thresholds of their precision; the metadata "
    "records it.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FOLDER",
    multiple=True,
    help="Folder for the files, created if missing. A value that is valid for --output-meaning "
    "sets the output meaning; write a folder of that name as ./logits. [default: build]",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option(
    "-m",
    "--model",
    metavar="NAME|MODULE:FACTORY",
    help=f"Network to export, one of {_one_of(REGISTRY)} Or a network of another library: "
    f"{_one_of(f'{prefix}:NAME' for prefix in COLLECTIONS)} Or a function of your own that "
    "returns an nn.Module, as package.module:factory or FILE.py:factory; describe its input and "
    "output with --input-range, --mean, --std and --labels, see docs/own_networks.md.",
)
@attention_option
@click.option(
    "--ablation",
    "ablations",
    metavar="SWITCH=VALUE",
    multiple=True,
    help=f"Change SeaFormer as in the paper's ablation studies: {_switches()}. Repeatable.",
)
@click.option(
    "--accelerator",
    "accelerators",
    metavar="NAME,...",
    multiple=True,
    help=f"Verify the files on {_one_of(ACCELERATORS)} For npu they are compiled first, see --soc. "
    "Repeatable. A file that fails verification on an accelerator given here is not written. "
    "[default: cpu, and gpu if a driver is found; a file that fails only on the gpu is written, "
    "but the exit status is 1]",
)
@click.option(
    "--soc",
    "chips",
    metavar="CHIP,...",
    multiple=True,
    help=f"Chip to compile for with --accelerator npu, such as SM8650; '{LIST}' lists them. "
    "Repeatable.",
)
@click.option(
    "--require-full-acceleration",
    is_flag=True,
    help="Refuse to write a compiled file with operators left on the CPU.",
)
@click.option("--list", "list_only", is_flag=True, help="List every model and exit.")
@click.option(
    "--self-check",
    "checked_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Verify an exported file again and exit. For your own network, give --model again: a file "
    "never decides what code runs.",
)
@click.option(
    "--lint",
    "linted_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="List the operators of a .tflite file that are known to compute wrong values on an "
    "accelerator or to fall back to the CPU, and exit. Nothing is run; the exit status is 1 if "
    "any are listed.",
)
@click.option(
    "--blame",
    "blamed",
    type=(str, click.Path(path_type=Path)),
    metavar="TARGET FILE",
    help="Find the operators that a target computes differently, write minimal files that "
    "reproduce the difference, and exit. Targets for a .tflite: gpu, openvino, xnnpack; for an "
    ".onnx: npu, with one --soc.",
)
@click.pass_context
def main(
    ctx: click.Context,
    list_only: bool,
    checked_file: Path | None,
    linted_file: Path | None,
    blamed: tuple[str, Path] | None,
    outputs: tuple[str, ...],
    task: str | None,
    labels: str | None,
    palette: str | None,
    input_range: str | None,
    mean: str | None,
    std: str | None,
    output_meaning: str | None,
    **given: Any,
) -> None:
    """Export a network to ONNX and TFLite, and verify that the files match PyTorch.

    Every file is compared with PyTorch in float64 on a photo and on noise; quantized files are
    also compared with single precision on images that were not used for calibration. A file whose
    error exceeds the threshold of its precision is not written.
    """
    from seaformer.console import Console
    from seaformer.export.request import ExportOptions, make_request

    folder, meaning = read_output(outputs, output_meaning)
    statement = read_statement(task, labels, palette, input_range, mean, std, meaning)
    line = command_line("seaformer-export")
    options = ExportOptions(statement=statement, output=folder, command=line, **given)
    console = Console()
    if list_only:
        from seaformer.export.listing import print_models

        print_models(console)
        return
    if LIST in options.chips:
        from seaformer.export.listing import print_chips

        print_chips(console)
        return
    if checked_file is not None:
        from seaformer.export.self_check import self_check
        from seaformer.models.resolve import chosen

        named = chosen(options.model, options.variant, options.attention)
        accelerators = parse_accelerators(options.accelerators)
        self_check(checked_file, options.weights, named, accelerators, console, statement)
        return
    if blamed is not None:
        from seaformer.artifact.chips import parse_chips
        from seaformer.export.blame_command import blame

        chips = parse_chips(options.chips)
        if not blame(*blamed, options.output, options.force, console, chips):
            ctx.exit(FAILED)
        return
    if linted_file is not None:
        from seaformer.export.lint.lint_report import lint_and_print

        if lint_and_print(linted_file, parse_accelerators(options.accelerators), console):
            ctx.exit(FAILED)
        return
    require("export")
    request = make_request(options)
    from seaformer.export.acceptance import unmet
    from seaformer.export.pipeline import export
    from seaformer.export.report import Report

    report = Report(console)
    files = export(request, report)
    report.summary(files)
    if unmet(request, [metadata for _, metadata in files]):
        ctx.exit(FAILED)


if __name__ == "__main__":
    main()
