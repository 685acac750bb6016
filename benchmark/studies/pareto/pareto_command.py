"""The command `seaformer-benchmark pareto`."""

import click

from seaformer.benchmark.measure.options import Options, takes_study_options
from seaformer.cli.command import Command


@click.command(cls=Command, short_help="Published accuracy over latency measured here.")
@takes_study_options(
    "models",
    "backend",
    models={"metavar": "[MODEL]..."},
    backend={"help": "litert or onnxruntime. [default: litert]"},
)
def pareto(options: Options) -> None:
    """Plot published mIoU over latency measured here, as in the paper's Figure 1, right.

    Exports the SeaFormers and the networks they are compared with, or measures given MODELs.
    """
    from seaformer.benchmark.studies.pareto.pareto_study import ParetoStudy
    from seaformer.benchmark.studies.running import run_study

    click.get_current_context().exit(run_study(ParetoStudy(options)))
