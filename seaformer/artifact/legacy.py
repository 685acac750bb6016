"""The description of a file before schema 2: read here, and never written again.

Schema 1 had no title of the model and none of its modules. An .onnx and a .tflite of the same stem
shared one NAME.json: that of the .tflite, with that of the .onnx whole in `same_stem`.
"""

from pathlib import Path
from typing import Any

from pydantic_core import to_json

from seaformer.json_text import JsonError, parse_json

SCHEMA_VERSION = 1


def upgrade(data: dict[str, Any]) -> dict[str, Any]:
    """Return the same description in schema 2."""
    variant = data.get("variant")
    network = data.get("model") if variant is None else f"SeaFormer-{variant}"
    parts = (network, data.get("task"), data.get("precision"))
    return data | {
        "schema_version": 2,
        "title": ", ".join(str(part) for part in parts if part is not None),
        "modules": {},
    }


def shared_path(model: Path) -> Path:
    """The JSON that a model file shared with that of the other format."""
    return model.with_suffix(".json")


def own_part(text: bytes, model: Path) -> bytes | None:
    """Return what a shared JSON says of one of its files; None if it says nothing of it.

    Of what is no JSON, all is returned, and reading it will fail.
    """
    try:
        whole = parse_json(text)
    except JsonError:
        return text
    if not isinstance(whole, dict) or "format" not in whole:
        return text
    others = whole.get("same_stem")
    entries = [whole, *(others.values() if isinstance(others, dict) else ())]
    own_format = model.suffix.lower().removeprefix(".")
    own = (e for e in entries if isinstance(e, dict) and e.get("format") == own_format)
    return next((to_json(entry) for entry in own), None)
