"""Parity of an exported file with PyTorch.

The reference is the training form in float64: the error of PyTorch's own float32 is as large as
the error of a good export, and would be attributed to the export. The inputs come from
`verification_inputs`.
"""

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.artifact.metadata import ChannelError, Comparison
from seaformer.artifact.precisions import Precision
from seaformer.detection.agreement import DetectionAgreement
from seaformer.detection.decoding import decode
from seaformer.errors import SeaformerError
from seaformer.evaluation.metrics import energies_sqnr_db
from seaformer.export.rewrite.argmax_inside import ArgMax, as_ids
from seaformer.export.verify.channel_errors import ChannelErrors, min_channel_db
from seaformer.export.verify.double_precision import InFloat64
from seaformer.export.verify.thresholds import lowest_threshold
from seaformer.export.verify.verification_inputs import features, images
from seaformer.models.contract import only_tensor
from seaformer.models.inputs import takes_features
from seaformer.runtimes import ImageSession
from seaformer.tasks import Preprocessing
from seaformer.tasks.output_meaning import LOGITS, OutputMeaning

MIN_SHARE_OF_TYPICAL_RMS = 0.1
"""Minimum RMS of an output as a share of the median over all inputs: outputs that are nearly zero,
as for a black image, are compared as if they had this RMS."""

REFERENCE = "PyTorch, training form, float64"


@dataclass(frozen=True)
class Sample:
    """An input of the exported file and its reference output.

    Attributes:
        name: name of the input.
        input: float32 [1, channels, H, W].
        reference: float64 output of the network, channels first, or integer class ids.
        pytorch_float32_sqnr_db: SQNR of PyTorch's own float32; None if the network itself outputs
            class ids.
        logits_shape: shape of the network's output, channels first, even if the reference is class
            ids.
        meaning: meaning of the network's output.
        has_classes: whether the predicted classes are meaningful: not for images of one color.
        least_rms: lower bound for the root mean square of the reference.
        detection: how boxes are decoded from the output; None without boxes.
        in_float32: PyTorch's own float32 output, float64; None for class ids.
    """

    name: str
    input: np.ndarray
    reference: np.ndarray
    pytorch_float32_sqnr_db: float | None
    logits_shape: tuple[int, ...]
    meaning: OutputMeaning = LOGITS
    has_classes: bool = True
    least_rms: float = 0.0
    detection: DetectionOutput | None = None
    in_float32: np.ndarray | None = None

    def sqnr_db(self, output: np.ndarray) -> float:
        """The SQNR of an output, float64, in dB."""
        signal = max(np.square(self.reference).sum(), self.least_rms**2 * self.reference.size)
        return energies_sqnr_db(float(signal), float(np.square(self.reference - output).sum()))

    def agreement(self, output: np.ndarray) -> float | None:
        """The share of positions with the same class as the reference.

        None if it is meaningless: for features, and if the reference has a single class everywhere.
        Class ids always have an agreement, their only measure.
        """
        if np.issubdtype(self.reference.dtype, np.integer):
            return float((output == self.reference).mean())
        if not self.has_classes or not self.meaning.has_classes:
            return None
        if self.decides_for_one_class:
            return None
        decided = (self.meaning.decide(values, 1) for values in (output, self.reference))
        return float(np.equal(*decided).mean())

    @property
    def decides_for_one_class(self) -> bool:
        """Whether all positions of the reference have the same class.

        Agreement is then meaningless, unless there is only one class per image.
        """
        if np.issubdtype(self.reference.dtype, np.integer):
            decided = self.reference
        else:
            decided = self.meaning.decide(self.reference, 1)
        return decided.size > 1 and bool((decided == decided.flat[0]).all())

    def channels(self, output: np.ndarray) -> np.ndarray:
        """An output as [channels, ...]; tokens, which have no channel axis, are one channel."""
        if self.detection is not None:
            return output[0].T
        return output if output.ndim == 3 else output[0]

    def detection_agreement(self, output: np.ndarray) -> float | None:
        """The share of detections in common; None if there are none, or if it is meaningless."""
        if self.detection is None or not self.has_classes:
            return None
        size = self.input.shape[2], self.input.shape[3]
        found = DetectionAgreement()
        found.add(*(decode(one, self.detection, size) for one in (self.reference, output)))
        return found.share


@torch.no_grad()
def make_samples(
    model: nn.Module,
    preprocessing: Preprocessing,
    size: tuple[int, int],
    inside: bool,
    head: str = "logits",
    meaning: OutputMeaning = LOGITS,
    detection: DetectionOutput | None = None,
) -> list[Sample]:
    """Run the training form in float64 on the inputs of `verification_inputs`.

    Args:
        model: the training form, in eval mode; not modified.
        preprocessing: preprocessing of the model's input.
        size: height and width of the input.
        inside: whether the exported file normalizes the image itself, and so takes 0..255.
        head: head of the exported file, see `seaformer.export.heads`.
        meaning: meaning of the model's output.
        detection: how boxes are decoded from the output; None without boxes.

    Raises:
        SeaformerError: the model's output is not one tensor, or not finite.
    """
    exact = copy.deepcopy(model).double()
    of_features = takes_features(model)
    inputs = features(model, size) if of_features else images(preprocessing, size, inside)
    outputs = []
    with _one_thread():
        for given in inputs:
            x = torch.from_numpy(given.values.astype(np.float64))
            if inside and not of_features:
                mean, std = (
                    torch.tensor(v)[:, None, None] for v in (preprocessing.mean, preprocessing.std)
                )
                x = (x - mean) / std
            with InFloat64():
                logits = only_tensor(exact(x))
            if not torch.isfinite(logits).all():
                raise SeaformerError(
                    f"the model's output for the input '{given.name}' is not finite, so its export "
                    "cannot be verified. Check the weights."
                )
            outputs.append((logits, model(x.float()).double().numpy()))
    if meaning.gives_ids:
        head = "classes"
    typical_rms = [_rms(logits.double()) for logits, _ in outputs]
    least_rms = MIN_SHARE_OF_TYPICAL_RMS * float(np.median(typical_rms))
    samples = []
    for given, (logits, in_float32) in zip(inputs, outputs, strict=True):
        sample = Sample(
            name=given.name,
            input=given.values,
            reference=logits.numpy(),
            least_rms=least_rms,
            pytorch_float32_sqnr_db=0.0,
            logits_shape=tuple(logits.shape),
            meaning=meaning,
            has_classes=given.has_classes,
            detection=detection,
        )
        own = None if meaning.gives_ids else sample.sqnr_db(in_float32)
        reference = _decide(logits, head, size, meaning).numpy()
        sample = replace(sample, pytorch_float32_sqnr_db=own, reference=reference)
        samples.append(replace(sample, in_float32=in_float32 if head == "logits" else None))
    return samples


def _rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Make torch compute with one thread.

    Its float64 depth-wise convolution starts the threads again for every channel. On a busy host,
    they wait for each other: work that takes one second was observed to take forty.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _decide(
    logits: torch.Tensor, head: str, size: tuple[int, int], meaning: OutputMeaning
) -> torch.Tensor:
    """The reference output for a head: the output itself, or class ids, int64."""
    if meaning.gives_ids:
        return as_ids(logits).to(torch.int64)
    if head == "logits":
        return logits
    return ArgMax(size if head == "mask" else None, meaning.threshold)(logits).to(torch.int64)


def lowest_channel_db(
    comparisons: Sequence[Comparison], samples: Iterable[Sample], precision: Precision
) -> float:
    """Return the threshold in dB for each channel of a file in floating point.

    Args:
        comparisons: comparisons of the file with the samples.
        samples: the inputs, with PyTorch's own float32 outputs.
        precision: precision of the file.
    """
    known = [row.pytorch_float32_sqnr_db for row in comparisons]
    return min_channel_db(
        lowest_threshold(comparisons, precision).sqnr_db,
        is_quantized=False,
        in_float32=_float32_channels(samples),
        float32_db=min((value for value in known if value is not None), default=None),
    )


def _float32_channels(samples: Iterable[Sample]) -> tuple[ChannelError, ...]:
    """Return the worst channels of PyTorch's own float32; empty for class ids."""
    errors = ChannelErrors()
    for sample in samples:
        if sample.in_float32 is not None:
            errors.add(*(sample.channels(one) for one in (sample.reference, sample.in_float32)))
    return errors.worst()


def compare(
    session: ImageSession, sample: Sample, channels: ChannelErrors | None = None
) -> Comparison:
    """Run an exported file on a sample and compare it with the reference.

    Args:
        session: session of the file.
        sample: the input and its reference.
        channels: accumulates the errors of each channel, unless the output is class ids.

    Raises:
        SeaformerError: the shapes of the output and the reference differ.
    """
    x = sample.input if session.layout == "NCHW" else sample.input.transpose(0, 2, 3, 1)
    output = session.run(np.ascontiguousarray(x))
    gives_classes = np.issubdtype(sample.reference.dtype, np.integer)
    if session.layout == "NHWC" and output.ndim == 4 and not gives_classes:
        output = np.moveaxis(output, -1, 1)
    if output.shape != sample.reference.shape:
        raise SeaformerError(
            f"the output of the exported file has shape {list(output.shape)}, PyTorch's output "
            f"{list(sample.reference.shape)}"
        )
    error = sqnr = None
    if not gives_classes:
        output = output.astype(np.float64)
        error = float(np.abs(output - sample.reference).max())
        sqnr = sample.sqnr_db(output)
        if channels is not None:
            channels.add(*(sample.channels(one) for one in (sample.reference, output)))
    return Comparison(
        input=sample.name,
        max_abs_error=error,
        sqnr_db=sqnr,
        argmax_agreement=sample.agreement(output),
        detection_agreement=sample.detection_agreement(output),
        pytorch_float32_sqnr_db=sample.pytorch_float32_sqnr_db,
    )


def lowest(comparisons: Sequence[Comparison]) -> tuple[float | None, float | None]:
    """Return the lowest SQNR, in dB, and the lowest agreement, 0..1; None if none has one."""
    sqnrs = [row.sqnr_db for row in comparisons if row.sqnr_db is not None]
    agreements = [row.argmax_agreement for row in comparisons if row.argmax_agreement is not None]
    return min(sqnrs, default=None), min(agreements, default=None)


def reached(comparisons: Sequence[Comparison]) -> str:
    """The SQNR and agreement as text; the lowest for several comparisons."""
    sqnr, agreement = lowest(comparisons)
    least = ">= " if len(comparisons) > 1 else ""
    parts = [] if sqnr is None else [f"SQNR {least}{sqnr:.1f} dB"]
    parts += [] if agreement is None else [f"agreement {least}{100 * agreement:.2f} %"]
    detected = [
        row.detection_agreement for row in comparisons if row.detection_agreement is not None
    ]
    parts += [f"detections in common {least}{100 * min(detected):.2f} %"] if detected else []
    return ", ".join(parts)
