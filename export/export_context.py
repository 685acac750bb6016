"""The data passed between the stages of an export."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from seaformer.artifact.metadata import Comparison, MappedOperator, Metadata, Quantization
from seaformer.artifact.precisions import Format, Precision
from seaformer.export.convert.operator_map import module_path
from seaformer.export.convert.standard_metadata import StandardMetadata
from seaformer.export.quantize.calibration import Calibration
from seaformer.export.quantize.engine import Port
from seaformer.export.quantize.independent_images import Independent
from seaformer.export.request import Request
from seaformer.export.rewrite import DeploymentForm
from seaformer.export.source import Source
from seaformer.export.verify.half_arithmetic import MAX_HALF, compare_in_half, first_overflow
from seaformer.export.verify.verification import Sample
from seaformer.export.verify.verification_inputs import ON_DRIVERS
from seaformer.tasks import TASKS


@dataclass(frozen=True)
class Candidate:
    """A converted model without metadata, not verified yet.

    `ports` are the input and output; `quantization` describes how it was quantized, None for
    floating point.
    """

    format: Format
    precision: Precision
    content: bytes
    operators: list[MappedOperator]
    ports: tuple[Port, Port] = (Port("float32", None), Port("float32", None))
    quantization: Quantization | None = None


@dataclass(frozen=True)
class OutputFile:
    """A complete file to write, including its metadata.

    `binary` is the context binary to write beside a compiled file, under the name in
    `metadata.compilation`.
    """

    path: Path
    content: bytes
    metadata: Metadata
    binary: bytes | None = None


@dataclass(frozen=True)
class ExportContext:
    """Everything that the files of one export at one input size have in common.

    Attributes:
        request: the checked request.
        source: the model in its training form.
        size: height and width of the input.
        samples: inputs with the reference outputs of the training form.
        form: the deployment form.
        graph: the deployment form as ONNX in single precision.
        macs: multiply-accumulates of the training form for one image.
        calibration: images for the integer precisions; None without integer precisions.
        independent: further images to verify quantized files on; None if none are needed.
    """

    request: Request
    source: Source
    size: tuple[int, int]
    samples: list[Sample]
    form: DeploymentForm
    graph: onnx.ModelProto
    macs: int
    calibration: Calibration | None
    independent: Independent | None

    @cached_property
    def in_half(self) -> tuple[Comparison, ...] | None:
        """Parity of the network in emulated half precision, the same for fp32 and fp16 files."""
        return compare_in_half(self.graph, self.samples[:ON_DRIVERS])

    @cached_property
    def overflow_in_half(self) -> str:
        """Which operator overflows in half precision first, as a clause."""
        found = first_overflow(self.graph, self.samples[:ON_DRIVERS])
        if found is None:
            return "the output is not finite"
        node, largest = found
        path = module_path(node.name, {path for path, _ in self.form.model.named_modules()})
        reached = f"reaches {largest:.3g}" if largest > MAX_HALF else "is not finite"
        where = f" in '{path}'" if path else ""
        return f"the output of {node.op_type}{where} {reached}, and the largest number is 65504"

    @property
    def judges_independent_images(self) -> bool:
        """Whether a quantized file that misses its thresholds on independent images is refused.

        The default images may be unlike those that a user's own network sees, so for such a
        network this holds only if the user gave images.
        """
        is_ours = TASKS.get(self.source.task.name) is self.source.task
        is_own = self.source.network.declares_contract or not is_ours
        return not is_own or self.request.quantization.verify_images is not None

    def calibrates(self, precision: Precision) -> bool:
        """Whether the ranges of a precision are chosen from the calibration images."""
        return self.request.quantization.calibrates(precision, self.source.learned)

    @property
    def unequal_ranges(self) -> tuple[str, ...]:
        """Modules that must not be quantized to 8 bits, as the network's class declares.

        Their tensors have values of different ranges, such as logits and box offsets.
        """
        return tuple(getattr(self.source.model, "unequal_ranges", ()))

    @property
    def input_range(self) -> tuple[float, float]:
        """Smallest and largest input value of the exported file.

        If the preprocessing is unknown, these are the extremes of the verification inputs.
        """
        if self.request.normalize == "inside":
            return 0.0, 255.0
        rule = self.request.task.preprocessing
        ends = [(v - m) / s for m, s in zip(rule.mean, rule.std, strict=True) for v in (0, 255)]
        return min(ends), max(ends)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes; empty for features."""
        return self.source.contract.labels

    @property
    def standard_metadata(self) -> StandardMetadata:
        """The standard TFLite metadata, which any reader understands."""
        rule = self.request.task.preprocessing
        mean: tuple[float, ...] | None = rule.mean
        std: tuple[float, ...] | None = rule.std
        if self.request.normalize == "inside":
            mean, std = (0.0,) * rule.channels, (1.0,) * rule.channels
        elif not self.source.contract.knows_normalization:
            mean = std = None
        return StandardMetadata(
            description=f"{self.stem}, {self.request.head}",
            input_name=self.input_name,
            output_name=self.request.head,
            size=None if self.source.takes_features else self.size,
            channels=rule.channels,
            mean=mean,
            std=std,
            has_labels=bool(self.labels),
            gives_classes=self.gives_ids,
        )

    @property
    def gives_ids(self) -> bool:
        """Whether the files output class ids, because of the head or of the network itself."""
        return self.request.head != "logits" or self.source.contract.meaning.gives_ids

    @property
    def input_name(self) -> str:
        """Name of the input tensor."""
        return str(self.graph.graph.input[0].name)

    @property
    def stem(self) -> str:
        """Name and size, for messages."""
        return f"{self.source.name} {self.size[0]}x{self.size[1]}"
