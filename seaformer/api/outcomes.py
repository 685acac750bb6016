"""Results of the methods of a `Model`, each of which can be converted to a pandas table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.artifact.metadata import Interface, Metadata
from seaformer.benchmark.presentation.results_csv import rows
from seaformer.benchmark.results.schema import Results as BenchmarkResults
from seaformer.detection import SHOWN_SCORE
from seaformer.detection.detections import Detections
from seaformer.evaluation.results import Difference, Scores
from seaformer.evaluation.results import Results as EvaluationResults
from seaformer.extras import require
from seaformer.imaging import detection_overlay
from seaformer.imaging.overlay import RANDOM_WEIGHTS_NOTE, ClassShare, class_shares, draw_overlay
from seaformer.imaging.prediction import Prediction, position_probabilities

if TYPE_CHECKING:
    import pandas

OPACITY = 0.5
REPR_CLASSES = 3
"""Number of classes in the representation of a prediction."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """The prediction of a model for an image.

    Attributes:
        details: the part of the photo that the model saw, raw output, and latencies.
        interface: input and output of the model: labels, palette, task.
    """

    details: Prediction
    interface: Interface

    @property
    def mask(self) -> npt.NDArray[np.unsignedinteger] | None:
        """Class indices [H, W] at the size of the image; None for tasks other than segmentation."""
        return self.details.mask

    @property
    def detections(self) -> Detections | None:
        """Boxes in pixels of the image, with scores and classes; None for other tasks."""
        return self.details.detections

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """Class probabilities, 0..1; None if the model returns only class indices.

        [classes, h, w] at the output size of the model for segmentation, [classes] for
        classification.
        """
        if self.interface.kind == "segmentation":
            return position_probabilities(self.details.output, self.interface)
        return self.details.probabilities

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, by class index."""
        return tuple(self.interface.labels)

    @property
    def classes(self) -> tuple[ClassShare, ...]:
        """The classes in the mask with colors and shares, 0..1, largest first.

        Empty for classification.
        """
        if self.mask is None:
            return ()
        return tuple(class_shares(self.mask, self.interface.labels, self.interface.palette))

    @property
    def top(self) -> tuple[tuple[str, float], ...]:
        """For classification, all classes with their probabilities, the most probable first."""
        return tuple(self.details.ranked(self.interface.labels))

    @cached_property
    def overlay(self) -> Image.Image | None:
        """The image with colored classes and a legend, or with boxes; None for classification."""
        return self.draw()

    def draw(self, opacity: float = OPACITY) -> Image.Image | None:
        """Draw the overlay; `opacity` applies to the colors of a mask, 0..1."""
        if self.detections is not None:
            return detection_overlay.draw_detections(
                self.details.photograph,
                self.detections.above(SHOWN_SCORE),
                self.interface.labels,
                self.interface.palette,
                note=detection_overlay.RANDOM_WEIGHTS_NOTE if self.interface.is_random else None,
            )
        if self.mask is None:
            return None
        return draw_overlay(
            self.details.photograph,
            self.mask,
            self.interface.labels,
            self.interface.palette,
            opacity,
            note=RANDOM_WEIGHTS_NOTE if self.interface.is_random else None,
        )

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row per class, with its share or probability, or one row per detection."""
        if self.detections is not None:
            return _frame(
                {"class": self.labels[index], "score": score}
                | dict(zip(("x0", "y0", "x1", "y1"), box.tolist(), strict=True))
                for box, score, index in self.detections
            )
        if self.mask is None:
            return _frame({"class": name, "probability": value} for name, value in self.top)
        return _frame({"class": one.name, "share": one.share} for one in self.classes)

    def __repr__(self) -> str:
        """Name the model and the largest classes."""
        found = [(self.labels[index], score) for _, score, index in self.detections or ()]
        shares = [(one.name, one.share) for one in self.classes] or found or self.top
        listed = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares[:REPR_CLASSES])
        return f"<{type(self).__name__} by {self.interface.title}: {listed}>"

    def _repr_png_(self) -> bytes | None:
        """Show the overlay in a notebook."""
        if self.overlay is None:
            return None
        content = io.BytesIO()
        self.overlay.save(content, "PNG")
        return content.getvalue()


@dataclass(frozen=True)
class Evaluated:
    """The accuracy of a model; `results` is the content of results.json."""

    results: EvaluationResults

    @property
    def scores(self) -> Scores:
        """The metrics, 0..1: miou, mean_accuracy and pixel_accuracy, or top1 and top5, or ap."""
        return self.results.models[-1].scores

    @property
    def difference(self) -> Difference | None:
        """Difference from the reference, with a 95 % interval; None without a reference."""
        return self.results.models[-1].difference

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row per class: pixels, IoU and accuracy; in detection, objects and AP."""
        is_detection = self.results.kind == "detection"
        return _frame(
            {
                "class": one.name,
                **(
                    {"objects": one.pixels, "ap": one.ap}
                    if is_detection
                    else {"pixels": one.pixels, "iou": one.iou, "accuracy": one.accuracy}
                ),
                **({} if self.difference is None else {"change": one.change}),
            }
            for one in self.results.models[-1].classes
        )


@dataclass(frozen=True)
class ExportedFile:
    """An exported file; `metadata` is its description, including the verification."""

    path: Path
    metadata: Metadata = field(repr=False)


@dataclass(frozen=True)
class Exported:
    """The files of an export.

    Attributes:
        files: exported files, in the order of sizes, precisions and formats.
        warnings: messages for the user.
        is_verified: whether every file passed the verification on all requested accelerators. On
            the CPU, every file has passed: otherwise it would not have been written.
    """

    files: tuple[ExportedFile, ...]
    warnings: tuple[str, ...]
    is_verified: bool

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the files."""
        return tuple(file.path for file in self.files)

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row per file and input on which it was compared with PyTorch."""
        return _frame(
            {
                "file": file.path.name,
                "precision": file.metadata.precision,
                "bytes": file.path.stat().st_size,
                "operators": len(file.metadata.operators),
                "input": comparison.input,
                "sqnr_db": comparison.sqnr_db,
                "max_abs_error": comparison.max_abs_error,
                "argmax_agreement": comparison.argmax_agreement,
            }
            for file in self.files
            for comparison in file.metadata.parity.comparisons
        )


@dataclass(frozen=True)
class Benchmarked:
    """Latency and memory; `devices` are the results of `seaformer-benchmark`, one per device."""

    devices: tuple[BenchmarkResults, ...]

    @property
    def results(self) -> BenchmarkResults:
        """Results of the first device."""
        return self.devices[0]

    @property
    def median_ms(self) -> float | None:
        """Median latency on the first device; None if its processor is emulated."""
        latency = self.results.models[0].latency
        return None if latency is None else latency.typical_ms

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row per device and model, with the columns of results.csv."""
        return _frame(row for device in self.devices for row in rows(device))

    def breakdown_to_pandas(self) -> pandas.DataFrame:
        """Return one row per module of each model; empty without `breakdown=True`."""
        return _frame(
            {"device": device.device.serial, "model": model.file_name, **row.model_dump()}
            for device in self.devices
            for model in device.models
            if model.breakdown is not None
            for row in model.breakdown.rows
        )


def _frame(rows: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    require("pandas")
    import pandas

    return pandas.DataFrame(list(rows))
