"""The request for a benchmark, validated before any work is done."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from seaformer.artifact.accelerators import CPU
from seaformer.benchmark.measure.backends import (
    BACKENDS,
    OFFICIAL_TOOL,
    ON_ACCELERATORS,
    ON_NPU,
    Backend,
    backend_for,
)
from seaformer.benchmark.measure.options import CAMERA_LOAD, Options, bad_frame_size
from seaformer.benchmark.measure.power_modes import BURST
from seaformer.benchmark.results.schema import CSV_NAME, FILE_NAME, REPORT_NAME, UNFINISHED_NAME
from seaformer.benchmark.results.table_kinds import TableName
from seaformer.benchmark.runner.plan import MAX_FRAME_SIDE
from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.files import refuse_existing
from seaformer.models.resolve import find_model

MODELS_NAME = "models"
"""Subfolder of the results for models that the benchmark exports."""

DEFAULT_BACKEND = "litert"

DEFAULT_RUNS = 50
USUAL_ROUNDS = 10
RUNS_PER_ROUND = 5
"""Small, to have enough rounds for an interval; each additional round loads the models again."""
MAX_ROUNDS = 20
"""For a fixed number of runs: more rounds hardly narrow the interval, while more runs per round
have no overhead."""
MAX_ROUND_S = 30.0
"""Upper limit of the measurements lost when a round is aborted, for example by Ctrl-C: longer
rounds are split."""


@dataclass(frozen=True)
class Request:
    """A validated request."""

    options: Options  # as given
    models: tuple[Path | str, ...]  # files and names of networks; empty if the study has its own
    backend: Backend
    runs: int | None  # timed runs per model; None to measure until the requested precision
    output: Path  # folder for the results
    table: TableName | None = None  # kind of table to measure
    load: Path | str | None = None  # file or network that runs beside the models

    @property
    def models_folder(self) -> Path:
        """Folder for exported models."""
        return self.output / MODELS_NAME


def make_request(
    options: Options, usual_runs: int = DEFAULT_RUNS, table: TableName | None = None
) -> Request:
    """Validate options; the default of --runs is `usual_runs`.

    Raises:
        UsageError: a value is out of range or cannot be combined with another one.
        SeaformerError: a file is missing or cannot be used.
    """
    models = tuple(map(resolve_model, options.models))
    beside = options.beside
    load = None if beside is None or beside == CAMERA_LOAD else resolve_model(Path(beside))
    if files := tuple(model for model in (*models, load) if isinstance(model, Path)):
        backend = backend_for(files, options.backend)
    else:
        backend = look_up(BACKENDS, "backend", options.backend or DEFAULT_BACKEND)
    if options.runs is not None and options.until is not None:
        raise UsageError("--runs cannot be combined with --until: give only one of them.")
    for option, is_given in (("--strict", options.strict), ("--junit", options.junit is not None)):
        if is_given and options.compare is None:
            raise UsageError(f"{option} needs --compare OLD, the older results.")
    _check_official_tool(options, backend.name == OFFICIAL_TOOL)
    if options.half and not backend.has_half:
        takers = ", ".join(row.name for row in BACKENDS.values() if row.has_half)
        raise UsageError(f"--half is for --backend {takers}, but the backend is {backend.name}.")
    if options.require_full_acceleration and backend.name not in ON_ACCELERATORS:
        raise UsageError(
            f"--require-full-acceleration is for --backend {', '.join(ON_ACCELERATORS)}, but "
            f"the backend is {backend.name}, on the CPU."
        )
    for option, is_given in (
        ("--qairt", options.qairt is not None),
        ("--soc", options.soc is not None),
        ("--npu-power", options.npu_power != BURST),
    ):
        if is_given and backend.name not in ON_NPU:
            raise UsageError(
                f"{option} is for --backend {' and '.join(ON_NPU)}, but the backend is "
                f"{backend.name}."
            )
    _check_beside(options, backend)
    if options.cold_start:
        require_our_runner(options, "--cold-start")
        if options.table is not None:
            raise UsageError("--table cannot be combined with --cold-start. Omit one of them.")
    if options.energy_s is not None and options.sustain_s is not None:
        raise UsageError("--energy cannot be combined with --sustain. Omit one of them.")
    if options.frame_rate is not None and options.sustain_s is None:
        raise UsageError("--frame-rate is for --sustain. Give both, or omit it.")
    sides = options.frame_size
    if sides is not None and not all(1 <= side <= MAX_FRAME_SIDE for side in sides):
        raise bad_frame_size("x".join(map(str, sides)))
    for option, given in (
        ("--runtime-library", options.runtime_library),
        ("--binary", options.binary),
    ):
        if given is not None and not given.is_file():
            raise UsageError(f"{option} '{given}' is not a file. Check the name.")
    return Request(
        options=options,
        models=models,
        backend=backend,
        runs=None if options.until is not None else options.runs or usual_runs,
        output=options.output or Path("build", "benchmark", f"{datetime.now():%Y%m%d-%H%M%S}"),
        table=table,
        load=load,
    )


def resolve_model(name: Path) -> Path | str:
    """Return the file if it exists, else the name of a network to export.

    Raises:
        SeaformerError: it is neither.
    """
    found = find_model(str(name))
    if not isinstance(found, Path):
        return found.name
    if not found.is_file():
        raise SeaformerError(f"there is no model file '{found}'. Check the name.")
    return found


def require_our_runner(options: Options, study: str) -> None:
    """Raise UsageError if a study that compares models was requested with the official tool."""
    if options.backend == OFFICIAL_TOOL:
        raise UsageError(
            f"{study} needs our runner, which interleaves models, not {OFFICIAL_TOOL}: omit "
            "--backend and --binary."
        )


def _check_beside(options: Options, backend: Backend) -> None:
    if options.beside is None:
        return
    require_our_runner(options, "--beside")
    if options.table is not None:
        raise UsageError("--table cannot be combined with --beside. Omit one of them.")
    if backend.accelerator != CPU:
        raise UsageError(
            f"--beside is for models on the CPU, but the backend is {backend.name}. Omit one of "
            "them."
        )


def _check_official_tool(options: Options, is_used: bool) -> None:
    if (options.binary is None) == is_used:
        raise UsageError(
            f"--backend {OFFICIAL_TOOL} needs --binary PATH, the official tool for the device; "
            "other backends do not accept it."
        )
    if not is_used:
        return
    if options.until is not None:
        raise UsageError(
            f"--until needs individual runs, which {OFFICIAL_TOOL} does not report. Give --runs."
        )
    if options.breakdown:
        raise UsageError(
            f"--breakdown needs our runner, not {OFFICIAL_TOOL}: omit --backend and --binary."
        )
    if options.frame_size is not None:
        raise UsageError(
            f"--frame needs our runner, not {OFFICIAL_TOOL}: omit --backend and --binary."
        )
    if options.runtime_library is not None:
        raise UsageError(f"--runtime-library has no effect on {OFFICIAL_TOOL}. Omit it.")


def check_output(folder: Path, force: bool, more: Sequence[str] = ()) -> None:
    """Check before any work that no results would be overwritten; the folder may be missing.

    Raises UsageError if files of a benchmark or files named in `more` exist without `force`, or if
    the path is not a folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"--output '{folder}' is not a folder. Give a folder.")
    for name in (FILE_NAME, CSV_NAME, REPORT_NAME, UNFINISHED_NAME, *more):
        refuse_existing(folder / name, force)
    models = folder / MODELS_NAME
    if models.exists() and not force:
        raise UsageError(
            f"'{models}' exists. Give another --output, or --force to overwrite the files in it."
        )


def round_sizes(runs: int | None, run_s: float = 0.0) -> tuple[int, ...]:
    """Divide the timed runs of a model evenly into rounds.

    Args:
        runs: number of timed runs of each model; None, for an open number of runs, gives one round.
        run_s: seconds for one run of all models of a round, 0 if unknown. A round takes at most
            `MAX_ROUND_S`, or has a single run.
    """
    if runs is None:
        fitting = int(MAX_ROUND_S / run_s) if run_s else RUNS_PER_ROUND
        return (min(max(fitting, 1), RUNS_PER_ROUND),)
    rounds = min(max(math.ceil(runs / RUNS_PER_ROUND), min(runs, USUAL_ROUNDS)), MAX_ROUNDS)
    rounds = min(max(rounds, math.ceil(runs * run_s / MAX_ROUND_S)), runs)
    ends = [runs * turn // rounds for turn in range(rounds + 1)]
    return tuple(end - start for start, end in pairwise(ends))
