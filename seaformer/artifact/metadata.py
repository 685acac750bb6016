"""The one description of an exported file: what it takes and gives, and the proof that it works.

The same object is inside the file (`seaformer.artifact.embedding`) and beside it
(`seaformer.artifact.beside`). Two members differ. A file cannot contain its own hash, so `file` is
in the JSON beside it only. Latency differs from run to run, and two exports of the same give equal
bytes, so that is null inside the file. What `content_sha256` covers is written in both.

`Interface` is the part of it that is needed to run a model on an image. A checkpoint, and a file
that is not ours, have only that.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json

from seaformer.artifact import legacy
from seaformer.artifact.precisions import Layout
from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.json_text import JsonError, parse_json, parse_model
from seaformer.tasks import Preprocessing, Task
from seaformer.tasks.output_meaning import Content, OutputMeaning
from seaformer.tasks.task import channels_of

SCHEMA_VERSION: Literal[2] = 2

METADATA_LIMIT = 16 * 2**20
"""Bytes. An export writes about one for each of a thousand operators and labels, some 500 KB."""

Kind = Literal["segmentation", "classification", "features"]
FEATURES: Literal["features"] = "features"
"""Kind of a model whose output is no classes. It may take, instead of an image, the features of
another network."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
Side = Annotated[int, Field(ge=1, lt=2**31)]
Integer = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Byte = Annotated[int, Field(ge=0, le=255)]

PREPROCESSING = ("color_order", "mean", "std", "resize", "interpolation", "crop_fraction")
"""Members of `Input` that are those of a task's preprocessing."""


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="ignore",  # what a later version adds shall not keep this one from reading its files
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


def _is_none(value: object) -> bool:
    return value is None


class Scale(_Model):
    """What integers stand for: real value = (integer - zero_point) * scale."""

    scale: Annotated[float, Field(gt=0)]
    zero_point: Integer


class Input(_Model):
    """The input tensor.

    `range` is that of its real values: [0, 255] where the file normalises the image itself, else
    None. `quantization` is None where the tensor holds real values. What is only known of an image
    is None for the features of another network. `mean` and `std` are None too where nobody said how
    an image becomes the input; `normalization` is "outside" then.
    """

    name: str
    shape: tuple[Side, Side, Side, Side]
    dtype: str
    quantization: Scale | None = None
    layout: Layout
    color_order: str | None = None
    range: tuple[float, float] | None
    normalization: Literal["inside", "outside"]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: str | None = None
    interpolation: str | None = None
    crop_fraction: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[1:3] if self.layout == "NHWC" else self.shape[2:4]

    @property
    def channels(self) -> int:
        """Number of channels, 3 of an image in color and 1 of a gray one."""
        return self.shape[3 if self.layout == "NHWC" else 1]


class Output(_Model):
    """The output tensor.

    `stride` is input pixels per output position, None without a grid. `threshold` is None but for
    "binary", one channel: class 1 is what is above it.
    """

    name: str
    shape: tuple[Side, ...]
    dtype: str
    quantization: Scale | None = None
    layout: Literal["NCHW", "NHWC", "NHW", "NC", "NLC", "N"]
    stride: Count | None
    content: Content
    threshold: float | None = None

    @property
    def meaning(self) -> OutputMeaning:
        """What its numbers mean."""
        return OutputMeaning(self.content, self.threshold)

    @model_validator(mode="after")
    def _check_threshold(self) -> Self:
        if (self.content == "binary") != (self.threshold is not None):
            raise ValueError(
                f"threshold is {self.threshold} and content {self.content}. Allowed: a number for "
                "binary, null for others"
            )
        return self

    @classmethod
    def assumed(
        cls, meaning: OutputMeaning, shape: Sequence[int | None], dtype: str
    ) -> "Output | None":
        """Describe the output of a file that is not ours; None for logits, in any layout.

        `shape` may have sides that are not known.
        """
        if meaning.content == "logits":
            return None
        layouts: dict[int, Any] = {1: "N", 2: "NC", 3: "NHW" if meaning.has_classes else "NLC"}
        is_last = len(shape) == 4 and shape[3] == 1 and shape[1] != 1
        return cls(
            name="output",
            shape=tuple(side or 1 for side in shape),
            dtype=dtype,
            layout=layouts.get(len(shape), "NHWC" if is_last else "NCHW"),
            stride=None,
            content=meaning.content,
            threshold=meaning.threshold,
        )


class Weights(_Model):
    """Where the weights come from."""

    name: str
    source: str
    sha256: str | None
    is_random: bool
    note: str = ""


class Comparison(_Model):
    """PyTorch in float64 against the exported file, on one input.

    Attributes:
        input: what the input was.
        max_abs_error: largest difference of an output value; None for class ids.
        sqnr_db: 10 log10(sum of reference^2 / sum of error^2); None for class ids.
        argmax_agreement: share of positions of the same class, 0..1; None for features, whose
            channels are no classes.
        pytorch_float32_sqnr_db: what the logits or features of PyTorch's own float32 reach on this
            input, for comparison: weights that amplify rounding hold both down. None in files that
            were exported with class ids before this was measured for them.
    """

    input: str
    max_abs_error: float | None
    sqnr_db: float | None
    argmax_agreement: float | None
    pytorch_float32_sqnr_db: float | None


class ChannelError(_Model):
    """A channel of the output, and its SQNR in dB relative to its own spread.

    See `seaformer.export.verify.channel_errors`.
    """

    channel: Count
    sqnr_db: float


class Accuracy(_Model):
    """A quantized file against its single-precision twin, on images that neither has seen.

    Attributes:
        pictures: what they were.
        count: how many.
        sqnr_db: of the logits, over all images.
        argmax_agreement: share of positions, or of images in classification, of the same class,
            0..1; None for features, and where the twin decides for one class everywhere.
        worst_channels: of the output, the worst first; none in files from before it was measured.
        reference_score: mIoU (top-1 in classification) of the twin in percent; None without truth.
        score: of this file.
        difference_points: `score` - `reference_score`.
        interval_points: 95 % interval of the difference, by paired bootstrap over the images.
    """

    pictures: str
    count: Count
    sqnr_db: float
    argmax_agreement: float | None
    worst_channels: tuple[ChannelError, ...] = ()
    reference_score: float | None
    score: float | None
    difference_points: float | None
    interval_points: tuple[float, float] | None


class Latency(_Model):
    """Latency of a quantized file over that of its single-precision twin, interleaved on a host.

    Attributes:
        ratio: median of the ratios of every round's medians; above 1 the quantized file is the
            slower one.
        interval: 95 % interval of the ratio, by the benchmark's bootstrap over rounds.
        runs: of each file.
        threads: of each run.
        processor: name, and the instructions that matter to integer kernels.
    """

    ratio: float
    interval: tuple[float, float]
    runs: Count
    threads: Count
    processor: str


class Quantization(_Model):
    """How a file came to its integers, and what that costs.

    Attributes:
        engine: the quantizer and its version.
        calibration: the images that ranges come from; None where none are needed.
        method: how ranges were chosen from them; None where none are needed.
        is_random: whether the images were noise: the file is then for latency only.
        kept_modules: as asked for, or found by the search: in floating point, or in a precision for
            NPUs at 16-bit activations.
        float_operators: indices of the operators that compute in floating point.
        wide_operators: indices of those with 16-bit activations.
        accuracy: None where there was nothing to measure on.
        independent: on images that have nothing to do with the calibration; None where those of
            `accuracy` have not, and in files from before it was measured.
        latency: None where it was not measured, and inside the file.
        accepted_loss: whether it misses a threshold of its precision, and was written all the same.
    """

    engine: str
    calibration: str | None
    method: str | None
    is_random: bool
    kept_modules: tuple[str, ...]
    float_operators: tuple[Count, ...]
    wide_operators: tuple[Count, ...] = ()
    accuracy: Accuracy | None
    independent: Accuracy | None = None
    latency: Latency | None
    accepted_loss: bool


class Parity(_Model):
    """The verification of the file, and the thresholds it had to reach.

    A file of floating point has to reach them on every one of the comparisons; a quantized one in
    the accuracy of `Quantization`, or on the photo where there is none. `is_of_float32`: weights
    amplify rounding so much that the thresholds, here the lowest of any input, come from PyTorch's
    own float32 and not from the precision.
    """

    reference: str
    runtime: str
    min_sqnr_db: float
    min_argmax_agreement: float
    is_of_float32: bool = False
    max_score_loss_points: float | None = None
    comparisons: tuple[Comparison, ...]
    passed: bool


class AcceleratorParity(_Model):
    """The verification of the file on another accelerator than the CPU.

    Attributes:
        name: of the accelerator, see `seaformer.artifact.accelerators`.
        status: "verified"; "failed": it computes something else there; "refused": it does not run
            there; "not verified": there was nothing to verify it with; "compiled": a vendor's
            compiler took it, and nothing on a computer runs what that made.
        reason: why it is not verified; None if it is.
        runtime: what computed, with version and driver; None if nothing did.
        comparisons: with PyTorch, on the inputs of `Parity`; none where nothing computed.
        half_runtime: what computed in half precision, as a phone's GPU does by default; None if
            nothing did. That has no threshold: it is for information.
        half_comparisons: likewise, in half precision.
        chip: what it was compiled for, see `seaformer.artifact.chips`; None where nothing is
            compiled.
    """

    name: str
    status: Literal["verified", "failed", "refused", "not verified", "compiled"]
    reason: str | None
    runtime: str | None
    comparisons: tuple[Comparison, ...]
    half_runtime: str | None = None
    half_comparisons: tuple[Comparison, ...] = ()
    chip: str | None = None


class LeftOperator(_Model):
    """An operator that the compiler left to the CPU.

    Attributes:
        type: in the file's own words.
        name: of the node, or of the tensor that it computes.
        reason: in the compiler's words.
    """

    type: str
    name: str
    reason: str


class Compilation(_Model):
    """How a file was compiled for the NPU of one chip.

    Attributes:
        chip: its name, see `seaformer.artifact.chips`.
        hexagon: version of its NPU, 75 for V75.
        compiler: what compiled it, with versions.
        qnn_version: of the Qualcomm libraries that compiled it; those on the phone may not be
            older.
        phone_needs: what the phone has to have to run it, in words.
        source_sha256: `content_sha256` of the file that was compiled.
        partitions: how many pieces of the graph run on the NPU, 1 at best.
        left: operators that are left to the CPU, in execution order.
        binary: what the NPU runs, where that is a file of its own beside this one; else None.
    """

    chip: str
    hexagon: Count
    compiler: str
    qnn_version: str
    phone_needs: str
    source_sha256: str
    partitions: Count
    left: tuple[LeftOperator, ...]
    binary: "File | None"


class MappedOperator(_Model):
    """An operator of the file and where it comes from.

    Attributes:
        index: position in the file's order of execution.
        type: operator type in the file's own words ("CONV_2D", "Conv").
        module: path of the module, "" for the model itself.
        nodes: names of the ONNX nodes it computes.
    """

    index: Count
    type: str
    module: str
    nodes: tuple[str, ...]


class Module(_Model):
    """What a module of the network is called.

    Attributes:
        title: in the words of the paper; the last part of the path where the paper has none.
        section: of the paper that it is in, or that the module around it is in; None if unknown.
        own_title: of the operators that are in the module and in none of its parts.
    """

    title: str
    section: str | None = Field(default=None, exclude_if=_is_none)
    own_title: str | None = Field(default=None, exclude_if=_is_none)

    @classmethod
    def untitled(cls, path: str) -> Self:
        """Return what is known of a module by its path alone."""
        return cls(title=path.rpartition(".")[2].replace("_", " "))


class Rewrite(_Model):
    """What one rewrite of the deployment form did."""

    name: str
    count: Count
    refusals: tuple[str, ...]


class File(_Model):
    """The file that the JSON is beside."""

    name: str
    bytes: Count
    sha256: str


def title_of(variant: str | None, model: str | None, task: str | None, precision: str) -> str:
    """Return a model in words; the arguments are as in `Interface` and `Metadata`."""
    network = model if variant is None else f"SeaFormer-{variant}"
    return ", ".join(filter(None, (network, task, precision)))


class Interface(_Model):
    """What a model takes, and what its output means.

    Attributes:
        title: the model in words.
        variant: of SeaFormer; None for another model.
        model: name of a peer or of an attention layer, or "package.module:factory" of a user's
            model; None for a SeaFormer.
        task: None for a model of features.
        output: None where it is not known: logits then, in a layout to be recognised by the number
            of classes.
        labels: class names; none of a model of features.
        palette: red, green and blue of each class; None if there are none.
        weights: None where they are not known.
    """

    title: str
    variant: str | None
    model: str | None
    task: str | None
    kind: Kind
    input: Input
    output: Output | None
    labels: tuple[str, ...]
    palette: tuple[tuple[Byte, Byte, Byte], ...] | None
    weights: Weights | None

    @classmethod
    def from_task(
        cls,
        task: Task,
        layout: str,
        size: tuple[int, int],
        variant: str | None = None,
        model: str | None = None,
        weights: Weights | None = None,
        output: Output | None = None,
        knows_normalization: bool = True,
    ) -> "Interface":
        """Describe a network in PyTorch for a task, or assume the same of a file that is not ours.

        Args:
            task: what it is trained for.
            layout: of the input, "NCHW" or "NHWC".
            size: height and width of the input.
            variant: of SeaFormer; None for another network, or a file that is not ours.
            model: name of another network; None for a file that is not ours.
            weights: None where they are not known.
            output: None for logits.
            knows_normalization: whether that of the task is that of the network.
        """
        title = f"a model without metadata, taken for {task.title}"
        if variant or model:
            title = title_of(variant, model, task.name, "fp32")
        members = {member: getattr(task.preprocessing, member) for member in PREPROCESSING}
        if not knows_normalization:
            members |= {"mean": None, "std": None}
        channels = task.preprocessing.channels
        is_classes = output is None or output.meaning.has_classes
        return Interface(
            title=title,
            variant=variant,
            model=model,
            task=task.name,
            kind=task.kind if is_classes else FEATURES,  # type: ignore[arg-type]
            input=Input(
                name="image",
                shape=(1, *size, channels) if layout == "NHWC" else (1, channels, *size),
                dtype="float32",
                layout=layout,  # type: ignore[arg-type]
                range=None,
                normalization="outside",
                **members,
            ),
            output=output,
            labels=task.labels if is_classes else (),
            palette=task.palette if is_classes else None,
            weights=weights,
        )

    @model_validator(mode="after")
    def _check_preprocessing(self) -> Self:
        if self.kind != FEATURES or self.takes_image:
            _ = self._preprocessing(*(() if self.knows_normalization else (0.0, 1.0)))
        return self

    @property
    def takes_image(self) -> bool:
        """Whether it takes an image, and not the features of another network."""
        return self.input.color_order is not None

    @property
    def knows_normalization(self) -> bool:
        """Whether it says how an image becomes the input."""
        return self.input.mean is not None or self.input.std is not None

    @property
    def preprocessing(self) -> Preprocessing:
        """How an image becomes the input.

        Raises:
            UsageError: the model takes no image, or does not say it.
        """
        self.require_image()
        if not self.knows_normalization:
            raise UsageError(
                f"the model '{self.title}' does not say how an image becomes its input. Give "
                "--input-range, --mean and --std as the network was trained, or export it again "
                "with them."
            )
        return self._preprocessing()

    def _preprocessing(self, *normalization: float) -> Preprocessing:
        members = {name: getattr(self.input, name) for name in PREPROCESSING}
        if normalization:
            channels = channels_of(str(self.input.color_order))
            members |= {
                key: [value] * channels
                for key, value in zip(("mean", "std"), normalization, strict=True)
            }
        members |= {"input_size": self.input.size, "pad_value": 0.0}
        return Preprocessing.from_json(members, "input")

    def require_image(self) -> Self:
        """Return the interface itself, of a model that takes an image.

        Raises:
            UsageError: the model takes none.
        """
        if not self.takes_image:
            raise UsageError(
                f"the model '{self.title}' takes the features of another network, not an image. "
                "Give one that was exported from a whole network."
            )
        return self

    def require_classes(self) -> Self:
        """Return the interface itself, of a model that takes an image and gives classes.

        Raises:
            UsageError: the model takes no image, or its output is no classes.
        """
        self.require_image()
        if self.kind == FEATURES:
            raise UsageError(
                f"the output of the model '{self.title}' is features and no classes, so there is "
                "nothing to draw or to score. If it is classes, export it again with "
                "--output-meaning."
            )
        return self

    def restated(
        self,
        labels: tuple[str, ...] | None = None,
        palette: tuple[tuple[int, int, int], ...] | None = None,
        normalization: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    ) -> Self:
        """Return it with what a user says in its place; `normalization` is mean and std.

        Raises:
            UsageError: it is for another number of classes, or normalises images itself.
        """
        changes: dict[str, Any] = {}
        if labels is not None:
            if len(labels) != len(self.labels):
                raise UsageError(
                    f"{len(labels)} labels are given, and the model '{self.title}' has "
                    f"{len(self.labels)} classes. Give a name for each."
                )
            changes["labels"] = labels
        if palette is not None:
            changes["palette"] = palette
        if normalization is not None:
            own = self.input.mean, self.input.std
            if self.knows_normalization and own != normalization:
                raise UsageError(
                    f"the model '{self.title}' says itself how an image becomes its input. Leave "
                    "--input-range, --mean and --std out."
                )
            mean, std = normalization
            changes["input"] = self.input.model_copy(update={"mean": mean, "std": std})
        return self.model_copy(update=changes)

    @property
    def normalizes_inside(self) -> bool:
        """Whether the model takes values of 0..255 and normalises them itself."""
        return self.input.normalization == "inside"

    @property
    def is_random(self) -> bool:
        """Whether any weights were never trained, so that predictions mean nothing."""
        return self.weights is not None and self.weights.is_random

    @property
    def meaning(self) -> OutputMeaning:
        """What the numbers of the output mean."""
        return OutputMeaning() if self.output is None else self.output.meaning

    def class_scores(
        self, output: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], Literal[1, 3]] | None:
        """Return a value for each class from an output, and the axis that they are along.

        Those of a segmentation are [N, C, h, w] or [N, h, w, C], of a classification [N, C].

        Returns:
            None for class ids and features, and for an output that does not fit.
        """
        meaning = self.meaning
        if not meaning.gives_scores:
            return None
        layout = None if self.output is None else self.output.layout
        if layout == "NHW" and output.ndim == 3:  # one channel, without an axis for it
            output, layout = output[:, None], "NCHW"
        possible: Mapping[str, Literal[1, 3]] = {"NCHW": 1, "NHWC": 3}
        if self.kind == "classification":
            possible = {"NC": 1}
        for name, axis in possible.items():
            if (
                output.ndim == len(name)
                and output.shape[axis] == meaning.channels(len(self.labels))
                and layout in (name, None)
            ):
                return meaning.scores(output, axis), axis
        return None


class Metadata(Interface):
    """All that an export knows of a file.

    Attributes:
        name: what the names of the exported files begin with.
        ablation: switches of `seaformer.models.ablation` that were changed.
        content_sha256: of what computes, see `seaformer.artifact.embedding`.
        modules: path -> title, in the order of the network; of the modules that operators belong
            to, and of those around them.
        accelerators: the verification on other accelerators than the CPU.
        compilation: of a compiled file; None of any other. `operators` and `parity` are then those
            of the file that was compiled.
        file: in the JSON beside the file only.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    name: str
    format: str
    precision: str
    head: str
    ablation: dict[str, str] = {}
    output: Output
    weights: Weights
    params: Count
    macs: Count
    content_sha256: str
    versions: dict[str, str]
    rewrites: tuple[Rewrite, ...]
    operators: tuple[MappedOperator, ...]
    modules: dict[str, Module]
    quantization: Quantization | None = None
    parity: Parity
    accelerators: tuple[AcceleratorParity, ...] = ()
    compilation: Compilation | None = None
    file: File | None = Field(default=None, exclude_if=_is_none)

    def without_latency(self) -> Self:
        """Return what every export of the same gives alike."""
        if self.quantization is None:
            return self
        quantization = self.quantization.model_copy(update={"latency": None})
        return self.model_copy(update={"quantization": quantization})

    def text(self, indent: int | None = 1) -> str:
        """Write the object as JSON; on one line without `indent`."""
        return self.model_dump_json(indent=indent) + "\n"


def parse_metadata(text: str | bytes, where: str) -> Metadata:
    """Read the JSON of this schema or of the one before; `where` is its place, for errors.

    Raises:
        SeaformerError: it is no JSON, too large, or a member is missing or has a wrong value.
    """
    if len(text) > METADATA_LIMIT:
        raise SeaformerError(
            f"the metadata in {where} has more than {METADATA_LIMIT / 2**20:g} MiB. Export the "
            "model again."
        )
    try:
        data = parse_json(text)
    except JsonError as error:
        raise SeaformerError(
            f"the metadata in {where} cannot be used: {error}. Export the model again."
        ) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version == legacy.SCHEMA_VERSION and type(version) is int:
        text = to_json(legacy.upgrade(data))
    elif version != SCHEMA_VERSION or type(version) is not int:
        raise SeaformerError(
            f"the metadata in {where} has schema_version {quoted(version)}. Allowed: "
            f"{legacy.SCHEMA_VERSION}, {SCHEMA_VERSION}. Export the model again with this version "
            "of seaformer."
        )
    try:
        return parse_model(Metadata, text)
    except JsonError as error:
        raise SeaformerError(
            f"the metadata in {where} cannot be used: {error}. Export the model again."
        ) from error


def json_schema() -> str:
    """Return the JSON Schema of the JSON beside a file, which `metadata.schema.json` is."""
    schema = Metadata.model_json_schema(mode="serialization")
    schema["properties"]["file"] = {"$ref": "#/$defs/File"}
    schema["required"].append("file")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=1) + "\n"
