"""The command `seaformer-benchmark`: latency of exported models on phones and on this computer."""

from __future__ import annotations

import shlex
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seaformer.benchmark.backends import BACKENDS
from seaformer.benchmark.studies.attention.request import USUAL_SIDES
from seaformer.benchmark.studies.tables.kinds import KINDS
from seaformer.cli.command import FAILED, INTERRUPTED, Group, print_error
from seaformer.errors import SeaformerError, UsageError
from seaformer.models.registry import LAYERS
from seaformer.models.seaformer.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seaformer.benchmark.request import Request
    from seaformer.benchmark.results import Results
    from seaformer.console import Console

# Pydantic, NumPy, Rich and adb are imported when there is work to do: --help shall not wait.

REGRESSION = 3
"""Exit status when a model became slower than --tolerance allows."""

MEASURE = "measure"
"""The command that a first word that is none stands for: it is a model then."""


class _ModelsFirst(Group):
    """A group whose ordinary command needs no name: `seaformer-benchmark model.tflite`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the ordinary command first, unless another one's is there."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            _refuse_misspelt(args[0], [name for name in self.commands if name != MEASURE])
            args = [MEASURE, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the help of the ordinary command, and the names of the others."""
        measure = self.commands[MEASURE]
        # Without a parent its usage line has the group's name only.
        own = click.Context(measure, info_name=ctx.command_path)
        measure.format_help(own, formatter)
        rows = [
            (name, command.get_short_help_str())
            for name, command in sorted(self.commands.items())
            if name != MEASURE
        ]
        with formatter.section("Other commands"):
            formatter.write_dl(rows)


def _refuse_misspelt(word: str, commands: Sequence[str]) -> None:
    near = get_close_matches(word, commands, n=1, cutoff=0.6)
    if near and not word.startswith("-") and not Path(word).exists():
        raise UsageError(
            f"there is no model file '{word}', and no command of that name. Did you mean "
            f"'{near[0]}'? Commands: {', '.join(sorted(commands))}."
        )


@click.group(cls=_ModelsFirst)
def main() -> None:
    """Measure exported models on phones and on this computer."""


@main.command(
    MEASURE,
    epilog="\b\nExample:\n  seaformer-benchmark build/seaformer_tiny_ade20k_512x512_fp32.tflite "
    "--until 1%",
)
@click.argument("models", metavar="MODEL...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--table",
    metavar="NAME",
    help=f"Make a table of the paper: {', '.join(KINDS)}. Without MODEL the files that it needs "
    "are exported first.",
)
@click.option(
    "--variant",
    metavar="NAME",
    help=f"What --table exports: {', '.join(VARIANTS)}. [default: tiny]",
)
@click.option(
    "--device",
    metavar="auto|host|SERIAL|all",
    default="auto",
    show_default=True,
    help="auto: the phone that is attached, this computer if there is none.",
)
@click.option(
    "--backend",
    metavar="NAME",
    help=f"One of {', '.join(BACKENDS)}. [default: by the suffix]",
)
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option(
    "--cores",
    metavar="CLASS|MASK",
    help="prime, big, little, all, a hexadecimal mask (80 is core 7) or a list (4-6,7). [default: "
    "the fastest class, or as many as the threads need]",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100_000),
    help="Timed runs of each model. [default: 50; 20 for --table precision]",
)
@click.option(
    "--until",
    metavar="PERCENT",
    help="Instead of --runs: measure until the 95 % interval of every median is at most ± this "
    "share of it, such as 1%.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1, max=86400),
    default=900.0,
    show_default=True,
    help="Seconds that the benchmark of a device may take, cooling down included.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for results.json, results.csv and report.html; one below it for each device if "
    "there are several. [default: build/benchmark/ and the time]",
)
@click.option(
    "--compare",
    metavar="OLD.json",
    type=click.Path(path_type=Path),
    help=f"Say of every model whether it became faster or slower; exit with {REGRESSION} if slower "
    "by more than --tolerance.",
)
@click.option("--tolerance", metavar="PERCENT", default="3%", show_default=True)
@click.option(
    "--compare-anyway",
    is_flag=True,
    help="Also with results of another device, backend, input, or of other threads or cores.",
)
@click.option(
    "--cool-below",
    type=click.FloatRange(10, 90),
    metavar="CELSIUS",
    help="Wait for the phone's skin or battery to be cooler than this. [default: 35]",
)
@click.option(
    "--breakdown",
    is_flag=True,
    help="Also say where the time goes, module by module, by the runtime's profile and by models "
    "cut after each module.",
)
@click.option("--keep-throttled", is_flag=True, help="Count rounds in which the device throttled.")
@click.option("--keep", is_flag=True, help="Leave the files on the phone, for another time.")
@click.option(
    "--runtime-library",
    type=click.Path(path_type=Path),
    help="Library of the runtime for the device, instead of the pinned one.",
)
@click.option(
    "--binary",
    type=click.Path(path_type=Path),
    help="The official tool for the device; for --backend benchmark_model.",
)
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True)
@click.option("--force", is_flag=True, help="Overwrite results.")
@click.pass_context
def measure(ctx: click.Context, device: str, **asked: Any) -> None:
    """Measure MODEL, a .tflite or an .onnx, or several interleaved.

    The file is sent to the phone that is attached over adb, and its output there is compared with
    this computer's own before any time is believed. With no phone attached it is measured on this
    computer.
    """
    from seaformer.benchmark.breakdown.table import print_breakdowns
    from seaformer.benchmark.devices.selection import select_devices
    from seaformer.benchmark.request import make_request
    from seaformer.benchmark.run import run
    from seaformer.benchmark.table import print_next, print_results
    from seaformer.console import Console

    request = make_request(device=device, command=_command(), **asked)
    console = Console()
    selection = select_devices(request.device)
    if selection.note:
        console.print(selection.note)
    finished = run(request, selection.devices, Console(stderr=True))
    for results in finished.results:
        print_results(console, results)
        print_breakdowns(console, results)
    regressed = _compare(console, request, finished.results)
    if finished.results:
        print_next(console, finished.paths, finished.results)
    if any(results.stopped_by == "interrupt" for results in finished.results):
        print_error("interrupted; what was measured until then is kept")
        ctx.exit(INTERRUPTED)
    if problems := finished.problems:
        raise SeaformerError(" ".join(problems))
    if regressed:
        ctx.exit(REGRESSION)


def _compare(console: Console, request: Request, results: Sequence[Results]) -> bool:
    """Show how the results differ from older ones; return whether a model regressed."""
    if request.old is None:
        return False
    from seaformer.benchmark.comparison import compare, regressions
    from seaformer.benchmark.table import print_comparison

    regressed = False
    for one in results:
        compared = compare(one, request.old, request.tolerance, request.compare_anyway)
        print_comparison(console, compared)
        regressed |= bool(regressions(compared))
    return regressed


@main.command(short_help="List phones and this computer.")
def devices() -> None:
    """List the phones that are attached, and this computer."""
    from seaformer.benchmark.devices.listing import print_devices
    from seaformer.console import Console

    print_devices(Console(soft_wrap=True))


@main.command(short_help="Check what a benchmark needs of a device.")
@click.argument("serial", required=False)
def doctor(serial: str | None) -> None:
    """Check one thing after another that a benchmark on a phone needs.

    SERIAL chooses a phone if there are several.
    """
    from seaformer.benchmark.devices.doctor import examine
    from seaformer.console import Console

    console = Console(soft_wrap=True)
    if not examine(serial or "auto", console):
        raise click.exceptions.Exit(FAILED)


@main.command(short_help="Draw results again as a page, or several side by side.")
@click.argument(
    "files", metavar="RESULTS.json...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Page to write, .html. [default: report.html, beside the results if they are one file, "
    "else here]",
)
@click.option("--force", is_flag=True, help="Overwrite the page.")
def report(files: tuple[Path, ...], output: Path | None, force: bool) -> None:
    """Draw the report of one benchmark, or of several side by side.

    RESULTS.json is what a benchmark wrote, or the folder with it. The page is one file that loads
    nothing from elsewhere.
    """
    from seaformer.benchmark.report.benchmark_page import Source, write_report
    from seaformer.benchmark.request import REPORT_NAME
    from seaformer.benchmark.results import read_results
    from seaformer.console import Console
    from seaformer.files import refuse_existing

    sources = [Source(str(path), read_results(path)) for path in files]
    if output is None:
        only = files[0] if files[0].is_dir() else files[0].parent
        output = (only if len(files) == 1 else Path()) / REPORT_NAME
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output is '{output}'. Allowed: a name in .html.")
    refuse_existing(output, force)
    write_report(output, sources)
    Console(soft_wrap=True).print(f"report: {output}")


def _comparing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a comparison that makes its files itself."""
    options = (
        click.option(
            "--device",
            metavar="auto|host|SERIAL",
            default="auto",
            show_default=True,
            help="auto: the phone that is attached, this computer if there is none.",
        ),
        click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True),
        click.option("--cores", metavar="CLASS|MASK", help="As for a single benchmark."),
        click.option(
            "--runs", type=click.IntRange(1, 100_000), help="Timed runs of each. [default: 50]"
        ),
        click.option(
            "--time-limit",
            type=click.FloatRange(min=1, max=86400),
            default=900.0,
            show_default=True,
            help="Seconds that one benchmark may take, exporting not included.",
        ),
        click.option(
            "--output",
            type=click.Path(path_type=Path),
            help="Folder for everything. [default: build/benchmark/ and the time]",
        ),
        click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True),
        click.option("--force", is_flag=True, help="Overwrite results."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command(short_help="How the time of attention layers grows with the feature map.")
@click.option(
    "--sides",
    metavar="N,N,...",
    default=USUAL_SIDES,
    show_default=True,
    help="Sides of the square feature maps.",
)
@click.option(
    "--layers",
    metavar="NAME,NAME,...",
    help=f"Of {', '.join(LAYERS)}. [default: all]",
)
@_comparing
def attention(sides: str, layers: str | None, **asked: Any) -> None:
    """Compare attention layers over the side of the feature map: the paper's Figure 1, left.

    Every layer is exported for every side and verified, which takes minutes; those of one side are
    measured in turns. Each benchmark, of one side, has the --time-limit to itself.
    """
    from seaformer.benchmark.request import study_request
    from seaformer.benchmark.studies.attention.command import compare_layers
    from seaformer.benchmark.studies.attention.request import parse_layers, parse_sides

    chosen = parse_layers(layers), parse_sides(sides)
    compare_layers(*chosen, study_request(command=_command(), **asked))


@main.command(short_help="Published accuracy over latency measured here.")
@click.argument("models", metavar="[MODEL]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--backend", metavar="NAME", help="litert or onnxruntime. [default: litert]")
@_comparing
def pareto(**asked: Any) -> None:
    """Draw published mIoU over latency measured here: the paper's Figure 1, right.

    Exports the SeaFormers and their peers, or takes MODEL... that were exported before.
    """
    from seaformer.benchmark.request import study_request
    from seaformer.benchmark.studies.pareto.command import compare_networks

    compare_networks(study_request(command=_command(), **asked))


def _command() -> str:
    return shlex.join(["seaformer-benchmark", *sys.argv[1:]])


if __name__ == "__main__":
    main()
