"""The command `seaformer-benchmark`: latency of exported models on phones and on this computer."""

from collections.abc import Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

import click

from seaformer.benchmark.measure.options import Options, takes_options
from seaformer.benchmark.studies.attention.attention_command import attention
from seaformer.benchmark.studies.pareto.pareto_command import pareto
from seaformer.cli.command import FAILED, VERSION_OPTION, Group
from seaformer.errors import UsageError, look_up
from seaformer.files import path_exists
from seaformer.interrupts import one_interrupt
from seaformer.models.registry import REGISTRY

# Pydantic, NumPy, Rich and adb are imported when needed, so that --help is fast.

MEASURE = "measure"
"""The default subcommand, used if the first word is not a subcommand."""


class _ModelsFirst(Group):
    """A group with a default subcommand: `seaformer-benchmark model.tflite`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the name of the default subcommand, unless a subcommand is given."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names, VERSION_OPTION):
            _refuse_misspelled(args[0], [name for name in self.commands if name != MEASURE])
            args = [MEASURE, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; the first Ctrl-C, SIGTERM or SIGHUP stops it and saves its work."""
        with one_interrupt():
            return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the help of the default subcommand, and the names of the others."""
        measure = self.commands[MEASURE]
        # Without a parent context, the usage line shows only the name of the group.
        own = click.Context(measure, info_name=ctx.command_path)
        measure.format_help(own, formatter)
        rows = [
            (name, command.get_short_help_str())
            for name, command in sorted(self.commands.items())
            if name != MEASURE
        ]
        with formatter.section("Other commands"):
            formatter.write_dl(rows)


def _refuse_misspelled(word: str, commands: Sequence[str]) -> None:
    near = get_close_matches(word, (*commands, *REGISTRY), n=1, cutoff=0.6)
    if near and near[0] in commands and not word.startswith("-") and not path_exists(word):
        raise UsageError(
            f"'{word}' is neither a model file nor a command. Did you mean '{near[0]}'? Commands: "
            f"{', '.join(sorted(commands))}."
        )


@click.group(cls=_ModelsFirst)
def main() -> None:
    """Measure exported models on phones and on this computer."""


@main.command(
    MEASURE,
    epilog="\b\nExample:\n  seaformer-benchmark build/seaformer_tiny_ade20k_512x512_fp32.tflite "
    "--until 1%",
)
@takes_options(*(field.name for field in fields(Options) if field.name != "command"))
@click.pass_context
def measure(ctx: click.Context, options: Options) -> None:
    """Measure the latency of MODEL, a .tflite or .onnx file, or of several models, interleaved.

    MODEL may also be the name of a network, as for seaformer-export --model; it is exported in fp32
    first. The file is sent to the phone attached over adb, and its output there is compared with
    the output on this computer; if the output is wrong, the latency is discarded. Without a phone,
    the file is measured on this computer.
    """
    if options.blame is not None:
        from seaformer.benchmark.blame.blame_run import blame

        ctx.exit(blame(options))
    from seaformer.benchmark.results.table_kinds import KINDS
    from seaformer.benchmark.studies.accelerators.accelerators_study import AcceleratorsStudy
    from seaformer.benchmark.studies.benchmark_study import BenchmarkStudy
    from seaformer.benchmark.studies.energy.energy_study import EnergyStudy
    from seaformer.benchmark.studies.running import run_study
    from seaformer.benchmark.studies.sustained.sustained_study import SustainedStudy
    from seaformer.benchmark.studies.tables.table_study import TableStudy

    if options.energy_s is not None:
        ctx.exit(run_study(EnergyStudy(options)))
    if options.sustain_s is not None:
        ctx.exit(run_study(SustainedStudy(options)))
    if options.table is None:
        ctx.exit(run_study(BenchmarkStudy(options)))
    kind = look_up(KINDS, "table", options.table)
    study = AcceleratorsStudy if kind.is_of_accelerators else TableStudy
    ctx.exit(run_study(study(options)))


@main.command(short_help="List phones and this computer.")
@takes_options("adb_servers")
def devices(options: Options) -> None:
    """List the phones that are attached, and this computer."""
    from seaformer.benchmark.devices.listing import print_devices
    from seaformer.console import Console

    if not print_devices(Console(soft_wrap=True), options.adb_servers):
        raise click.exceptions.Exit(FAILED)


@main.command(short_help="Check the requirements of a benchmark on a device.")
@click.argument("serial", required=False)
@takes_options("adb_servers")
def doctor(options: Options, serial: str | None) -> None:
    """Check the requirements of a benchmark on a phone, one after another.

    SERIAL selects one of several phones; "all" selects all of them.
    """
    from seaformer.benchmark.devices.doctor import examine
    from seaformer.console import Console

    console = Console(soft_wrap=True)
    if not examine(serial or "auto", console, options.adb_servers):
        raise click.exceptions.Exit(FAILED)


@main.command(short_help="Re-render results as HTML, or several side by side.")
@click.argument(
    "files", metavar="RESULTS.json...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="HTML file to write. [default: report.html, next to a single results file, else in the "
    "current folder]",
)
@click.option("--force", is_flag=True, help="Overwrite the page.")
def report(files: tuple[Path, ...], output: Path | None, force: bool) -> None:
    """Re-render the report of one benchmark, or of several side by side, as HTML.

    RESULTS.json is the file written by a benchmark, or its folder. The folder of a run on several
    devices is rendered as one page, by model and device. The page is a self-contained file.
    """
    from seaformer.benchmark.report.benchmark_page import Source, write_report
    from seaformer.benchmark.report.collection import is_of_several
    from seaformer.benchmark.results.schema import REPORT_NAME, read_results
    from seaformer.console import Console

    if output is None:
        only = files[0] if files[0].is_dir() else files[0].parent
        output = (only if len(files) == 1 else Path()) / REPORT_NAME
    if any(map(is_of_several, files)):
        _write_by_device(files, output, force, "report")
        return
    sources = [Source(str(path), read_results(path)) for path in files]
    _refuse_page(output, force)
    write_report(output, sources)
    Console(soft_wrap=True).print(f"report: {output}")


@main.command(short_help="Show latency over time, from many results.")
@click.argument(
    "files", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    default="history.html",
    show_default=True,
    type=click.Path(path_type=Path),
    help="HTML file to write.",
)
@click.option("--force", is_flag=True, help="Overwrite the page.")
def history(files: tuple[Path, ...], output: Path, force: bool) -> None:
    """Show the latency of each model on each device over many benchmarks, as HTML.

    RESULTS are files written by benchmarks, or folders, which are searched recursively. Different
    devices or conditions are never joined in one line. The page is a self-contained file.
    """
    _write_by_device(files, output, force, "history")


def _write_by_device(files: Sequence[Path], output: Path, force: bool, what: str) -> None:
    from seaformer.benchmark.report.collection import collect
    from seaformer.benchmark.report.history_page import write_history
    from seaformer.console import Console
    from seaformer.interpreter import command_line

    _refuse_page(output, force)
    found = collect(files)
    write_history(output, found.sources, found.skipped, command_line("seaformer-benchmark"))
    console = Console(soft_wrap=True)
    for reason in found.skipped:
        console.print(f"skipped: {reason}")
    console.print(f"{what}: {output}")


def _refuse_page(output: Path, force: bool) -> None:
    from seaformer.files import refuse_existing

    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output is '{output}'. Allowed: a name ending in .html.")
    refuse_existing(output, force)


@main.command("npu-profile", short_help="Show the NPU cycles of each module.")
@click.argument("model", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.argument("profile", metavar="PROFILE.csv", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write all rows as .csv or .json."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def npu_profile(model: Path, profile: Path, output: Path | None, force: bool) -> None:
    """Sum the cycles of every module of MODEL.onnx in a profile of Qualcomm's NPU.

    PROFILE.csv is the file that ONNX Runtime's QNN execution provider writes with
    profiling_level=detailed, on a phone or on the emulator. Cycles are not latency.
    """
    from seaformer.benchmark.breakdown.npu_modules import break_down_file
    from seaformer.benchmark.presentation.npu_cycles import WRITERS, print_npu_breakdown
    from seaformer.console import Console
    from seaformer.files import refuse_existing, write_text

    if output is not None:
        if output.suffix.lower() not in WRITERS:
            raise UsageError(
                f"--output is '{output}'. Allowed: a name ending in {' or '.join(WRITERS)}."
            )
        refuse_existing(output, force)
    breakdown = break_down_file(model, profile)
    print_npu_breakdown(Console(), breakdown)
    if output is not None:
        write_text(output, WRITERS[output.suffix.lower()](breakdown))


main.add_command(attention)
main.add_command(pareto)


if __name__ == "__main__":
    main()
