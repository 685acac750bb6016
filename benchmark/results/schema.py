"""The results of a benchmark as a JSON object: what was measured, on what, how, in what state.

One object is of one device. Everything that was measured is in it run by run, so that every number
derived from it can be computed again. What a device does not say is null. Raw times are in
nanoseconds and kHz as they were read; what is derived from them is in milliseconds.

A time from an emulated processor is no latency: there `latency` of every model is null and the
times stand in `emulated`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import NonNegativeInt, model_validator

from seaformer.artifact.accelerators import ACCELERATORS, CPU, GPU, AcceleratorName
from seaformer.benchmark.devices.cores import core_list
from seaformer.benchmark.devices.device import Conditions, DeviceFacts
from seaformer.benchmark.results.base import Document, FrozenModel
from seaformer.benchmark.results.breakdown import Breakdown
from seaformer.benchmark.results.table_kinds import TableName
from seaformer.benchmark.runner.record import (
    Block,
    FrameRuns,
    Header,
    LoadedModel,
    PostProcessingRun,
)
from seaformer.errors import SeaformerError, quoted
from seaformer.files import read_limited
from seaformer.json_text import JsonError, parse_model
from seaformer.statistics.bootstrap import Ratio, Summary

SCHEMA_VERSION = 1
FILE_NAME = "results.json"
CSV_NAME = "results.csv"
REPORT_NAME = "report.html"
UNFINISHED_NAME = "unfinished.json"
"""What there is of a `FILE_NAME` while it is measured."""

MAX_FILE_BYTES = 64 * 2**20
"""Of a results.json: every run takes some 20, and there are 100 000 of a model at most."""

Purpose = Literal["check", "measure", "prefix"]
StoppedBy = Literal["runs", "precision", "time limit", "problem", "interrupt"]


class RuntimeUsed(FrozenModel):
    """The runtime that ran the models.

    Attributes:
        name: in words ("LiteRT").
        version: of its library; null if the tool does not say.
        file: name of the library, or of the official tool; `sha256` is of it.
        driver: what computes for an accelerator ("SwiftShader"), where it is not the device's own.
    """

    name: str
    version: str | None
    file: str
    sha256: str
    driver: str | None = None


class CoresUsed(FrozenModel):
    """The cores that the models ran on.

    Attributes:
        name: as chosen: "prime", "big+little", "mask c0".
        cores: their numbers.
        mask: bare hexadecimal, as `taskset` takes it.
        max_khz: core -> the highest frequency it has; cores that do not say are left out.
    """

    name: str
    cores: tuple[int, ...]
    mask: str
    max_khz: Mapping[int, int]

    def __str__(self) -> str:
        """Such as "big (core 4-6, up to 2.42 GHz)"."""
        speeds = sorted(set(self.max_khz.values()), reverse=True)
        gigahertz = (
            f", up to {'/'.join(f'{khz / 1e6:.2f}' for khz in speeds)} GHz" if speeds else ""
        )
        return f"{self.name} (core {core_list(self.cores)}{gigahertz})"


class Protocol(FrozenModel):
    """How it was measured.

    Attributes:
        runs: timed runs per model that were asked for; null with `until`.
        until: half-width of the medians' intervals that was asked for, as a share of the median.
        runs_per_round: timed runs of a model in a round.
        warmup_runs: uncounted runs of a model at the start of a round.
        time_limit_s: of the whole benchmark.
        cool_below_c: temperature above which no round starts; null if none was asked for or the
            device shows no temperature.
        keep_throttled: whether rounds that were throttled count.
        seed: of the order of models, of the noise and of the bootstrap.
        half: whether files of floating point were computed in half precision where the processor
            or the accelerator can.
        requires_full_acceleration: whether models failed that the accelerator does not take whole.
        npu_power: power mode of the NPU, as given to --npu-power; null elsewhere.
        frame_size: width and height of the frames of the camera that were measured; null if none
            were.
    """

    runs: int | None
    until: float | None
    runs_per_round: int
    warmup_runs: int
    time_limit_s: float
    cool_below_c: float | None
    keep_throttled: bool
    seed: NonNegativeInt
    half: bool = False
    npu_power: str | None = None
    requires_full_acceleration: bool = False
    frame_size: tuple[int, int] | None = None

    @property
    def frame_text(self) -> str:
        """Width and height of the frames, such as "1280x720"; empty without."""
        return "x".join(map(str, self.frame_size or ()))


class InputUsed(FrozenModel):
    """What a model was given.

    Attributes:
        source: "photograph", the one of the package, prepared as the model's metadata says, or
            "noise".
        name: of the tensor.
        dtype: as NumPy calls it.
        shape: of the tensor.
        sha256: of its bytes.
    """

    source: Literal["photograph", "noise", "random by the tool"]
    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width if it is an image; None if it is none."""
        return image_size(self.shape)


def image_size(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return height and width of an image, [1, H, W, 3] or [1, 3, H, W]; None if it is none."""
    if len(shape) != 4 or shape[0] != 1 or 3 not in (shape[1], shape[3]):
        return None
    height, width = shape[1:3] if shape[3] == 3 else shape[2:4]
    return height, width


class Accuracy(FrozenModel):
    """How near a file is to what it was made from, on a computer and not on the device.

    Attributes:
        reference: what it was compared with, in words.
        inputs: what both were given, in words.
        agreement: share of positions (images in classification) with the same largest class,
            0..1; of several inputs the least.
        score: mIoU (top-1 in classification) in percent; null without a truth.
        score_inputs: what it was measured on, in words.
        reference_score: of what it was compared with.
        difference_points: `score` - `reference_score`.
        low_points: lower end of its 95 % interval; null if unknown.
        high_points: upper end.
    """

    reference: str
    inputs: str
    agreement: float
    score: float | None = None
    score_inputs: str | None = None
    reference_score: float | None = None
    difference_points: float | None = None
    low_points: float | None = None
    high_points: float | None = None


@dataclass(frozen=True)
class Parity:
    """A device's output against the reference.

    Attributes:
        reference: what computed the reference.
        sqnr_db: 10 log10(sum r^2 / sum (r - o)^2); None for class ids.
        max_abs_error: largest difference; None for class ids.
        agreement: share of positions with the same class, 0..1; None if the output has no classes.
        min_sqnr_db: the least of `sqnr_db` that passes.
        min_agreement: the least of `agreement` that passes.
        passed: whether the output is finite and reaches both.
    """

    reference: str
    sqnr_db: float | None
    max_abs_error: float | None
    agreement: float | None
    min_sqnr_db: float
    min_agreement: float
    passed: bool


class ModelFacts(FrozenModel):
    """What an exported file says about itself; null where it says nothing."""

    name: str | None = None
    variant: str | None = None
    model: str | None = None
    task: str | None = None
    kind: str | None = None
    precision: str | None = None
    head: str | None = None
    normalization: str | None = None
    params: int | None = None
    macs: int | None = None
    weights: str | None = None
    is_random: bool | None = None
    content_sha256: str | None = None
    accuracy: Accuracy | None = None


@dataclass(frozen=True)
class ToolSummary:
    """The times that an official tool gives, in milliseconds: no single runs, so no interval.

    What it does not give is None; `std_ms` is the standard deviation, `memory_mb` the peak of the
    process, or else its growth by the model.
    """

    runs: int
    mean_ms: float
    min_ms: float | None
    max_ms: float | None
    std_ms: float | None
    median_ms: float | None
    memory_mb: float | None


STAGES = ("preparation", "inference", "post-processing")
"""What a frame of the camera goes through."""


class FrameTimes(FrozenModel):
    """The times of whole frames of the camera, from RGB to the mask, as the Android demo takes it.

    Attributes:
        preparation_ms: resizing, normalisation, conversion to the input's type.
        inference_ms: with the copies of the input to the runtime and of the output from it.
        post_processing_ms: from the output to the mask, at the size of what the model sees of the
            frame; null if it makes no mask.
        frame_ms: the stages of each frame together, what a user waits for.
    """

    preparation_ms: Summary
    inference_ms: Summary
    post_processing_ms: Summary | None
    frame_ms: Summary

    @property
    def stages(self) -> dict[str, Summary]:
        """The stages that there are, by their names in `STAGES`, in the order of time."""
        summaries = (self.preparation_ms, self.inference_ms, self.post_processing_ms)
        found = zip(STAGES, summaries, strict=True)
        return {name: summary for name, summary in found if summary is not None}


class Times(FrozenModel):
    """The times of a model.

    Attributes:
        run: of one inference; null if an official tool measured, see `tool`.
        tool: what an official tool gives instead.
        load_ms: median over rounds, from the file to ready to run; null if not measured.
        first_inference_ms: median over rounds; null if not measured.
        classes: of the arg-max at the size of the logits, in C, after the inference; null if the
            model gives no logits.
        mask: of the arg-max at the size of the input, likewise.
        frame: of whole frames; null if they were not asked for.
    """

    run: Summary | None
    tool: ToolSummary | None = None
    load_ms: float | None
    first_inference_ms: float | None
    classes: Summary | None = None
    mask: Summary | None = None
    frame: FrameTimes | None = None

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.run is None and self.tool is None:
            raise ValueError("run and tool are both null. Allowed: one of them")
        return self

    @property
    def typical_ms(self) -> float:
        """The median, or the mean where a tool gives no more."""
        if self.run is not None:
            return self.run.median_ms
        assert self.tool is not None
        return self.tool.mean_ms if self.tool.median_ms is None else self.tool.median_ms


class Coverage(FrozenModel):
    """How much of a model an accelerator took; the CPU computed the rest.

    Attributes:
        full: whether it took every operator.
        taken: how many operators; null if the runtime does not say, or if it took all.
        left: how many the CPU computed, likewise.
    """

    full: bool
    taken: int | None = None
    left: int | None = None

    def __str__(self) -> str:
        """Such as "all", "in part", or "12 of 13" operators."""
        if self.full:
            return "all"
        if self.taken is None or self.left is None:
            return "in part"
        return f"{self.taken} of {self.taken + self.left}"


class AddedMemory(FrozenModel):
    """What a model alone adds to the memory of a process that has loaded the runtime's library.

    Attributes:
        compiled_bytes: once it is loaded and compiled, before the first inference.
        peak_bytes: at most, while it is loaded and runs; null if the device does not say.
    """

    compiled_bytes: int
    peak_bytes: int | None


class ModelResult(FrozenModel):
    """One model.

    Attributes:
        id: what raw data calls it.
        file: path as it was given.
        bytes: size of the file.
        sha256: of the file.
        title: the model in words.
        precision: as its metadata says; "unknown" without.
        facts: the rest of its metadata.
        input: what it was given.
        note: what else a user should know; may be empty.
        parity: its output on the device against this computer's own runtime; null if it was not
            compared, which `note` explains.
        latency: null if the device is emulated, the output is wrong, or nothing was measured.
        emulated: the same of an emulated device: no latency.
        peak_memory_bytes: of a process with this model alone, the runtime's library included, which
            may take more than the model; null if unknown.
        coverage: how much of it the accelerator took; null on the CPU, and where the runtime does
            not say.
        memory: what the model adds; null in files of earlier versions, and where it is unknown.
        breakdown: where the time goes; null if that was not asked for or not measured.
        threads: of its own; null where they are those of the benchmark.
        cores: likewise.
    """

    id: str
    file: str
    bytes: int
    sha256: str
    title: str
    precision: str
    facts: ModelFacts
    input: InputUsed
    note: str
    parity: Parity | None
    latency: Times | None
    emulated: Times | None
    peak_memory_bytes: int | None
    coverage: Coverage | None = None
    memory: AddedMemory | None = None
    breakdown: Breakdown | None = None
    threads: int | None = None
    cores: CoresUsed | None = None

    @property
    def file_name(self) -> str:
        """The file without its folders, of whatever system it was given on."""
        return self.file.replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def setting(self) -> str:
        """Behind the name of a file that is measured several times: " @ 2 threads on big"."""
        if self.threads is None or self.cores is None:
            return ""
        return f" @ {self.threads} thread{'s' * (self.threads > 1)} on {self.cores.name}"

    @property
    def label(self) -> str:
        """Name to show to people."""
        return self.file_name + self.setting

    @property
    def times(self) -> Times | None:
        """Its times, latency or emulated: whichever the device has."""
        return self.latency or self.emulated

    @property
    def frame(self) -> FrameTimes | None:
        """The times of whole frames, latency or emulated; None if they were not measured."""
        return None if self.times is None else self.times.frame

    @property
    def added_peak_bytes(self) -> int | None:
        """What it adds to the memory of a process at its peak; None if unknown."""
        return None if self.memory is None else self.memory.peak_bytes

    @property
    def is_wrong(self) -> bool:
        """Whether the output was compared and is wrong."""
        return self.parity is not None and not self.parity.passed


class PairRatio(FrozenModel):
    """How many times as long `model` takes as `base`, both measured in the same rounds."""

    model: str
    base: str
    ratio: Ratio


def find_ratio(ratios: Iterable[PairRatio], model: str, base: str) -> Ratio | None:
    """The ratio of two models by their ids; None if they were not both measured."""
    for one in ratios:
        if (one.model, one.base) == (model, base):
            return one.ratio
        if (one.model, one.base) == (base, model):
            return one.ratio.inverse()
    return None


class Round(FrozenModel):
    """One process on the device, in which every model had its turn: raw data.

    Attributes:
        index: from 0, in the order of time.
        purpose: "check" for the process of a single model whose output was compared, "measure", or
            "prefix" for one of a breakdown, whose models are the cuts of one model and that model
            whole, under ids of their own.
        used: whether its blocks count; those of a check and throttled ones do not.
        throttled: how it was seen that the device throttled; null if it did not.
        complete: whether the runner got to its end and all its lines arrived whole.
        header: of the runner's record.
        loaded: the models, with their load and warm-up times.
        blocks: the timed runs.
        tails: the timed runs of the post-processing, the arg-max in C.
        peak_memory_bytes: of the process; since the library was loaded, if that is known:
        library_memory_bytes: of the process, before any model; null if unknown.
        coverage: of the single model of a check, see `ModelResult`.
        conditions_after: the state of the device at the end; null if it could not be read.
        turn: rounds of one turn belong together: every setting has one in it, and ratios between
            settings are formed turn by turn. Null where every round has all the models.
        frames: the timed runs of whole frames.
    """

    index: int
    purpose: Purpose
    used: bool
    throttled: str | None
    complete: bool
    header: Header | None
    loaded: tuple[LoadedModel, ...]
    blocks: tuple[Block, ...]
    tails: tuple[PostProcessingRun, ...]
    peak_memory_bytes: int | None
    conditions_after: Conditions | None
    turn: int | None = None
    library_memory_bytes: int | None = None
    coverage: Coverage | None = None
    frames: tuple[FrameRuns, ...] = ()


class Results(Document):
    """The whole object.

    Attributes:
        created_at: when the benchmark began.
        command: what was asked for, to be pasted again.
        complete: whether all was measured that was asked for.
        stopped_by: what ended the measuring.
        problem: why it is not complete; null if it is.
        emulated: whether the device's processor is emulated, or the driver of its accelerator is a
            program on the processor.
        device: what it is.
        backend: as given to --backend.
        accelerator: what computed: "cpu", "gpu" or "npu".
        runtime: what ran the models.
        threads: of one inference, of models that have none of their own.
        cores: that they ran on, likewise.
        protocol: how it was measured.
        conditions_before: the state of the device before the first round.
        conditions_after: and after the last; null if it could not be read.
        unknown: what the device does not say, in words.
        versions: of the programs on this computer.
        warnings: what a reader of the numbers has to know.
        models: in the order they were given.
        ratios: of every pair of measured models, the later one relative to the earlier one; empty
            if the device is emulated.
        rounds: raw data.
        table: the kind of table of the paper that was asked for, see `table_kinds`; null if
            none was.
    """

    created_at: datetime
    command: str
    complete: bool
    stopped_by: StoppedBy
    problem: str | None
    emulated: bool
    device: DeviceFacts
    backend: str
    runtime: RuntimeUsed
    threads: int
    cores: CoresUsed
    protocol: Protocol
    conditions_before: Conditions
    conditions_after: Conditions | None
    unknown: tuple[str, ...]
    versions: dict[str, str]
    warnings: tuple[str, ...]
    models: tuple[ModelResult, ...]
    ratios: tuple[PairRatio, ...]
    rounds: tuple[Round, ...]
    table: TableName | None = None
    accelerator: AcceleratorName = "cpu"

    @model_validator(mode="after")
    def _check_runs(self) -> Self:
        used = [block for one in self.rounds if one.used for block in one.blocks]
        measured = {block.model for block in used if block.durations_ns}
        for model in self.models:
            has_runs = model.times is not None and model.times.run is not None
            if has_runs and model.id not in measured:
                raise ValueError(f"rounds have no runs of the model {quoted(model.id)}")
        if len({model.id for model in self.models}) < len(self.models):
            raise ValueError("models have the same id twice")
        return self

    @property
    def names(self) -> dict[str, str]:
        """Id of each model -> its label, or its whole path where two have the same label."""
        count = Counter(model.label for model in self.models)
        return {
            model.id: model.label if count[model.label] == 1 else model.file + model.setting
            for model in self.models
        }

    @property
    def computed_on(self) -> str:
        """What computed, if not the CPU: "GPU in half precision, SwiftShader"; else empty."""
        if self.accelerator == CPU:
            return ""
        words = ACCELERATORS[self.accelerator].title
        if self.accelerator == GPU:
            words += f" in {'half' if self.protocol.half else 'single'} precision"
        power = self.protocol.npu_power
        mode = None if power is None else f"power mode {power}"
        return ", ".join(filter(None, (words, self.runtime.driver, mode)))

    @property
    def emulation(self) -> str:
        """Why times are no latency, in words; empty if they are."""
        if not self.emulated:
            return ""
        if self.runtime.driver is not None and not self.device.is_emulated:
            return f"{self.runtime.driver} computes on the processor"
        return "The processor is emulated"

    def threads_of(self, model: ModelResult) -> int:
        """The threads of one inference of a model."""
        return self.threads if model.threads is None else model.threads

    def cores_of(self, model: ModelResult) -> CoresUsed:
        """The cores that a model ran on."""
        return self.cores if model.cores is None else model.cores

    @property
    def all_threads(self) -> str:
        """How many threads there were, in words: "1, 2, 4 threads"."""
        counts = list(dict.fromkeys(self.threads_of(model) for model in self.models))
        return f"{', '.join(map(str, counts))} thread{'s' * (counts != [1])}"

    @property
    def all_cores(self) -> str:
        """The cores that models ran on, in words."""
        return ", ".join(dict.fromkeys(str(self.cores_of(model)) for model in self.models))

    def ratio(self, model: str, base: str) -> Ratio | None:
        """The ratio of two models by their ids; None if they were not both measured."""
        return find_ratio(self.ratios, model, base)


def read_results(path: Path) -> Results:
    """Read a results.json.

    Args:
        path: the file, or the folder it is in, where an unfinished one is taken if there is no
            other.

    Raises:
        SeaformerError: it is missing, or none that this version of seaformer wrote.
    """
    if path.is_dir():
        both = (path / FILE_NAME, path / UNFINISHED_NAME)
        path = next((one for one in both if one.is_file()), both[0])
    if not path.is_file():
        raise SeaformerError(
            f"there is no file '{path}'. Give a {FILE_NAME} of seaformer-benchmark."
        )
    try:
        return parse_model(Results, read_limited(path, MAX_FILE_BYTES))
    except JsonError as error:
        raise SeaformerError(
            f"'{path}' is no {FILE_NAME} of schema version {SCHEMA_VERSION}: {error}. Measure "
            "again with this version of seaformer."
        ) from error
