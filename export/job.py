"""What the stages of an export hand to each other."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from seaformer.artifact.metadata import Comparison, MappedOperator, Metadata, Quantization
from seaformer.artifact.precisions import Format, Precision
from seaformer.export.convert.standard_metadata import StandardMetadata
from seaformer.export.quantize.calibration import Calibration
from seaformer.export.quantize.engine import Port
from seaformer.export.quantize.independent_images import Independent
from seaformer.export.request import Request
from seaformer.export.rewrite import DeploymentForm
from seaformer.export.source import Source
from seaformer.export.verify.half_arithmetic import compare_in_half
from seaformer.export.verify.verification import Sample
from seaformer.export.verify.verification_inputs import ON_DRIVERS
from seaformer.tasks import TASKS


@dataclass(frozen=True)
class Candidate:
    """A converted model, without its description, that has not been verified yet.

    `ports` are the input and output; `quantization` is how it came to its integers, None in
    floating point.
    """

    format: Format
    precision: Precision
    content: bytes
    operators: list[MappedOperator]
    ports: tuple[Port, Port] = (Port("float32", None), Port("float32", None))
    quantization: Quantization | None = None


@dataclass(frozen=True)
class Finished:
    """A whole file to write, with its description in it.

    `binary` is what is written beside a compiled one, under the name in `metadata.compilation`.
    """

    path: Path
    content: bytes
    metadata: Metadata
    binary: bytes | None = None


@dataclass(frozen=True)
class Job:
    """One size of one export, as far as all its files share it.

    Attributes:
        size: height and width of the input.
        samples: inputs, and what the training form makes of them.
        form: the deployment form, of which `graph` is the ONNX in single precision.
        macs: multiply-accumulates of the training form for one image.
        calibration: images for the integer precisions; None without them.
        independent: other images that quantized files are judged on; None where there is no need.
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
        """The network in emulated half precision, which fp32 and fp16 files have in common."""
        return compare_in_half(self.graph, self.samples[:ON_DRIVERS])

    @property
    def judges_independent_images(self) -> bool:
        """Whether a quantized file that loses on the independent images is refused.

        They are like what a network of a user's own sees only if the user says so.
        """
        is_ours = TASKS.get(self.source.task.name) is self.source.task
        is_own = self.source.network.has_own_weights or not is_ours
        return not is_own or self.request.quantization.verify_images is not None

    @property
    def input_range(self) -> tuple[float, float]:
        """Smallest and largest value that the exported file takes.

        Of a network of which nobody said it, those that it is verified with.
        """
        if self.request.normalize == "inside":
            return 0.0, 255.0
        rule = self.request.task.preprocessing
        ends = [(v - m) / s for m, s in zip(rule.mean, rule.std, strict=True) for v in (0, 255)]
        return min(ends), max(ends)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes; none of features."""
        return self.source.contract.labels

    @property
    def standard_metadata(self) -> StandardMetadata:
        """What a .tflite says of itself to any reader."""
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
        """Whether the files give class ids: by their head, or as the network does."""
        return self.request.head != "logits" or self.source.contract.meaning.gives_ids

    @property
    def input_name(self) -> str:
        """Name of the input tensor."""
        return str(self.graph.graph.input[0].name)

    @property
    def stem(self) -> str:
        """Name and size, for messages."""
        return f"{self.source.name} {self.size[0]}x{self.size[1]}"
