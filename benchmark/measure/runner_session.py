"""Benchmarks with our runner: models interleaved in rounds, with the latency of every run."""

import math
import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seaformer.artifact.accelerators import ACCELERATORS, CPU, GPU, NPU
from seaformer.benchmark.breakdown.model_profiling import PROFILE_RUNS, ModelProfiling
from seaformer.benchmark.breakdown.qnn_profile import LIMIT as NPU_PROFILE_LIMIT
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.candidates.frame import (
    FRAME_FILE,
    FramePath,
    camera_frame,
    frame_path,
    planned_frame,
)
from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.devices.device import Conditions, Finished, Workspace
from seaformer.benchmark.devices.errors import ProgramKilled, TakenOver, TimedOut
from seaformer.benchmark.devices.heat import throttled
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.beside_load import CAMERA
from seaformer.benchmark.measure.coverage import coverage_of
from seaformer.benchmark.measure.device_files import accelerator_files
from seaformer.benchmark.measure.npu_faults import find_npu_fault
from seaformer.benchmark.measure.request import round_sizes
from seaformer.benchmark.measure.session import ModelError, Session, TimeLimitError
from seaformer.benchmark.results.breakdown import Breakdown
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import (
    Purpose,
    Results,
    Round,
    RuntimeUsed,
    StoppedBy,
    Times,
)
from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.libraries import library_for
from seaformer.benchmark.runner.plan import (
    CacheUse,
    Plan,
    PlannedActivity,
    PlannedLoad,
    PlannedModel,
)
from seaformer.benchmark.runner.plan_check import plan_mismatch
from seaformer.benchmark.runner.record import Block, Record, RecordReader, Span, Status
from seaformer.errors import SeaformerError, UsageError
from seaformer.statistics.bootstrap import MIN_ROUNDS, summarize
from seaformer.temporary_folders import temporary_folder

RUNNER = "runner"
PLAN = "plan"

CHECK_WARMUP_RUNS = 3
TRUNCATED_WARMUP_RUNS = 2
"""Warm-up runs of each truncated model; all of them together warm up the processor."""
START_RUNS = 2
"""Runs of a cold start: the first and the second inference."""
COLD_STARTS = 10
"""Processes of a model without, and with, a compilation cache."""
WARM_UP_MS = 50.0
"""A clock governor needs tens of milliseconds of load to choose the highest frequency."""
MAX_WARMUP_RUNS = 20

LOWEST_SHARE_OF_CLOCK = 0.85
"""A core under load whose clock falls below this share of its highest earlier clock is throttled:
the steps between adjacent frequencies are smaller."""

END_LIMIT_S = 20.0
"""How much longer than the time limit of its plan the runner may take before it is killed."""

ADVICE: Mapping[int, str] = {
    Status.BAD_PLAN: "This is a bug in seaformer: please report it.",
    Status.NO_LIBRARY: "Give another library with --runtime-library.",
    Status.WRONG_RUNTIME: "Give the pinned version, or omit --runtime-library.",
    Status.NO_MODEL: "Check whether it runs here (seaformer-predict), and export it again.",
    Status.NO_AFFINITY: "Choose other cores with --cores.",
    Status.NO_ACCELERATOR: "Measure on the CPU with --backend {}.",
    Status.NO_LOAD: "Give another load to --beside.",
    Status.NO_OUTPUT: "Free some space on the device.",
}


NPU_PROFILE = ".csv"
"""Suffix that the runner adds to the name of a model for the profile of the NPU."""


class RunnerError(SeaformerError):
    """The runner failed on the device."""


class RunnerSession(Session):
    """A benchmark with our runner."""

    _profilings: Sequence[ModelProfiling] = ()
    _frame_paths: Mapping[str, FramePath] = {}
    _turns = 0

    def run(self) -> Results:
        """Measure, with a temporary folder on this computer for the files of a breakdown."""
        with temporary_folder("profiling") as folder:
            if self.options.breakdown:
                for one in self.candidates:
                    _require_operators(one)
                self._profilings = [
                    ModelProfiling(one, folder, self._is_on_cpu) for one in self.candidates
                ]
            return super().run()

    def prepare(self) -> RuntimeUsed:
        """Find the runner and the runtime's library for the device."""
        backend, target = self.request.backend, self.device.target
        self._runner = runner_for(target)
        if self.options.frame_size is not None:
            width, height = self.options.frame_size
            self._frame = camera_frame((height, width))
            self._frame_paths = {
                one.id: frame_path(one, (height, width)) for one in self.candidates
            }
        self._accelerator = accelerator_files(backend, self.device, self.options, self.candidates)
        own = self._accelerator.runtime or self.options.runtime_library
        self._library = library_for(backend.runtime, target, own)
        return RuntimeUsed(
            name=backend.title,
            version=self._library.version,
            file=self._library.path.name,
            sha256=self._library.sha256,
            driver=self._accelerator.driver,
        )

    @property
    def _is_on_cpu(self) -> bool:
        return self.request.backend.accelerator == CPU

    @property
    def _is_on_gpu(self) -> bool:
        return self.request.backend.accelerator == GPU

    @property
    def is_emulated(self) -> bool:
        """Whether processor or accelerator is emulated."""
        return self.device.is_emulated or self._accelerator.is_emulated

    def own_files(self) -> list[tuple[Path, str, bool]]:
        """Return the runner, the libraries and truncated models."""
        truncated = [file.path for one in self._profilings for file in one.truncated[:-1]]
        libraries = (self._library.path, *self._accelerator.files)
        # The file name identifies what the NPU runs of a compiled model.
        binaries = {one.binary for one in self.candidates if one.binary is not None}
        files = [(path, path.name, False) for path in (*libraries, *truncated, *sorted(binaries))]
        return [(self._runner, RUNNER, True), *files]

    def breakdown(self, candidate: Candidate, times: Times) -> Breakdown | None:
        """Return the latency of a model by module."""
        for profiling in self._profilings:
            if profiling.candidate is candidate:
                emulated, seed = self.is_emulated, self.options.seed
                return profiling.breakdown(self.rounds, times, emulated, seed)
        return None

    def work(self, workspace: Workspace, setting: Setting) -> StoppedBy:
        """Check every model in a separate process, then measure the correct ones in rounds."""
        self._workspace, self._setting = workspace, setting
        self._top_khz: dict[int, int] = {}
        for one in self.candidates:
            workspace.write(f"{one.id}.input", one.tensor)
        for path in self._frame_paths.values():
            workspace.write(path.planned.levels_file, path.levels)
        if self._frame_paths:
            workspace.write(FRAME_FILE, self._frame.tobytes())
        if self.load is not None:
            workspace.write(f"{self.load.id}.input", self.load.tensor)
            self._check_load(self.load)
        count = len(self.candidates)
        good = [one for place, one in enumerate(self.candidates) if self._check(one, count - place)]
        if not good:
            return "runs"
        expected = None
        if self.request.runs is not None:
            expected = self.request.runs * len(good) * self._halves
        self.progress.expect(self.device.serial, expected)
        stopped_by = self._measure(good)
        if self.options.cold_start:
            self._measure_starts(good)
        return stopped_by

    def _check_load(self, load: Candidate) -> None:
        """Compare the output of the load alone; raise RunnerError unless it is correct."""
        if self._check(load, len(self.candidates) + 1):
            return
        why = self._failures.pop(load.id, None) or "its output is wrong"
        raise RunnerError(f"'{load.path}' cannot run beside the models: {why}")

    @property
    def _halves(self) -> int:
        """Number of blocks of a model in a pass: alone, and beside the load."""
        return 1 if self.load_setting is None else 2

    def _planned_load(self) -> PlannedLoad | None:
        if (setting := self.load_setting) is None:
            return None
        what = CAMERA if self.load is None else self._planned([self.load])[0]
        return PlannedLoad(setting.cores.cores, setting.threads, what)

    def _check(self, candidate: Candidate, left: int) -> bool:
        """Run one model alone and compare its output; `left` models, with this one, are unchecked.

        On an accelerator, it gets only a share of the remaining time, because a driver may hang.
        """
        name = candidate.path.name
        self.progress.describe(self.device.serial, f"checking the output of {name}")
        output = f"{candidate.id}.output"
        models, setting = self._planned([candidate], output), self._setting_of(candidate)
        with self.tolerating(candidate):
            self._require_taken(candidate)
            limit_s = None if self._is_on_cpu else self.remaining_s() / (left + 1)
            try:
                self._round("check", models, setting, CHECK_WARMUP_RUNS, blocks=0, limit_s=limit_s)
            except (TimeLimitError, TimedOut) as error:
                if limit_s is None:
                    raise
                raise ModelError(
                    f"the {self._accelerator_title} did not finish compiling it and running it "
                    f"{CHECK_WARMUP_RUNS} times in {limit_s:.0f} s, its share of the time: the "
                    "driver hangs, or needs a higher --time-limit."
                ) from error
            answer = self._workspace.read(output, candidate.output_bytes)
            self._check_preparation(candidate, f"{output}.prepared")
            return self.verify(candidate, answer)
        return False

    def _require_taken(self, candidate: Candidate) -> None:
        """Raise ModelError for a file that the accelerator is known not to support."""
        accelerator = ACCELERATORS[self.request.backend.accelerator]
        format = candidate.path.suffix.lower().removeprefix(".")
        if (why := accelerator.refusal(format, candidate.precision)) is not None:
            raise ModelError(
                f"the {accelerator.title} does not support {candidate.precision}: {why}. Export "
                "another precision."
            )

    @property
    def _accelerator_title(self) -> str:
        return ACCELERATORS[self.request.backend.accelerator].title

    def _check_preparation(self, candidate: Candidate, name: str) -> None:
        """Compare a frame preprocessed on the device with one preprocessed here; or ModelError."""
        path = self._frame_paths.get(candidate.id)
        if path is None:
            return
        expected = path.expected_input(self._frame)
        prepared = self._workspace.read(name, len(expected))
        if prepared != expected:
            raise ModelError(
                f"{self.device.serial} preprocesses frames differently from this computer: "
                f"{_differing(prepared, expected)}. This is a bug in seaformer: please report it, "
                "and omit --frame."
            )

    def _measure(self, candidates: list[Candidate]) -> StoppedBy:
        """Run groups of rounds ("turns") until there are enough runs.

        The device cools down after a throttled round. It warms up while it is measured, which alone
        is not a reason to wait.
        """
        groups: dict[Setting, list[Candidate]] = {}
        for one in candidates:
            groups.setdefault(self._setting_of(one), []).append(one)
        run_s = [self._halves * seconds for seconds in self._run_s(groups.values())]
        # The models of a round warm up the processor together, not counting first inferences.
        needed = math.ceil(WARM_UP_MS / max(1e3 * min(run_s), 1e-6))
        self.warmup_runs = 1 + min(needed, MAX_WARMUP_RUNS)
        sizes = round_sizes(self.request.runs, max(run_s))
        self.runs_per_round = max(sizes)
        is_open = self.request.runs is None
        pending, again, is_hot = deque(sizes), 0, True
        while pending:
            if is_hot:
                self.cool()
            self.progress.describe(self.device.serial, "measuring")
            size = pending.popleft()
            turn = self._turn(groups, size)
            hot = [one.throttled for one in turn if one.throttled is not None]
            is_hot = bool(hot)
            if not all(one.used for one in turn):
                again += 1
                if again > len(sizes) and not is_open:
                    raise RunnerError(
                        f"{self.device.serial} throttled in {again} rounds ({hot[-1]}). Let it "
                        "cool further with --cool-below, or use such rounds with --keep-throttled."
                    )
                pending.appendleft(size)
                continue
            is_hot |= self._measure_truncated(candidates, size)
            if is_open:
                if self._is_precise(candidates):
                    return "precision"
                pending.append(size)
        return "runs"

    def _turn(self, groups: Mapping[Setting, Sequence[Candidate]], size: int) -> list[Round]:
        """Run a round of every setting in random order; stop after a discarded round."""
        self._turns += 1
        order = random.Random(self.options.seed + self._turns).sample(list(groups), len(groups))
        number = self._turns if len(groups) > 1 else None
        done: list[Round] = []
        for setting in order:
            one = self._round(
                "measure",
                self._planned(groups[setting]),
                setting,
                self.warmup_runs,
                runs_per_block=size,
                profile_runs=PROFILE_RUNS if self._profilings and not self._is_on_gpu else 0,
                turn=number,
                load=self._planned_load(),
            )
            done.append(one)
            if not one.used:
                break
            if self.request.backend.accelerator == NPU:
                self._read_npu_profiles(groups[setting])
        return done

    def _read_npu_profiles(self, candidates: Sequence[Candidate]) -> None:
        """Fetch the profiles that the QNN provider wrote next to the models."""
        for profiling in self._profilings:
            if profiling.candidate in candidates:
                name = f"{self.file_name(profiling.candidate)}{NPU_PROFILE}"
                profiling.add_npu_profile(self._workspace.read(name, NPU_PROFILE_LIMIT))

    def _measure_starts(self, candidates: Sequence[Candidate]) -> None:
        """Start every model in processes of its own, without and with the compilation cache."""
        self.progress.describe(self.device.serial, "measuring cold starts")
        starts: list[tuple[Candidate, CacheUse]] = [(one, "none") for one in candidates]
        if self.request.backend.cache:
            filled = [(one, self._start(one, "fill")) for one in candidates]
            starts += [(one, "use") for one, done in filled if done.loaded[0].cache_bytes]
        shuffled = random.Random(self.options.seed)
        for turn in range(COLD_STARTS):
            for one, use in shuffled.sample(starts, len(starts)):
                self._start(one, use, turn)

    def _start(self, candidate: Candidate, use: CacheUse, turn: int | None = None) -> Round:
        """Run a model twice in a new process; with a cache, compare its output.

        Raises ModelError if that is wrong.
        """
        output = None if use == "none" else f"{candidate.id}.output"
        done = self._round(
            "fill" if use == "fill" else "start",
            self._planned([candidate], output),
            self._setting_of(candidate),
            START_RUNS,
            blocks=0,
            turn=turn,
            cache=use,
        )
        if output is None:
            return done
        answer = self._workspace.read(output, candidate.output_bytes)
        if not candidate.verify(answer, self.computes_half).passed:
            raise ModelError(
                f"'{candidate.path}' has a wrong output with the compilation cache of "
                f"{self.request.backend.title}. Omit --cold-start, and do not use this cache."
            )
        return done

    def _measure_truncated(self, candidates: list[Candidate], size: int) -> bool:
        """Run the truncated models of each model in a process; return whether a round throttled."""
        is_hot = False
        for profiling in self._profilings:
            if profiling.candidate not in candidates:
                continue
            whole, tensor = self.file_name(profiling.candidate), f"{profiling.candidate.id}.input"
            models = [
                PlannedModel(one.id, one.path.name, tensor) for one in profiling.truncated[:-1]
            ]
            models.append(PlannedModel(profiling.truncated[-1].id, whole, tensor))
            # One run at a time, so that drift affects all of them equally.
            done = self._round("prefix", models, self._setting, TRUNCATED_WARMUP_RUNS, blocks=size)
            is_hot |= done.throttled is not None
        return is_hot

    def _run_s(self, groups: Iterable[Sequence[Candidate]]) -> list[float]:
        """Seconds for one run of all models of each group, estimated from their checks."""
        checks = [one for one in self.rounds if one.purpose == "check"]
        fastest_ns = {loaded.id: min(loaded.warmup_ns) for one in checks for loaded in one.loaded}
        return [sum(fastest_ns[one.id] for one in group) / 1e9 for group in groups]

    def _setting_of(self, candidate: Candidate) -> Setting:
        return candidate.setting or self._setting

    def _is_precise(self, candidates: list[Candidate]) -> bool:
        assert self.options.until is not None
        times = [run_times(self.rounds, one.id) for one in candidates]
        if any(len(runs) < MIN_ROUNDS for runs in times):
            return False
        widths = [summarize(runs, self.options.seed).relative_half_width for runs in times]
        return all(width is not None and width <= self.options.until for width in widths)

    def _planned(
        self, candidates: Sequence[Candidate], output: str | None = None
    ) -> list[PlannedModel]:
        return [
            PlannedModel(
                id=one.id,
                file=self.file_name(one),
                input_file=f"{one.id}.input",
                output_file=output,
                mask_size=one.mask_size,
                preparation=path.planned if (path := self._frame_paths.get(one.id)) else None,
            )
            for one in candidates
        ]

    def _round(
        self,
        purpose: Purpose,
        models: Sequence[PlannedModel],
        setting: Setting,
        warmup_runs: int,
        *,
        blocks: int = 1,
        runs_per_block: int = 1,
        profile_runs: int = 0,
        turn: int | None = None,
        limit_s: float | None = None,
        activity: PlannedActivity | None = None,
        load: PlannedLoad | None = None,
        cache: CacheUse = "none",
    ) -> Round:
        """Run the runner once and store its record, even if it failed."""
        plan = Plan(
            backend=self.request.backend.runtime,
            accelerator=self.request.backend.accelerator,
            requires_full_acceleration=self.options.require_full_acceleration,
            library=self._library.path.name,
            runtime_version=self._library.version,
            models=tuple(models),
            time_limit_s=self.remaining_s() if limit_s is None else limit_s,
            threads=setting.threads,
            cpus=setting.cores.cores,
            seed=self.options.seed + len(self.rounds),
            warmup_runs=warmup_runs,
            blocks=blocks,
            runs_per_block=runs_per_block,
            profile_runs=profile_runs,
            in_half=self.options.half,
            plugin=self._accelerator.plugin,
            options=self._accelerator.options,
            frame=planned_frame(self._frame) if self._frame_paths else None,
            activity=activity,
            load=load,
            cache=cache,
        )
        reader = RecordReader()

        def on_line(line: str) -> None:
            item = reader.add(line)
            if isinstance(item, Block) and purpose == "measure":
                self.progress.advance(self.device.serial, len(item.durations_ns))
            elif isinstance(item, Span):
                self.on_span(item)
                self._save_partial(reader, purpose)

        self._workspace.write(PLAN, plan.text().encode())
        try:
            finished = self._workspace.execute(
                RUNNER,
                [PLAN],
                time_limit_s=plan.time_limit_s + END_LIMIT_S,
                on_line=on_line,
                environment=self._accelerator.variables(self._workspace.path),
            )
            conditions = self.device.conditions()
        except TakenOver:
            raise  # Another process may have measured at the same time.
        except BaseException:
            if plan_mismatch(plan, reader.record()) is None:
                self._add_round(reader.record(), purpose, None, turn)
            raise
        record = reader.record()
        require_followed(plan, record, self.device.serial)
        done = self._add_round(record, purpose, conditions, turn, finished.stderr)
        require_success(finished, record, self.device.serial, self.request.backend)
        return done

    def on_span(self, span: Span) -> None:
        """Handle a span of a sustained run as it arrives; does nothing unless overridden."""

    def _save_partial(self, reader: RecordReader, purpose: Purpose) -> None:
        """Save the results, including the part of a long round that has arrived."""
        if not self.is_saving_due:
            return
        complete = self.rounds
        self.rounds = [*complete, self._as_round(reader.record(), purpose, None, None)]
        try:
            self.save_so_far()
        finally:
            self.rounds = complete

    def _add_round(
        self,
        record: Record,
        purpose: Purpose,
        conditions: Conditions | None,
        turn: int | None,
        stderr: str = "",
    ) -> Round:
        hot = None if purpose == "check" else self._throttled(record, conditions)
        done = self._as_round(record, purpose, conditions, turn, stderr, hot)
        if record.header is not None:
            self.rounds.append(done)
            for profiling in self._profilings:
                if done.used and record.complete and record.events:
                    profiling.add_profile(done.index, record.events)
            if purpose in ("measure", "sustain", "energy"):
                self.save_so_far()
        return done

    def _as_round(
        self,
        record: Record,
        purpose: Purpose,
        conditions: Conditions | None,
        turn: int | None,
        stderr: str = "",
        hot: str | None = None,
    ) -> Round:
        keeps_hot = self.options.keep_throttled or purpose in ("sustain", "energy")
        return Round(
            index=len(self.rounds),
            purpose=purpose,
            used=purpose != "check" and (hot is None or keeps_hot),
            throttled=hot,
            complete=record.complete,
            header=record.header,
            loaded=record.models,
            blocks=tuple(one for one in record.blocks if not one.is_beside),
            tails=record.post_processing,
            peak_memory_bytes=record.peak_memory_bytes,
            conditions_after=conditions,
            turn=turn,
            library_memory_bytes=record.library_memory_bytes,
            coverage=coverage_of(record, stderr) if purpose == "check" else None,
            frames=record.frames,
            spans=record.spans,
            sensors=record.sensors,
            beside=tuple(one for one in record.blocks if one.is_beside),
            load=record.load,
        )

    def _throttled(self, record: Record, after: Conditions | None) -> str | None:
        """Return evidence that the device throttled in a round; None if it did not throttle."""
        if after is not None:
            hot = throttled(self.conditions, after)
            self.conditions = after
            if hot is not None:
                return hot
        for block in record.blocks:
            cpu, khz = block.cpus[-1], block.frequency_khz_after
            if khz is None:
                continue
            self._top_khz[cpu] = max(khz, self._top_khz.get(cpu, 0))
            if khz < LOWEST_SHARE_OF_CLOCK * self._top_khz[cpu]:
                top = self._top_khz[cpu]
                return f"core {cpu} fell from {top / 1e6:.2f} to {khz / 1e6:.2f} GHz"
        return None


def _differing(prepared: bytes, expected: bytes) -> str:
    """Describe how bytes differ."""
    if len(prepared) != len(expected):
        return f"{len(prepared)} bytes instead of {len(expected)}"
    count = sum(one != other for one, other in zip(prepared, expected, strict=True))
    return f"{count} of {len(expected)} bytes differ"


def _require_operators(candidate: Candidate) -> None:
    """Refuse a compiled model, whose operators are not visible."""
    if candidate.compilation is not None:
        raise UsageError(
            f"--breakdown needs operators, but '{candidate.path}' is compiled. Give the .onnx that "
            "it was compiled from; the phone compiles it."
        )


def require_followed(plan: Plan, record: Record, serial: str) -> None:
    """Raise RunnerError if a record does not match its plan."""
    if (wrong := plan_mismatch(plan, record)) is not None:
        raise RunnerError(
            f"the runner on {serial} did not follow its plan ({wrong}). Run again, and report it "
            "if it happens again."
        )


def require_success(finished: Finished, record: Record, serial: str, backend: Backend) -> None:
    """Raise TimeLimitError, ModelError, RunnerError or ProgramKilled for a failed round."""
    reason = (record.problem or finished.stderr.strip() or "no reason given").rstrip(".")
    if finished.exit_status == Status.OUT_OF_TIME:
        raise TimeLimitError(
            "the time limit was reached during a round. Request fewer runs, or more time with "
            "--time-limit."
        )
    if finished.signal is not None:
        raise ProgramKilled(f"the runner on {serial} was killed by signal {finished.signal}.")
    if finished.exit_status != Status.DONE:
        fault = None
        if backend.accelerator == NPU:
            fault = find_npu_fault(f"{reason}\n{finished.stderr}")
        if fault is not None:
            fault_kind = ModelError if fault.is_of_model else RunnerError
            raise fault_kind(f"the NPU of {serial} cannot be used: {fault.meaning}.")
        advice = ADVICE.get(finished.exit_status, "").format(backend.runtime)
        kind = ModelError if finished.exit_status == Status.NO_MODEL else RunnerError
        raise kind(
            f"the runner on {serial} failed (status {finished.exit_status}): {reason}. {advice}"
        )
    if not record.complete:
        raise RunnerError(f"the output of the runner on {serial} is damaged: {reason}. Run again.")
