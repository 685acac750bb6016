"""Running exported files on a device with many inputs, and returning all outputs.

    with open_inference(device, backend) as inference:
        done = inference.run(path, [first, second])
        done.outputs[1][0]  # the first output for the second input

The runner and the runtime's library are sent once, a model file at its first run. Inputs and
outputs are transferred in batches of one file, because every transfer over adb costs about 40 ms. A
batch is a separate process, so a driver that crashes or hangs does not affect other batches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.benchmark.devices.cores import choose_cores
from seaformer.benchmark.devices.device import Device, Workspace
from seaformer.benchmark.devices.errors import DiskFull, TimedOut
from seaformer.benchmark.measure.accelerator_files import AcceleratorFiles, ModelFile
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.coverage import coverage_of
from seaformer.benchmark.measure.device_files import accelerator_files
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.runner_session import (
    END_LIMIT_S,
    PLAN,
    RUNNER,
    RunnerError,
    require_followed,
    require_success,
)
from seaformer.benchmark.measure.session import TimeLimitError
from seaformer.benchmark.results.schema import Coverage
from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.libraries import ANY_VERSION, RuntimeLibrary, library_for
from seaformer.benchmark.runner.plan import Plan, PlannedModel
from seaformer.benchmark.runner.record import LoadedModel, RecordReader
from seaformer.errors import UsageError
from seaformer.files import file_sha256

Array = npt.NDArray[Any]

BATCH_BYTES = 64 * 2**20
"""Limit for the inputs of a batch, and for its outputs: 21 images of 512x512 in float32."""

SPARE_BYTES = 32 * 2**20
"""Additional free space required on a device, because Android misbehaves on a full disk."""

INPUTS, OUTPUTS = "inputs", "outputs"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings for running files.

    Attributes:
        threads: number of threads of one inference, 1 or more.
        cores: as for `choose_cores`; None leaves the choice to the device's system.
        in_half: whether XNNPACK computes in half precision, see `Plan`.
        time_limit_s: time limit for a batch on the device, including loading the file.
        wait_s: how long to wait for a phone that is in use.
        runtime_library: used instead of the pinned one.
        keep: whether files stay on the phone for reuse.
        requires_full_acceleration: whether a file fails unless the accelerator runs all operators.
        of_accelerator: options with the paths of the accelerator's files.
    """

    threads: int = 1
    cores: str | None = None
    in_half: bool = False
    time_limit_s: float = 600.0
    wait_s: float = 0.0
    runtime_library: Path | None = None
    keep: bool = False
    requires_full_acceleration: bool = False
    of_accelerator: Options = field(default_factory=lambda: Options(command=""))


DEFAULT = Settings()


@dataclass(frozen=True)
class Inferred:
    """Outputs of a file.

    Attributes:
        outputs: for each input an array for each output, in the types of the file.
        loaded: the device's description of the file, from the last batch.
        coverage: how much of it the accelerator ran; None on the CPU, and if unknown.
    """

    outputs: list[list[Array]]
    loaded: LoadedModel
    coverage: Coverage | None


@dataclass
class Inference:
    """A device that is ready to run files, from `open_inference`."""

    device: Device
    backend: Backend
    settings: Settings
    library: RuntimeLibrary
    accelerator: AcceleratorFiles
    _workspace: Workspace
    _cpus: tuple[int, ...] | None
    _sent: dict[Path, str] = field(default_factory=dict)
    _output_bytes: dict[Path, int] = field(default_factory=dict)

    @property
    def runtime(self) -> str:
        """Description of runtime, device and driver."""
        version = "" if self.library.version == ANY_VERSION else f" {self.library.version}"
        facts = self.device.facts()
        known = ", ".join(filter(None, (facts.model, facts.soc, facts.os)))
        driver = f", {self.accelerator.driver}" if self.accelerator.driver else ""
        where = f"{self.device}{f' ({known})' if known else ''}"
        half = ", in half precision" if self.settings.in_half else ""
        return f"{self.backend.title}{version} on {where}{driver}{half}"

    def run(self, path: Path, inputs: Sequence[Array]) -> Inferred:
        """Run a file on one or more inputs, in the type and layout of its input.

        The file must not change while the inference is open.

        Raises:
            DeviceError: the device fails: Unplugged, DiskFull, TimedOut, ProgramKilled, ...
            ModelError: the device cannot load or run the file, as when its driver refuses it.
            SeaformerError: the runner failed for another reason.
        """
        if not inputs:
            raise UsageError(f"no input was given for '{path}'. Give one or more.")
        outputs: list[list[Array]] = []
        left = list(inputs)
        while left:
            count = max(1, BATCH_BYTES // max(left[0].nbytes, self._output_bytes.get(path, 1)))
            batch, left = left[:count], left[count:]
            done = self._run_batch(path, batch)
            outputs += done.outputs
        return Inferred(outputs, done.loaded, done.coverage)

    def _run_batch(self, path: Path, inputs: Sequence[Array]) -> Inferred:
        name = self._send(path)
        content = b"".join(one.tobytes() for one in inputs)
        self._require_room(len(content) + len(inputs) * self._output_bytes.get(path, 0))
        self._workspace.write(INPUTS, content)
        model = PlannedModel("model", name, INPUTS, OUTPUTS, inputs=len(inputs))
        loaded, coverage = self._follow(self._plan(model), path)
        layout = np.dtype([("", one.dtype, one.shape) for one in loaded.outputs])
        self._output_bytes[path] = layout.itemsize
        answer = self._workspace.read(OUTPUTS, len(inputs) * layout.itemsize)
        if len(answer) != len(inputs) * layout.itemsize:
            raise RunnerError(
                f"{self.device.serial} returned {len(answer):,} bytes of output for '{path}' and "
                f"{len(inputs)} inputs, expected {len(inputs) * layout.itemsize:,}. Run again."
            )
        rows = np.frombuffer(answer, layout)
        return Inferred([[np.array(one) for one in row] for row in rows], loaded, coverage)

    def _plan(self, model: PlannedModel) -> Plan:
        return Plan(
            backend=self.backend.runtime,
            accelerator=self.backend.accelerator,
            requires_full_acceleration=self.settings.requires_full_acceleration,
            library=self.library.path.name,
            runtime_version=self.library.version,
            models=(model,),
            time_limit_s=self.settings.time_limit_s,
            threads=self.settings.threads,
            cpus=self._cpus,
            warmup_runs=1,
            blocks=0,
            in_half=self.settings.in_half,
            plugin=self.accelerator.plugin,
            options=self.accelerator.options,
        )

    def _follow(self, plan: Plan, path: Path) -> tuple[LoadedModel, Coverage | None]:
        """Run a plan; return the record of its single model, and its coverage."""
        limit_s, reader = plan.time_limit_s, RecordReader()

        def on_line(line: str) -> None:
            reader.add(line)

        self._workspace.write(PLAN, plan.text().encode())
        finished = self._workspace.execute(
            RUNNER,
            [PLAN],
            time_limit_s=limit_s + END_LIMIT_S,
            on_line=on_line,
            environment=self.accelerator.variables(self._workspace.path),
        )
        record = reader.record()
        require_followed(plan, record, self.device.serial)
        try:
            require_success(finished, record, self.device.serial, self.backend)
        except TimeLimitError:
            raise TimedOut(
                f"'{path}' took longer than {limit_s:g} s on {self.device.serial} for "
                f"{plan.models[0].inputs} inputs ({record.problem})."
            ) from None
        (loaded,) = record.models
        return loaded, coverage_of(record, finished.stderr)

    def _send(self, path: Path) -> str:
        """Send a file to the device unless it is there; return its name there."""
        if path not in self._sent:
            self._require_room(path.stat().st_size)
            name = f"{file_sha256(path)[:16]}{path.suffix.lower()}"
            self._workspace.place(path, name)
            self._sent[path] = name
        return self._sent[path]

    def _require_room(self, needed: int) -> None:
        require_room(self.device, needed)


def require_room(device: Device, needed: int) -> None:
    """Raise DiskFull if a device reports less free space than needed, in bytes."""
    free = device.conditions().free_bytes
    if free is not None and free < needed + SPARE_BYTES:
        raise DiskFull(
            f"{device.serial} has {free / 2**20:,.0f} MiB free, but "
            f"{(needed + SPARE_BYTES) / 2**20:,.0f} MiB are needed."
        )


@contextmanager
def open_inference(
    device: Device,
    backend: Backend,
    settings: Settings = DEFAULT,
    describe: Callable[[str], None] = lambda _: None,
    models: Sequence[ModelFile] = (),
) -> Iterator[Inference]:
    """Reserve a device and prepare it for running files; clean it up at the end.

    Args:
        device: see `select_one`.
        backend: a backend of our runner, see `backend_on`.
        settings: settings for running files.
        describe: called with the reason for waiting.
        models: descriptions of the files that will run; an NPU needs other libraries for
            compiled ones.

    Raises:
        DeviceError: the device is in use, has no space, ...
        SeaformerError: the runtime's library is missing and cannot be fetched.
    """
    runner = runner_for(device.target)
    given = settings.runtime_library
    options = replace(settings.of_accelerator, half=settings.in_half, runtime_library=given)
    accelerator = accelerator_files(backend, device, options, models)
    library = library_for(backend.runtime, device.target, accelerator.runtime or given)
    cpus = None
    if settings.cores is not None:
        cpus = choose_cores(device.facts().cores, settings.cores, settings.threads).cores
    key = f"infer-{library.sha256[:16]}"
    with device.workspace(key, settings.keep, settings.wait_s, describe) as workspace:
        libraries = (library.path, *accelerator.files)
        binaries = {one.binary for one in models if one.binary is not None}
        whole = (runner, *libraries, *binaries)
        require_room(device, sum(path.stat().st_size for path in whole))
        workspace.place(runner, RUNNER, executable=True)
        for path in (*libraries, *binaries):
            workspace.place(path, path.name)
        yield Inference(device, backend, settings, library, accelerator, workspace, cpus)
