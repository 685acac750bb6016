"""What the methods of a `Model` return: typed results, and each of them as a table of pandas."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.artifact.metadata import Interface, Metadata
from seaformer.benchmark.presentation.results_csv import rows
from seaformer.benchmark.results.schema import Results as BenchmarkResults
from seaformer.evaluation.results import Difference, Scores
from seaformer.evaluation.results import Results as EvaluationResults
from seaformer.extras import require
from seaformer.imaging.overlay import RANDOM_WEIGHTS_NOTE, ClassShare, class_shares, draw_overlay
from seaformer.imaging.prediction import Prediction, position_probabilities

if TYPE_CHECKING:
    import pandas

OPACITY = 0.5
REPR_CLASSES = 3
"""How many classes the text of a prediction has."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model says about an image.

    Attributes:
        details: the photograph as the model saw it, its raw output, and times in milliseconds.
        interface: what the model takes and gives: labels, palette, task.
    """

    details: Prediction
    interface: Interface

    @property
    def mask(self) -> npt.NDArray[np.unsignedinteger] | None:
        """Class indices [H, W] at the size of the image; None of a classifier."""
        return self.details.mask

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """Probabilities of the classes, 0..1; None if the model gives class ids alone.

        Of a segmentation [classes, h, w], at the size of the model's own output; of a classifier
        [classes].
        """
        if self.interface.kind == "segmentation":
            return position_probabilities(self.details.output, self.interface)
        return self.details.probabilities

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, by their indices."""
        return tuple(self.interface.labels)

    @property
    def classes(self) -> tuple[ClassShare, ...]:
        """The classes in the mask with their colours and shares, 0..1, the largest first.

        Of a classifier none.
        """
        if self.mask is None:
            return ()
        return tuple(class_shares(self.mask, self.interface.labels, self.interface.palette))

    @property
    def top(self) -> tuple[tuple[str, float], ...]:
        """Of a classifier, every class with its probability, the most probable first."""
        return tuple(self.details.ranked(self.interface.labels))

    @cached_property
    def overlay(self) -> Image.Image | None:
        """The image with the classes over it in colour, and a legend; None of a classifier."""
        return self.draw()

    def draw(self, opacity: float = OPACITY) -> Image.Image | None:
        """Draw the overlay with an opacity of the colours, 0..1."""
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
        """Return a row for each class: its share of the mask, or its probability."""
        if self.mask is None:
            return _frame({"class": name, "probability": value} for name, value in self.top)
        return _frame({"class": one.name, "share": one.share} for one in self.classes)

    def __repr__(self) -> str:
        """Name the model and the largest classes."""
        shares = [(one.name, one.share) for one in self.classes] or self.top
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
    """The accuracy of a model; `results` is what `seaformer-evaluate` writes."""

    results: EvaluationResults

    @property
    def scores(self) -> Scores:
        """The measures, 0..1: miou, mean_accuracy and pixel_accuracy, or top1 and top5."""
        return self.results.models[-1].scores

    @property
    def difference(self) -> Difference | None:
        """Of a device to this computer's CPU, with its 95 % interval; None without a device."""
        return self.results.models[-1].difference

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each class: pixels, IoU and accuracy."""
        return _frame(
            {
                "class": one.name,
                "pixels": one.pixels,
                "iou": one.iou,
                "accuracy": one.accuracy,
                **({} if self.difference is None else {"change": one.change}),
            }
            for one in self.results.models[-1].classes
        )


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written; `metadata` is what it says of itself, the verification too."""

    path: Path
    metadata: Metadata


@dataclass(frozen=True)
class Exported:
    """The files of an export.

    Attributes:
        files: in the order of sizes, precisions and formats.
        warnings: what a user should know.
        is_verified: whether every file is right on all accelerators that it was to be verified on;
            on the CPU it is, or it would not have been written.
    """

    files: tuple[ExportedFile, ...]
    warnings: tuple[str, ...]
    is_verified: bool

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of the files."""
        return tuple(file.path for file in self.files)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each file and each input that it was compared with PyTorch on."""
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
    """Latency and memory; `devices` are what `seaformer-benchmark` writes, one for each device."""

    devices: tuple[BenchmarkResults, ...]

    @property
    def results(self) -> BenchmarkResults:
        """Of the first device."""
        return self.devices[0]

    @property
    def median_ms(self) -> float | None:
        """Median latency on the first device; None where its processor is emulated."""
        latency = self.results.models[0].latency
        return None if latency is None else latency.typical_ms

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each device and model, with the columns of results.csv."""
        return _frame(row for device in self.devices for row in rows(device))

    def breakdown_to_pandas(self) -> pandas.DataFrame:
        """Return a row for each module of each model; empty without `breakdown=True`."""
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
