"""The command `seaformer-predict`: draw the mask or the boxes that a model predicts on a photo."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seaformer.cli.attention_option import attention_option
from seaformer.cli.command import PATH, Command, print_error
from seaformer.cli.prediction_files import Outputs, in_one_line, record
from seaformer.cli.processor_options import (
    processor_options,
    read_processor,
)
from seaformer.cli.statement_options import read_statement, statement_options
from seaformer.detection import SHOWN_SCORE
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import atomic_write
from seaformer.imaging.input_size import parse_input_size
from seaformer.models.seaformer.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from seaformer.artifact.metadata import Interface
    from seaformer.console import Console
    from seaformer.imaging.overlay import ClassShare
    from seaformer.imaging.photos import Photo, Photos
    from seaformer.imaging.prediction import Prediction
    from seaformer.models.entry import Network
    from seaformer.runtimes import ImageSession

# NumPy, Pillow, Rich and the runtimes are imported inside functions to keep --help fast.

LISTED_CLASSES = 12
TOP = 5


@click.command(cls=Command)
@click.argument("photos", metavar="[PHOTO]...", nargs=-1, type=PATH)
@click.option(
    "-m",
    "--model",
    "model_text",
    metavar="FILE|NAME",
    required=True,
    help="Model file (.tflite or .onnx), checkpoint (.pth, .pt, .safetensors or .pdparams), or "
    "name of a network, see seaformer-export --list, with --weights.",
)
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="Weights, if --model is the name of a network; as for seaformer-export. [default: random]",
)
@click.option(
    "--variant",
    metavar="NAME",
    help=f"Variant of a checkpoint, if its tensors fit several: {', '.join(VARIANTS)}.",
)
@attention_option
@statement_options()
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="Overlay to write, .png or .jpg; a folder if there are several photos. [default: "
    "<photo>_overlay.png; for several photos, the folder predictions]",
)
@click.option(
    "--mask",
    type=PATH,
    help="Also write the class indices as an 8-bit or 16-bit gray .png; a folder if there are "
    "several photos.",
)
@click.option(
    "--heatmap",
    type=PATH,
    help="Also write the activation map of the last attention layer as a colored .png: the mean "
    "over its channels, scaled to 0..255; a folder if there are several photos.",
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Seconds between the frames taken from a video.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--opacity",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Opacity of the overlay.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help=f"Lowest score of the boxes to show, for a detection model. [default: {SHOWN_SCORE}]",
)
@processor_options
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--input-size",
    metavar="HEIGHTxWIDTH",
    help="Input size, if the model accepts any; one number for a square.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def main(
    photos: tuple[Path, ...],
    model_text: str,
    weights: str | None,
    variant: str | None,
    attention: str | None,
    output: Path | None,
    mask: Path | None,
    heatmap: Path | None,
    every_s: float,
    as_json: bool,
    opacity: float,
    min_score: float | None,
    accelerator: str,
    soc: str | None,
    threads: int,
    input_size: str | None,
    force: bool,
    **statement_values: str | None,
) -> None:
    """Run a model on PHOTO and draw the predicted classes or boxes over it.

    PHOTO is any number of photos, folders of photos, and videos (pip install 'seaformer[video]').
    Without PHOTO, the bundled sample photo is used. For a classification model, the five
    most probable classes are printed and no file is written. A file that was not exported by
    seaformer-export does not describe its input and output: give --input-range, --mean, --std,
    --labels or --task.
    """
    size = None if input_size is None else parse_input_size(input_size)
    processor = read_processor(accelerator, soc)
    statement = read_statement(**statement_values)

    from seaformer.console import Console
    from seaformer.imaging.images import sample_photograph
    from seaformer.imaging.photos import find_photos, mask_note
    from seaformer.imaging.prediction import TIMED_RUNS
    from seaformer.models.resolve import find_model
    from seaformer.runtimes.opening import open_found
    from seaformer.runtimes.stated_interface import stated_interface

    given = find_photos(photos or (sample_photograph(),))
    requested = Outputs(output, mask, heatmap)
    requested.check(given.is_one)
    reading = given.read(every_s)
    first = next(reading, None)
    if first is None:
        raise SeaformerError(f"'{given.files[0][0]}' has no frames. Give another video.")
    if len(given.files) == 1:
        height, width = first.pixels.shape[:2]  # raises before the model is opened
    found = _with_attention(find_model(model_text), attention)
    model = found if isinstance(found, Path) else Path(found.name)
    console = Console(soft_wrap=True, stderr=as_json)
    records: list[dict[str, Any]] = []
    with open_found(
        found,
        weights,
        variant=variant,
        statement=statement,
        input_size=size,
        threads=threads,
        accelerator=processor.accelerator,
        chip=processor.chip,
    ) as session:
        _require_variant(session, model, variant)
        interface, stated = stated_interface(session, statement)
        interface.require_classes()
        notes = [
            "random weights: the result is meaningless" if interface.is_random else "",
            stated or getattr(session.session, "note", ""),
            "" if interface.weights is None else interface.weights.note,
            given.skipped,
        ]
        has_overlay = interface.kind != "classification"
        if not has_overlay and (output or mask):
            raise UsageError(
                f"'{model}' is a classification model and has no mask or overlay. Omit "
                "--output and --mask."
            )
        if interface.detection is not None and mask:
            raise UsageError(f"'{model}' is a detection model and has no mask. Omit --mask.")
        if interface.detection is None and min_score is not None:
            raise UsageError(
                f"--min-score is for detection, but '{model}' is for {interface.kind}. Omit it."
            )
        _prepare_outputs(given, requested, has_overlay, force)
        if given.is_one:
            console.print(f"{first.path}: {width} x {height} pixels")
        height, width = session.input_shape
        console.print(f"{model}: {interface.title}, input {width} x {height}")
        for note in filter(None, notes):
            console.print(note, style="bold yellow")
        runs = 0 if processor.is_emulated else TIMED_RUNS if given.is_one else 1
        least = SHOWN_SCORE if min_score is None else min_score
        prediction_run = _PredictionRun(model, session, interface, runs, opacity, least, force)
        for photo in chain([first], reading):
            outputs = requested.of_image(photo.stem, given.is_one, has_overlay)
            try:
                prediction = _predict(photo, prediction_run, outputs)
            except SeaformerError as error:
                if given.is_one:
                    raise
                print_error(str(error))
                records.append({"image": str(photo.path), "problem": str(error)})
                continue
            note = "" if photo.time_s is not None else mask_note(photo.path)
            shares = _shares(prediction, interface)
            records.append(record(photo, prediction, shares, interface.labels, outputs, note))
            if note:
                console.print(note, style="bold yellow")
            if given.is_one:
                _print_result(console, prediction, shares, interface)
                _print_times(console, prediction, session.session.runtime, threads)
            else:
                console.print(in_one_line(records[-1], TOP))
            for kind, path in outputs.named() if given.is_one else ():
                console.print(f"{kind}: {path.absolute()}")
    if as_json:
        whole = {
            "model": str(model),
            "task": interface.task,
            "is_random": interface.is_random,
            "notes": list(filter(None, notes)),
            "images": records,
        }
        for line in json.dumps(whole, indent=1).splitlines():
            Console(soft_wrap=True).print(line)
    if failed := sum("problem" in one for one in records):
        raise SeaformerError(
            f"{failed} of {len(records)} images could not be used, see above. All others are done."
        )


@dataclass(frozen=True)
class _PredictionRun:
    """The open model and the options, which all images share.

    `runs` is the number of timed inferences of each image.
    """

    model: Path
    session: ImageSession
    interface: Interface
    runs: int
    opacity: float
    min_score: float
    force: bool


def _prepare_outputs(given: Photos, requested: Outputs, has_overlay: bool, force: bool) -> None:
    """Create the folders for several images, and refuse files that must not be overwritten.

    File names of video frames are only known once the frames are read.
    """
    for path, stem in given.files:
        outputs = requested.of_image(stem, given.is_one, has_overlay)
        if not given.is_one:
            for _, target in outputs.named():
                target.parent.mkdir(parents=True, exist_ok=True)
        outputs.refuse_existing(path, force)


def _predict(photo: Photo, run: _PredictionRun, outputs: Outputs) -> Prediction:
    """Run the model on an image, and write the files."""
    from seaformer.imaging.prediction import predict, prepare_input

    pixels = photo.pixels
    features = None
    if outputs.heatmap is not None:
        from seaformer.imaging.heatmap import heat, last_attention, save_heatmap

        x = prepare_input(pixels, run.session, run.interface)
        features = last_attention(run.model, run.session, x)
    prediction = predict(pixels, run.session, run.interface, run.runs)
    if prediction.detections is not None:
        shown = prediction.detections.above(run.min_score)
        prediction = replace(prediction, detections=shown)
    if outputs.overlay is not None:
        _save(prediction, run, outputs.overlay, outputs.mask)
    if outputs.heatmap is not None and features is not None:
        shape = prediction.photograph.shape[:2]
        save_heatmap(outputs.heatmap, heat(features, shape), run.force)
    return prediction


def _with_attention(found: Path | Network, attention: str | None) -> Path | Network:
    """Apply --attention to a network; a file has the attention it was made with."""
    from seaformer.models.resolve import with_attention

    if isinstance(found, Path):
        if attention is not None:
            raise UsageError(
                f"--attention is for a --model that is the name of a network, but '{found}' is a "
                "file. Omit it."
            )
        return found
    return with_attention(found, attention) or found


def _require_variant(session: ImageSession, model: Path, variant: str | None) -> None:
    """Refuse a --variant that contradicts the metadata of a file."""
    own = None if session.metadata is None else session.metadata.variant
    if session.metadata is not None and variant not in (None, own):
        raise UsageError(
            f"--variant {variant} does not fit '{model}', which is {own}. Omit the option."
        )


def _save(prediction: Prediction, run: _PredictionRun, output: Path, mask: Path | None) -> None:
    from PIL import Image

    with atomic_write(output, replace=run.force) as temporary:
        # For .jpg: full-resolution color, because masks have sharp edges.
        _drawn(prediction, run).save(temporary, quality=92, subsampling=0)
    if mask is not None and prediction.mask is not None:
        with atomic_write(mask, replace=run.force) as temporary:
            Image.fromarray(prediction.mask).save(temporary)


def _drawn(prediction: Prediction, run: _PredictionRun) -> Image:
    """Draw the mask or the boxes."""
    from seaformer.imaging import detection_overlay, overlay

    of = run.interface
    if prediction.detections is not None:
        return detection_overlay.draw_detections(
            prediction.photograph,
            prediction.detections,
            of.labels,
            of.palette,
            note=detection_overlay.RANDOM_WEIGHTS_NOTE if of.is_random else None,
        )
    assert prediction.mask is not None  # as for all other models with an overlay
    return overlay.draw_overlay(
        prediction.photograph,
        prediction.mask,
        of.labels,
        of.palette,
        run.opacity,
        note=overlay.RANDOM_WEIGHTS_NOTE if of.is_random else None,
        max_classes=LISTED_CLASSES,
    )


def _print_times(console: Console, prediction: Prediction, runtime: str, threads: int) -> None:
    from seaformer.imaging.prediction import TIMED_RUNS

    if prediction.run_ms is None:
        console.print(f"computed by {runtime}, whose latency is meaningless")
    else:
        console.print(
            f"latency on this computer: preprocessing {prediction.prepare_ms:.1f} ms, "
            f"inference {prediction.run_ms:.1f} ms (median of {TIMED_RUNS} after a warm-up, "
            f"{threads} thread{'s' * (threads > 1)}), post-processing "
            f"{prediction.finish_ms:.1f} ms"
        )


def _shares(prediction: Prediction, interface: Interface) -> list[ClassShare]:
    from seaformer.imaging.overlay import class_shares

    if prediction.mask is None:
        return []
    return class_shares(prediction.mask, interface.labels, interface.palette)


def _print_result(
    console: Console, prediction: Prediction, shares: Sequence[ClassShare], interface: Interface
) -> None:
    from rich.table import Table
    from rich.text import Text

    if prediction.decided is not None:
        console.print(f"class: {interface.labels[prediction.decided]}")
        return
    if prediction.detections is not None and not len(prediction.detections):
        console.print("nothing detected")
        return
    table = Table()
    table.add_column("class")
    if prediction.probabilities is not None:
        table.add_column("probability", justify="right")
        for name, probability in prediction.ranked(interface.labels)[:TOP]:
            table.add_row(name, f"{100 * probability:.1f} %")
    elif prediction.detections is not None:
        for heading in ("score", "x0", "y0", "x1", "y1"):
            table.add_column(heading, justify="right")
        for box, score, index in prediction.detections:
            corners = (f"{corner:.1f}" for corner in box)
            table.add_row(interface.labels[index], f"{100 * score:.1f} %", *corners)
    elif prediction.mask is not None:
        table.add_column("share", justify="right")
        for entry in shares[:LISTED_CLASSES]:
            swatch = Text("  ", style="on #{:02x}{:02x}{:02x}".format(*entry.color))
            table.add_row(swatch + Text(f" {entry.name}"), f"{100 * entry.share:.1f} %")
        if rest := shares[LISTED_CLASSES:]:
            share = sum(entry.share for entry in rest)
            table.add_row(f"   + {len(rest)} more", f"{100 * share:.1f} %")
    console.print(table)


if __name__ == "__main__":
    main()
