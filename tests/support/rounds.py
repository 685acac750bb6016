"""Runs the runner on this computer with the installed libraries."""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import seaformer.benchmark.runner
from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.libraries import library_for
from seaformer.benchmark.runner.plan import Plan, PlannedModel
from seaformer.benchmark.runner.record import Record, Status, read_record

SOURCES = Path(seaformer.benchmark.runner.__file__).with_name("src")
TARGET = {"x86_64": "linux-x86_64", "aarch64": "linux-arm64"}[platform.machine()]
SUFFIXES = {"litert": ".tflite", "onnxruntime": ".onnx"}
BACKENDS = sorted(SUFFIXES)

PROBE_INPUT = 0.25 * np.arange(30, dtype=np.float32).reshape(1, 2, 3, 5)
"""Input x of the probe models, see runner_probes.py."""


@dataclass(frozen=True)
class Done:
    """The result of a run of the runner."""

    status: Status
    record: Record
    stdout: str
    stderr: str


def basic_plan(backend: str, *models: PlannedModel, **changes: object) -> Plan:
    """Return a short plan with `changes`."""
    library = library_for(backend, TARGET, None)
    usual: dict[str, object] = {
        "backend": backend,
        "library": str(library.path),
        "runtime_version": library.version,
        "threads": 1,
        "cpus": None,
        "seed": 1,
        "warmup_runs": 1,
        "blocks": 2,
        "runs_per_block": 3,
        "profile_runs": 0,
        "time_limit_s": 120,
        "models": models,
    }
    return Plan(**(usual | changes))


def add_model(
    folder: Path, name: str, file: Path, x: np.ndarray, mask_size: tuple[int, int] | None = None
) -> PlannedModel:
    """Add a model and its input to the folder of a plan."""
    shutil.copyfile(file, folder / f"{name}{file.suffix}")
    (folder / f"{name}.input").write_bytes(x.tobytes())
    return PlannedModel(name, f"{name}{file.suffix}", f"{name}.input", f"{name}.output", mask_size)


def add_probe(
    folder: Path, backend: str, name: str = "probe", mask_size: tuple[int, int] | None = None
) -> PlannedModel:
    """Add a model that takes microseconds to the folder of a plan."""
    file = SOURCES / f"probe{SUFFIXES[backend]}"
    return add_model(folder, name, file, PROBE_INPUT, mask_size)


def run_plan(folder: Path, plan: Plan) -> Done:
    """Run a plan."""
    return run_text(folder, plan.text())


def run_text(folder: Path, text: str) -> Done:
    """Run the text of a plan, which may be invalid."""
    (folder / "plan").write_text(text)
    done = subprocess.run(
        [runner_for(TARGET), folder / "plan"], capture_output=True, check=False, timeout=300
    )
    stdout = done.stdout.decode()
    record = read_record(stdout.splitlines())
    return Done(Status(done.returncode), record, stdout, done.stderr.decode(errors="replace"))


def assert_gave_up(done: Done, status: Status, message: str) -> None:
    """Check the status, and that the record and stderr contain the reason."""
    assert done.status == status, done.stderr
    assert not done.record.complete
    assert done.record.status == status
    assert done.record.problem is not None
    assert message in done.record.problem
    assert message in done.stderr
