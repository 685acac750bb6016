"""What a benchmark is asked for, checked before any work is done."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from seaformer.benchmark.backends import BACKENDS, OFFICIAL_TOOL, Backend, backend_for
from seaformer.benchmark.results import FILE_NAME, Results, read_results
from seaformer.benchmark.studies.tables.kinds import KINDS, Kind
from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.files import refuse_existing
from seaformer.models.seaformer.variants import get_variant

CSV_NAME = "results.csv"
REPORT_NAME = "report.html"
MODELS_NAME = "models"
"""Folder in that of the results, for files that a table makes for itself."""

DEFAULT_BACKEND = "litert"
DEFAULT_VARIANT = "tiny"

DEFAULT_RUNS = 50
USUAL_ROUNDS = 10
RUNS_PER_ROUND = 5
"""Few, so that there are rounds enough for an interval: a round more costs the loading of the
models."""
MAX_ROUNDS = 20
"""Of a benchmark whose runs are counted: more rounds narrow the interval little, more runs in them
cost nothing but their time."""


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes:
        paths: model files; none if `table` makes its own.
        backend: what runs them.
        device: "auto", "host", "all" or a serial number.
        threads: of one inference.
        cores: as given to --cores; None for the fastest.
        runs: timed runs per model; None with `until`.
        until: half-width of the medians' intervals to reach, as a share of the median.
        time_limit_s: of the whole benchmark of a device.
        output: folder for the results.
        old: results to compare with.
        compare_anyway: whether those may be of another device or setting.
        tolerance: share by which a model may be slower than in `old`.
        cool_below_c: temperature to wait for; None for the usual one.
        keep: whether files stay on the phone.
        keep_throttled: whether rounds count in which the device throttled.
        runtime_library: library of the runtime to use; None for the pinned one.
        binary: the official tool; None for our runner.
        seed: of everything random.
        command: what was asked for, to be pasted again.
        breakdown: whether to find out where the time goes.
        table: the table of the paper to make; None for none.
        variant: which SeaFormer `table` exports, where it does not say it itself.
        force: whether files are overwritten.
    """

    paths: tuple[Path, ...]
    backend: Backend
    device: str
    threads: int
    cores: str | None
    runs: int | None
    until: float | None
    time_limit_s: float
    output: Path
    old: Results | None
    compare_anyway: bool
    tolerance: float
    cool_below_c: float | None
    keep: bool
    keep_throttled: bool
    runtime_library: Path | None
    binary: Path | None
    seed: int
    command: str
    breakdown: bool = False
    table: Kind | None = None
    variant: str = DEFAULT_VARIANT
    force: bool = False

    @property
    def round_sizes(self) -> tuple[int, ...]:
        """Timed runs of a model in each round; of an open-ended benchmark, those of one round."""
        if self.runs is None:
            return (RUNS_PER_ROUND,)
        return round_sizes(self.runs)


def make_request(
    *,
    models: tuple[Path, ...],
    backend: str | None,
    device: str,
    threads: int,
    cores: str | None,
    runs: int | None,
    until: str | None,
    time_limit: float,
    output: Path | None,
    compare: Path | None,
    compare_anyway: bool,
    tolerance: str,
    cool_below: float | None,
    keep: bool,
    keep_throttled: bool,
    runtime_library: Path | None,
    binary: Path | None,
    seed: int,
    force: bool,
    command: str,
    breakdown: bool = False,
    table: str | None = None,
    variant: str | None = None,
) -> Request:
    """Check what a user asked for.

    Raises:
        UsageError: a value is out of range or does not go with another one.
        SeaformerError: a file is missing or cannot be used.
    """
    kind = None if table is None else look_up(KINDS, "table", table)
    chosen = _backend(models, backend)
    _check_table(kind, models, variant, chosen, threads, cores, breakdown)
    if runs is not None and until is not None:
        raise UsageError("--runs does not go with --until: give one of the two.")
    if (binary is None) == (chosen.name == OFFICIAL_TOOL):
        raise UsageError(
            f"--backend {OFFICIAL_TOOL} needs --binary PATH, the official tool for the device, and "
            "other backends take none."
        )
    if chosen.name == OFFICIAL_TOOL and until is not None:
        raise UsageError(f"--until needs single runs, which {OFFICIAL_TOOL} does not give.")
    if chosen.name == OFFICIAL_TOOL and breakdown:
        raise UsageError(
            f"--breakdown needs our runner, not {OFFICIAL_TOOL}: leave --backend and --binary out."
        )
    if chosen.name == OFFICIAL_TOOL and runtime_library is not None:
        raise UsageError(f"--runtime-library has no effect on {OFFICIAL_TOOL}. Leave it out.")
    for option, given in (("--runtime-library", runtime_library), ("--binary", binary)):
        if given is not None and not given.is_file():
            raise UsageError(f"{option} '{given}' is no file. Check the name.")
    old = None if compare is None else read_results(compare)
    folder = output or _usual_output()
    check_output(folder, force)
    return Request(
        paths=models,
        backend=chosen,
        device=device,
        threads=threads,
        cores=cores,
        runs=None if until is not None else runs or (DEFAULT_RUNS if kind is None else kind.runs),
        until=None if until is None else parse_share("--until", until),
        time_limit_s=time_limit,
        output=folder,
        old=old,
        compare_anyway=compare_anyway,
        tolerance=parse_share("--tolerance", tolerance),
        cool_below_c=cool_below,
        keep=keep,
        keep_throttled=keep_throttled,
        runtime_library=runtime_library,
        binary=binary,
        seed=seed,
        command=command,
        breakdown=breakdown,
        table=kind,
        variant=variant or DEFAULT_VARIANT,
        force=force,
    )


def study_request(
    *,
    models: tuple[Path, ...] = (),
    backend: str | None = None,
    device: str,
    threads: int,
    cores: str | None,
    runs: int | None,
    time_limit: float,
    output: Path | None,
    seed: int,
    force: bool,
    command: str,
) -> Request:
    """Check what a comparison is asked for that makes its files itself, unless they are given.

    Raises:
        UsageError: a value is out of range or does not go with another one.
        SeaformerError: a file is missing or cannot be used.
    """
    chosen = _backend(models, backend)
    if chosen.name == OFFICIAL_TOOL:
        raise UsageError(
            f"--backend {OFFICIAL_TOOL} does not let models take turns. Allowed: "
            f"{', '.join(name for name in BACKENDS if name != OFFICIAL_TOOL)}."
        )
    folder = output or _usual_output()
    check_output(folder, force)
    return Request(
        paths=models,
        backend=chosen,
        device=device,
        threads=threads,
        cores=cores,
        runs=runs or DEFAULT_RUNS,
        until=None,
        time_limit_s=time_limit,
        output=folder,
        old=None,
        compare_anyway=False,
        tolerance=0.0,
        cool_below_c=None,
        keep=False,
        keep_throttled=False,
        runtime_library=None,
        binary=None,
        seed=seed,
        command=command,
        force=force,
    )


def _backend(models: tuple[Path, ...], name: str | None) -> Backend:
    """What runs the models that are given, or those that are going to be made.

    Raises:
        UsageError: there is no such backend, or it does not run them all.
        SeaformerError: a file is missing.
    """
    for path in models:
        if not path.is_file():
            raise SeaformerError(f"there is no model file '{path}'. Check the name.")
    if models:
        return backend_for(models, name)
    return look_up(BACKENDS, "backend", name or DEFAULT_BACKEND)


def _usual_output() -> Path:
    return Path("build", "benchmark", f"{datetime.now():%Y%m%d-%H%M%S}")


def _check_table(
    kind: Kind | None,
    models: tuple[Path, ...],
    variant: str | None,
    backend: Backend,
    threads: int,
    cores: str | None,
    breakdown: bool,
) -> None:
    """Check what goes with --table, and what needs it.

    Raises:
        UsageError: something does not, or is missing.
    """
    if kind is None:
        if not models:
            raise UsageError(
                "no MODEL is given. Give a .tflite or an .onnx, made with seaformer-export, or ask "
                f"for a --table, which makes its own: {', '.join(KINDS)}."
            )
        if variant is not None:
            raise UsageError("--variant is of a --table that makes its own files. Leave it out.")
        return
    option = f"--table {kind.name}"
    if backend.name == OFFICIAL_TOOL:
        raise UsageError(
            f"{option} needs our runner, which lets models take turns, not {OFFICIAL_TOOL}: leave "
            "--backend and --binary out."
        )
    if variant is not None:
        get_variant(variant)
        if models or kind.variants:
            who = "MODEL says" if models else "the table has every variant of"
            raise UsageError(f"--variant does not go with {option}: {who} what is measured.")
    if kind.has_settings and len(models) > 1:
        raise UsageError(
            f"{option} measures one file with several settings; {len(models)} are given. Give one, "
            "or none for a file of its own."
        )
    if not kind.has_settings and len(models) == 1:
        raise UsageError(
            f"{option} compares files that differ in their {kind.varies}; one is given. Give two "
            "or more, or none for files of its own."
        )
    if kind.varies == "threads" and threads != 1:
        raise UsageError(f"--threads does not go with {option}, which tries several. Leave it out.")
    if kind.varies == "cores" and cores is not None:
        raise UsageError(f"--cores does not go with {option}, which tries all. Leave it out.")
    if kind.has_settings and breakdown:
        raise UsageError(f"--breakdown does not go with {option}: it is of one setting.")


def check_output(
    folder: Path, force: bool, names: Sequence[str] = (FILE_NAME, CSV_NAME, REPORT_NAME)
) -> None:
    """Refuse, before the work, to overwrite results in a folder that need not exist.

    Args:
        folder: where results go.
        force: whether files may be overwritten.
        names: of the files.

    Raises:
        UsageError: they exist, or the folder is something else.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output '{folder}' is not a folder. Give the name of one.")
    if folder.exists():
        for name in names:
            refuse_existing(folder / name, force)
        made = folder / MODELS_NAME
        if made.exists() and not force:
            raise UsageError(
                f"'{made}' exists. Give another --output, or --force to overwrite the files in it."
            )


def round_sizes(runs: int) -> tuple[int, ...]:
    """Spread the timed runs of a model over rounds, evenly."""
    rounds = min(max(math.ceil(runs / RUNS_PER_ROUND), min(runs, USUAL_ROUNDS)), MAX_ROUNDS)
    ends = [runs * turn // rounds for turn in range(rounds + 1)]
    return tuple(end - start for start, end in pairwise(ends))


def parse_share(option: str, text: str) -> float:
    """Read a percentage such as "1%" or "0.5 %".

    Raises:
        UsageError: it is none between 0 and 100.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if match is None or not 0 < float(match[1]) < 100:
        raise UsageError(f"{option} is '{text}'. Allowed: a percentage above 0, such as 1%.")
    return float(match[1]) / 100
