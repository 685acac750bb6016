"""The description of an exported file: input, output, and the results of its verification.

The same object is inside the file (`seaformer.artifact.embedding`) and next to it
(`seaformer.artifact.beside`), except for two members. `file` is only in the JSON next to the file,
because a file cannot contain its own hash. Latency is null inside the file, because it differs
between runs while equal exports have to give identical bytes. `content_sha256` is in both.

`Interface` is the subset that is needed to run a model on an image. Checkpoints, and files that
seaformer-export did not write, have only that.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy.typing as npt
from pydantic import Field, model_validator
from pydantic_core import to_json

from seaformer.artifact import legacy
from seaformer.artifact.detection_output import DetectionOutput
from seaformer.artifact.member import Byte, Count, Integer, Member, Side
from seaformer.artifact.precisions import Layout
from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.json_text import JsonError, parse_json, parse_model
from seaformer.tasks import Preprocessing, Task
from seaformer.tasks.output_meaning import Content, OutputMeaning
from seaformer.tasks.task import channels_of

SCHEMA_VERSION: Literal[2] = 2

METADATA_LIMIT = 16 * 2**20
"""Limit in bytes. An export with a thousand operators and labels writes about 500 KB."""

Kind = Literal["segmentation", "classification", "detection", "features"]
FEATURES: Literal["features"] = "features"
"""Kind of a model whose output is not classes. Its input may be features of another network instead
of an image."""

PREPROCESSING = ("color_order", "mean", "std", "resize", "interpolation", "crop_fraction")
"""Members of `Input` that come from the preprocessing of a task."""


def _is_none(value: object) -> bool:
    return value is None


class Scale(Member):
    """Scale of quantized values: real value = (integer - zero_point) * scale."""

    scale: Annotated[float, Field(gt=0)]
    zero_point: Integer


class Input(Member):
    """The input tensor.

    Members that only apply to images are None for features of another network. `mean` and `std` are
    also None if the normalization is unknown; `normalization` is then "outside".

    Attributes:
        name: name of the tensor.
        shape: its shape, in the order of `layout`.
        dtype: its element type: "float32", "int8", "uint8", "int16" or "uint16".
        quantization: scale of its values; None if they are floating-point.
        layout: order of its axes.
        color_order: "RGB", "BGR" or "GRAY".
        range: range of its real values, [0, 255] if the file normalizes the image itself.
        normalization: whether the file normalizes the image, or the program that runs it.
        mean: subtracted from pixels of 0..255, one number per channel.
        std: divisor after `mean` is subtracted, one number per channel.
        resize: "stretch", or "center-crop" after resizing.
        interpolation: "bilinear" or "bicubic", antialiased as by Pillow.
        crop_fraction: share of the resized image that "center-crop" keeps.
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
        """Number of channels: 3 for a color image, 1 for a gray image."""
        return self.shape[3 if self.layout == "NHWC" else 1]


class Output(Member):
    """The output tensor.

    Attributes:
        name: name of the tensor.
        shape: its shape, in the order of `layout`.
        dtype: its element type.
        quantization: scale of its values; None if they are floating-point or class indices.
        layout: order of its axes.
        stride: input pixels per output position; None without a grid.
        content: meaning of its values. "classes" and "mask" are class indices, "mask" at the size
            of the input. "boxes" are the logits and box offsets of every anchor, see `detection`.
        threshold: for "binary", with one channel: values above it mean class 1; otherwise None.
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
        """Meaning of its values."""
        return OutputMeaning(self.content, self.threshold)

    @model_validator(mode="after")
    def _check_threshold(self) -> Self:
        if (self.content == "binary") != (self.threshold is not None):
            raise ValueError(
                f"threshold is {self.threshold} and content is {self.content}. Allowed: a number "
                "for binary, null otherwise"
            )
        return self

    @classmethod
    def assumed(
        cls, meaning: OutputMeaning, shape: Sequence[int | None], dtype: str
    ) -> "Output | None":
        """Describe the output of a file without metadata; None for logits, in any layout.

        Unknown sides of `shape` are None.
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


class Weights(Member):
    """Where the weights come from.

    Attributes:
        name: name of released weights, or of the checkpoint's file.
        source: origin, as text.
        sha256: hash of the weight file; None for random weights.
        is_random: whether any are random, which makes predictions meaningless.
        note: remark for the user; may be empty.
    """

    name: str
    source: str
    sha256: str | None
    is_random: bool
    note: str = ""


class Comparison(Member):
    """Comparison of the exported file with PyTorch in float64, on one input.

    Attributes:
        input: description of the input.
        max_abs_error: largest difference of an output value; None for class indices.
        sqnr_db: 10 log10(sum of reference^2 / sum of error^2); None for class indices.
        argmax_agreement: share of positions with the same class, 0..1; None for features, whose
            channels are not classes.
        pytorch_float32_sqnr_db: SQNR of the logits or features of PyTorch in float32 on this input,
            for comparison: weights that amplify rounding lower both. None in older files whose
            output is class indices.
        detection_agreement: share of the detections in common, 0..1, see
            `seaformer.detection.agreement`; only for detection models with detections.
    """

    input: str
    max_abs_error: float | None
    sqnr_db: float | None
    argmax_agreement: float | None
    pytorch_float32_sqnr_db: float | None
    detection_agreement: float | None = Field(default=None, exclude_if=_is_none)


class ChannelError(Member):
    """The error of a channel of the output; see `seaformer.export.verify.channel_errors`.

    Attributes:
        channel: index of the channel.
        sqnr_db: its SQNR, relative to its own variance.
    """

    channel: Count
    sqnr_db: float


class Accuracy(Member):
    """Accuracy of a quantized file compared with the fp32 file, on images not used for calibration.

    Attributes:
        pictures: description of the images.
        count: number of images.
        sqnr_db: SQNR of the logits, over all images.
        argmax_agreement: share of positions, or of images in classification, with the same class,
            0..1; None for features, and if the fp32 file predicts one class everywhere.
        worst_channels: worst channels of the output, the worst first; empty in older files.
        reference_score: mIoU (top-1 in classification) of the fp32 file in percent; None without
            ground truth.
        detection_agreement: share of the detections in common, 0..1, see
            `seaformer.detection.agreement`; only for detection models with detections.
        score: score of the quantized file, in percent.
        difference_points: `score` - `reference_score`.
        interval_points: 95 % interval of the difference, by paired bootstrap over the images.
    """

    pictures: str
    count: Count
    sqnr_db: float
    argmax_agreement: float | None
    detection_agreement: float | None = Field(default=None, exclude_if=_is_none)
    worst_channels: tuple[ChannelError, ...] = ()
    reference_score: float | None
    score: float | None
    difference_points: float | None
    interval_points: tuple[float, float] | None


class Latency(Member):
    """Latency of a quantized file relative to the fp32 file, interleaved on a host.

    Attributes:
        ratio: median over rounds of the ratio of medians; above 1, the quantized file is slower.
        interval: 95 % interval of the ratio, by the benchmark's bootstrap over rounds.
        runs: number of runs of each file.
        threads: threads of each run.
        processor: name of the processor, and its instructions for integer kernels.
    """

    ratio: float
    interval: tuple[float, float]
    runs: Count
    threads: Count
    processor: str


class Quantization(Member):
    """How a file was quantized, and the resulting loss.

    Attributes:
        engine: the quantizer and its version.
        calibration: images from which ranges were chosen; None if none are needed.
        method: how ranges were chosen from them; None if none are needed.
        is_random: whether the images were noise, so that the file is only useful for latency.
        is_learned: whether ranges were learned in training instead, by seaformer-train
            --quantization.
        kept_modules: modules that were requested, or found by the search, to stay in floating
            point, or, for NPU precisions, at 16-bit activations.
        float_operators: indices of the operators that compute in floating point.
        wide_operators: indices of the operators with 16-bit activations.
        accuracy: accuracy on held-out images; None if there were none.
        independent: accuracy on images that are unrelated to the calibration; None in older files,
            and if the images of `accuracy` are already unrelated.
        latency: latency; None if it was not measured, and always None inside the model file.
        accepted_loss: whether the file was written although it misses a threshold of its precision.
    """

    engine: str
    calibration: str | None
    method: str | None
    is_random: bool
    is_learned: bool = False
    kept_modules: tuple[str, ...]
    float_operators: tuple[Count, ...]
    wide_operators: tuple[Count, ...] = ()
    accuracy: Accuracy | None
    independent: Accuracy | None = None
    latency: Latency | None
    accepted_loss: bool


class Parity(Member):
    """The verification of the file, and its thresholds.

    A floating-point file must reach the thresholds in all comparisons. A quantized file must reach
    them in `Quantization.accuracy`, or on the photo if that is None.

    Attributes:
        reference: what computed the reference outputs.
        runtime: runtime that ran the file, with its version.
        min_sqnr_db: threshold of the SQNR.
        min_argmax_agreement: threshold of the agreement, 0..1.
        is_of_float32: whether the thresholds come from PyTorch in float32 (lowest over all inputs)
            rather than from the precision, because the weights amplify rounding.
        max_score_loss_points: threshold of the loss of mIoU or top-1; None for floating point.
        comparisons: comparisons on all inputs.
        passed: whether the thresholds are reached.
    """

    reference: str
    runtime: str
    min_sqnr_db: float
    min_argmax_agreement: float
    is_of_float32: bool = False
    max_score_loss_points: float | None = None
    comparisons: tuple[Comparison, ...]
    passed: bool


class AcceleratorParity(Member):
    """The verification of the file on an accelerator other than the CPU.

    Attributes:
        name: name of the accelerator, see `seaformer.artifact.accelerators`.
        status: "verified"; "failed": its results differ; "refused": it cannot run; "not verified":
            the accelerator was not available, or exceeded the time limit; "compiled": the vendor's
            compiler accepted it, but a computer cannot run the compiled file.
        reason: why it is not verified; None if it is.
        runtime: runtime with version and driver; None if it was not run.
        comparisons: comparisons with PyTorch on the inputs of `Parity`; empty if it was not run.
        half_runtime: runtime in half precision, the default of phones' GPUs; None if it was not
            run. For a GPU, this is for information only. For an NPU, it was run if the file missed
            the thresholds of half precision: the file then has to be as accurate.
        half_comparisons: comparisons in half precision.
        chip: chip that it was compiled for, see `seaformer.artifact.chips`; None if it was not
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


class LeftOperator(Member):
    """An operator that the compiler left to the CPU.

    Attributes:
        type: operator type in the terms of the format.
        name: name of the node, or of the tensor that it computes.
        reason: reason given by the compiler.
    """

    type: str
    name: str
    reason: str


class Compilation(Member):
    """How a file was compiled for the NPU of one chip.

    Attributes:
        chip: name of the chip, see `seaformer.artifact.chips`.
        hexagon: version of its NPU, 75 for V75.
        compiler: the compiler, with versions.
        qnn_version: version of the Qualcomm libraries that compiled it; those on the phone must not
            be older.
        phone_needs: sentence about what the phone needs to run it.
        source_sha256: `content_sha256` of the file that was compiled.
        partitions: number of partitions on the NPU, ideally 1.
        left: operators that are left to the CPU, in execution order.
        binary: the compiled graph, if it is a separate file next to this one; otherwise None.
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


class MappedOperator(Member):
    """An operator of the file, and its origin.

    Attributes:
        index: position in the execution order of the file.
        type: operator type in the terms of the format ("CONV_2D", "Conv").
        module: path of the module, "" for the model itself.
        nodes: names of the ONNX nodes that it computes.
    """

    index: Count
    type: str
    module: str
    nodes: tuple[str, ...]


class Module(Member):
    """Titles of a module of the network.

    Attributes:
        title: term of the paper, or the last component of the path if the paper has none.
        section: section of the paper about it or the module that contains it; None if unknown.
        own_title: title of the operators in the module that are outside any submodule.
    """

    title: str
    section: str | None = Field(default=None, exclude_if=_is_none)
    own_title: str | None = Field(default=None, exclude_if=_is_none)

    @classmethod
    def untitled(cls, path: str) -> Self:
        """Return the title of a module for which only the path is known.

        It is the last name in the path, with the numbers after it: `layer 2.0` of `layer_2.0`.
        """
        names = path.split(".")
        first = max((i for i, name in enumerate(names) if not name.isdecimal()), default=0)
        return cls(title=".".join(names[first:]).replace("_", " "))


class Rewrite(Member):
    """Result of one rewrite of the deployment form.

    Attributes:
        name: name of the rewrite.
        count: number of places that were rewritten.
        refusals: modules that could not be rewritten, with the reasons.
    """

    name: str
    count: Count
    refusals: tuple[str, ...]


class File(Member):
    """The file next to the JSON.

    Attributes:
        name: file name.
        bytes: size.
        sha256: SHA-256, in hexadecimal.
    """

    name: str
    bytes: Count
    sha256: str


def title_of(variant: str | None, model: str | None, task: str | None, precision: str) -> str:
    """Return the title of a model; the arguments are as in `Interface` and `Metadata`."""
    network = model if variant is None else f"SeaFormer-{variant}"
    return ", ".join(filter(None, (network, task, precision)))


class Interface(Member):
    """Input of a model, and meaning of its output.

    Attributes:
        title: display title.
        variant: variant of SeaFormer; None for another model.
        model: name of a peer or an attention layer, or "package.module:factory" of a user's model;
            None for a SeaFormer.
        task: name of the task; None for a model that returns features.
        kind: kind of the task, or "features".
        input: input tensor.
        output: output tensor; None if unknown, which means logits in a layout to be detected by the
            number of classes.
        labels: class names; empty for a model that returns features.
        palette: red, green and blue of each class; None if there is no palette.
        weights: origin of the weights; None if unknown.
        detection: how boxes are decoded from the output; only for a detection model.
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
    detection: DetectionOutput | None = Field(default=None, exclude_if=_is_none)

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
        detection: DetectionOutput | None = None,
    ) -> "Interface":
        """Describe a network in PyTorch for a task, or a file without metadata by assumption.

        Args:
            task: task that it is trained for.
            layout: layout of the input, "NCHW" or "NHWC".
            size: height and width of the input.
            variant: variant of SeaFormer; None for another network, or a file without metadata.
            model: name of another network; None for a file without metadata.
            weights: origin of the weights; None if unknown.
            output: output tensor; None for logits.
            knows_normalization: whether the network has the normalization of the task.
            detection: how boxes are decoded from the output; only for a detection task.
        """
        title = f"a model without metadata, used for {task.title}"
        if variant or model:
            title = title_of(variant, model, task.name, "fp32")
        members = {member: getattr(task.preprocessing, member) for member in PREPROCESSING}
        if not knows_normalization:
            members |= {"mean": None, "std": None}
        channels = task.preprocessing.channels
        is_classes = output is None or output.meaning.has_labels
        return Interface(
            title=title,
            variant=variant,
            model=model,
            task=task.name,
            kind=task.kind if is_classes else FEATURES,
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
            detection=detection,
        )

    @model_validator(mode="after")
    def _check_preprocessing(self) -> Self:
        if self.kind != FEATURES or self.takes_image:
            _ = self._preprocessing(*(() if self.knows_normalization else (0.0, 1.0)))
        return self

    @model_validator(mode="after")
    def _check_detection(self) -> Self:
        if (self.kind == "detection") != (self.detection is not None):
            raise ValueError(
                f"kind is {self.kind}, and detection is {'given' if self.detection else 'null'}. "
                "Allowed: an object for detection, null otherwise"
            )
        if self.output is not None and (self.output.content == "boxes") != (
            self.kind == "detection"
        ):
            raise ValueError(
                f"output.content is {self.output.content}, and kind is {self.kind}. Allowed: boxes "
                "for detection, nothing else"
            )
        if self.detection is None:
            return self
        if self.input.resize != "stretch":
            raise ValueError(f"resize is {self.input.resize}. Allowed for detection: stretch")
        expected = (1, self.detection.anchors, len(self.labels) + 4)
        if self.output is not None and self.output.shape != expected:
            raise ValueError(
                f"the output has the shape {list(self.output.shape)}. Allowed with these anchors "
                f"and labels: {list(expected)}"
            )
        return self

    @property
    def takes_image(self) -> bool:
        """Whether it takes an image rather than features of another network."""
        return self.input.color_order is not None

    @property
    def knows_normalization(self) -> bool:
        """Whether the normalization of the input is known."""
        return self.input.mean is not None or self.input.std is not None

    @property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing of the input.

        Raises:
            UsageError: the model does not take an image, or its normalization is unknown.
        """
        self.require_image()
        if not self.knows_normalization:
            raise UsageError(
                f"the normalization of the model '{self.title}' is unknown. Give --input-range, "
                "--mean and --std that the network was trained with, or export it again with them."
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
        """Return the interface itself if the model takes an image.

        Raises:
            UsageError: the model does not take an image.
        """
        if not self.takes_image:
            raise UsageError(
                f"the model '{self.title}' takes features of another network, not an image. Give "
                "a model that was exported from a whole network."
            )
        return self

    def require_classes(self) -> Self:
        """Return the interface itself if the model takes an image and returns classes.

        Raises:
            UsageError: the model does not take an image, or its output is not classes.
        """
        self.require_image()
        if self.kind == FEATURES:
            raise UsageError(
                f"the output of the model '{self.title}' is features rather than classes, so there "
                "is nothing to draw or to score. If it is classes, export the model again with "
                "--output-meaning."
            )
        return self

    def restated(
        self,
        labels: tuple[str, ...] | None = None,
        palette: tuple[tuple[int, int, int], ...] | None = None,
        normalization: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    ) -> Self:
        """Return it with values that the user states; `normalization` is mean and std.

        Raises:
            UsageError: the number of classes differs, or the normalization contradicts the file.
        """
        changes: dict[str, Any] = {}
        if labels is not None:
            if len(labels) != len(self.labels):
                raise UsageError(
                    f"{len(labels)} labels are given, but the model '{self.title}' has "
                    f"{len(self.labels)} classes. Give one name per class."
                )
            changes["labels"] = labels
        if palette is not None:
            changes["palette"] = palette
        if normalization is not None:
            own = self.input.mean, self.input.std
            if self.knows_normalization and own != normalization:
                raise UsageError(
                    f"the model '{self.title}' records another normalization. Omit "
                    "--input-range, --mean and --std."
                )
            mean, std = normalization
            changes["input"] = self.input.model_copy(update={"mean": mean, "std": std})
        return self.model_copy(update=changes)

    @property
    def normalizes_inside(self) -> bool:
        """Whether the model takes values of 0..255 and normalizes them itself."""
        return self.input.normalization == "inside"

    @property
    def is_random(self) -> bool:
        """Whether any weights are random, which makes predictions meaningless."""
        return self.weights is not None and self.weights.is_random

    @property
    def meaning(self) -> OutputMeaning:
        """Meaning of the output."""
        return OutputMeaning() if self.output is None else self.output.meaning

    def class_scores(
        self, output: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], Literal[1, 3]] | None:
        """Return one value per class from an output, and the axis of the classes.

        Returns:
            [N, C, h, w] or [N, h, w, C] for segmentation, [N, C] for classification; None for class
            indices and features, and for an output that does not fit.
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
    """Full description of an exported file.

    Attributes:
        schema_version: version of this schema.
        name: stem of the names of the exported files.
        format: "tflite" or "onnx".
        precision: how it stores and computes, see `seaformer.artifact.precisions`.
        head: "logits", "classes" or "mask".
        ablation: switches of `seaformer.models.ablation` that were changed.
        params: number of parameters of the network.
        macs: number of multiply-accumulates for one input.
        content_sha256: hash of the model without metadata, see `seaformer.artifact.embedding`.
        versions: versions of the programs that exported it.
        rewrites: rewrites of the deployment form.
        operators: the operators of the file and their modules, in execution order.
        modules: path -> titles, in the order of the network, for all modules with operators and
            the modules that contain them.
        quantization: how it was quantized; None for floating-point files.
        parity: verification on the CPU.
        accelerators: verification on accelerators other than the CPU.
        compilation: record of the compilation, None if not compiled. `operators` and `parity` of a
            compiled file describe its source.
        file: name, size and hash of the file, only in the JSON next to it.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    name: str
    format: str
    precision: str
    head: str
    ablation: dict[str, str] = Field(default={})
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

    @property
    def facts(self) -> dict[str, Any]:
        """The members that a results.json repeats, by their names there."""
        own = ("name", "variant", "model", "task", "kind", "precision", "head", "params", "macs")
        return {
            **{key: getattr(self, key) for key in (*own, "content_sha256")},
            "normalization": self.input.normalization,
            "weights": self.weights.name,
            "is_random": self.weights.is_random,
        }

    def without_latency(self) -> Self:
        """Return the description without latency, identical for equal exports."""
        if self.quantization is None:
            return self
        quantization = self.quantization.model_copy(update={"latency": None})
        return self.model_copy(update={"quantization": quantization})

    def text(self, indent: int | None = 1) -> str:
        """Return the object as JSON; on one line if `indent` is None."""
        return self.model_dump_json(indent=indent) + "\n"


def parse_metadata(text: str | bytes, where: str) -> Metadata:
    """Parse the JSON of this schema or the previous one; `where` is its location, for errors.

    Raises:
        SeaformerError: it is not JSON, is too large, or a member is missing or invalid.
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
    """Return the JSON Schema of the JSON next to a file, the content of `metadata.schema.json`."""
    schema = Metadata.model_json_schema(mode="serialization")
    schema["properties"]["file"] = {"$ref": "#/$defs/File"}
    schema["required"].append("file")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=1) + "\n"
