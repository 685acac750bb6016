"""Is a quantized file faster than its single-precision twin, on this computer?

The two run in turns in one process, so that what else the computer does hits both alike. Converting
a picture to integers is not in the time: a camera gives them.
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np

from seaformer.artifact.metadata import Latency
from seaformer.artifact.precisions import Format
from seaformer.runtimes import open_content

THREADS = 1
WARM_UP_RUNS = 3
MIN_RUNS, MAX_RUNS = 20, 200
SECONDS = 2.0
"""How long to measure, unless that is too little for `MIN_RUNS` or `MAX_RUNS` take less."""

RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 0

INTEGER_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "asimddp": "dot product",
    "i8mm": "I8MM",
}
"""By their names in /proc/cpuinfo; without the later ones int8 gains little or nothing."""


def time_ratio(reference: bytes, candidate: bytes, format: Format) -> Latency:
    """Time both files in turns on one thread.

    Args:
        reference: the single-precision file.
        candidate: the quantized file.
        format: of both.
    """
    with _runner(reference, format) as run_reference, _runner(candidate, format) as run_candidate:
        for _ in range(WARM_UP_RUNS):
            pair_s = _time(run_reference) + _time(run_candidate)
        runs = int(np.clip(SECONDS / pair_s, MIN_RUNS, MAX_RUNS))
        times = np.array([(_time(run_reference), _time(run_candidate)) for _ in range(runs)])
    drawn = times[np.random.default_rng(SEED).integers(0, runs, (RESAMPLES, runs))]
    first, second = np.moveaxis(np.median(drawn, axis=1), -1, 0)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(second / first, (tail, 100 - tail))
    first, second = np.median(times, axis=0)
    return Latency(
        ratio=float(second / first),
        interval=(float(low), float(high)),
        runs=runs,
        threads=THREADS,
        processor=processor(),
    )


def processor() -> str:
    """Name of the processor, and its instructions that matter to integer kernels."""
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


def _time(run: Callable[[], object]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


@contextmanager
def _runner(model: bytes, format: Format) -> Iterator[Callable[[], object]]:
    """What runs the model once on a picture that it has already."""
    with open_content(model, format.suffix, THREADS) as session:
        (entry,) = session.inputs
        shape = tuple(side for side in entry.shape if side is not None)
        picture = _picture(shape, np.dtype(entry.dtype))
        yield lambda: session.run([picture])


def _picture(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Noise over the whole range of bytes."""
    noise = np.random.default_rng(SEED).integers(0, 256, shape)
    return noise.astype(np.uint8).view(dtype) if dtype == np.int8 else noise.astype(dtype)
