"""The page that a run ends with: curves, accuracy of each class, predictions."""

import base64
import io
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.evaluation.metrics import SegmentationScores
from seaformer.files import atomic_write
from seaformer.imaging.overlay import blend, class_color
from seaformer.network_names import members
from seaformer.training.checkpoints import METRICS, RunFolder
from seaformer.training.curves import draw_curve
from seaformer.training.progress import read_metrics

FILE = "report.html"

_HIGHEST = 320
"""Pixels: photographs of data sets have thousands, which no page needs."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em }
svg { width: 560px; max-width: 100% } svg text { font-size: 12px } svg .title { font-size: 14px }
.axis { fill: none; stroke: #999 } .curve { fill: none; stroke: #0a6ebd; stroke-width: 1.5 }
table { border-collapse: collapse } td, th { padding: 2px 12px; text-align: left }
td.number { text-align: right } .swatch { display: inline-block; width: 1em; height: 1em }
figure { margin: 1em 0 } img { max-width: 100%; image-rendering: pixelated }
"""

Pixels = npt.NDArray[np.uint8]


def write_report(
    folder: RunFolder, scores: SegmentationScores, examples: list[tuple[Pixels, Pixels, Pixels]]
) -> None:
    """Write report.html into the folder of the run; it holds everything it shows.

    Args:
        folder: of the run, with its metrics.
        scores: of the best weights, as stored.
        examples: picture uint8 [H, W, 3], true and predicted mask uint8 [H, W].
    """
    entries = read_metrics(folder.path / METRICS)
    recipe = "".join(
        _row(name.replace("_", " "), value)
        for name, value in (members(folder.network.name) | folder.origin).items()
    ) + "".join(
        _row(name.replace("_", " "), value) for name, value in folder.recipe.to_json().items()
    )
    title = f"{folder.network.long_title}, {escape(folder.task.title)}"
    page = (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>best.safetensors: mIoU {100 * scores.miou:.2f} %, pixel accuracy "
        f"{100 * scores.pixel_accuracy:.2f} % on the validation pictures, resized as on a device."
        "</p>"
        f"{_curves(entries)}<h2>Predictions</h2><p>Picture, truth, prediction.</p>"
        f"{''.join(_figure(folder, example) for example in examples)}"
        f"<h2>Classes</h2>{_classes(folder, scores)}"
        f"<h2>Recipe</h2><table>{recipe}</table></html>"
    )
    with atomic_write(folder.path / FILE) as draft:
        # The name of a folder may hold what UTF-8 does not.
        draft.write_bytes(page.encode("utf-8", "replace"))


def _curves(entries: list[dict[str, Any]]) -> str:
    curves = []
    for key, title, factor in (
        ("loss", "cross-entropy", 1),
        ("mIoU", "mIoU, %", 100),
        ("lr", "learning rate", 1),
    ):
        chosen = [entry for entry in entries if key in entry]
        if chosen:
            steps = [entry["step"] for entry in chosen]
            curves.append(draw_curve(title, steps, [factor * entry[key] for entry in chosen]))
    return "".join(curves)


def _classes(folder: RunFolder, scores: SegmentationScores) -> str:
    total = sum(scores.pixels) or 1
    rows = []
    for index, label in enumerate(folder.task.labels):
        color = "#{:02x}{:02x}{:02x}".format(*class_color(index, folder.task.palette))
        iou = scores.iou[index]
        shown = "does not occur" if iou != iou else f"{100 * iou:.1f} %"
        rows.append(
            f'<tr><td><span class="swatch" style="background:{color}"></span> {escape(label)}</td>'
            f'<td class="number">{shown}</td>'
            f'<td class="number">{100 * scores.pixels[index] / total:.2f} %</td></tr>'
        )
    head = "<tr><th>class</th><th>IoU</th><th>pixels</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _figure(folder: RunFolder, example: tuple[Pixels, Pixels, Pixels]) -> str:
    image, truth, predicted = (_small(pixels) for pixels in example)
    row = [image]
    for mask in (truth, predicted):
        colored = blend(image, mask, folder.task.palette, opacity=0.85)
        colored[mask >= folder.task.num_classes] = 0
        row.append(colored)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(row, axis=1)).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    source = f"data:image/png;base64,{data}"
    return f'<figure><img alt="picture, truth, prediction" src="{source}"></figure>'


def _small(pixels: Pixels) -> Pixels:
    step = -(-pixels.shape[0] // _HIGHEST)
    return np.ascontiguousarray(pixels[::step, ::step])


def _row(name: str, value: object) -> str:
    return f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
