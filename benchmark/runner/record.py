"""The record of the runner: JSON lines, parsed strictly.

Every line is an object with its number, its type and the fields of the class for that type:

    {"line": 0, "type": "header", "format": 2, ...}
    {"line": 1, "type": "model", "id": "a", ...}
    {"line": 2, "type": "block", "model": "a", ...}
    {"line": 3, "type": "end", "crc32": "6b8f9f04"}

The last line, `end`, has the CRC-32 of everything before it. A failed run ends with `error` and has
no `end`, so a record is only complete if nothing is missing, altered, added or repeated. All lines
before the first invalid one are kept.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json

MAX_LINE = 1 << 24
"""Limit in bytes; the runner does not write longer lines."""

# Fields are strict individually: strict as a whole, pydantic would refuse arrays for tuples.
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


def _advances(ns: int) -> int:
    if ns == 0:
        raise ValueError("a duration is 0 ns: the clock of the device does not advance")
    return ns


Duration = Annotated[Count, AfterValidator(_advances)]
Text = Annotated[str, Field(strict=True, max_length=10_000)]
Milliseconds = Annotated[float, Field(strict=True, ge=0)]
Number = Annotated[float, Field(strict=True)]


class Status(IntEnum):
    """Exit status of the runner; `src/report.h` has the same numbers."""

    DONE = 0  # everything in the plan was measured
    BAD_PLAN = 2  # the plan cannot be read or carried out
    NO_LIBRARY = 3  # the runtime's library cannot be loaded, or lacks functions
    WRONG_RUNTIME = 4  # not the planned version, or with different data layouts
    NO_MODEL = 5  # a model cannot be loaded or run
    NO_AFFINITY = 6  # the requested processors are refused, or a run left them
    NO_OUTPUT = 7  # a line or a file cannot be written
    OUT_OF_TIME = 8  # the plan's time limit was reached; the lines so far are valid
    NO_ACCELERATOR = 9  # the accelerator, its driver or its library is missing or fails
    NO_LOAD = 10  # the process of the load cannot be started, failed or was killed


class _Exact:
    """A line with exactly the expected fields."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Header(_Exact):
    """The first line of the runner's record.

    Attributes:
        format: version of the format: 1 in results of earlier versions, 2 from this runner.
        runner: version of the runner.
        target: target of the runner: "android-arm64", "linux-arm64", "linux-x86_64".
        pid: process of the runner on the device.
        backend: backend of the plan.
        runtime_version: version of the runtime's library.
        library_load_ms: time to load and check the library.
        threads: threads of the plan.
        cpus: processors that the process may use, as reported by the system after binding.
        seed: seed of the plan.
        started_unix_ms: time of day on the device.
        thermal_zones: names of the sensors whose maximum is reported as temperature; empty if the
            device has none.
        accelerator: accelerator of the plan; missing in records of earlier runners, which used the
            CPU.
        process_start_ms: time from the creation of the process, by the shell, to the start of the
            runner, in steps of 10 ms; None if unknown, and in records of earlier runners.
    """

    format: Literal[1, 2]
    runner: Text
    target: Text
    pid: Count
    backend: Text
    runtime_version: Text
    library_load_ms: Milliseconds
    threads: Count
    cpus: tuple[Count, ...]
    seed: Count
    started_unix_ms: Count
    thermal_zones: tuple[Text, ...]
    accelerator: Text = "cpu"
    process_start_ms: Milliseconds | None = None


@dataclass(frozen=True)
class Tensor(_Exact):
    """An input or output of a model.

    Attributes:
        name: name in the file; may be empty.
        dtype: NumPy name of the element type: "float32", "int8", ...
        shape: sizes of its axes.
        bytes: its size in bytes.
        scale: scale of a per-tensor quantized tensor: value = (integer - zero_point) * scale; None
            for other tensors.
        zero_point: see `scale`.
    """

    name: Text
    dtype: Text
    shape: tuple[Count, ...]
    bytes: Count
    scale: Number | None
    zero_point: StrictInt | None


@dataclass(frozen=True)
class LoadedModel(_Exact):
    """A model that was loaded and warmed up.

    Attributes:
        id: its id in the plan.
        load_ms: time from opening the file until the model is ready to run, without the first
            inference.
        first_inference_ms: duration of the first warm-up run.
        warmup_ns: duration of every warm-up run, including the first inference.
        input: the single input.
        outputs: the outputs, in the order of the model.
        fully_delegated: whether the delegate runs every operator; None if unknown.
        resident_bytes: memory of the whole process after the warm-up, including models loaded
            before; None if unknown.
        compiled_bytes: the same, before the first inference; None in records of earlier runners.
        compile_ms: the part of `load_ms` after the file was parsed, for the delegate or the
            accelerator; None if the runtime does both in one call, and in records of earlier
            runners.
        operators_on_cpu: number of operators that the CPU runs instead of the accelerator; None if
            unknown, and in records of earlier runners.
        cache_bytes: size of its compilation cache after the warm-up, 0 if the runtime wrote none;
            None without a cache, and in records of earlier runners.
    """

    id: Text
    load_ms: Milliseconds
    first_inference_ms: Milliseconds
    warmup_ns: tuple[Count, ...]
    input: Tensor
    outputs: tuple[Tensor, ...]
    fully_delegated: StrictBool | None
    resident_bytes: Count | None
    compiled_bytes: Count | None = None
    operators_on_cpu: Count | None = None
    compile_ms: Milliseconds | None = None
    cache_bytes: Count | None = None


@dataclass(frozen=True)
class Block(_Exact):
    """Consecutive runs of one model.

    Attributes:
        model: its id.
        index: chronological index among all blocks, from 0.
        round: index of the pass over all models; blocks of one pass can be paired.
        settling_ns: duration of the run before the timed ones, while caches still contain another
            model's data; None if the previous block was of the same model.
        durations_ns: duration of every timed run.
        cpus: processor at the end of each timed run; empty in a browser, which does not report it.
        frequency_khz_before: clock of the processor that the block started on; None if unknown.
        frequency_khz_after: clock of the processor that the block ended on.
        temperature_c_before: temperature of the hottest of the header's sensors; None if there are
            none.
        temperature_c_after: the same, after the block.
        started_ns: start time on the device's monotonic clock.
        page_faults: page faults of the process during the timed runs, minor and major; None in a
            browser.
        context_switches: context switches of the process during the timed runs, voluntary and
            forced; None in a browser.
        is_beside: whether the load ran on other processors.
        load_count: inferences or frames that the load completed during the timed runs; None
            without a load, and in records of earlier runners.
        load_cpus: processors on which it completed them.
    """

    model: Text
    index: Count
    round: Count
    settling_ns: Count | None
    durations_ns: tuple[Duration, ...]
    cpus: tuple[Count, ...]
    frequency_khz_before: Count | None
    frequency_khz_after: Count | None
    temperature_c_before: Number | None
    temperature_c_after: Number | None
    started_ns: Count
    page_faults: Count | None
    context_switches: Count | None
    is_beside: StrictBool = False
    load_count: Count | None = None
    load_cpus: tuple[Count, ...] = ()


@dataclass(frozen=True)
class LoadProcess(_Exact):
    """The process of the load, which ends with the runner.

    Attributes:
        pid: process on the device.
        threads: threads of an inference.
        cpus: processors that it may use.
    """

    pid: Count
    threads: Count
    cpus: tuple[Count, ...]


@dataclass(frozen=True)
class PostProcessingRun(_Exact):
    """Runs of the arg-max in C on a model's output, after a block of the model.

    Attributes:
        model: its id.
        block: index of the preceding block.
        kind: "classes", at the size of the logits, or "mask", at the planned size.
        durations_ns: duration of every run, without the inference.
    """

    model: Text
    block: Count
    kind: Literal["classes", "mask"]
    durations_ns: tuple[Duration, ...]


@dataclass(frozen=True)
class FrameRuns(_Exact):
    """Consecutive frames, processed through all stages after a block of the model.

    Attributes:
        model: its id.
        block: index of the preceding block.
        preparation_ns: time for every frame: resizing, normalization, conversion to the input's
            type.
        inference_ns: time for every inference, including copying the input to the runtime and the
            output from it.
        post_processing_ns: time from the output to the mask; None if no mask was planned.
    """

    model: Text
    block: Count
    preparation_ns: tuple[Duration, ...]
    inference_ns: tuple[Duration, ...]
    post_processing_ns: tuple[Duration, ...] | None

    def __post_init__(self) -> None:
        lengths = {len(stage) for stage in self.stages_ns}
        if len(lengths) > 1:
            raise ValueError("the stages have different numbers of frames")

    @property
    def stages_ns(self) -> tuple[tuple[int, ...], ...]:
        """The measured stages, in processing order."""
        stages = (self.preparation_ns, self.inference_ns, self.post_processing_ns)
        return tuple(stage for stage in stages if stage is not None)

    @property
    def durations_ns(self) -> tuple[int, ...]:
        """The total duration of every frame."""
        return tuple(map(sum, zip(*self.stages_ns, strict=True)))


@dataclass(frozen=True)
class PowerSensors(_Exact):
    """The sensors of power that spans read.

    Attributes:
        battery: what reports the battery: files of the "kernel", or Android's "service"; None if
            nothing does.
        refused: why the kernel's files cannot be read, with the path; None if they can.
        rails_from: what reports the power rails (ODPM); None if nothing does.
        rails: names of the rails.
    """

    battery: Literal["kernel", "service"] | None
    refused: Text | None
    rails_from: Literal["kernel", "service"] | None
    rails: tuple[Text, ...]


@dataclass(frozen=True)
class Span(_Exact):
    """The time between two readings of the sensors while a model runs, or while nothing runs.

    Attributes:
        model: its id.
        index: chronological index among all spans, from 0.
        cycle: cycle of the plan, from 0.
        is_idle: whether it belongs to the idle part of the cycle.
        started_ns: start time on the device's monotonic clock.
        ended_ns: end time, when the sensors were read.
        durations_ns: duration of every inference that ended in the span.
        missed_frames: number of frames that were not processed because a newer one had arrived.
        frequency_khz: clock of the processor at the end; None if unknown.
        temperature_c: temperature of the hottest of the header's sensors; None if there are none.
        thermal_status: Android's thermal status, read about once a second, 0 (none) to 6; None if
            unknown.
        battery_current: current of the battery as the kernel reports it, in microamperes according
            to the kernel's documentation; None if it cannot be read.
        battery_voltage: voltage of the battery, likewise in microvolts.
        battery_charge: charge of the battery as Android's service reports it, in
            microampere-hours; None if it was not queried.
        asleep_ns: how long the device had slept since its start when the span ended; the monotonic
            clock stands still then. None in records of earlier runners.
        rails_uws: energy that each power rail has used since the phone started, in
            microwatt-seconds, in the order of `PowerSensors.rails`.
        rails_ms: when each of these was measured, in milliseconds, on any clock.
    """

    model: Text
    index: Count
    cycle: Count
    is_idle: StrictBool
    started_ns: Count
    ended_ns: Count
    durations_ns: tuple[Duration, ...]
    missed_frames: Count
    frequency_khz: Count | None
    temperature_c: Number | None
    thermal_status: Count | None
    battery_current: StrictInt | None
    battery_voltage: Count | None
    battery_charge: Count | None = None
    asleep_ns: Count | None = None
    rails_uws: tuple[Count, ...] = ()
    rails_ms: tuple[Count, ...] = ()

    def __post_init__(self) -> None:
        if self.ended_ns <= self.started_ns:
            raise ValueError("it ends before it starts: the clock of the device jumped")
        if sum(self.durations_ns) > self.ended_ns - self.started_ns:
            raise ValueError("its inferences last longer than the span")


@dataclass(frozen=True)
class ProfileEvent(_Exact):
    """An event of the runtime's profiler.

    Attributes:
        model: its id.
        run: index of the profiled run, from 0.
        index: index among the events of the run, from 0.
        tag: name of the operator or of the delegate's kernel; for ONNX Runtime the name of the
            node.
        kind: "operator" of the graph; "delegate", a kernel in a partition of LiteRT's delegate; or
            "other", activity of the runtime, including "Invoke" for the whole run.
        start_us: on the profiler's clock; 0 for kernels of a delegate, which do not report it.
        elapsed_us: duration.
        node: LiteRT: index of the operator in its graph or of the kernel in its partition; ONNX
            Runtime: index of the node; None if unknown.
        subgraph: LiteRT: subgraph of the operator; None if unknown.
        op: ONNX Runtime: type of the node; None for LiteRT.
    """

    model: Text
    run: Count
    index: Count
    tag: Text
    kind: Literal["operator", "delegate", "other"]
    start_us: Count
    elapsed_us: Count
    node: Count | None
    subgraph: Count | None
    op: Text | None


@dataclass(frozen=True)
class _Memory(_Exact):
    """Resident memory of the process; None if unknown.

    Attributes:
        library_bytes: memory with the runtime's library, before any model.
        peak_bytes: the peak after that, before any profiled run.
    """

    library_bytes: Count | None
    peak_bytes: Count | None


@dataclass(frozen=True)
class _Error(_Exact):
    """Why the runner failed, with its `Status`."""

    status: Count
    message: Text


@dataclass(frozen=True)
class _End(_Exact):
    """The last line of a complete record."""

    crc32: Annotated[str, Field(strict=True, pattern="^[0-9a-f]{8}$")]


_TYPES: Mapping[str, TypeAdapter[Any]] = {
    "header": TypeAdapter(Header),
    "model": TypeAdapter(LoadedModel),
    "load": TypeAdapter(LoadProcess),
    "block": TypeAdapter(Block),
    "post-processing": TypeAdapter(PostProcessingRun),
    "frames": TypeAdapter(FrameRuns),
    "sensors": TypeAdapter(PowerSensors),
    "span": TypeAdapter(Span),
    "event": TypeAdapter(ProfileEvent),
    "memory": TypeAdapter(_Memory),
    "error": TypeAdapter(_Error),
    "end": TypeAdapter(_End),
}

Item = (
    Header
    | LoadProcess
    | LoadedModel
    | Block
    | PostProcessingRun
    | FrameRuns
    | PowerSensors
    | Span
    | ProfileEvent
)


@dataclass(frozen=True)
class Record:
    """The record of one run of the runner, or its valid part; items are in order of their lines."""

    header: Header | None  # None if it did not arrive
    load: LoadProcess | None  # None without a load
    models: tuple[LoadedModel, ...]
    blocks: tuple[Block, ...]
    post_processing: tuple[PostProcessingRun, ...]
    frames: tuple[FrameRuns, ...]
    sensors: PowerSensors | None  # None without an activity
    spans: tuple[Span, ...]
    events: tuple[ProfileEvent, ...]
    library_memory_bytes: int | None  # of the process, before any model
    peak_memory_bytes: int | None  # after that, with all models, without profiled runs
    complete: bool  # whether nothing is missing and nothing was altered
    problem: str | None  # why it is not complete, in one line without a final period
    status: int | None  # exit status the runner announced, if it did


def read_record(lines: Iterable[str]) -> Record:
    """Parse lines of the runner, with or without line ends, even if damaged.

    Never raises.
    """
    reader = RecordReader()
    for line in lines:
        reader.add(line)
    return reader.record()


@dataclass
class RecordReader:
    """Parses a record line by line, as it arrives."""

    _items: list[Any] = field(default_factory=list)
    _checksum: int = 0
    _models: set[str] = field(default_factory=set)
    _blocks: int = 0
    _spans: int = 0
    _problem: str | None = None
    _ended: bool = False

    def add(self, line: str) -> Item | None:
        """Parse the next line; return its item, or None if it is invalid or has no item."""
        if self._problem is not None:
            return None
        try:
            item = self._read(line.rstrip("\r\n"))
        except ValueError as error:
            self._problem = f"line {len(self._items) + 1} is not from the runner: {error}"
            return None
        return item if isinstance(item, Item) else None

    def record(self) -> Record:
        """Return the record so far."""
        problem = self._problem
        if problem is None and not self._ended:
            problem = "the end is missing: the run was cut off"
        error = next(self._all(_Error), None)
        memory = next(self._all(_Memory), None)
        return Record(
            header=next(self._all(Header), None),
            load=next(self._all(LoadProcess), None),
            models=tuple(self._all(LoadedModel)),
            blocks=tuple(self._all(Block)),
            post_processing=tuple(self._all(PostProcessingRun)),
            frames=tuple(self._all(FrameRuns)),
            sensors=next(self._all(PowerSensors), None),
            spans=tuple(self._all(Span)),
            events=tuple(self._all(ProfileEvent)),
            library_memory_bytes=memory and memory.library_bytes,
            peak_memory_bytes=memory and memory.peak_bytes,
            complete=problem is None and error is None,
            problem=problem if error is None else error.message,
            status=error and error.status,
        )

    def _all(self, kind: type) -> Iterator[Any]:
        return (item for item in self._items if isinstance(item, kind))

    def _read(self, line: str) -> Any:
        if self._ended:
            raise ValueError("it follows the end")
        text = line.encode()
        item = _parse(text, len(self._items))
        self._check(item)
        self._items.append(item)
        self._checksum = zlib.crc32(text + b"\n", self._checksum)
        return item

    def _check(self, item: Any) -> None:
        """Check that a line is consistent with those before it."""
        is_first = not self._items
        if isinstance(item, Header) != is_first and not (is_first and isinstance(item, _Error)):
            raise ValueError("the header has to be the first line, and no other line")
        if isinstance(item, LoadedModel):
            if item.id in self._models:
                raise ValueError(f"the model {item.id!r} appears twice")
            self._models.add(item.id)
        of_model = Block | PostProcessingRun | FrameRuns | Span | ProfileEvent
        if isinstance(item, of_model) and item.model not in self._models:
            raise ValueError(f"there is no model {item.model!r}")
        if isinstance(item, Block):
            if item.index != self._blocks:
                raise ValueError(f"block {item.index} follows {self._blocks} blocks")
            if len(item.cpus) != len(item.durations_ns):
                raise ValueError("the numbers of processors and runs differ")
            if item.page_faults is None or item.context_switches is None:
                raise ValueError("page faults and context switches are missing")
            self._blocks += 1
        if isinstance(item, Span):
            if item.index != self._spans:
                raise ValueError(f"span {item.index} follows {self._spans} spans")
            self._spans += 1
        if isinstance(item, PostProcessingRun | FrameRuns) and item.block >= self._blocks:
            raise ValueError(f"there is no block {item.block}")
        if isinstance(item, _End) and item.crc32 != f"{self._checksum:08x}":
            raise ValueError("the checksum does not match: something was altered")
        self._ended = isinstance(item, _End | _Error)


def _parse(line: bytes, number: int) -> Any:
    if len(line) > MAX_LINE:
        raise ValueError(f"it has {len(line)} bytes")
    fields = from_json(line, allow_inf_nan=False)
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    found, kind = fields.pop("line", None), fields.pop("type", None)
    if type(found) is not int or found != number:
        raise ValueError(f"its number is {found!r:.40}, expected {number}")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"its type is {kind!r:.40}")
    try:
        return _TYPES[kind].validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{kind} {where:.40}: {first['msg']}") from None
