"""A benchmark on one device, from inspecting the device to the results.

    describe -> place files -> check every model's output -> rounds -> results

Subclasses implement our runner and the official tool. If a benchmark stops early (an unplugged
phone, a killed runner, Ctrl-C), the measurements so far are kept in results that state the reason.
Results are saved after every round.
"""

import hashlib
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from seaformer.artifact.accelerators import ACCELERATORS, NPU
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import CoreChoice, Setting
from seaformer.benchmark.devices.device import Conditions, Device, DeviceFacts, Workspace
from seaformer.benchmark.devices.errors import Canceled, ProgramKilled
from seaformer.benchmark.devices.heat import wait_until_cool
from seaformer.benchmark.measure import warnings
from seaformer.benchmark.measure.beside_load import choose, load_used
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.measure.request import Request, round_sizes
from seaformer.benchmark.measure.summary import model_result
from seaformer.benchmark.results import schema
from seaformer.benchmark.results.breakdown import Breakdown
from seaformer.benchmark.results.rounds import pair_ratios, run_times
from seaformer.errors import SeaformerError, explanation
from seaformer.files import file_sha256

SAVING_SHARE = 0.05
"""Maximum share of the time for saving results between rounds; saving slows as results grow."""

CUT_OFF = "the benchmark was killed while measuring"

NOT_COMPARED = "its output was not compared: the tool does not return it"


class TimeLimitError(SeaformerError):
    """The time limit of the benchmark was reached."""


class ModelError(SeaformerError):
    """One model cannot be measured on the device, for a reason that does not affect others."""


Save = Callable[[schema.Results], None]
"""Saves the results so far; raises OSError."""


class Session(ABC):
    """A benchmark on one device; call `get_ready`, then `run` once."""

    conditions: Conditions  # the last known state of the device

    def __init__(
        self,
        device: Device,
        request: Request,
        candidates: Sequence[Candidate],
        progress: Progress,
        save: Save,
        load: Candidate | None = None,
    ) -> None:
        self.device = device
        self.request = request
        self.options = request.options
        self.candidates = candidates  # a model with several settings is included once for each
        self.load = load  # the model that runs beside them
        self.progress = progress
        self.rounds: list[schema.Round] = []  # raw data so far
        self.warmup_runs = 0  # untimed runs of a model at the start of a round
        self.runs_per_round = max(round_sizes(request.runs))
        self.tool_times: dict[str, schema.Times] = {}  # id of a model -> times from a tool
        self._deadline = 0.0
        self._parity: dict[str, schema.Parity] = {}
        self._failures: dict[str, SeaformerError] = {}  # id of a model -> why it was not measured
        self._save, self._next_save = save, 0.0

    def get_ready(self) -> None:
        """Locate or download the files needed on the device."""
        self._runtime = self.prepare()

    def run(self) -> schema.Results:
        """Measure; `complete` and `problem` of the results state whether everything was measured.

        Errors that occur before any output was compared or any run was timed are raised.
        """
        self.progress.describe(self.device.serial, "inspecting the device")
        self._created_at = datetime.now(UTC)
        self._facts = self.device.facts()
        self._cores, self.load_setting = choose(self._facts.cores, self.options)
        limit_s = self.limit_s
        stopped_by: schema.StoppedBy = "runs"
        problem: str | None = None
        try:
            with self.device.workspace(
                self._key(), self.options.keep, limit_s, self._describe
            ) as workspace:
                self._deadline = time.monotonic() + limit_s
                self.conditions = self._conditions_before = self.device.conditions()
                for warning in warnings.slow_by_power(self._conditions_before):
                    self._describe(f"warning: {warning}")
                self._describe("sending files")
                for local, name, executable in self._files():
                    workspace.place(local, name, executable)
                stopped_by = self.work(workspace, Setting(self.options.threads, self._cores))
            problem = self._failed() or None
        except Exception as error:
            if not (self.rounds or self._parity):
                raise
            stopped_by, problem = _ending(error, self.device.serial)
        if self._next_save:
            self.save_so_far(at_once=True)
        wrong = {model for model, parity in self._parity.items() if not parity.passed}
        verified = [one.id for one in self.candidates if one.id not in wrong]
        has_times = all(run_times(self.rounds, model) for model in verified)
        if stopped_by == "time limit" and self.options.until is not None and has_times:
            problem = None  # With --until, reaching the limit is a regular result.
        after: Conditions | None = None
        with suppress(Exception):
            after = self.device.conditions()
        self._describe("summarizing")
        try:
            summary = self._summary(verified)
        except Exception as error:  # The raw data matters more than its summary.
            summary = {}
            problem = " ".join(filter(None, (problem, described(error, self.device.serial))))
        results = self._results(stopped_by, problem)
        return results.model_copy(update={"conditions_after": after} | summary)

    @property
    def is_saving_due(self) -> bool:
        """Whether `save_so_far` would save now."""
        return time.monotonic() >= self._next_save

    def save_so_far(self, at_once: bool = False) -> None:
        """Save the results so far, unless it would exceed `SAVING_SHARE` of the time.

        `at_once` ignores that share. A failure does not stop the benchmark: the final save reports
        it.
        """
        begin = time.monotonic()
        if begin < self._next_save and not at_once:
            return
        try:
            self._save(self._results("problem", CUT_OFF))
        except OSError as error:
            self._describe(f"results cannot be saved while measuring ({error.strerror})")
        end = time.monotonic()
        self._next_save = end + (end - begin) / SAVING_SHARE

    @contextmanager
    def tolerating(self, candidate: Candidate) -> Iterator[None]:
        """Record the failure of one model and continue with the others; raise if all failed."""
        try:
            yield
        except (ProgramKilled, ModelError) as error:
            if len(self.candidates) == 1:
                raise
            self._failures[candidate.id] = error
            if len(self._failures) == len(self.candidates):
                raise ModelError(self._failed()) from None

    def _failed(self) -> str:
        paths = {one.id: one.path for one in self.candidates}
        return " ".join(f"'{paths[id]}': {error}" for id, error in self._failures.items())

    def _summary(self, verified: Sequence[str]) -> dict[str, object]:
        """Return the members of the results that are slow to compute."""
        models = tuple(self._model_result(one) for one in self.candidates)
        ratios: tuple[schema.PairRatio, ...] = ()
        if not self.is_emulated:
            ratios = pair_ratios(verified, self.rounds, self.options.seed)
        warned = tuple(self._warnings(models, ratios))
        return {"models": models, "ratios": ratios, "warnings": warned}

    def _results(self, stopped_by: schema.StoppedBy, problem: str | None) -> schema.Results:
        """Return the results so far, without the members that are slow to compute."""
        return schema.Results(
            created_at=self._created_at,
            command=self.options.command,
            complete=problem is None,
            stopped_by=stopped_by,
            problem=problem,
            emulated=self.is_emulated,
            device=self._facts,
            backend=self.request.backend.name,
            accelerator=self.request.backend.accelerator,
            runtime=self._runtime,
            threads=self.options.threads,
            cores=_cores_used(self._cores, self._facts),
            protocol=schema.Protocol(
                runs=self.request.runs,
                until=self.options.until,
                runs_per_round=self.runs_per_round,
                warmup_runs=self.warmup_runs,
                time_limit_s=self.limit_s,
                cool_below_c=self.options.cool_below_c,
                keep_throttled=self.options.keep_throttled,
                seed=self.options.seed,
                half=self.options.half,
                npu_power=self.options.npu_power if self._is_on_npu else None,
                requires_full_acceleration=self.options.require_full_acceleration,
                frame_size=self.options.frame_size,
                load=self._load_used(),
                cache=self._cache,
            ),
            conditions_before=self._conditions_before,
            conditions_after=None,
            unknown=_unknown(self._facts, self._conditions_before),
            versions=_versions(),
            warnings=(),
            models=tuple(self._model_result(one, is_final=False) for one in self.candidates),
            ratios=(),
            rounds=tuple(self.rounds),
            table=self.request.table,
        )

    @abstractmethod
    def prepare(self) -> schema.RuntimeUsed:
        """Locate or fetch the files needed on the device; return the runtime."""

    @abstractmethod
    def own_files(self) -> list[tuple[Path, str, bool]]:
        """Return all files except the models: local path, name, whether it is executable."""

    @abstractmethod
    def work(self, workspace: Workspace, setting: Setting) -> schema.StoppedBy:
        """Check every model's output and measure; return why the measurement stopped.

        All files are in the workspace; `setting` applies to models without their own setting. After
        a SeaformerError, `rounds` has the data so far.
        """

    @property
    def limit_s(self) -> float:
        """The time limit for all work on the device."""
        return self.options.time_limit_s

    @property
    def _is_on_npu(self) -> bool:
        return self.request.backend.accelerator == NPU

    @property
    def computes_half(self) -> bool:
        """Whether floating-point files may be computed in half precision."""
        accelerator = ACCELERATORS[self.request.backend.accelerator]
        return self.options.half or accelerator.has_half_only

    @property
    def is_emulated(self) -> bool:
        """Whether processor or accelerator is emulated, so that times are not latency."""
        return self.device.is_emulated

    def breakdown(self, candidate: Candidate, times: schema.Times) -> Breakdown | None:  # noqa: ARG002
        """Return the latency of a model by module; None if it was not measured."""
        return None

    def file_name(self, candidate: Candidate) -> str:
        """Return the name of a model on the device, independent of the user's file name."""
        return f"{candidate.sha256[:16]}{candidate.path.suffix.lower()}"

    def verify(self, candidate: Candidate, output: bytes) -> bool:
        """Compare a model's output with this computer's; return whether it is correct.

        Raises ModelError if the output has the wrong number of bytes.
        """
        try:
            self._parity[candidate.id] = candidate.verify(output, self.computes_half)
        except SeaformerError as error:
            raise ModelError(str(error)) from error
        return self._parity[candidate.id].passed

    def cool(self) -> None:
        """Wait until the device is cool enough to measure; raise TooHot at the time limit."""
        self.conditions = wait_until_cool(
            self.device,
            self.options.cool_below_c,
            self.remaining_s(),
            self._describe,
        )

    def remaining_s(self) -> float:
        """Return the remaining seconds; raise TimeLimitError if the limit was reached."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeLimitError(
                f"the time limit of {self.limit_s:g} s was reached. Request fewer "
                "runs, or more time with --time-limit."
            )
        return left

    def _files(self) -> list[tuple[Path, str, bool]]:
        all_models = (*self.candidates, *filter(None, [self.load]))
        models = [(one.path, self.file_name(one), False) for one in all_models]
        return self.own_files() + list(dict.fromkeys(models))

    @property
    def _cache(self) -> str:
        """The compilation cache of cold starts, or why there is none."""
        backend = self.request.backend
        return (backend.cache or backend.no_cache) if self.options.cold_start else ""

    def _load_used(self) -> schema.LoadUsed | None:
        if (setting := self.load_setting) is None:
            return None
        return load_used(self.load, _cores_used(setting.cores, self._facts), setting.threads)

    def _key(self) -> str:
        """Return a folder name derived from its content, so that a rerun finds files of --keep."""
        digest = hashlib.sha256()
        for local, name, _ in self._files():
            digest.update(f"{name}\n{file_sha256(local)}\n".encode())
        return digest.hexdigest()[:16]

    def _describe(self, text: str) -> None:
        self.progress.describe(self.device.serial, text)

    def _model_result(self, one: Candidate, is_final: bool = True) -> schema.ModelResult:
        """Summarize one model; without intervals and breakdown unless it is final."""
        tool, parity = self.tool_times.get(one.id), self._parity.get(one.id)
        extra = NOT_COMPARED if tool is not None and parity is None else ""
        if one.id in self._failures:
            extra = str(self._failures[one.id])
        return model_result(
            one,
            self.rounds,
            parity,
            tool,
            "; ".join(filter(None, (one.note, extra))),
            emulated=self.is_emulated,
            seed=self.options.seed if is_final else None,
            cores=None if one.setting is None else _cores_used(one.setting.cores, self._facts),
            breakdown=lambda times: self.breakdown(one, times) if is_final else None,
        )

    def _warnings(
        self, models: Sequence[schema.ModelResult], ratios: Sequence[schema.PairRatio]
    ) -> Iterator[str]:
        yield from warnings.slow_by_power(self._conditions_before)
        yield from warnings.slower_than_float(models, ratios)
        accelerator = ACCELERATORS[self.request.backend.accelerator].title
        yield from warnings.partly_accelerated(models, accelerator)
        if self.options.breakdown:
            yield from warnings.missing_breakdowns(models)
        yield from warnings.disturbances(self.rounds)
        yield from warnings.sleeps(self.rounds)
        yield from warnings.unproven_loads(models)
        if self.options.until is not None:
            yield from warnings.wide_intervals(models, self.options.until)


def described(error: Exception, serial: str) -> str:
    """Describe an error of a device."""
    if isinstance(error, SeaformerError):
        return str(error)
    return f"{serial}: {explanation(error).rstrip('.')}."


def _ending(error: Exception, serial: str) -> tuple[schema.StoppedBy, str]:
    """Return why a benchmark stopped early, and its description for the results."""
    if isinstance(error, Canceled):
        return "interrupt", "interrupted"
    kind: schema.StoppedBy = "time limit" if isinstance(error, TimeLimitError) else "problem"
    return kind, described(error, serial)


def _cores_used(cores: CoreChoice, facts: DeviceFacts) -> schema.CoresUsed:
    speeds = {core.index: core.max_khz for core in facts.cores if core.max_khz is not None}
    return schema.CoresUsed(
        name=cores.name,
        cores=cores.cores,
        mask=cores.mask,
        max_khz={core: speeds[core] for core in cores.cores if core in speeds},
    )


def _unknown(facts: DeviceFacts, conditions: Conditions) -> tuple[str, ...]:
    """Name the facts that the device does not report."""
    known = {
        "manufacturer": facts.manufacturer,
        "model": facts.model,
        "system on chip": facts.soc,
        "system": facts.os,
        "memory": facts.memory_bytes,
        "top frequencies of the cores": all(core.max_khz for core in facts.cores) or None,
        "temperature of skin and battery": conditions.temperature_c,
        "thermal status": conditions.thermal_status,
        "battery": conditions.battery_percent,
        "current frequencies of the cores": conditions.core_khz or None,
    }
    return tuple(name for name, value in known.items() if value is None)


def _versions() -> dict[str, str]:
    packages = ("seaformer", "ai-edge-litert", "onnxruntime", "adbutils", "numpy", "scipy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
