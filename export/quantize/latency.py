"""Latency of a quantized file relative to the single-precision file, on the host.

It is measured by `seaformer-benchmark`: every round is a separate process, both files are
interleaved within a round, and the interval is a bootstrap over rounds. Runs within one process
vary too little: their interval was once "0.73 (0.73 to 0.73)".
"""

import platform
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from seaformer.artifact.metadata import Latency
from seaformer.artifact.precisions import Format
from seaformer.own_commands import run_command
from seaformer.temporary_folders import temporary_folder

THREADS = 1
RUNS = 30
"""Runs of each file: 6 rounds of 5 runs. An interval requires at least five rounds."""

TIME_LIMIT_S = 300
"""Time limit for both files: one run of Large takes seconds in the reference kernels of int16x8."""

INTEGER_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "asimddp": "dot product",
    "i8mm": "I8MM",
}
"""By name in /proc/cpuinfo; without the newer ones, int8 is hardly faster, if at all."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class _Interval(_Part):
    low: float
    high: float


class _Ratio(_Part):
    value: float
    interval: _Interval


class _Pair(_Part):
    ratio: _Ratio


class _Results(_Part):
    """The fields read from the benchmark's results.json: ratio of the second file to the first."""

    ratios: tuple[_Pair]


def measure_latency(
    reference: bytes,
    candidate: bytes,
    format: Format,
    progress: Callable[[str], None] = lambda _: None,
) -> Latency:
    """Benchmark both files on one thread of this computer.

    Args:
        reference: the single-precision file.
        candidate: the quantized file.
        format: format of both.
        progress: called with a short description of the benchmark's progress.

    Raises:
        SeaformerError: the benchmark failed, with its message.
    """
    with temporary_folder("latency") as folder:
        files = [folder / f"{stem}{format.suffix}" for stem in ("single", "quantized")]
        for file, content in zip(files, (reference, candidate), strict=True):
            file.write_bytes(content)
        options = ["--device", "host", "--threads", str(THREADS), "--runs", str(RUNS)]
        options += ["--time-limit", str(TIME_LIMIT_S)]
        output = folder / "results"
        run_command(
            "seaformer-benchmark", [*map(str, files), *options, "--output", str(output)], progress
        )
        results = _Results.model_validate_json((output / "results.json").read_bytes())
    ratio = results.ratios[0].ratio
    return Latency(
        ratio=ratio.value,
        interval=(ratio.interval.low, ratio.interval.high),
        runs=RUNS,
        threads=THREADS,
        processor=processor(),
    )


def processor() -> str:
    """Name of the processor, and its instruction sets that speed up integer kernels."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    pairs = (line.partition(":") for line in lines)
    facts = {key.strip().lower(): value for key, _, value in pairs}
    flags = facts.get("flags", facts.get("features", "")).split()
    known = [title for flag, title in INTEGER_INSTRUCTIONS.items() if flag in flags]
    name = facts.get("model name", platform.machine()).strip()
    return f"{name} ({', '.join(known) or 'no integer instructions known'})"
