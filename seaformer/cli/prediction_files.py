"""The files that `seaformer-predict` writes for each image, and the record that it prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seaformer.errors import UsageError
from seaformer.files import refuse_existing

if TYPE_CHECKING:
    from seaformer.imaging.overlay import ClassShare
    from seaformer.imaging.photos import Photo
    from seaformer.imaging.prediction import Prediction

OVERLAY_SUFFIXES = (".png", ".jpg", ".jpeg")
FOLDER = Path("predictions")
"""Default folder for the overlays of several images."""


@dataclass(frozen=True)
class Outputs:
    """Paths to write, as given by the options or for one image; None if a file is not wanted.

    For several images, the options name folders.
    """

    overlay: Path | None
    mask: Path | None
    heatmap: Path | None

    def check(self, is_one: bool) -> None:
        """Raise UsageError unless the paths are files for one image, or folders for several."""
        for option, path, suffixes in (
            ("--output", self.overlay, OVERLAY_SUFFIXES),
            ("--mask", self.mask, (".png",)),
            ("--heatmap", self.heatmap, (".png",)),
        ):
            if path is None:
                continue
            if is_one and path.suffix.lower() not in suffixes:
                raise UsageError(
                    f"{option} is '{path}'. Allowed: a file ending in {', '.join(suffixes)}."
                )
            if not is_one and (path.suffix.lower() in suffixes or path.is_file()):
                raise UsageError(
                    f"{option} is '{path}', but there are several images. Give a folder."
                )

    def of_image(self, stem: str, is_one: bool, has_overlay: bool) -> Outputs:
        """Return the files of one image; a classification has no overlay."""
        if is_one:
            overlay = self.overlay or Path(f"{stem}_overlay.png")
            return Outputs(overlay if has_overlay else None, self.mask, self.heatmap)
        return Outputs(
            (self.overlay or FOLDER) / f"{stem}_overlay.png" if has_overlay else None,
            self.mask and self.mask / f"{stem}_mask.png",
            self.heatmap and self.heatmap / f"{stem}_heatmap.png",
        )

    def named(self) -> Iterator[tuple[str, Path]]:
        """Yield the name ("overlay", "mask" or "heat map") and the path of each file."""
        for kind, path in (
            ("overlay", self.overlay),
            ("mask", self.mask),
            ("heat map", self.heatmap),
        ):
            if path is not None:
                yield kind, path

    def refuse_existing(self, photo: Path, force: bool) -> None:
        """Raise UsageError for files that must not be written, before the model runs."""
        taken = {photo.resolve(): "the photo"}
        options = {"overlay": "--output", "mask": "--mask", "heat map": "--heatmap"}
        for kind, path in self.named():
            option = options[kind]
            if path.resolve() in taken:
                raise UsageError(
                    f"{option} '{path}' is {taken[path.resolve()]}. Give another name."
                )
            taken[path.resolve()] = f"also the path of {option}"
            refuse_existing(path, force)


def record(
    photo: Photo,
    prediction: Prediction,
    shares: Sequence[ClassShare],
    labels: Sequence[str],
    outputs: Outputs,
    note: str,
) -> dict[str, Any]:
    """Return the result for an image as JSON: its classes or detections, and its files.

    Classes are in the order of their shares or probabilities, detections in that of their scores,
    with boxes [x0, y0, x1, y1] in pixels of the image. `shares` are the class shares of its mask;
    empty without a mask.
    """
    classes: list[dict[str, Any]]
    if prediction.decided is not None:
        classes = [{"name": labels[prediction.decided]}]
    else:
        classes = [{"name": entry.name, "share": entry.share} for entry in shares]
        ranked = prediction.ranked(labels)
        classes += [{"name": name, "probability": value} for name, value in ranked]
    detections: dict[str, Any] = {}
    if prediction.detections is not None:
        detections["detections"] = [
            {"name": labels[index], "score": score, "box": box.tolist()}
            for box, score, index in prediction.detections
        ]
    return {
        "image": str(photo.path),
        "time_s": photo.time_s,
        "note": note,
        "classes": classes,
        **detections,
        "prepare_ms": prediction.prepare_ms,
        "run_ms": prediction.run_ms,
        "finish_ms": prediction.finish_ms,
        "files": {kind.replace(" ", ""): str(path.absolute()) for kind, path in outputs.named()},
    }


def in_one_line(found: Mapping[str, Any], most: int) -> str:
    """Format a record as one line: the image and its first `most` classes or detections."""
    time = "" if found["time_s"] is None else f" at {found['time_s']:.2f} s"
    every = [*found["classes"], *found.get("detections", ())]
    shares = (
        (one["name"], one.get("share", one.get("probability", one.get("score")))) for one in every
    )
    shown = [name if share is None else f"{name} {100 * share:.1f} %" for name, share in shares]
    return f"{found['image']}{time}: {', '.join(shown[:most]) or 'nothing detected'}"
