"""What a benchmark is asked for, checked before any work is done."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from seaformer.benchmark.measure.backends import (
    BACKENDS,
    OFFICIAL_TOOL,
    ON_ACCELERATORS,
    ON_NPU,
    Backend,
    backend_for,
)
from seaformer.benchmark.measure.options import Options, bad_frame_size
from seaformer.benchmark.measure.power_modes import BURST
from seaformer.benchmark.results.schema import CSV_NAME, FILE_NAME, REPORT_NAME, UNFINISHED_NAME
from seaformer.benchmark.results.table_kinds import TableName
from seaformer.benchmark.runner.plan import MAX_FRAME_SIDE
from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.files import refuse_existing
from seaformer.models.resolve import find_model

MODELS_NAME = "models"
"""Folder in that of the results, for files that are exported to be measured."""

DEFAULT_BACKEND = "litert"

DEFAULT_RUNS = 50
USUAL_ROUNDS = 10
RUNS_PER_ROUND = 5
"""Few, so that there are rounds enough for an interval: a round more costs the loading of the
models."""
MAX_ROUNDS = 20
"""Of a benchmark whose runs are counted: more rounds narrow the interval little, more runs in them
cost nothing but their time."""
MAX_ROUND_S = 30.0
"""What is lost at most where a round is lost, as by Ctrl-C: longer ones are divided."""


@dataclass(frozen=True)
class Request:
    """A checked request."""

    options: Options  # as given, with what needs no more than the check
    models: tuple[Path | str, ...]  # files, and names of networks; none if the study has its own
    backend: Backend
    runs: int | None  # timed, per model; None if they go on until the medians are sure enough
    output: Path  # folder for the results
    table: TableName | None = None  # of the paper, to be made

    @property
    def models_folder(self) -> Path:
        """Where exported files go."""
        return self.output / MODELS_NAME


def make_request(
    options: Options, usual_runs: int = DEFAULT_RUNS, table: TableName | None = None
) -> Request:
    """Check what a user asked for; without --runs there are `usual_runs`.

    Raises:
        UsageError: a value is out of range or does not go with another one.
        SeaformerError: a file is missing or cannot be used.
    """
    models = tuple(map(resolve_model, options.models))
    if files := tuple(model for model in models if isinstance(model, Path)):
        backend = backend_for(files, options.backend)
    else:
        backend = look_up(BACKENDS, "backend", options.backend or DEFAULT_BACKEND)
    if options.runs is not None and options.until is not None:
        raise UsageError("--runs does not go with --until: give one of the two.")
    _check_official_tool(options, backend.name == OFFICIAL_TOOL)
    if options.half and not backend.has_half:
        takers = " and ".join(row.name for row in BACKENDS.values() if row.has_half)
        raise UsageError(f"--half is for --backend {takers}, and this is {backend.name}.")
    if options.require_full_acceleration and backend.name not in ON_ACCELERATORS:
        raise UsageError(
            f"--require-full-acceleration is for --backend {' and '.join(ON_ACCELERATORS)}, and "
            f"this is {backend.name}, on the CPU."
        )
    for option, is_given in (
        ("--qairt", options.qairt is not None),
        ("--soc", options.soc is not None),
        ("--npu-power", options.npu_power != BURST),
    ):
        if is_given and backend.name not in ON_NPU:
            raise UsageError(
                f"{option} is for --backend {' and '.join(ON_NPU)}, and this is {backend.name}."
            )
    sides = options.frame_size
    if sides is not None and not all(1 <= side <= MAX_FRAME_SIDE for side in sides):
        raise bad_frame_size("x".join(map(str, sides)))
    for option, given in (
        ("--runtime-library", options.runtime_library),
        ("--binary", options.binary),
    ):
        if given is not None and not given.is_file():
            raise UsageError(f"{option} '{given}' is no file. Check the name.")
    return Request(
        options=options,
        models=models,
        backend=backend,
        runs=None if options.until is not None else options.runs or usual_runs,
        output=options.output or Path("build", "benchmark", f"{datetime.now():%Y%m%d-%H%M%S}"),
        table=table,
    )


def resolve_model(given: Path) -> Path | str:
    """Return the file if there is one, else the name of a network to be exported.

    Raises:
        SeaformerError: it is neither.
    """
    found = find_model(str(given))
    if not isinstance(found, Path):
        return found.name
    if not found.is_file():
        raise SeaformerError(f"there is no model file '{found}'. Check the name.")
    return found


def require_our_runner(options: Options, study: str) -> None:
    """Raise UsageError if the official tool is asked for, for what compares models."""
    if options.backend == OFFICIAL_TOOL:
        raise UsageError(
            f"{study} needs our runner, which lets models take turns, not {OFFICIAL_TOOL}: leave "
            "--backend and --binary out."
        )


def _check_official_tool(options: Options, is_used: bool) -> None:
    if (options.binary is None) == is_used:
        raise UsageError(
            f"--backend {OFFICIAL_TOOL} needs --binary PATH, the official tool for the device, and "
            "other backends take none."
        )
    if not is_used:
        return
    if options.until is not None:
        raise UsageError(f"--until needs single runs, which {OFFICIAL_TOOL} does not give.")
    if options.breakdown:
        raise UsageError(
            f"--breakdown needs our runner, not {OFFICIAL_TOOL}: leave --backend and --binary out."
        )
    if options.frame_size is not None:
        raise UsageError(
            f"--frame needs our runner, not {OFFICIAL_TOOL}: leave --backend and --binary out."
        )
    if options.runtime_library is not None:
        raise UsageError(f"--runtime-library has no effect on {OFFICIAL_TOOL}. Leave it out.")


def check_output(folder: Path, force: bool, more: Sequence[str] = ()) -> None:
    """Refuse, before the work, to overwrite results in a folder that need not exist.

    Raises UsageError if the files of a benchmark or `more` of these names are there and `force` is
    not given, or if the folder is something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"--output '{folder}' is not a folder. Give the name of one.")
    for name in (FILE_NAME, CSV_NAME, REPORT_NAME, UNFINISHED_NAME, *more):
        refuse_existing(folder / name, force)
    made = folder / MODELS_NAME
    if made.exists() and not force:
        raise UsageError(
            f"'{made}' exists. Give another --output, or --force to overwrite the files in it."
        )


def round_sizes(runs: int | None, run_s: float = 0.0) -> tuple[int, ...]:
    """Spread the timed runs of a model over rounds, evenly.

    Args:
        runs: of each model; None, for an open end, gives one round.
        run_s: seconds that one run of all models of a round takes, 0 if not known yet. A round
            takes at most `MAX_ROUND_S`, or has a single run.
    """
    if runs is None:
        fitting = int(MAX_ROUND_S / run_s) if run_s else RUNS_PER_ROUND
        return (min(max(fitting, 1), RUNS_PER_ROUND),)
    rounds = min(max(math.ceil(runs / RUNS_PER_ROUND), min(runs, USUAL_ROUNDS)), MAX_ROUNDS)
    rounds = min(max(rounds, math.ceil(runs * run_s / MAX_ROUND_S)), runs)
    ends = [runs * turn // rounds for turn in range(rounds + 1)]
    return tuple(end - start for start, end in pairwise(ends))
