"""Writes the expected outputs for the Android app's core, computed in Python.

    PYTHONPATH=tests/support python -m android_golden FOLDER

Arrays are raw little-endian files, described by `cases.json`. The Kotlin JUnit tests in
android_demo/core read the folder (system property `seaformer.golden`).
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from android_golden_detections import detection_limits, detections
from android_golden_folder import Folder
from android_metadata import Json, metadata_of
from PIL import Image, ImageOps

from seaformer.artifact.metadata import parse_metadata
from seaformer.bundling.golden import golden_image, sample_output
from seaformer.bundling.model import KINDS
from seaformer.evaluation.metrics import sqnr_db
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.overlay import blend, class_color, class_shares
from seaformer.imaging.preprocessing import normalize, prepare, seen_part
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.tasks import TASKS, Preprocessing, get_task

# Not square, without a common factor, and smaller than the photo along one axis.
SIZE = (70, 110)


def write(path: Path) -> None:
    """Write all cases to an existing folder."""
    folder = Folder(path)
    cases = {
        "preprocessing": _preprocessing(folder),
        "upsampling": _upsampling(folder),
        "orientation": _orientation(folder),
        "blending": _blending(folder),
        "yuv": _yuv(folder),
        "quantiles": _quantiles(),
        "ranking": _ranking(folder),
        "detections": detections(folder),
        "detection_limits": detection_limits(),
        "checks": _checks(folder),
    }
    (path / "cases.json").write_text(json.dumps(cases, indent=1))


def _images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "photograph": read_image(sample_photograph()),
        "noise": rng.integers(0, 256, (61, 143, 3), np.uint8),
        # Reduced along both axes, rows first.
        "portrait": rng.integers(0, 256, (260, 120, 3), np.uint8),
        "strip": rng.integers(0, 256, (300, 3, 3), np.uint8),
        "one_pixel": rng.integers(0, 256, (1, 1, 3), np.uint8),
    }


def _preprocessing(folder: Folder) -> list[Json]:
    quantized = {"scale": 0.0186584, "zero_point": -14}
    variations: dict[str, Json] = {
        name: {"task": name} for name, task in TASKS.items() if task.kind in KINDS
    }
    ade20k = get_task("ade20k").preprocessing
    variations |= {
        "bicubic": {"preprocessing": replace(ade20k, interpolation="bicubic")},
        "bgr": {"preprocessing": replace(ade20k, color_order="BGR")},
        "crop": {"preprocessing": replace(ade20k, resize="center-crop", crop_fraction=0.9)},
        "gray": {
            "preprocessing": replace(ade20k, color_order="GRAY", mean=(127.5,), std=(60.0,)),
            "normalization": "outside",
        },
        "nchw": {"layout": "NCHW"},
        "outside": {"normalization": "outside"},
        "outside_nchw_bgr": {
            "normalization": "outside",
            "layout": "NCHW",
            "preprocessing": replace(ade20k, color_order="BGR"),
        },
        "uint8": {"dtype": "uint8", "quantization": {"scale": 1.0, "zero_point": 0}},
        "int8": {"dtype": "int8", "quantization": {"scale": 1.0, "zero_point": -128}},
        "int8_outside": {"dtype": "int8", "quantization": quantized, "normalization": "outside"},
        "uint8_outside": {
            "dtype": "uint8",
            "quantization": {"scale": 0.0186584, "zero_point": 114},
            "normalization": "outside",
            "layout": "NCHW",
        },
    }
    images = {
        name: (pixels, folder.image(f"{name}.rgb", pixels)) for name, pixels in _images().items()
    }
    cases = []
    for variation, changes in variations.items():
        changes = dict(changes)
        name = changes.pop("task", "ade20k")
        rules = changes.get("preprocessing", get_task(name).preprocessing)
        metadata = metadata_of(name, size=SIZE, **changes)
        for image, (pixels, stored) in images.items():
            expected = _input_of(pixels, rules, metadata["input"])
            seen = seen_part(pixels, rules, SIZE)
            cases.append(
                {
                    "name": f"{variation}, {image}",
                    "metadata": metadata,
                    "image": stored,
                    "expected": folder.array(f"{variation}_{image}.input", expected),
                    "seen": folder.image(f"{variation}_{image}.seen", seen),
                }
            )
    return cases


def _input_of(pixels: np.ndarray, rules: Preprocessing, described: Json) -> np.ndarray:
    x = prepare(pixels, rules, SIZE)
    if described["normalization"] == "outside":
        x = normalize(x, rules)
    if described["layout"] == "NCHW":
        x = x.transpose(2, 0, 1)
    if described["dtype"] == "float32":
        return x
    quantization, limits = described["quantization"], np.iinfo(described["dtype"])
    steps = np.round(x / np.float32(quantization["scale"])) + quantization["zero_point"]
    return np.clip(steps, limits.min, limits.max).astype(limits.dtype)


def _upsampling(folder: Folder) -> list[Json]:
    rng = np.random.default_rng(1)
    cases = []
    for classes, grid, size in (
        (12, (16, 16), (128, 128)),
        (19, (9, 14), (67, 113)),
        (150, (8, 8), (64, 61)),
        (300, (5, 4), (41, 33)),
        (7, (1, 1), (9, 5)),
        (5, (20, 30), (7, 11)),
        (3, (6, 6), (6, 6)),
        (1, (4, 4), (16, 16)),
    ):
        noise = rng.normal(0, 3, (classes, *grid)).astype(np.float32)
        kinds = {
            "noise": noise,
            "smooth": _smooth(noise),
            "ties": np.round(noise).astype(np.float32),
            "int8": np.clip(np.round(noise * 20), -128, 127).astype(np.int8),
            "uint8": np.clip(np.round(noise * 20) + 128, 0, 255).astype(np.uint8),
        }
        for kind, logits in kinds.items():
            mask = upsample_argmax(logits, size).astype(np.uint16)
            for layout in ("CHW", "HWC"):
                name = f"{kind}_{classes}_{layout}"
                stored = logits if layout == "CHW" else logits.transpose(1, 2, 0)
                cases.append(
                    {
                        "name": f"{name}, {grid} to {size}",
                        "type": str(logits.dtype),
                        "classes": classes,
                        "height": grid[0],
                        "width": grid[1],
                        "layout": layout,
                        "mask_height": size[0],
                        "mask_width": size[1],
                        "logits": folder.array(f"{name}.logits", stored),
                        "expected": folder.array(f"{name}.mask", mask),
                    }
                )
    return cases


def _smooth(noise: np.ndarray) -> np.ndarray:
    """Smooth noise like the logits of networks, in which neighbors are similar."""
    for axis in (1, 2):
        for _ in range(3):
            noise = (np.roll(noise, 1, axis) + noise + np.roll(noise, -1, axis)) / np.float32(3)
    return noise


def _orientation(folder: Folder) -> list[Json]:
    pixels = np.random.default_rng(2).integers(0, 256, (5, 8, 3), np.uint8)
    stored = folder.image("as_stored.rgb", pixels)
    cases = []
    for value in range(1, 9):
        image = Image.fromarray(pixels)
        image.getexif()[0x0112] = value
        seen = np.asarray(ImageOps.exif_transpose(image))
        cases.append(
            {
                "exif": value,
                "image": stored,
                "expected": folder.image(f"exif_{value}.rgb", seen),
            }
        )
    return cases


def _blending(folder: Folder) -> list[Json]:
    pixels = read_image(sample_photograph())[::4, ::4]
    stored = folder.image("small.rgb", pixels)
    rng = np.random.default_rng(3)
    cases = []
    for task in ("ade20k", "shapes", "imagenet"):
        labels, palette = get_task(task).labels, get_task(task).palette
        # Classes beyond the labels and the palette get generated names and colors.
        ids = rng.integers(0, len(labels) + 5, pixels.shape[:2]) // rng.integers(1, 40, (100, 1))
        for opacity in (0, 0.37, 0.5, 1):
            name = f"{task}_{opacity}"
            cases.append(
                {
                    "name": name,
                    "image": stored,
                    "labels": labels,
                    "palette": palette,
                    "opacity": opacity,
                    "mask": folder.array(f"{name}.mask", ids.astype(np.uint16)),
                    "expected": folder.image(f"{name}.rgb", blend(pixels, ids, palette, opacity)),
                    "shares": [asdict(share) for share in class_shares(ids, labels, palette)],
                    "colors": [class_color(index, palette) for index in range(400)],
                }
            )
    return cases


def _yuv(folder: Folder) -> Json:
    """Chroma has half the resolution, as in a camera frame; Pillow's YCbCr is JPEG's."""
    coarse = np.random.default_rng(4).integers(0, 256, (12, 16, 3), np.uint8)
    samples = coarse.repeat(2, axis=0).repeat(2, axis=1)
    samples[:, :, 0] = np.random.default_rng(5).integers(0, 256, samples.shape[:2])
    rgb = np.asarray(Image.fromarray(samples, mode="YCbCr").convert("RGB"))
    return {
        "luma": folder.array("frame.y", samples[:, :, 0]),
        "blue_difference": folder.array("frame.u", samples[::2, ::2, 1]),
        "red_difference": folder.array("frame.v", samples[::2, ::2, 2]),
        "expected": folder.image("frame.rgb", rgb),
    }


def _quantiles() -> list[Json]:
    rng = np.random.default_rng(6)
    cases = []
    for count in (1, 2, 3, 10, 57):
        durations = rng.integers(1_000_000, 90_000_000, count)
        median, p90 = np.quantile(durations / 1e6, (0.5, 0.9))
        cases.append({"durations_ns": durations.tolist(), "median_ms": median, "p90_ms": p90})
    return cases


def _ranking(folder: Folder) -> list[Json]:
    rng = np.random.default_rng(7)
    cases = []
    for kind, scale, zero_point in (("float32", 1.0, 0), ("int8", 0.11, 3), ("uint8", 0.07, 120)):
        values = rng.normal(0, 5, 1000)
        if kind != "float32":
            limits = np.iinfo(kind)
            values = np.clip(np.round(values / scale) + zero_point, limits.min, limits.max)
        stored = values.astype(kind)
        logits = (stored.astype(np.float64) - zero_point) * scale
        exponentials = np.exp(logits - logits.max())
        cases.append(
            {
                "type": kind,
                "logits": folder.array(f"ranking_{kind}.logits", stored),
                "scale": scale,
                "zero_point": zero_point,
                "order": (-logits).argsort(kind="stable").tolist(),
                "probabilities": (exponentials / exponentials.sum()).tolist(),
            }
        )
    return cases


OUTPUTS: dict[str, tuple[str, Json]] = {
    "logits": ("shapes", {"shape": (1, 9, 14, 12)}),
    "nchw": ("shapes", {"shape": (1, 12, 9, 14), "layout": "NCHW"}),
    "sampled": ("ade20k", {"shape": (1, 40, 40, 150)}),
    "int8": (
        "shapes",
        {
            "shape": (1, 9, 14, 12),
            "dtype": "int8",
            "quantization": {"scale": 0.11, "zero_point": 3},
        },
    ),
    "ids": (
        "shapes",
        {"shape": (1, 70, 110), "layout": "NHW", "dtype": "int32", "content": "mask"},
    ),
    "binary": ("shapes", {"shape": (1, 9, 14, 1), "content": "binary", "threshold": 0.5}),
    "classification": ("imagenet", {"shape": (1, 1000), "layout": "NC"}),
    "boxes": ("shapes-detection", {}),
    "boxes_int8": (
        "shapes-detection",
        {"dtype": "int8", "quantization": {"scale": 0.11, "zero_point": 3}},
    ),
}


def _checks(folder: Folder) -> list[Json]:
    """Golden outputs, and outputs of accelerators with various deviations, with the verdicts."""
    rng = np.random.default_rng(8)
    image = golden_image()
    stored_image = folder.array("golden_image.rgb", image)
    cases = []
    for kind, (task, changes) in OUTPUTS.items():
        described = metadata_of(task, size=SIZE)
        described["output"].update(changes)
        if kind == "binary":
            described |= {"labels": ["background", "shape"], "palette": None}
        metadata = parse_metadata(json.dumps(described), kind)
        meaning = metadata.meaning
        dtype = np.dtype(metadata.output.dtype)
        steps = metadata.output.quantization
        size = metadata.output.shape
        values = rng.integers(0, 12, size) if meaning.gives_ids else rng.normal(0, 5, size)
        for deviation in (0.0, 0.01, 1.0):
            if meaning.gives_ids:
                output = np.where(rng.random(size) < deviation / 5, 0, values).astype(dtype)
                real, golden_values = output, values.astype(dtype)
            elif steps is None:
                output = (values + rng.normal(0, deviation, size)).astype(dtype)
                real, golden_values = output, values.astype(dtype)
            else:
                noisy = values + rng.normal(0, deviation, size)
                output, nearest = (
                    np.clip(np.round(x / steps.scale) + steps.zero_point, -128, 127).astype(dtype)
                    for x in (noisy, values)
                )
                real, golden_values = (
                    (x.astype(np.float32) - steps.zero_point) * np.float32(steps.scale)
                    for x in (output, nearest)
                )
            golden = sample_output(golden_values, metadata, "0" * 64, "Python")
            found = sample_output(real, metadata, "", "").values
            classes = [x.argmax(1) if x.shape[1] > 1 else x for x in (golden.values, found)]
            agreement = float(np.mean(classes[0] == classes[1])) if meaning.has_classes else None
            noise = None if meaning.gives_ids else sqnr_db(golden.values, found)
            name = f"{kind}_{deviation}"
            cases.append(
                {
                    "name": name,
                    "metadata": described,
                    "golden": json.loads(golden.text(image)),
                    "values": folder.array(f"{name}.golden", golden.values),
                    "image": stored_image,
                    "type": str(dtype),
                    "output": folder.array(f"{name}.output", output),
                    "verdict": {
                        "agreement": agreement,
                        "sqnr_db": noise,
                        "max_abs_error": None
                        if noise is None
                        else float(np.abs(golden.values - found).max()),
                        "passed": (noise is None or noise >= 36.0)
                        and (agreement is None or agreement >= 0.98),
                    },
                }
            )
    return cases


if __name__ == "__main__":
    write(Path(sys.argv[1]))
