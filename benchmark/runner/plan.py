"""The plan for one run of the runner, and its text format.

The text has lines `key value`, without quoting, because values cannot contain line breaks, and all
file names in it are generated.

    seaformer-plan 2
    backend litert
    accelerator cpu
    library libLiteRt.so
    frame camera.frame 720 1280
    activity 1 0 600000000000 1000000000 33333333
    load-cpus 4 5 6
    load-threads 1
    load-camera 720 1280 512 512 33333333
    ...
    model a
    file a.tflite
    input a.input
    output a.output
    mask 512 512
    preparation a.levels NHWC RGB bilinear 512 512
    frame-mask logits 720 1280
    end
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from seaformer.errors import UsageError, unknown_name

FORMAT = 2
BACKENDS = ("litert", "onnxruntime")
ACCELERATORS = {"litert": ("cpu", "gpu", "npu"), "onnxruntime": ("cpu", "npu")}
"""Backend of the runner -> its accelerators."""
CacheUse = Literal["none", "fill", "use"]
"""Whether a process compiles models without the runtime's compilation cache, writes the cache, or
reads it."""

NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
MAX_MODELS = 1024
MAX_INPUTS = 2**20
MAX_CPUS = 1024
MAX_OPTIONS = 16
OPTION = re.compile(r"[a-z_]{1,100}")
MAX_SIDE = 2**20
MAX_FRAME_SIDE = 8192
"""Limit in pixels; camera sensors of phones have fewer."""

LIMITS = {
    "threads": (1, 256),
    "seed": (0, 2**63 - 1),
    "warmup_runs": (1, 10**5),
    "blocks": (0, 10**6),
    "runs_per_block": (1, 10**5),
    "profile_runs": (0, 10**4),
    "time_limit_s": (0.001, 10**6),
}
"""Field of a plan -> its minimum and maximum."""

ACTIVITY_LIMITS = {
    "active_s": (0.001, 10**5),
    "idle_s": (0, 10**5),
    "cycles": (1, 1000),
    "sample_s": (0.001, 60),
    "frame_rate": (0.01, 1000),
}
"""Field of an activity -> its minimum and maximum."""


@dataclass(frozen=True)
class PlannedFrame:
    """A frame of the camera.

    Attributes:
        file: file with its RGB bytes, [height, width, 3].
        size: height and width in pixels.
    """

    file: str
    size: tuple[int, int]

    def __post_init__(self) -> None:
        _require_name("name", self.file)
        _require_sides("frame", self.size, MAX_FRAME_SIDE)

    def line(self) -> str:
        """Return its line of the plan."""
        return "frame {} {} {}".format(self.file, *self.size)


@dataclass(frozen=True)
class PlannedPreparation:
    """Preprocessing of a frame for a model, and post-processing of its output.

    Attributes:
        levels_file: the input value for each level of 0 to 255, [channels, 256] in the type and
            channel order of the input: normalized, and quantized if the input is.
        layout: layout of the input, "NHWC" or "NCHW".
        color_order: color order of the input, "RGB", "BGR" or "GRAY".
        interpolation: "bilinear" or "bicubic".
        scaled_size: height and width of the whole frame at the scale of the input, which is its
            center crop.
        mask_size: height and width of the mask computed from the output; None for no mask.
        mask_of: "logits", as described for `PlannedModel.mask_size`, or the "ids" of classes.
    """

    levels_file: str
    layout: Literal["NHWC", "NCHW"]
    color_order: str
    interpolation: str
    scaled_size: tuple[int, int]
    mask_size: tuple[int, int] | None = None
    mask_of: Literal["logits", "ids"] = "logits"

    def __post_init__(self) -> None:
        _require_name("name", self.levels_file)
        _require_sides("scaled_size", self.scaled_size, MAX_SIDE)
        if self.mask_size is not None:
            _require_sides("mask_size", self.mask_size, MAX_SIDE)

    def lines(self) -> list[str]:
        """Return its lines of the plan."""
        words = (self.levels_file, self.layout, self.color_order, self.interpolation)
        lines = ["preparation {} {} {} {} {} {}".format(*words, *self.scaled_size)]
        if self.mask_size is not None:
            lines.append("frame-mask {} {} {}".format(self.mask_of, *self.mask_size))
        return lines


@dataclass(frozen=True)
class PlannedActivity:
    """Running the only model of a plan for some time, while the sensors of the device are read.

    Attributes:
        active_s: seconds of inferences in a cycle.
        idle_s: seconds without inferences before them, with the model loaded.
        cycles: number of cycles.
        sample_s: seconds between two readings of the sensors; an inference is never interrupted.
        frame_rate: frames per second that arrive; the newest one is processed, others are missed.
            None to start every inference at the end of the previous one.
    """

    active_s: float
    idle_s: float = 0.0
    cycles: int = 1
    sample_s: float = 1.0
    frame_rate: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in ACTIVITY_LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} is {value}. Allowed: {low} to {high}.")

    @property
    def total_s(self) -> float:
        """The planned seconds of all cycles."""
        return self.cycles * (self.active_s + self.idle_s)

    def line(self) -> str:
        """Return its line of the plan, with times in nanoseconds."""
        frame_s = 0.0 if self.frame_rate is None else 1 / self.frame_rate
        times = (self.idle_s, self.active_s, self.sample_s, frame_s)
        return " ".join(["activity", str(self.cycles), *(str(round(1e9 * one)) for one in times)])


@dataclass(frozen=True)
class PlannedModel:
    """A model to measure. Files are in the folder of the plan, with plain names.

    Attributes:
        id: its id in the record of the runner; also a plain name.
        file: the model.
        input_file: the bytes of its single input, in the type and layout of the model; several
            `inputs` are concatenated.
        output_file: file for the concatenated bytes of the outputs for each input; None to discard
            them.
        mask_size: height and width of the mask to compute from the (first) output. Separate timed
            runs compute the classes at the size of the logits, and at this size. The output has to
            be logits in float32 or integers of 8 or 16 bits, [1, h, w, C] for LiteRT and
            [1, C, h, w] for ONNX Runtime. With an `output_file`, both masks for the last input are
            written next to it, with the suffixes `.classes` and `.mask`: uint8 for up to 256
            classes, else uint16.
        inputs: number of inputs to compute outputs for; runs are timed with one of them.
        preparation: how to prepare the plan's frame for this model. The processing of the frame, up
            to the mask, is then measured after every block; None to measure no frames. With an
            `output_file`, the prepared input and the mask of the frame are written next to it, with
            the suffixes `.prepared` and `.frame-mask`; a mask of ids is uint16.
    """

    id: str
    file: str
    input_file: str
    output_file: str | None = None
    mask_size: tuple[int, int] | None = None
    inputs: int = 1
    preparation: PlannedPreparation | None = None

    def __post_init__(self) -> None:
        for name in (self.id, self.file, self.input_file, self.output_file):
            if name is not None:
                _require_name("name", name)
        if self.mask_size is not None:
            _require_sides("mask_size", self.mask_size, MAX_SIDE)
        if not 1 <= self.inputs <= MAX_INPUTS:
            raise UsageError(f"inputs is {self.inputs}. Allowed: 1 to {MAX_INPUTS}.")

    def lines(self) -> list[str]:
        """Return the part of the plan about this model."""
        lines = [f"model {self.id}", f"file {self.file}", f"input {self.input_file}"]
        if self.inputs > 1:
            lines.append(f"inputs {self.inputs}")
        if self.output_file is not None:
            lines.append(f"output {self.output_file}")
        if self.mask_size is not None:
            lines.append("mask {} {}".format(*self.mask_size))
        if self.preparation is not None:
            lines += self.preparation.lines()
        return lines


@dataclass(frozen=True)
class PlannedCamera:
    """The load of a camera: on one thread, every frame is converted from YUV to RGB and resized.

    Attributes:
        frame_size: height and width of a frame, even numbers; it is YUV 4:2:0 (NV21) and full of
            noise.
        size: height and width after the bilinear resize.
        rate: frames per second; of those that arrive during the work on one, none is processed.
    """

    frame_size: tuple[int, int] = (720, 1280)
    size: tuple[int, int] = (512, 512)
    rate: float = 30.0

    def __post_init__(self) -> None:
        _require_sides("frame_size", self.frame_size, MAX_FRAME_SIDE)
        _require_sides("size", self.size, MAX_FRAME_SIDE)
        low, high = ACTIVITY_LIMITS["frame_rate"]
        if not low <= self.rate <= high:
            raise UsageError(f"rate is {self.rate}. Allowed: {low} to {high}.")

    def line(self) -> str:
        """Return its line of the plan."""
        return "load-camera {} {} {} {} {}".format(
            *self.frame_size, *self.size, round(1e9 / self.rate)
        )


@dataclass(frozen=True)
class PlannedLoad:
    """What a second process does on other processors during half of the blocks.

    Attributes:
        cpus: processors that all its threads are bound to.
        threads: number of threads of an inference.
        what: the camera, or a model with its input, which runs back to back.
    """

    cpus: tuple[int, ...]
    threads: int
    what: "PlannedCamera | PlannedModel"

    def __post_init__(self) -> None:
        _require_cpus(self.cpus)
        low, high = LIMITS["threads"]
        if not low <= self.threads <= high:
            raise UsageError(f"threads is {self.threads}. Allowed: {low} to {high}.")

    def lines(self) -> list[str]:
        """Return its lines of the plan."""
        what = self.what
        return [
            f"load-cpus {' '.join(map(str, sorted(set(self.cpus))))}",
            f"load-threads {self.threads}",
            what.line()
            if isinstance(what, PlannedCamera)
            else f"load-model {what.file} {what.input_file}",
        ]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run of the runner, called a round.

    A round has `blocks` passes over all models, each pass in a new random order. In a pass, every
    model has one block of `runs_per_block` timed runs, after one untimed run if the previous block
    was of another model. The profiled runs follow at the end and do not affect other numbers.

    Attributes:
        backend: "litert" or "onnxruntime".
        accelerator: one of `ACCELERATORS` of the backend.
        requires_full_acceleration: whether a model fails unless the accelerator runs all operators;
            otherwise the CPU runs the others.
        library: the runtime's library: a name in the folder of the plan, or an absolute path.
        runtime_version: version of the library, or "any". It has to match the version reported by
            ONNX Runtime. LiteRT does not report a version, so it is copied to the record. For both,
            data layouts are checked by running a known model.
        models: models to measure, interleaved.
        time_limit_s: the runner stops after this many seconds, in any state.
        threads: number of threads of one inference, 1 or more.
        cpus: processors that all threads are bound to; None leaves the choice to the system.
        seed: random seed of the order of the blocks.
        warmup_runs: per model, before the first block, including the first inference; 1 or more.
        blocks: blocks per model.
        runs_per_block: timed runs in a block.
        profile_runs: runs per model with the runtime's profiler, at the end.
        in_half: whether floating-point files are computed in float16, where the processor (Armv8.2,
            with XNNPACK) or the GPU supports it; for "litert".
        sysfs: folder with frequencies and temperatures.
        plugin: library of the runtime for the NPU, like `library`; None if the runtime needs none.
        options: options for the NPU, by the runtime's own names.
        frame: frame for models with a `preparation`; None if no model has one.
        activity: what to do with the only model after its blocks; None for nothing.
        load: what runs on other processors during half of the blocks; None for nothing. Every
            model then has two blocks in a pass, alone and beside the load, in random order.
        cache: whether models are compiled with the runtime's compilation cache. The cache of a
            model is a file next to it, or several, whose names begin with that of the model and
            ".cache".
    """

    backend: str
    library: str
    runtime_version: str
    models: tuple[PlannedModel, ...]
    time_limit_s: float
    threads: int = 1
    cpus: tuple[int, ...] | None = None
    seed: int = 0
    warmup_runs: int = 1
    blocks: int = 1
    runs_per_block: int = 1
    profile_runs: int = 0
    in_half: bool = False
    sysfs: str = "/sys"
    accelerator: str = "cpu"
    requires_full_acceleration: bool = False
    plugin: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    frame: PlannedFrame | None = None
    activity: PlannedActivity | None = None
    load: PlannedLoad | None = None
    cache: CacheUse = "none"

    def __post_init__(self) -> None:
        if self.activity is not None and len(self.models) != 1:
            raise UsageError(f"an activity needs exactly one model, not {len(self.models)}.")
        if self.backend not in BACKENDS:
            raise unknown_name("backend of the runner", self.backend, BACKENDS)
        if self.accelerator not in ACCELERATORS[self.backend]:
            known = ACCELERATORS[self.backend]
            raise unknown_name(f"accelerator of {self.backend}", self.accelerator, known)
        if self.profile_runs and self.accelerator == "gpu":
            raise UsageError("profile_runs needs a profiler, which accelerator gpu does not have.")
        _require_path("library", self.library)
        _require_path("sysfs", self.sysfs)
        if self.plugin is not None:
            _require_path("plugin", self.plugin)
        if len(self.options) > MAX_OPTIONS:
            raise UsageError(f"there are {len(self.options)} options. Allowed: {MAX_OPTIONS}.")
        for key, value in self.options.items():
            if not OPTION.fullmatch(key):
                raise UsageError(f"option {key!r} is not valid in a plan. Allowed: a-z and _.")
            _require_path(f"option {key}", value)
        _require_name("runtime version", self.runtime_version)
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} is {value}. Allowed: {low} to {high}.")
        if self.cpus is not None:
            _require_cpus(self.cpus)
        if self.load is not None and (self.accelerator != "cpu" or self.activity is not None):
            raise UsageError("a load runs beside models on the CPU, and not during an activity.")
        if not 1 <= len(self.models) <= MAX_MODELS:
            raise UsageError(f"there are {len(self.models)} models. Allowed: 1 to {MAX_MODELS}.")
        _require_distinct("ids of the models", [one.id for one in self.models])
        outputs = [one.output_file for one in self.models if one.output_file is not None]
        _require_distinct("output files", outputs)
        if self.frame is None and any(one.preparation is not None for one in self.models):
            raise UsageError("models have a preparation, but there is no frame. Give both.")

    def text(self) -> str:
        """Return the content of the plan file."""
        cpus = "any" if self.cpus is None else " ".join(map(str, sorted(set(self.cpus))))
        lines = [
            f"seaformer-plan {FORMAT}",
            f"backend {self.backend}",
            f"accelerator {self.accelerator}",
            f"full-acceleration {int(self.requires_full_acceleration)}",
            f"library {self.library}",
            f"runtime-version {self.runtime_version}",
            f"threads {self.threads}",
            f"cpus {cpus}",
            f"seed {self.seed}",
            f"warmup-runs {self.warmup_runs}",
            f"blocks {self.blocks}",
            f"runs-per-block {self.runs_per_block}",
            f"profile-runs {self.profile_runs}",
            f"in-half {int(self.in_half)}",
            f"time-limit-ms {max(1, round(self.time_limit_s * 1000))}",
            f"sysfs {self.sysfs}",
            *([] if self.plugin is None else [f"plugin {self.plugin}"]),
            *(f"option {key} {value}" for key, value in self.options.items()),
            *(() if self.frame is None else (self.frame.line(),)),
            *(() if self.activity is None else (self.activity.line(),)),
            *(() if self.load is None else self.load.lines()),
            f"cache {self.cache}",
            *(line for model in self.models for line in model.lines()),
            "end",
        ]
        return "".join(f"{line}\n" for line in lines)


def _require_cpus(cpus: Sequence[int]) -> None:
    if not cpus or not all(0 <= cpu < MAX_CPUS for cpu in cpus):
        raise UsageError(f"cpus are {cpus}. Allowed: one or more of 0 to {MAX_CPUS - 1}.")


def _require_path(what: str, path: str) -> None:
    if not NAME.fullmatch(path) and not re.fullmatch(r"/[^\x00-\x1f\x7f]{1,1000}", path):
        raise UsageError(
            f"{what} {path!r} is not valid in a plan. Allowed: a name of the characters "
            "A-Z a-z 0-9 . _ - or an absolute path without control characters."
        )


def _require_name(what: str, name: str) -> None:
    # The runner opens files by these names, so that none may lead out of its folder.
    if not NAME.fullmatch(name) or name in (".", ".."):
        raise UsageError(
            f"{what} {name!r} is not valid in a plan. Allowed: 1 to 100 of the characters "
            "A-Z a-z 0-9 . _ -"
        )


def _require_sides(what: str, sides: tuple[int, int], most: int) -> None:
    if not all(1 <= side <= most for side in sides):
        raise UsageError(f"{what} is {sides}. Allowed: sides of 1 to {most}.")


def _require_distinct(what: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise UsageError(f"the {what} are {names}. They have to be distinct.")
