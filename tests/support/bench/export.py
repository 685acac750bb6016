"""Measure the export: its time and memory, and the operators and latency of its files.

    PYTHONPATH=tests/support python -m bench.export [--document FILE] [--json FILE]

Latencies are medians of ratios, interleaved in one run, on this computer's CPU with one thread:
they compare two files on it, and predict nothing for a phone. "Naive" is the same network, traced
in its training form and converted by the same tools.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil

from bench.machine import machine_name, write_section
from seaformer.artifact.embedding import serialize
from seaformer.artifact.precisions import FORMATS
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.onnx_graph import to_onnx
from seaformer.export.convert.tflite_file import operators
from seaformer.export.rewrite import deployment_form
from seaformer.models.create import create_model
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.runtimes import open_model

SIZE = (512, 512)
ROUNDS = 60
HELP_RUNS = 10


def main() -> None:
    """Run every measurement, print the results, and write the requested files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--document", type=Path, help="file whose section to update")
    parser.add_argument("--json", type=Path, default=Path("build/bench/export.json"))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results: dict[str, Any] = {
            "schema_version": 1,
            "machine": machine_name(),
            "help_s": help_time(),
            "exports": [
                export_cost(variant, formats, Path(folder))
                for variant in arguments.variants
                for formats in (["tflite"], list(FORMATS))
            ],
            "files": files_against_naive(Path(folder)),
        }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    text = markdown(results)
    print(text)
    print(f"written: {arguments.json}")
    if arguments.document:
        write_section(arguments.document, "export", text)


def help_time() -> float:
    """Measure the median wall time of `seaformer-export --help`, in seconds."""
    command = [sys.executable, "-m", "seaformer.export.cli", "--help"]
    times = []
    for _ in range(HELP_RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def export_cost(variant: str, formats: list[str], folder: Path) -> dict[str, Any]:
    """Measure the wall time of a verified fp32 export, and the peak memory of all its processes."""
    command = [sys.executable, "-m", "seaformer.export.cli", "--variant", variant, "--force"]
    for name in formats:
        command += ["--format", name]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--output", str(folder / "cost")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak = PeakMemory(process.pid)
    _, errors = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(errors.decode())
    return {
        "variant": variant,
        "formats": formats,
        "wall_s": seconds,
        "peak_memory_mb": peak.stop() / 1e6,
    }


class PeakMemory:
    """Samples the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._done.wait(0.05):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self._peak = max(self._peak, sum(p.memory_info().rss for p in family))
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> int:
        """Stop sampling and return the peak in bytes."""
        self._done.set()
        self._thread.join()
        return self._peak


def files_against_naive(folder: Path) -> list[dict[str, Any]]:
    """Compare Tiny in fp32, as exported and as exported naively: operators and latency."""
    model = create_model("tiny")
    graphs = {
        "exported": to_onnx(deployment_form(model, SIZE).model, SIZE, "logits"),
        "naive": to_onnx(model, SIZE, "logits"),
    }
    rows = []
    paths: dict[str, dict[str, Path]] = {"onnx": {}, "tflite": {}}
    for origin, graph in graphs.items():
        paths["onnx"][origin] = folder / f"{origin}.onnx"
        onnx.save(graph, paths["onnx"][origin])
        flatbuffer = to_tflite(paths["onnx"][origin], folder / origin, "image", "logits")
        paths["tflite"][origin] = folder / f"{origin}.tflite"
        paths["tflite"][origin].write_bytes(flatbuffer)
    for name, pair in paths.items():
        sessions = {origin: open_model(path, isolated=False) for origin, path in pair.items()}
        shape = (1, 3, *SIZE) if FORMATS[name].layout == "NCHW" else (1, *SIZE, 3)
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        times = interleaved({k: partial(s.run, x) for k, s in sessions.items()}, ROUNDS)
        for origin, path in pair.items():
            counts = _operator_counts(name, path)
            rows.append(
                {
                    "format": name,
                    "origin": origin,
                    "operators": sum(counts.values()),
                    "transposes": counts["TRANSPOSE"] + counts["Transpose"],
                    "reshapes": counts["RESHAPE"] + counts["Reshape"],
                    "megabytes": path.stat().st_size / 1e6,
                    "latency_ratio": float(np.median(times[origin] / times["naive"])),
                }
            )
    return rows


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Time every call once per round, in random order: name -> seconds of each round."""
    random = np.random.default_rng(0)
    names = list(calls)
    for call in calls.values():
        call()
    times = {name: np.empty(rounds) for name in names}
    for number in range(rounds):
        for name in random.permutation(names):
            start = time.perf_counter()
            calls[name]()
            times[name][number] = time.perf_counter() - start
    return times


def _operator_counts(format: str, path: Path) -> Counter[str]:
    if format == "tflite":
        return Counter(operator.type for operator in operators(path.read_bytes()))
    graph = onnx.load_from_string(serialize(onnx.load(path)))
    return Counter(node.op_type for node in graph.graph.node)


def markdown(results: dict[str, Any]) -> str:
    """Format the section of docs/measurements.md."""
    lines = [
        f"`seaformer-export --help` takes {results['help_s']:.2f} s. A verified fp32 export "
        "at 512x512:",
        "",
        "| variant | formats | wall time | peak memory |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['variant']} | {' + '.join(row['formats'])} | {row['wall_s']:.0f} s | "
        f"{row['peak_memory_mb'] / 1000:.1f} GB |"
        for row in results["exports"]
    ]
    lines += [
        "",
        "Tiny, fp32, 512x512, without normalization, compared with the same network converted by "
        "the same tools from its training form; latency interleaved on one thread, as a ratio:",
        "",
        "| file | operators | TRANSPOSE | RESHAPE | MB | latency / naive |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['format']}, {row['origin']} | {row['operators']} | {row['transposes']} | "
        f"{row['reshapes']} | {row['megabytes']:.2f} | {row['latency_ratio']:.2f} |"
        for row in results["files"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
