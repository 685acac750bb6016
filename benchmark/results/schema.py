"""The results of a benchmark as a JSON object: models, device, protocol and conditions.

An object covers one device. It contains the raw data of every run, so that all derived numbers can
be recomputed. Values that a device does not report are null. Raw durations are in nanoseconds and
frequencies in kHz, as they were read; derived durations are in milliseconds.

A time from an emulated processor is not a latency: `latency` of every model is then null, and its
times are in `emulated`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

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
    LoadProcess,
    PostProcessingRun,
    PowerSensors,
    Span,
)
from seaformer.errors import SeaformerError, quoted
from seaformer.files import read_limited
from seaformer.json_text import JsonError, parse_model
from seaformer.statistics.bootstrap import Ratio, Summary

SCHEMA_VERSION = 1
FILE_NAME = "results.json"
CSV_NAME = "results.csv"
REPORT_NAME = "report.html"
COMPARISON_NAME = "comparison.html"
"""Page of the comparison with an older benchmark."""
UNFINISHED_NAME = "unfinished.json"
"""Name of the partial results while a benchmark runs."""

MAX_FILE_BYTES = 64 * 2**20
"""Limit for a results.json: a run takes about 20 bytes, and a model has at most 100 000 runs."""

NATIVE = "a program on the device"
"""What measured unless a browser did, as text."""

Described = Annotated[str, Field(max_length=1000)]
"""A browser's text about itself."""

Purpose = Literal["check", "measure", "prefix", "sustain", "energy", "fill", "start"]
StoppedBy = Literal["runs", "precision", "time limit", "problem", "interrupt"]


class RuntimeUsed(FrozenModel):
    """The runtime that ran the models.

    Attributes:
        name: display name ("LiteRT").
        version: version of its library; null if the tool does not report it.
        file: name of the library, or of the official tool; `sha256` is its checksum.
        driver: software that emulates the accelerator ("SwiftShader"), or the driver of an NPU;
            null for the driver of the device.
    """

    name: str
    version: str | None
    file: str
    sha256: str
    driver: str | None = None


class BrowserFacts(FrozenModel):
    """The browser that measured, as it describes itself.

    Browsers round, limit or hide what they say about a device. A page learns nothing about
    temperatures, clock frequencies, cores or other programs.

    Attributes:
        name: name and version, such as "Chromium 150.0".
        user_agent: its full description of itself.
        processors: number of logical processors that it reports; null if unknown.
        memory_gib: size of the main memory, rounded and limited by the browser; null if unknown.
        gpu: description of the GPU by WebGPU; null if unknown or not used.
        isolated: whether the page was cross-origin isolated, which threads and a precise clock
            require.
        clock_ms: smallest step of its clock that was seen; every run is rounded to it.
    """

    name: Described
    user_agent: Described
    processors: NonNegativeInt | None
    memory_gib: NonNegativeFloat | None
    gpu: Described | None
    isolated: bool
    clock_ms: NonNegativeFloat

    @property
    def setting(self) -> str:
        """What affects latency, as text; two devices may be described alike."""
        processors = "unknown" if self.processors is None else self.processors
        isolation = "isolated" if self.isolated else "not isolated"
        parts = (self.user_agent, f"{processors} processors", self.gpu, isolation)
        return ", ".join(filter(None, parts))


class CoresUsed(FrozenModel):
    """The cores that the models ran on.

    Attributes:
        name: the chosen value: "prime", "big+little", "mask c0"; "chosen by the browser".
        cores: their numbers; empty if unknown.
        mask: bare hexadecimal, as `taskset` takes it; empty if unknown.
        max_khz: core -> its highest frequency; cores that do not report it are omitted.
    """

    name: str
    cores: tuple[int, ...]
    mask: str
    max_khz: Mapping[int, int]

    def __str__(self) -> str:
        """Describe the cluster, such as "big (core 4-6, up to 2.42 GHz)"."""
        if not self.cores:
            return f"cores {self.name}"
        speeds = sorted(set(self.max_khz.values()), reverse=True)
        gigahertz = (
            f", up to {'/'.join(f'{khz / 1e6:.2f}' for khz in speeds)} GHz" if speeds else ""
        )
        return f"{self.name} (core {core_list(self.cores)}{gigahertz})"


class CameraFrames(FrozenModel):
    """The frames of the load of a camera, which are converted from YUV 4:2:0 to RGB and resized.

    Attributes:
        frame_size: width and height of a frame.
        size: width and height after resizing.
        rate_per_s: frames that arrive in a second.
    """

    frame_size: tuple[int, int]
    size: tuple[int, int]
    rate_per_s: float


class LoadUsed(FrozenModel):
    """The load that ran beside the models during half of the runs, in a process of its own.

    Attributes:
        kind: a "model" that runs back to back, or a "camera".
        threads: number of threads.
        cores: the cores that it ran on, none of which the models ran on.
        file: path of the model as it was given; null for a camera.
        sha256: SHA-256 of the model; null for a camera.
        camera: the frames of the camera; null for a model.
    """

    kind: Literal["model", "camera"]
    threads: int
    cores: CoresUsed
    file: str | None
    sha256: str | None
    camera: CameraFrames | None

    @property
    def title(self) -> str:
        """Display name."""
        if self.file is None:
            return "the work of a camera"
        return self.file.replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def unit(self) -> str:
        """What it counts."""
        return "frames" if self.kind == "camera" else "inferences"

    def __str__(self) -> str:
        """Describe it with threads and cores."""
        what = f"{self.title}, back to back"
        if (camera := self.camera) is not None:
            sizes = ["x".join(map(str, size)) for size in (camera.frame_size, camera.size)]
            what = (
                f"{self.title}: {camera.rate_per_s:g} frames of {sizes[0]} per second, converted "
                f"from YUV to RGB and resized to {sizes[1]}"
            )
        return f"{what}, {self.threads} thread{'s' * (self.threads > 1)} on {self.cores}"


class Protocol(FrozenModel):
    """How it was measured.

    Attributes:
        runs: requested timed runs per model; null with `until`.
        until: requested half-width of the intervals of the medians, relative to the median.
        runs_per_round: timed runs of a model in a round.
        warmup_runs: untimed runs of a model at the start of a round.
        time_limit_s: time limit of the whole benchmark.
        cool_below_c: temperature above which no round starts; null if none was requested or the
            device does not report a temperature.
        keep_throttled: whether throttled rounds are used.
        seed: random seed of the order of models, of the noise and of the bootstrap.
        half: whether floating-point files were computed in half precision where the processor or
            the accelerator supports it.
        requires_full_acceleration: whether a model failed if the accelerator could not run every
            operator.
        npu_power: power mode of the NPU, as given to --npu-power; null elsewhere.
        frame_size: width and height of the measured camera frames; null if none were measured.
        load: what ran beside the models during half of the runs; null without --beside.
        cache: the runtime's compilation cache, with and without which cold starts were measured, or
            why there is none; empty without --cold-start.
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
    load: LoadUsed | None = None
    cache: str = ""

    @property
    def frame_text(self) -> str:
        """Width and height of the frames, such as "1280x720"; empty without frames."""
        return "x".join(map(str, self.frame_size or ()))


class InputUsed(FrozenModel):
    """The input of a model.

    Attributes:
        source: "photograph", the bundled photo, preprocessed as the model's metadata specifies;
            "noise"; or "random by the tool".
        name: name of the tensor.
        dtype: NumPy name of the element type.
        shape: shape of the tensor.
        sha256: SHA-256 of its bytes.
    """

    source: Literal["photograph", "noise", "random by the tool"]
    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width if it is an image, else None."""
        return image_size(self.shape)


def image_size(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return height and width of an image, [1, H, W, 3] or [1, 3, H, W]; None for other shapes."""
    if len(shape) != 4 or shape[0] != 1 or 3 not in (shape[1], shape[3]):
        return None
    height, width = shape[1:3] if shape[3] == 3 else shape[2:4]
    return height, width


class Accuracy(FrozenModel):
    """How close a file is to the model it was exported from, evaluated on a host, not the device.

    Attributes:
        reference: description of the model it was compared with.
        inputs: description of the inputs of both models.
        agreement: share of positions (images in classification) with the same top class, 0..1;
            the lowest over several inputs.
        score: mIoU (top-1 in classification) in percent; null without ground truth.
        score_inputs: description of the inputs of the score.
        reference_score: score of the reference.
        difference_points: `score` - `reference_score`.
        low_points: lower end of the 95 % interval of the difference; null if unknown.
        high_points: upper end of that interval.
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
        min_sqnr_db: threshold of `sqnr_db`.
        min_agreement: threshold of `agreement`.
        passed: whether the output is finite and reaches both thresholds.
    """

    reference: str
    sqnr_db: float | None
    max_abs_error: float | None
    agreement: float | None
    min_sqnr_db: float
    min_agreement: float
    passed: bool


class ModelFacts(FrozenModel):
    """Metadata of an exported file; null where it has none."""

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
    """The times that an official tool reports, in milliseconds.

    It does not report individual runs, so there are no intervals. Values that it does not report
    are None. `std_ms` is the standard deviation; `memory_mb` is the peak memory of the process or,
    if that is not reported, the memory that the model adds.
    """

    runs: int
    mean_ms: float
    min_ms: float | None
    max_ms: float | None
    std_ms: float | None
    median_ms: float | None
    memory_mb: float | None


STAGES = ("preparation", "inference", "post-processing")
"""Stages of processing a camera frame."""


class FrameTimes(FrozenModel):
    """The times of whole camera frames, from RGB to the mask, as in the Android demo.

    Attributes:
        preparation_ms: resizing, normalization, conversion to the input's type.
        inference_ms: inference, including copying the input to the runtime and the output from it.
        post_processing_ms: time from the output to the mask, at the size of the part of the frame
            that the model sees; null if it does not produce a mask.
        frame_ms: all stages of a frame together, the latency that a user sees.
    """

    preparation_ms: Summary
    inference_ms: Summary
    post_processing_ms: Summary | None
    frame_ms: Summary

    @property
    def stages(self) -> dict[str, Summary]:
        """The measured stages by their names in `STAGES`, in processing order."""
        summaries = (self.preparation_ms, self.inference_ms, self.post_processing_ms)
        found = zip(STAGES, summaries, strict=True)
        return {name: summary for name, summary in found if summary is not None}


class BesideTimes(FrozenModel):
    """The latency of a model beside the load, in the rounds in which it was also measured alone.

    Attributes:
        run: latency of one inference.
        ratio: that latency / the latency alone; null if the load completed nothing meanwhile, so
            that it is not proven to have run.
        load_count: inferences or frames that the load completed during these runs.
        load_per_s: the same per second.
        load_cores: cores on which it completed them.
    """

    run: Summary
    ratio: Ratio | None
    load_count: int
    load_per_s: float
    load_cores: tuple[int, ...]


class Times(FrozenModel):
    """The times of a model.

    Attributes:
        run: latency of one inference; null if an official tool measured, see `tool`.
        tool: latency that an official tool reports instead.
        load_ms: time from opening the file until the model is ready to run, the median over
            rounds; null if not measured.
        first_inference_ms: time of the first inference, the median over rounds; null if not
            measured.
        classes: latency of the arg-max at the size of the logits, in C, after the inference; null
            if the model does not return logits.
        mask: the same at the size of the input.
        frame: latency of whole frames; null if they were not requested.
        beside: latency beside the load; null without --beside.
    """

    run: Summary | None
    tool: ToolSummary | None = None
    load_ms: float | None
    first_inference_ms: float | None
    classes: Summary | None = None
    mask: Summary | None = None
    frame: FrameTimes | None = None
    beside: BesideTimes | None = None

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.run is None and self.tool is None:
            raise ValueError("run and tool are both null. Required: one of them")
        return self

    @property
    def typical_ms(self) -> float:
        """The median, or the mean if a tool does not report the median."""
        if self.run is not None:
            return self.run.median_ms
        assert self.tool is not None
        return self.tool.mean_ms if self.tool.median_ms is None else self.tool.median_ms


class Coverage(FrozenModel):
    """How much of a model an accelerator ran; the CPU ran the rest.

    Attributes:
        full: whether it ran every operator.
        taken: number of operators it ran; null if it ran all, or if the runtime does not report
            the number.
        left: number of operators the CPU ran; null in the same cases.
    """

    full: bool
    taken: int | None = None
    left: int | None = None

    def __str__(self) -> str:
        """Share of operators: "all", "in part", or a count such as "12 of 13"."""
        if self.full:
            return "all"
        if self.taken is None or self.left is None:
            return "in part"
        return f"{self.taken} of {self.taken + self.left}"


class AddedMemory(FrozenModel):
    """Memory that a single model adds to a process that has loaded the runtime's library.

    Attributes:
        compiled_bytes: after loading and compiling, before the first inference.
        peak_bytes: peak while it is loaded and runs; null if the device does not report it.
    """

    compiled_bytes: int
    peak_bytes: int | None


class ModelResult(FrozenModel):
    """Results of one model.

    Attributes:
        id: id of the model in the raw data.
        file: path of the file, as it was given.
        bytes: size of the file.
        sha256: SHA-256 of the file.
        title: description of the model.
        precision: precision in its metadata; "unknown" without metadata.
        facts: the rest of its metadata.
        input: the input that it was measured with.
        note: remark for the user; may be empty.
        parity: its output on the device compared with the output of the host's runtime; null if
            it was not compared, as `note` explains.
        latency: null if the device is emulated, the output is wrong, or nothing was measured.
        emulated: the times on an emulated device, which are not latency.
        peak_memory_bytes: peak memory of a process with only this model, including the runtime's
            library, which may take more than the model; null if unknown.
        coverage: how much of it the accelerator ran; null on the CPU, and if the runtime does not
            report it.
        memory: memory that the model adds; null in files of earlier versions, and if unknown.
        breakdown: latency by module; null if that was not requested or not measured.
        threads: its own number of threads; null if it has the benchmark's.
        cores: its own cores; null if it has the benchmark's.
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
        """The file without its folders, for paths of any operating system."""
        return self.file.replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def setting(self) -> str:
        """Suffix of the name of a file with several settings, such as " @ 2 threads on big"."""
        if self.threads is None or self.cores is None:
            return ""
        return f" @ {self.threads} thread{'s' * (self.threads > 1)} on {self.cores.name}"

    @property
    def label(self) -> str:
        """Display name."""
        return self.file_name + self.setting

    @property
    def times(self) -> Times | None:
        """Its times, from `latency` or `emulated`, whichever is set."""
        return self.latency or self.emulated

    @property
    def frame(self) -> FrameTimes | None:
        """The times of whole frames, real or emulated; None if they were not measured."""
        return None if self.times is None else self.times.frame

    @property
    def beside(self) -> BesideTimes | None:
        """The latency beside the load, real or emulated; None if it was not measured."""
        return None if self.times is None else self.times.beside

    @property
    def added_peak_bytes(self) -> int | None:
        """Peak memory that it adds to a process; None if unknown."""
        return None if self.memory is None else self.memory.peak_bytes

    @property
    def is_wrong(self) -> bool:
        """Whether the output was compared and is wrong."""
        return self.parity is not None and not self.parity.passed


class PairRatio(FrozenModel):
    """Latency of `model` / latency of `base`, both measured in the same rounds."""

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
    """Raw data of one process on the device, which ran every model.

    In a browser, the process is a worker of the page that loaded the runtime and the model anew.

    Attributes:
        index: chronological index, from 0.
        purpose: "check" for comparing the output of a single model; "measure" for latency; "prefix"
            for truncated-model timing, with the truncated models of one model and the complete
            model, under separate ids; "sustain" for one model that ran for minutes; "energy" for
            one model with alternating phases of rest and work; "fill" for writing the compilation
            cache of one model; "start" for a cold start.
        used: whether its blocks are used; blocks of checks and throttled blocks are not.
        throttled: evidence that the device throttled; null if it did not.
        complete: whether the runner finished and all its lines arrived intact.
        header: header of the runner's record; null if the official tool or a browser measured.
        loaded: the models, with their load and warm-up times.
        blocks: the timed runs.
        tails: the timed runs of the post-processing, the arg-max in C.
        peak_memory_bytes: peak memory of the process; measured from the loading of the library if
            `library_memory_bytes` is known.
        library_memory_bytes: memory of the process, before any model; null if unknown.
        coverage: coverage of the single model of a check, see `ModelResult`.
        conditions_after: the state of the device at the end; null if it could not be read.
        turn: index of a group of rounds with one round per setting; ratios between settings are
            computed within each group. Null if every round has all the models.
        frames: the timed runs of whole frames.
        spans: for a sustained run or a measurement of energy, the inferences and the state of the
            device, about every second or more often.
        sensors: the sensors of power that the spans have readings of; null without spans, and in
            files of earlier versions.
        beside: the timed runs beside the load; `blocks` has those alone.
        load: the process of the load; null without --beside.
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
    spans: tuple[Span, ...] = ()
    sensors: PowerSensors | None = None
    beside: tuple[Block, ...] = ()
    load: LoadProcess | None = None


class Results(Document):
    """Results of a benchmark.

    Attributes:
        created_at: when the benchmark started.
        command: the command line, to run it again.
        complete: whether everything requested was measured.
        stopped_by: what stopped the measurement.
        problem: why the results are incomplete; null if they are complete.
        emulated: whether the device's processor is emulated, or its accelerator is emulated by
            software.
        device: properties of the device.
        backend: value of --backend.
        accelerator: "cpu", "gpu" or "npu".
        runtime: the runtime that ran the models.
        threads: number of threads of one inference, unless a model has its own.
        cores: the cores that models ran on, unless a model has its own.
        protocol: how it was measured.
        conditions_before: the state of the device before the first round.
        conditions_after: the state after the last round; null if it could not be read.
        unknown: facts that the device does not report, as text.
        versions: versions of the programs on this computer.
        warnings: caveats about the numbers.
        models: the models, in the order they were given.
        ratios: latency ratio of every pair of measured models, the later one relative to the
            earlier one; empty if the device is emulated.
        rounds: raw data.
        table: the requested kind of table, see `table_kinds`; null without --table.
        browser: the browser whose page measured; null if a program on the device did.
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
    browser: BrowserFacts | None = None

    @model_validator(mode="after")
    def _check_runs(self) -> Self:
        used = [block for one in self.rounds if one.used for block in one.blocks]
        measured = {block.model for block in used if block.durations_ns}
        for model in self.models:
            has_runs = model.times is not None and model.times.run is not None
            if has_runs and model.id not in measured:
                raise ValueError(f"no round has runs of the model {quoted(model.id)}")
        if len({model.id for model in self.models}) < len(self.models):
            raise ValueError("two models have the same id")
        return self

    @property
    def names(self) -> dict[str, str]:
        """Id of each model -> its label, or its full path if two have the same label."""
        count = Counter(model.label for model in self.models)
        return {
            model.id: model.label if count[model.label] == 1 else model.file + model.setting
            for model in self.models
        }

    @property
    def measured_by(self) -> str:
        """What measured, as text: a program on the device, or a page in a browser."""
        return NATIVE if self.browser is None else f"a page in the browser {self.browser.name}"

    @property
    def computed_on(self) -> str:
        """The accelerator as text, "GPU in half precision, SwiftShader"; empty for the CPU."""
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
        """Why the times are not latency, as text; empty if they are."""
        if not self.emulated:
            return ""
        if self.runtime.driver is not None and not self.device.is_emulated:
            return f"{self.runtime.driver} computes on the processor"
        return "The processor is emulated"

    def threads_of(self, model: ModelResult) -> int:
        """The number of threads of one inference of a model."""
        return self.threads if model.threads is None else model.threads

    def cores_of(self, model: ModelResult) -> CoresUsed:
        """The cores that a model ran on."""
        return self.cores if model.cores is None else model.cores

    @property
    def all_threads(self) -> str:
        """The numbers of threads as text: "1, 2, 4 threads"."""
        counts = list(dict.fromkeys(self.threads_of(model) for model in self.models))
        return f"{', '.join(map(str, counts))} thread{'s' * (counts != [1])}"

    @property
    def all_cores(self) -> str:
        """The cores that models ran on, as text."""
        return ", ".join(dict.fromkeys(str(self.cores_of(model)) for model in self.models))

    def ratio(self, model: str, base: str) -> Ratio | None:
        """The ratio of two models by their ids; None if they were not both measured."""
        return find_ratio(self.ratios, model, base)


def read_results(path: Path) -> Results:
    """Read a results.json.

    Args:
        path: the file, or its folder, where unfinished results are read if there are no finished
            ones.

    Raises:
        SeaformerError: it is missing, or not in the schema of this version of seaformer.
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
            f"'{path}' is not a {FILE_NAME} of schema version {SCHEMA_VERSION}: {error}. Measure "
            "again with this version of seaformer."
        ) from error
