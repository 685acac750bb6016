"""Progress of a run: `metrics.jsonl`, and lines on the terminal."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.files import read_limited, write_text
from seaformer.json_text import JsonError, parse_model

_SECONDS_BETWEEN_LINES = 15

MAX_BYTES = 256 * 2**20
"""Limit for metrics.jsonl: about 100 bytes per step, and the longest recipe has 160,000 steps."""


class _Entry(BaseModel, frozen=True):
    """A line of metrics.jsonl: the loss at a step, and the result of a validation, if any."""

    step: int
    loss: float = 0.0
    lr: float = 0.0
    images_per_s: float = 0.0
    mIoU: float = 0.0  # noqa: N815 - its name in the file
    AP: float = 0.0
    best: float = 0.0
    terms: dict[str, float] = {}


SCORES = ("mIoU", "AP")
"""Members of an entry that contain the score of a validation; a task has one of them."""


class Progress:
    """Writes the entries of a run to metrics.jsonl, and prints some of them.

    Entries after `step`, which an interrupted run may have left, are dropped.
    """

    def __init__(self, path: Path, step: int, iterations: int, console: Console) -> None:
        self.path = path
        self.iterations = iterations
        self.console = console
        valid = [entry for entry in read_metrics(path) if entry["step"] <= step]
        write_text(path, "".join(json.dumps(entry) + "\n" for entry in valid))
        self.started = time.monotonic()
        self.first_step = step
        self.printed = 0.0

    def add(self, entry: dict[str, Any]) -> None:
        """Store an entry, which has "step"; print it if it is due or contains a score."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        now = time.monotonic()
        if _score_of(entry) or now - self.printed > _SECONDS_BETWEEN_LINES:
            self.printed = now
            self.console.print(self._line(entry, now))

    def _line(self, entry: dict[str, Any], now: float) -> str:
        step = entry["step"]
        pace = (now - self.started) / max(1, step - self.first_step)
        left = timedelta(seconds=round((self.iterations - step) * pace))
        columns = [f"{step}/{self.iterations}"]
        if "loss" in entry:
            columns += [f"loss {entry['loss']:.4f}{_terms_of(entry)}", f"lr {entry['lr']:.2e}"]
            columns += [f"{entry['images_per_s']:.1f} images/s"]
        if name := _score_of(entry):
            columns.append(f"{name} {100 * entry[name]:.2f} % (best {100 * entry['best']:.2f} %)")
        return "  ".join([*columns, f"{left} left"])


def _score_of(entry: dict[str, Any]) -> str:
    """Return the name of the score of an entry; "" without a validation."""
    return next((name for name in SCORES if name in entry), "")


def _terms_of(entry: dict[str, Any]) -> str:
    """Format the terms of the loss, such as " (labels 0.51 + outputs 0.22)"; "" for one term."""
    terms = entry.get("terms", {}).items()
    sums = " + ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in terms)
    return f" ({sums})" if sums else ""


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the entries of metrics.jsonl in order; empty if there is no file.

    An incomplete last line, left by a run that was killed, is ignored.

    Raises:
        SeaformerError: a line is not an entry.
    """
    if not path.exists():
        return []
    lines = read_limited(path, MAX_BYTES).splitlines(keepends=True)
    try:
        whole = [line for line in lines if line.endswith(b"\n")]
        return [parse_model(_Entry, line).model_dump(exclude_unset=True) for line in whole]
    except JsonError as error:
        raise SeaformerError(
            f"'{path}' is damaged: {error}. Move it away; only the curves of the report are lost."
        ) from error
