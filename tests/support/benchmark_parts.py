"""Building blocks of benchmark tests: results with known latencies, and faulty devices.

The devices are this computer, with the real runner and runtimes, but with one change each.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.device import (
    NO_VARIABLES,
    OUTPUT_LIMIT,
    Conditions,
    Core,
    DeviceFacts,
    Finished,
    Workspace,
)
from seaformer.benchmark.devices.errors import Unplugged
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.measure.options import Options, parse_share
from seaformer.benchmark.measure.summary import model_result
from seaformer.benchmark.measure.warnings import slower_than_float
from seaformer.benchmark.results.rounds import pair_ratios
from seaformer.benchmark.results.schema import (
    CoresUsed,
    InputUsed,
    ModelFacts,
    Parity,
    Protocol,
    Results,
    Round,
    RuntimeUsed,
)
from seaformer.benchmark.runner.record import Block, LoadedModel, Tensor
from seaformer.benchmark.studies.benchmark_study import BenchmarkStudy
from seaformer.benchmark.studies.running import run
from seaformer.benchmark.studies.study import Finished as AllFinished
from seaformer.benchmark.studies.tables.table_study import TableStudy
from seaformer.console import Console

RIGHT = Parity("LiteRT", 120.0, 1e-5, 1.0, 60.0, 0.99, True)
WRONG = Parity("LiteRT", -3.0, 7.5, 0.1, 60.0, 0.99, False)

TENSOR = Tensor("x", "float32", (1, 8, 8, 3), 768, None, None)


def candidate(number: int, file: str, precision: str = "fp32", **changes: Any) -> Candidate:
    """Return a model; tests use only its facts."""
    plain = Candidate(
        id=f"m{number}",
        path=Path(file),
        file_bytes=1000,
        sha256=f"{number:064x}",
        title=file,
        precision=precision,
        facts=ModelFacts(variant="tiny", task="ade20k", head="logits", precision=precision),
        input=InputUsed(
            source="photograph", name="x", dtype="float32", shape=(1, 8, 8, 3), sha256=None
        ),
        tensor=b"",
        note="",
        mask_size=None,
        class_axis=3,
        gives_class_ids=False,
        metadata=None,
        runtime="LiteRT",
        outputs=(),
        expected=(),
    )
    return replace(plain, **changes)


def measured_rounds(times_ms: dict[str, np.ndarray]) -> list[Round]:
    """Return rounds with these latencies: model id -> [rounds, runs], in milliseconds."""
    count = len(next(iter(times_ms.values())))
    rounds = []
    for index in range(count):
        blocks = tuple(
            Block(
                model=model,
                index=place,
                round=0,
                settling_ns=None,
                durations_ns=tuple(int(1e6 * value) for value in times[index]),
                cpus=(0,) * len(times[index]),
                frequency_khz_before=None,
                frequency_khz_after=None,
                temperature_c_before=None,
                temperature_c_after=None,
                started_ns=0,
                page_faults=0,
                context_switches=0,
            )
            for place, (model, times) in enumerate(times_ms.items())
        )
        rounds.append(
            Round(
                index=index,
                purpose="measure",
                used=True,
                throttled=None,
                complete=True,
                header=None,
                loaded=tuple(
                    LoadedModel(model, 10.0, 30.0, (30_000_000,), TENSOR, (TENSOR,), None, None)
                    for model in times_ms
                ),
                blocks=blocks,
                tails=(),
                peak_memory_bytes=None,
                conditions_after=None,
            )
        )
    return rounds


def make_results(
    candidates: Sequence[Candidate],
    times_ms: dict[str, np.ndarray],
    *,
    emulated: bool = False,
    parities: dict[str, Parity] | None = None,
    **changes: Any,
) -> Results:
    """Return results of a benchmark with these latencies; `changes` replace attributes."""
    parities = parities or {}
    rounds = measured_rounds(times_ms)
    models = tuple(
        model_result(one, rounds, parities.get(one.id, RIGHT), None, "", emulated=emulated, seed=0)
        for one in candidates
    )
    verified = [one.id for one in candidates if parities.get(one.id, RIGHT).passed]
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    results = Results(
        created_at=now,
        command="seaformer-benchmark a.tflite",
        complete=True,
        stopped_by="runs",
        problem=None,
        emulated=emulated,
        device=DeviceFacts(
            serial="R58", manufacturer="Maker", model="Phone", soc="SM8250", os="Android 13",
            sdk=33, abi="arm64-v8a", cores=(Core(0, 1804800), Core(7, 2841600)),
            memory_bytes=8 << 30, is_emulated=emulated,
        ),
        backend="litert",
        runtime=RuntimeUsed(name="LiteRT", version="2.3.0", file="libLiteRt.so", sha256="0" * 64),
        threads=1,
        cores=CoresUsed(name="prime", cores=(7,), mask="80", max_khz={7: 2841600}),
        protocol=Protocol(
            runs=50, until=None, runs_per_round=5, warmup_runs=3, time_limit_s=900,
            cool_below_c=None, keep_throttled=False, seed=0,
        ),
        conditions_before=Conditions(now, (), None, None, None, {}, None),
        conditions_after=None,
        unknown=("battery",),
        versions={"seaformer": "0.1.0"},
        warnings=(),
        models=models,
        ratios=() if emulated else pair_ratios(verified, rounds, 0),
        rounds=tuple(rounds),
    )  # fmt: skip
    warnings = tuple(slower_than_float(results.models, results.ratios))
    results = results.model_copy(update={"warnings": warnings})
    return results.model_copy(update=changes)


def times_around(median_ms: float, seed: int, spread: float = 0.01) -> np.ndarray:
    """Return latencies of 10 rounds of 5 runs."""
    noise = np.random.default_rng(seed).standard_normal((10, 5))
    return median_ms * (1 + spread * noise)


def measure(
    models: Sequence[Path], devices: Sequence[Host], output: Path, **options: Any
) -> AllFinished:
    """Measure as the command does, on these devices."""
    if "until" in options:
        options["until"] = parse_share("--until", options["until"])
    plain: dict[str, Any] = {"device": "host", "runs": 10, "time_limit_s": 300.0}
    all_options = Options(
        command="seaformer-benchmark", models=tuple(models), output=output, **(plain | options)
    )
    study = BenchmarkStudy(all_options) if all_options.table is None else TableStudy(all_options)
    return run(study, devices, Console(stderr=True, quiet=True))


class ChangedWorkspace(Workspace):
    """A workspace that forwards everything to another one."""

    def __init__(self, inner: Workspace) -> None:
        self.inner = inner
        self.path, self.shell = inner.path, inner.shell

    def place(self, local: Path, name: str, executable: bool = False) -> bool:
        return self.inner.place(local, name, executable)

    def write(self, name: str, data: bytes) -> None:
        self.inner.write(name, data)

    def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
        return self.inner.read(name, limit)

    def execute(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        time_limit_s: float,
        on_line: Callable[[str], None] | None = None,
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Finished:
        return self.inner.execute(
            program,
            arguments,
            time_limit_s=time_limit_s,
            on_line=on_line,
            environment=environment,
        )

    def close(self, keep: bool) -> None:
        self.inner.close(keep)


class WrongComputer(Host):
    """Returns a wrong output for one model."""

    class _Space(ChangedWorkspace):
        def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
            data = super().read(name, limit)
            return bytes(reversed(data)) if name == "m0.output" else data

    def open_workspace(self, key: str) -> Workspace:
        return self._Space(super().open_workspace(key))


class EmulatedComputer(Host):
    """Reports that its processor is emulated."""

    is_emulated = True


class WatchedComputer(Host):
    """Passes each line that the runner prints to `see`, after the benchmark has read it."""

    def see(self, line: str) -> None:
        """Act on a line."""
        raise NotImplementedError

    class _Space(ChangedWorkspace):
        device: "WatchedComputer"

        def execute(
            self,
            program: str,
            arguments: Sequence[str],
            *,
            time_limit_s: float,
            on_line: Callable[[str], None] | None = None,
            environment: Mapping[str, str] = NO_VARIABLES,
        ) -> Finished:
            def watch(line: str) -> None:
                assert on_line is not None
                on_line(line)
                self.device.see(line)

            return super().execute(
                program,
                arguments,
                time_limit_s=time_limit_s,
                on_line=watch,
                environment=environment,
            )

    def open_workspace(self, key: str) -> Workspace:
        space = self._Space(super().open_workspace(key))
        space.device = self
        return space


class FailingComputer(WatchedComputer):
    """Fails in its third measured block, as the subclass defines."""

    blocks_until_failure = 3
    runner = 0

    def fail(self, pid: int) -> None:
        """Cause the failure; `pid` is the runner's."""
        raise NotImplementedError

    def see(self, line: str) -> None:
        """Find the runner in its first line, and count its blocks."""
        found = json.loads(line)
        if found["type"] == "header":
            self.runner = found["pid"]
        if found["type"] == "block":
            self.blocks_until_failure -= 1
            if self.blocks_until_failure == 0:
                self.fail(self.runner)


class KillingComputer(FailingComputer):
    """Kills the runner, like a phone that is out of memory."""

    def fail(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


class UnpluggedComputer(FailingComputer):
    """Is disconnected in its third measured block."""

    def fail(self, pid: int) -> None:
        raise Unplugged(f"The phone is disconnected from process {pid}.")


class HotComputer(Host):
    """Throttles in its first measured rounds, and has cooled down when checked after each."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self._status = self._statuses(rounds)

    @staticmethod
    def _statuses(rounds: int) -> Iterator[int]:
        yield from (0, 0, 0)  # before the work, after the check, before the first round
        for _ in range(rounds):
            yield from (2, 0)
        while True:
            yield 0

    def conditions(self) -> Conditions:
        return replace(super().conditions(), thermal_status=next(self._status))
