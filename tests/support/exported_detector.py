"""A tiny detection model with its metadata next to it, as an export writes them."""

import json
from pathlib import Path

from small_models import DETECTION, detection_metadata, write_detector

from seaformer.artifact.beside import path_beside
from seaformer.files import file_sha256


def write_exported_detector(folder: Path, **changes: object) -> Path:
    """Write an .onnx whose neighboring boxes of a class overlap by more than its threshold, 0.3.

    `changes` replace whole members of its metadata.
    """
    info = detection_metadata(detection=DETECTION | {"iou_threshold": 0.3}, **changes)
    path = write_detector(folder / "detector.onnx", info)
    file = {"name": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
    path_beside(path).write_text(json.dumps(info | {"file": file}))
    return path
