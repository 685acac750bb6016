"""Command-line options of all measuring commands, declared once and passed on as one object."""

# ruff: noqa: RUF009 (the functions called for the defaults of Options return fields)

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from seaformer.artifact.accelerators import ACCELERATORS
from seaformer.artifact.chips import CHIPS, parse_chips
from seaformer.benchmark.devices.server import AdbServer, parse_server
from seaformer.benchmark.measure.backends import BACKENDS, ON_ACCELERATORS, ON_NPU
from seaformer.benchmark.measure.power_modes import BURST, POWER_MODES
from seaformer.benchmark.results.exit_status import INCONCLUSIVE, REGRESSION
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.benchmark.runner.plan import MAX_FRAME_SIDE
from seaformer.errors import UsageError
from seaformer.interpreter import command_line
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.parameter_types import Name, Parsed

USUAL_FRAME = "1280x720"
"""Width and height of a phone's camera preview in landscape."""

SHORTEST_S = 5.0
"""Shortest sustained run: in less time, the sensors are read too few times for an interval."""
LONGEST_S = 2 * 3600.0
"""Longest sustained run: every inference is recorded, and the size of the record is limited."""

CAMERA_LOAD = "camera-load"
"""Value of --beside for the work of a camera instead of a model."""

PATH = click.Path(path_type=Path)


def parse_share(option: str, text: str) -> float:
    """Read a percentage such as "1%" or "0.5 %".

    Raises:
        UsageError: it is not a percentage between 0 and 100.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if match is None or not 0 < float(match[1]) < 100:
        raise UsageError(f"{option} is '{text}'. Allowed: a percentage above 0, such as 1%.")
    return float(match[1]) / 100


def parse_duration(option: str, text: str) -> float:
    """Read a duration in seconds, such as "90s", "10m" or "1.5h".

    Raises:
        UsageError: it is not a duration from `SHORTEST_S` to `LONGEST_S`.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|m|h)", text.strip().lower())
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise UsageError(
            f"{option} is '{text}'. Allowed: a number of seconds, minutes or hours such as 90s, "
            f"10m or 1h, from {SHORTEST_S:g}s to {LONGEST_S / 3600:g}h."
        )
    return seconds


def parse_frame_size(text: str) -> tuple[int, int]:
    """Read the width and height of a frame, such as "1280x720".

    Raises:
        UsageError: it is not a valid size.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if match is None:
        raise bad_frame_size(text)
    return int(match[1]), int(match[2])


def bad_frame_size(text: str) -> UsageError:
    """Return the error for an invalid frame size."""
    return UsageError(
        f"--frame is '{text}'. Allowed: WIDTHxHEIGHT with sides of 1 to {MAX_FRAME_SIDE}, or no "
        f"value, at the end of the command, for {USUAL_FRAME}."
    )


def _option(*names: str, default: Any = None, **settings: Any) -> Any:
    declare = partial(click.option, *names, default=default, **settings)
    return field(default=default, metadata={"click": declare})


def _flag(name: str, text: str) -> Any:
    return _option(name, default=False, is_flag=True, help=text)


def _share(name: str, default: str | None = None, **settings: Any) -> Any:
    read = partial(parse_share, name)
    declare = partial(
        click.option, name, default=default, metavar="PERCENT", type=Parsed(read), **settings
    )
    return field(default=default and read(default), metadata={"click": declare})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Values of the options, see their help texts. Shares are 0..1, not percent."""

    command: str  # the command line, to run it again
    models: tuple[Path, ...] = field(
        default=(),
        metadata={"click": partial(click.argument, metavar="MODEL...", nargs=-1, type=PATH)},
    )
    table: str | None = _option(
        "--table",
        metavar="NAME",
        type=Name("table", KINDS),
        help=f"Measure a table: {', '.join(KINDS)}. Without MODEL, the required files are exported "
        "first.",
    )
    variant: str | None = _option(
        "--variant",
        metavar="NAME",
        type=Name("variant", VARIANTS),
        help=f"Variant that --table exports: {', '.join(VARIANTS)}. [default: tiny]",
    )
    device: str = _option(
        "--device",
        metavar="auto|host|SERIAL|all",
        default="auto",
        show_default=True,
        help="auto: the attached phone, or this computer if no phone is attached.",
    )
    adb_servers: tuple[AdbServer, ...] = _option(
        "--adb-server",
        metavar="HOST:PORT",
        default=(),
        multiple=True,
        type=Parsed(parse_server),
        help="adb server whose phones are used instead of this computer's; repeat it for several.",
    )
    backend: str | None = _option(
        "--backend",
        metavar="NAME",
        type=Name("backend", BACKENDS),
        help=f"One of {', '.join(BACKENDS)}. [default: by the suffix of the file]",
    )
    threads: int = _option("--threads", type=click.IntRange(1, 256), default=1, show_default=True)
    cores: str | None = _option(
        "--cores",
        metavar="CLASS|MASK",
        help="prime, big, little, all, a hexadecimal mask (80 is core 7) or a list (4-6,7). "
        "[default: the fastest class, or as many classes as the threads need]",
    )
    runs: int | None = _option(
        "--runs",
        type=click.IntRange(1, 100_000),
        help="Timed runs of each model. [default: 50; 20 for --table precision]",
    )
    until: float | None = _share(
        "--until",
        help="Instead of --runs: measure until the 95 % interval of every median is at most ± "
        "this percentage of the median, such as 1%.",
    )
    time_limit_s: float = _option(
        "--time-limit",
        type=click.FloatRange(min=1, max=86400),
        default=900.0,
        show_default=True,
        help="Time limit for the benchmark of a device in seconds, including cooling down, "
        "excluding the time of --sustain and --energy. Waiting for a phone that is in use has a "
        "separate limit of the same length.",
    )
    output: Path | None = _option(
        "-o",
        "--output",
        type=PATH,
        help="Folder for results.json, results.csv and report.html, with --compare also "
        "comparison.html, with a subfolder per device if there are several; with --blame, for "
        "blame.json and blame.html. [default: a new folder in build/benchmark/ or build/blame/]",
    )
    compare: Path | None = _option(
        "--compare",
        metavar="OLD",
        type=PATH,
        help="Report whether each model is faster or slower than in older results: their file or "
        "their folder, also the folder of a run on several devices. The exit status is "
        f"{REGRESSION} if the whole interval of a slowdown is beyond --tolerance.",
    )
    tolerance: float = _share("--tolerance", default="3%", show_default=True)
    strict: bool = _flag(
        "--strict",
        f"With --compare: exit with status {INCONCLUSIVE} if a slowdown beyond --tolerance cannot "
        "be excluded, or a model has no older result to be compared with.",
    )
    junit: Path | None = _option(
        "--junit",
        metavar="FILE",
        type=PATH,
        help="With --compare: also write JUnit XML with a test case for each model.",
    )
    compare_anyway: bool = _flag(
        "--compare-anyway",
        "Compare even if device, backend, input, threads or cores differ.",
    )
    cool_below_c: float | None = _option(
        "--cool-below",
        type=click.FloatRange(10, 90),
        metavar="CELSIUS",
        help="Wait until the phone's skin or battery is cooler than this, in °C. [default: 35]",
    )
    breakdown: bool = _flag(
        "--breakdown",
        "Also report latency by module, from the runtime's profile and by truncated-model timing.",
    )
    frame_size: tuple[int, int] | None = _option(
        "--frame",
        metavar="WIDTHxHEIGHT",
        is_flag=False,
        flag_value=USUAL_FRAME,
        type=Parsed(parse_frame_size),
        help="Also measure whole camera frames, with separate times for preparation, inference and "
        f"post-processing. [without a size: {USUAL_FRAME}]",
    )
    beside: str | None = _option(
        "--beside",
        metavar=f"MODEL|{CAMERA_LOAD}",
        help="Also measure every model while this one runs back to back on other cores, with the "
        f"same number of threads; or, with {CAMERA_LOAD}, while one thread converts and resizes 30 "
        "frames of 1280x720 per second. Reports the ratio to the latency alone.",
    )
    cold_start: bool = _flag(
        "--cold-start",
        "Also start each model in 10 new processes without and 10 with the runtime's compilation "
        "cache, where it has one, interleaved, and report the steps of a start.",
    )
    sustain_s: float | None = _option(
        "--sustain",
        metavar="DURATION",
        type=Parsed(partial(parse_duration, "--sustain")),
        help="Instead of short rounds: run each model for this long, such as 10m, one after the "
        "other in random order, and report latency, clock, temperature and throttling over time.",
    )
    frame_rate: float | None = _option(
        "--frame-rate",
        type=click.FloatRange(0.1, 240),
        metavar="FPS",
        help="With --sustain: rate at which frames arrive, such as 30; frames that arrive during "
        "an inference are missed, except the newest. [default: back to back]",
    )
    energy_s: float | None = _option(
        "--energy",
        metavar="DURATION",
        is_flag=False,
        flag_value="30s",
        type=Parsed(partial(parse_duration, "--energy")),
        help="Instead of latency: measure the energy of an inference, from the battery of an "
        "unplugged phone and its power rails, in alternating phases of rest and work of this "
        "length. [without a value, at the end of the command: 30s]",
    )
    blame: str | None = _option(
        "--blame",
        metavar="ACCELERATOR",
        type=Name("accelerator", ACCELERATORS),
        help="Instead of measuring, find the first operator whose result on this accelerator of "
        "the device differs from this computer's, using truncated models: "
        f"{', '.join(ACCELERATORS)}.",
    )
    half: bool = _flag(
        "--half",
        "Compute floating-point files in half precision, where the processor (Armv8.2, with "
        "XNNPACK) or the GPU supports it; for --backend "
        f"{', '.join(row.name for row in BACKENDS.values() if row.has_half)}.",
    )
    require_full_acceleration: bool = _flag(
        "--require-full-acceleration",
        "Fail if the accelerator cannot run all operators of a model, instead of running the rest "
        f"on the CPU; for --backend {', '.join(ON_ACCELERATORS)}.",
    )
    keep_throttled: bool = _flag("--keep-throttled", "Use rounds in which the device throttled.")
    keep: bool = _flag("--keep", "Leave files on the phone for reuse.")
    runtime_library: Path | None = _option(
        "--runtime-library",
        type=PATH,
        help="Runtime library for the device, instead of the pinned one.",
    )
    binary: Path | None = _option(
        "--binary",
        type=PATH,
        help="The official tool for the device; for --backend benchmark_model.",
    )
    qairt: Path | None = _option(
        "--qairt",
        metavar="DIR",
        type=PATH,
        help="Qualcomm's libraries for the phone's NPU: its SDK (QAIRT) or unpacked Android "
        f"packages; for --backend {', '.join(ON_NPU)}.",
    )
    soc: str | None = _option(
        "--soc",
        metavar="CHIP",
        type=Parsed(lambda name: parse_chips([name])[0].name),
        help="Chip of the phone, if the phone does not report it, or the chip to emulate on this "
        f"computer: {', '.join(CHIPS)}.",
    )
    npu_power: str = _option(
        "--npu-power",
        metavar="MODE",
        type=Name("power mode of the NPU", POWER_MODES),
        default=BURST,
        show_default=True,
        help=f"Power mode of the NPU: {', '.join(POWER_MODES)}.",
    )
    seed: int = _option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True)
    force: bool = _flag("--force", "Overwrite results.")


SHARED = (
    "device",
    "adb_servers",
    "threads",
    "cores",
    "runs",
    "time_limit_s",
    "output",
    "seed",
    "force",
)
"""Options of every study."""


def takes_options(
    *names: str, **changed: Mapping[str, Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add these fields of `Options` to a command, which gets `Options` as its first argument.

    The options keep this order. `changed` overrides the settings for click.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**text: Any) -> None:
            line = command_line("seaformer-benchmark")
            options = Options(command=line, **{name: text.pop(name) for name in names})
            command(options, **text)

        declared = {one.name: one.metadata["click"] for one in fields(Options) if one.metadata}
        for name in reversed(names):
            called = declared[name](name, **changed.get(name, {}))(called)
        return called

    return decorate


def takes_study_options(*names: str, **changed: Mapping[str, Any]) -> Callable[..., Any]:
    """Add the options common to all studies to a study's command, after its own."""
    usual = {
        "device": {"metavar": "auto|host|SERIAL"},
        "cores": {"help": "As for a single benchmark."},
        "runs": {"help": "Timed runs of each model. [default: 50]"},
        "time_limit_s": {"help": "Time limit per benchmark in seconds, excluding exports."},
        "output": {"help": "Folder for all files. [default: a new folder in build/benchmark/]"},
    }
    return takes_options(*names, *SHARED, **(usual | changed))
