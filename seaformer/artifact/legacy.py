"""Descriptions of schema 1, which are read but no longer written.

Schema 1 had no titles of the model and its modules. An .onnx and a .tflite with the same stem
shared one NAME.json: the JSON of the .tflite, with the complete JSON of the .onnx in `same_stem`.
"""

from pathlib import Path
from typing import Any

from pydantic_core import to_json

from seaformer.json_text import JsonError, parse_json

SCHEMA_VERSION = 1


def upgrade(data: dict[str, Any]) -> dict[str, Any]:
    """Convert a description to schema 2."""
    variant = data.get("variant")
    network = data.get("model") if variant is None else f"SeaFormer-{variant}"
    words = (network, data.get("task"), data.get("precision"))
    return data | {
        "schema_version": 2,
        "title": ", ".join(str(word) for word in words if word is not None),
        "modules": {},
    }


def shared_path(model: Path) -> Path:
    """Return the path of the JSON that model files of both formats shared."""
    return model.with_suffix(".json")


def own_part(text: bytes, model: Path) -> bytes | None:
    """Return the description of one file from a shared JSON; None if it has none.

    Text that is not JSON is returned unchanged; parsing it then fails.
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
