"""Measure the benchmark itself: overhead of the runner, repeatability, and wall time.

    PYTHONPATH=tests/support python -m bench.benchmark MODEL.tflite MODEL.onnx [--document FILE]
        [--json build/bench/benchmark.json] [--pairs 100] [--rounds 30]

Everything runs on this computer's CPU with one thread. The runner and the Python interfaces of the
runtimes are interleaved, on the same core, with the same library, file and input.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import machine_name, write_section
from seaformer.benchmark.candidates.candidate import Candidate, open_candidate
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.results.comparison import compare
from seaformer.benchmark.results.schema import Results, read_results
from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.libraries import library_for
from seaformer.benchmark.runner.plan import Plan, PlannedModel
from seaformer.benchmark.runner.record import read_record
from seaformer.statistics.bootstrap import Ratio, paired_ratio

WARMUP_RUNS = 4
RUNS = 5
TOLERANCE = 0.03
MODEL_ID = "m0"
LIMIT_S = 600.0


def main() -> None:
    """Run every measurement, print the results, and write the requested files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help=".tflite and .onnx")
    parser.add_argument("--pairs", type=int, default=100, help="comparisons of a model with itself")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of runner and Python")
    parser.add_argument("--json", type=Path, default=Path("build/bench/benchmark.json"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results: dict[str, Any] = {
            "schema_version": 1,
            "machine": machine_name(),
            "overhead": [overhead(path, arguments.rounds) for path in arguments.models],
            "cost": [cost(path, Path(folder)) for path in arguments.models],
            "verdicts": verdicts(arguments.models[0], arguments.pairs, Path(folder)),
        }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    text = markdown(results)
    print(text)
    print(f"written: {arguments.json}")
    if arguments.document:
        write_section(arguments.document, "benchmark", text)


def overhead(path: Path, rounds: int) -> dict[str, Any]:
    """Latency of our runner relative to the runtime's own Python interface, interleaved."""
    candidate = open_candidate(path, 0, seed=0)
    core = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        python = python_interface(candidate)
        times = interleaved(candidate, python, core, rounds)
    finally:
        os.sched_setaffinity(0, before)
    ratio: Ratio = paired_ratio(times["runner"], times["python"], seed=0)
    assert ratio.interval is not None
    return {
        "model": path.name,
        "runner_median_ms": float(np.median(np.concatenate(times["runner"]))),
        "python_median_ms": float(np.median(np.concatenate(times["python"]))),
        "ratio": ratio.value,
        "interval": [ratio.interval.low, ratio.interval.high],
        "runs": rounds * RUNS,
    }


def python_interface(candidate: Candidate) -> Callable[[], object]:
    """Return a function that runs the model once through the runtime's Python package."""
    tensor = np.frombuffer(candidate.tensor, candidate.input.dtype).reshape(candidate.input.shape)
    if candidate.path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(candidate.path), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        return interpreter.invoke
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(candidate.path), options, providers=providers)
    feed = {candidate.input.name: tensor}
    return lambda: session.run(None, feed)


def interleaved(
    candidate: Candidate, python: Callable[[], object], core: int, rounds: int
) -> dict[str, list[np.ndarray]]:
    """Run both in every round, in random order, each after a warm-up; return milliseconds."""
    device, shuffler = Host(), random.Random(0)
    backend = "litert" if candidate.path.suffix == ".tflite" else "onnxruntime"
    library = library_for(backend, device.target, None)
    times: dict[str, list[np.ndarray]] = {"runner": [], "python": []}
    with device.workspace("bench") as workspace:
        workspace.place(runner_for(device.target), "runner", executable=True)
        workspace.place(library.path, library.path.name)
        workspace.place(candidate.path, "model")
        workspace.write("input", candidate.tensor)
        plan = Plan(
            backend=backend,
            library=library.path.name,
            runtime_version=library.version,
            threads=1,
            cpus=(core,),
            seed=0,
            warmup_runs=WARMUP_RUNS,
            blocks=1,
            runs_per_block=RUNS,
            profile_runs=0,
            time_limit_s=LIMIT_S,
            models=(PlannedModel(MODEL_ID, "model", "input"),),
        )
        workspace.write("plan", plan.text().encode())

        def runner() -> np.ndarray:
            done = workspace.execute("runner", ["plan"], time_limit_s=LIMIT_S)
            (block,) = read_record(done.stdout_lines).blocks
            return np.array(block.durations_ns) / 1e6

        def interface() -> np.ndarray:
            for _ in range(WARMUP_RUNS):
                python()
            ends = [time.perf_counter_ns()]
            for _ in range(RUNS):
                python()
                ends.append(time.perf_counter_ns())
            return np.diff(ends) / 1e6

        calls = {"runner": runner, "python": interface}
        for _ in range(rounds):
            for name in shuffler.sample(list(calls), len(calls)):
                times[name].append(calls[name]())
    return times


def benchmark(path: Path, folder: Path) -> tuple[Results, float]:
    """Run the command with its defaults; return its results and wall time in seconds."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "seaformer.benchmark.cli", path, "--device", "host", "--force",
         "--output", folder],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return read_results(folder), time.perf_counter() - start


def cost(path: Path, folder: Path) -> dict[str, Any]:
    """Measure the wall time of a benchmark of 50 runs, and the part of it spent on inference."""
    benchmark(path, folder / "cost")  # fills the file cache
    results, wall_s = benchmark(path, folder / "cost")
    blocks = [block for one in results.rounds for block in one.blocks]
    timed = sum(sum(b.durations_ns) for b in blocks if b.model == MODEL_ID) / 1e9
    warmup = sum(sum(m.warmup_ns) for one in results.rounds for m in one.loaded) / 1e9
    settling = sum(block.settling_ns or 0 for block in blocks) / 1e9
    return {
        "model": path.name,
        "wall_s": wall_s,
        "timed_s": timed,
        "warmup_s": warmup + settling,
        "rest_s": wall_s - timed - warmup - settling,
    }


def verdicts(path: Path, pairs: int, folder: Path) -> dict[str, Any]:
    """Compare each of several benchmarks of one model with the previous one."""
    counted: Counter[str] = Counter()
    ratios = []
    old, _ = benchmark(path, folder / "verdicts")
    for number in range(pairs):
        new, _ = benchmark(path, folder / "verdicts")
        (compared,) = compare(new, old, TOLERANCE)
        counted[compared.verdict] += 1
        ratios.append(compared.ratio.value)
        old = new
        print(f"{number + 1} of {pairs}: {compared.verdict}", file=sys.stderr)
    deviations = np.abs(np.array(ratios) - 1)
    return {
        "model": path.name,
        "pairs": pairs,
        "verdicts": dict(counted),
        "median_deviation": float(np.median(deviations)),
        "largest_deviation": float(deviations.max()),
    }


def markdown(results: dict[str, Any]) -> str:
    """Format the section of the document."""
    lines = [
        "Overhead of our runner per inference, relative to the runtime's own Python interface, "
        "interleaved:",
        "",
        "| file | runner | Python | runner / Python [95 %] | runs of each |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['runner_median_ms']:.2f} ms | {row['python_median_ms']:.2f} ms | "
        f"{row['ratio']:.3f} [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}] | {row['runs']} |"
        for row in results["overhead"]
    ]
    lines += [
        "",
        "A complete benchmark of 50 runs:",
        "",
        "| file | wall time | timed inferences | warm-up inferences | everything else |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['wall_s']:.1f} s | {row['timed_s']:.1f} s | "
        f"{row['warmup_s']:.1f} s | {row['rest_s']:.1f} s |"
        for row in results["cost"]
    ]
    repeated = results["verdicts"]
    inconclusive = repeated["verdicts"].get("not distinguishable", 0)
    lines += [
        "",
        f"Two consecutive benchmarks of 50 runs of the same file: inconclusive in {inconclusive} "
        f"of {repeated['pairs']} cases. Their medians differed by "
        f"{100 * repeated['median_deviation']:.1f} % in the median case, and by at most "
        f"{100 * repeated['largest_deviation']:.1f} %.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
