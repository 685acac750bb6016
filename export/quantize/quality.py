"""Accuracy of quantized files compared with the single-precision file.

Many candidates are compared with the same reference, so its outputs are cached.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.artifact.metadata import Accuracy
from seaformer.artifact.precisions import Format
from seaformer.datasets import IGNORED
from seaformer.detection.agreement import DetectionAgreement
from seaformer.detection.decoding import decode
from seaformer.errors import SeaformerError
from seaformer.evaluation.metrics import energies_sqnr_db
from seaformer.evaluation.paired_scores import Counts, compare_scores, miou, top1
from seaformer.export.quantize.calibration import Images
from seaformer.export.verify.channel_errors import ChannelErrors
from seaformer.imaging.preprocessing import normalize, prepare, seen_part
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.runtimes import ImageSession, open_content
from seaformer.tasks import Preprocessing
from seaformer.tasks.output_meaning import LOGITS, OutputMeaning

CACHED_BYTES = 1 << 29
"""Size limit of the cache; images beyond it are computed every time."""

Progress = Callable[[int, int], None]
"""Progress callback (done, total)."""


@dataclass(frozen=True)
class _Sample:
    """An image, and the output of the reference for it.

    Attributes:
        prepared: uint8 [H, W, 3], resized to the input.
        logits: logits of the reference.
        truth: class of each pixel, [H, W]; of the image, [], in classification; None if unknown.
        counts: pixels by class for the score of the reference; None without ground truth.
    """

    prepared: npt.NDArray[np.uint8]
    logits: npt.NDArray[np.float32]
    truth: npt.NDArray[np.integer] | None
    counts: Counts | None

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        truth = 0 if self.truth is None else self.truth.nbytes
        return self.prepared.nbytes + self.logits.nbytes + truth


class Reference:
    """The single-precision file on a set of images.

    Args:
        session: session of the file, which outputs logits. It must stay open while this object is
            used.
        images: images for measuring.
        preprocessing: preprocessing of the task.
        inside: whether the files normalize the image themselves.
        classes: number of classes of the ground truth; None if `images` has none.
        meaning: meaning of the output, which is not class ids.
        detection: how boxes are decoded from the output; None without boxes.
    """

    def __init__(
        self,
        session: ImageSession,
        images: Images,
        preprocessing: Preprocessing,
        inside: bool,
        classes: int | None,
        meaning: OutputMeaning = LOGITS,
        detection: DetectionOutput | None = None,
    ) -> None:
        self.images = images
        self.classes = classes
        self._session = session
        self._preprocessing = preprocessing
        self._inside = inside
        self._meaning = meaning
        self._detection = detection
        self._cache: dict[int, _Sample] = {}
        self._room = CACHED_BYTES

    def spread(self, count: int, has_truth: bool = True) -> "Reference":
        """Return a reference on `count` evenly spaced images, or on all if there are fewer.

        Args:
            count: 1 or more.
            has_truth: whether to compute the score, which takes 50 % longer.
        """
        every = self.images
        if count >= every.count and has_truth:
            return self  # keeps its cache
        count = min(count, every.count)
        name = every.name if count == every.count else f"{count} of {every.name}"
        some = Images(name, count, lambda place: every.read(place * every.count // count))
        classes = self.classes if has_truth else None
        return Reference(
            self._session,
            some,
            self._preprocessing,
            self._inside,
            classes,
            self._meaning,
            self._detection,
        )

    def measure(self, candidate: ImageSession, progress: Progress | None = None) -> Accuracy:
        """Run a candidate on every image.

        The interval of the score difference is a paired bootstrap: images are drawn with
        replacement, and each counts for both files.

        Args:
            candidate: has the same input and output as the reference.
            progress: called after every image.

        Raises:
            SeaformerError: there are no images, one is damaged, or the candidate's output has
                another shape or values that are not finite.
        """
        total = self.images.count
        if not total:
            raise SeaformerError(f"there are no images to measure on: {self.images.name}.")
        signal = noise = 0.0
        channels = ChannelErrors()
        detected = DetectionAgreement()
        agreed = positions = 0
        classes_seen: set[int] = set()
        counts: list[tuple[Counts, Counts]] = []
        for place in range(total):
            sample = self._sample(place)
            logits = self._run(candidate, sample.prepared)
            if logits.shape != sample.logits.shape:
                raise SeaformerError(
                    f"the output of the quantized file has shape {list(logits.shape)}, the output "
                    f"of the single-precision file {list(sample.logits.shape)}."
                )
            signal += float(np.square(sample.logits, dtype=np.float64).sum())
            noise += float(np.square(sample.logits - logits, dtype=np.float64).sum())
            channels.add(self._channels_first(sample.logits), self._channels_first(logits))
            if self._meaning.has_classes:
                expected = self._classes_of(sample.logits)
                classes_seen.update(np.unique(expected).tolist())
                same = self._classes_of(logits) == expected
                agreed, positions = agreed + int(same.sum()), positions + same.size
            if self._detection is not None:
                size = self._session.input_shape
                both = (decode(one[None], self._detection, size) for one in (sample.logits, logits))
                detected.add(*both)
            if sample.counts is not None and sample.truth is not None:
                counts.append((sample.counts, self._count(sample.truth, logits)))
            if progress is not None:
                progress(place + 1, total)
        reference_score = score = difference = interval = None
        if counts:
            paired = compare_scores(np.array(counts), top1 if logits.ndim == 1 else miou)
            reference_score, score = paired.reference_percent, paired.percent
            difference, interval = paired.difference_points, paired.interval_points
        return Accuracy(
            pictures=self.images.name,
            count=total,
            sqnr_db=energies_sqnr_db(signal, noise),
            # A single class everywhere agrees trivially, except in classification.
            argmax_agreement=None
            if not positions or (positions > total and len(classes_seen) == 1)
            else agreed / positions,
            detection_agreement=detected.share,
            worst_channels=channels.worst(),
            reference_score=reference_score,
            score=score,
            difference_points=difference,
            interval_points=interval,
        )

    def measure_file(
        self, data: bytes, format: Format, progress: Progress | None = None
    ) -> Accuracy:
        """Measure a candidate that is still in memory; see `measure`."""
        with open_bytes(data, format) as session:
            return self.measure(session, progress)

    def _sample(self, place: int) -> _Sample:
        if place not in self._cache:
            sample = self._compute(place)
            if sample.size > self._room:
                return sample
            self._room -= sample.size
            self._cache[place] = sample
        return self._cache[place]

    def _compute(self, place: int) -> _Sample:
        image, truth = self.images.read(place)
        size = self._session.input_shape
        # `prepare` returns integral values, so the conversion is exact.
        prepared = prepare(image, self._preprocessing, size).astype(np.uint8)
        logits = self._run(self._session, prepared)
        if self.classes is None or truth is None:
            return _Sample(prepared, logits, None, None)
        if logits.ndim > 1:
            # `seen_part` is typed for images, but crops any array with rows and columns.
            truth = seen_part(truth, self._preprocessing, size)  # type: ignore[arg-type]
        return _Sample(prepared, logits, truth, self._count(truth, logits))

    def _run(
        self, session: ImageSession, prepared: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        x = prepared.astype(np.float32)
        if not self._inside:
            x = normalize(x, self._preprocessing)
        if session.layout == "NCHW":
            x = x.transpose(2, 0, 1)
        logits: npt.NDArray[np.float32] = session.run(np.ascontiguousarray(x[None]))[0]
        return logits

    def _axis(self, logits: npt.NDArray[np.float32]) -> int:
        """The channel axis of an output with this number of axes."""
        return 2 if self._session.layout == "NHWC" and logits.ndim == 3 else 0

    def _channels_first(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The output as [channels, ...]; tokens, which have no channel axis, are one channel."""
        if self._detection is not None:
            return logits.T
        if logits.ndim == 2:
            return logits[None]
        return np.moveaxis(logits, self._axis(logits), 0)

    def _scores(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The value of each class, along the same axis as the channels."""
        if logits.ndim == 2:  # a map of one channel
            logits = logits[None] if self._session.layout == "NCHW" else logits[..., None]
        return self._meaning.scores(logits, self._axis(logits))

    def _classes_of(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """The class of every position, or of the image."""
        return self._meaning.decide(logits, self._axis(logits))

    def _count(self, truth: npt.NDArray[np.integer], logits: npt.NDArray[np.float32]) -> Counts:
        scores = self._scores(logits)
        if scores.ndim == 1:
            true, predicted = truth.reshape(1), scores.argmax(0, keepdims=True)
        else:
            layout: Literal["CHW", "HWC"] = "CHW" if self._session.layout == "NCHW" else "HWC"
            mask = upsample_argmax(scores, (truth.shape[0], truth.shape[1]), layout)
            counted = truth != IGNORED
            true, predicted = truth[counted], mask[counted]
        rows = (true[true == predicted], true, predicted)
        return np.array([np.bincount(row, minlength=self.classes or 0) for row in rows])


@contextlib.contextmanager
def open_bytes(data: bytes, format: Format) -> Iterator[ImageSession]:
    """Open a model that is in memory.

    Args:
        data: the model, with or without metadata.
        format: format of the model.
    """
    with open_content(data, format.suffix) as session:
        yield ImageSession(session)
