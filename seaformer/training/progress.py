"""Telling how a run goes: `metrics.jsonl`, and lines on the terminal."""

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
"""Of metrics.jsonl: a step takes some 100, and the longest recipe has 160 000."""


class _Entry(BaseModel, frozen=True):
    """A line of metrics.jsonl: the loss at a step, and what a validation found there, if any."""

    step: int
    loss: float = 0.0
    lr: float = 0.0
    images_per_s: float = 0.0
    mIoU: float = 0.0  # noqa: N815 - as it is called in the file
    best: float = 0.0


class Progress:
    """Keeps the entries of a run of so many iterations in metrics.jsonl, and prints some.

    Entries of steps after `step`, which a broken run may have left, are dropped.
    """

    def __init__(self, path: Path, step: int, iterations: int, console: Console) -> None:
        self.path = path
        self.iterations = iterations
        self.console = console
        kept = [entry for entry in read_metrics(path) if entry["step"] <= step]
        write_text(path, "".join(json.dumps(entry) + "\n" for entry in kept))
        self.started = time.monotonic()
        self.first_step = step
        self.printed = 0.0

    def add(self, entry: dict[str, Any]) -> None:
        """Store one entry, which has "step", and print it now and then; a validation always."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        now = time.monotonic()
        if "mIoU" in entry or now - self.printed > _SECONDS_BETWEEN_LINES:
            self.printed = now
            self.console.print(self._line(entry, now))

    def _line(self, entry: dict[str, Any], now: float) -> str:
        step = entry["step"]
        pace = (now - self.started) / max(1, step - self.first_step)
        left = timedelta(seconds=round((self.iterations - step) * pace))
        parts = [f"{step}/{self.iterations}"]
        if "loss" in entry:
            parts += [f"loss {entry['loss']:.4f}", f"lr {entry['lr']:.2e}"]
            parts += [f"{entry['images_per_s']:.1f} images/s"]
        if "mIoU" in entry:
            parts.append(f"mIoU {100 * entry['mIoU']:.2f} % (best {100 * entry['best']:.2f} %)")
        return "  ".join([*parts, f"{left} left"])


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the entries of metrics.jsonl, in order; none if there is no file.

    A last line that was cut short when the run was killed is left out.

    Raises:
        SeaformerError: a line is no entry.
    """
    if not path.exists():
        return []
    lines = read_limited(path, MAX_BYTES).splitlines(keepends=True)
    try:
        whole = [line for line in lines if line.endswith(b"\n")]
        return [parse_model(_Entry, line).model_dump(exclude_unset=True) for line in whole]
    except JsonError as error:
        raise SeaformerError(
            f"'{path}' is damaged: {error}. Move it away; only the curve of the report is lost."
        ) from error
