"""The options of everything that measures: declared once, and handed on as one object."""

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from seaformer.benchmark.measure.backends import BACKENDS
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.cli.parameter_types import Name, Parsed
from seaformer.errors import UsageError
from seaformer.models.seaformer.variants import VARIANTS

REGRESSION = 3
"""Exit status when a model became slower than --tolerance allows."""

PATH = click.Path(path_type=Path)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user asked for. The help texts below say what each is; shares are of 1, not percent.

    Attributes:
        command: what was typed, to be pasted again.
    """

    command: str
    models: tuple[Path, ...] = ()
    table: str | None = None
    variant: str | None = None
    device: str = "auto"
    backend: str | None = None
    threads: int = 1
    cores: str | None = None
    runs: int | None = None
    until: float | None = None
    time_limit_s: float = 900.0
    output: Path | None = None
    compare: Path | None = None
    tolerance: float = 0.03
    compare_anyway: bool = False
    cool_below_c: float | None = None
    breakdown: bool = False
    keep_throttled: bool = False
    keep: bool = False
    runtime_library: Path | None = None
    binary: Path | None = None
    seed: int = 0
    force: bool = False


def parse_share(option: str, text: str) -> float:
    """Read a percentage such as "1%" or "0.5 %".

    Raises:
        UsageError: it is none between 0 and 100.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if match is None or not 0 < float(match[1]) < 100:
        raise UsageError(f"{option} is '{text}'. Allowed: a percentage above 0, such as 1%.")
    return float(match[1]) / 100


def _share(option: str, **settings: Any) -> Callable[..., Any]:
    read = Parsed(partial(parse_share, option))
    return partial(click.option, option, metavar="PERCENT", type=read, **settings)


_option = partial(partial, click.option)

_DECLARED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "models": partial(click.argument, "models", metavar="MODEL...", nargs=-1, type=PATH),
        "table": _option(
            "--table",
            metavar="NAME",
            type=Name("table", KINDS),
            help=f"Make a table of the paper: {', '.join(KINDS)}. Without MODEL the files that it "
            "needs are exported first.",
        ),
        "variant": _option(
            "--variant",
            metavar="NAME",
            type=Name("variant", VARIANTS),
            help=f"What --table exports: {', '.join(VARIANTS)}. [default: tiny]",
        ),
        "device": _option(
            "--device",
            metavar="auto|host|SERIAL|all",
            default="auto",
            show_default=True,
            help="auto: the phone that is attached, this computer if there is none.",
        ),
        "backend": _option(
            "--backend",
            metavar="NAME",
            type=Name("backend", BACKENDS),
            help=f"One of {', '.join(BACKENDS)}. [default: by the suffix]",
        ),
        "threads": _option("--threads", type=click.IntRange(1, 256), default=1, show_default=True),
        "cores": _option(
            "--cores",
            metavar="CLASS|MASK",
            help="prime, big, little, all, a hexadecimal mask (80 is core 7) or a list (4-6,7). "
            "[default: the fastest class, or as many as the threads need]",
        ),
        "runs": _option(
            "--runs",
            type=click.IntRange(1, 100_000),
            help="Timed runs of each model. [default: 50; 20 for --table precision]",
        ),
        "until": _share(
            "--until",
            help="Instead of --runs: measure until the 95 % interval of every median is at most ± "
            "this share of it, such as 1%.",
        ),
        "time_limit_s": _option(
            "--time-limit",
            "time_limit_s",
            type=click.FloatRange(min=1, max=86400),
            default=900.0,
            show_default=True,
            help="Seconds that the benchmark of a device may take, cooling down included.",
        ),
        "output": _option(
            "--output",
            type=PATH,
            help="Folder for results.json, results.csv and report.html; one below it for each "
            "device if there are several. [default: build/benchmark/ and the time]",
        ),
        "compare": _option(
            "--compare",
            metavar="OLD.json",
            type=PATH,
            help="Say of every model whether it became faster or slower; exit with "
            f"{REGRESSION} if slower by more than --tolerance.",
        ),
        "tolerance": _share("--tolerance", default="3%", show_default=True),
        "compare_anyway": _option(
            "--compare-anyway",
            is_flag=True,
            help="Also with results of another device, backend, input, or of other threads or "
            "cores.",
        ),
        "cool_below_c": _option(
            "--cool-below",
            "cool_below_c",
            type=click.FloatRange(10, 90),
            metavar="CELSIUS",
            help="Wait for the phone's skin or battery to be cooler than this. [default: 35]",
        ),
        "breakdown": _option(
            "--breakdown",
            is_flag=True,
            help="Also say where the time goes, module by module, by the runtime's profile and by "
            "models cut after each module.",
        ),
        "keep_throttled": _option(
            "--keep-throttled", is_flag=True, help="Count rounds in which the device throttled."
        ),
        "keep": _option(
            "--keep", is_flag=True, help="Leave the files on the phone, for another time."
        ),
        "runtime_library": _option(
            "--runtime-library",
            type=PATH,
            help="Library of the runtime for the device, instead of the pinned one.",
        ),
        "binary": _option(
            "--binary",
            type=PATH,
            help="The official tool for the device; for --backend benchmark_model.",
        ),
        "seed": _option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True),
        "force": _option("--force", is_flag=True, help="Overwrite results."),
    }
)
"""Field of `Options` -> what declares it."""

SHARED = ("device", "threads", "cores", "runs", "time_limit_s", "output", "seed", "force")
"""Options of every study."""


def takes_options(
    *names: str, **changed: Mapping[str, Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options, in this order; it is called with `Options` as its first argument.

    Args:
        names: fields of `Options`.
        changed: field -> what click is told otherwise than above.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**given: Any) -> None:
            typed = shlex.join(["seaformer-benchmark", *sys.argv[1:]])
            options = Options(command=typed, **{name: given.pop(name) for name in names})
            command(options, **given)

        for name in reversed(names):
            called = _DECLARED[name](**changed.get(name, {}))(called)
        return called

    return decorate


def takes_study_options(*names: str, **changed: Mapping[str, Any]) -> Callable[..., Any]:
    """Give a study's command the options that all have, behind those of its own."""
    usual = {
        "device": {"metavar": "auto|host|SERIAL"},
        "cores": {"help": "As for a single benchmark."},
        "runs": {"help": "Timed runs of each. [default: 50]"},
        "time_limit_s": {"help": "Seconds that one benchmark may take, exporting not included."},
        "output": {"help": "Folder for everything. [default: build/benchmark/ and the time]"},
    }
    return takes_options(*names, *SHARED, **(usual | changed))
