"""The command `seaformer-benchmark pareto`."""

from collections.abc import Mapping
from types import MappingProxyType

import click

from seaformer.benchmark.measure.options import Options, takes_study_options
from seaformer.cli.command import Command
from seaformer.parameter_types import Name

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "ade20k": "mIoU of SeaFormers and the networks they are compared with in the paper",
        "imagenet": "top-1 of SeaFormer's, timm's and torchvision's classifiers",
    }
)
"""Value of --task -> description of the plot."""


@click.command(cls=Command, short_help="Published accuracy over latency measured here.")
@click.option(
    "--task",
    metavar="NAME",
    type=Name("task", TASKS),
    default="ade20k",
    show_default=True,
    help="; ".join(f"{name}: {text}" for name, text in TASKS.items()) + ".",
)
@takes_study_options(
    "models",
    "backend",
    models={"metavar": "[MODEL]..."},
    backend={"help": "litert or onnxruntime. [default: litert]"},
)
def pareto(options: Options, task: str) -> None:
    """Plot published accuracy over latency measured here, as in the right half of Figure 1.

    Exports the networks of the task, which takes minutes, or measures the given MODELs.
    """
    from seaformer.benchmark.studies.pareto.pareto_study import ParetoStudy
    from seaformer.benchmark.studies.running import run_study

    click.get_current_context().exit(run_study(ParetoStudy(options, task)))
