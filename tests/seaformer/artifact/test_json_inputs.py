"""JSON files as inputs of commands: each member is used, or refused with an error.

The error is one line that names the file. In a real file of each kind, one member is replaced by a
wrong value.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from benchmark_parts import candidate, make_results, times_around
from broken_down_results import PARTS, broken_down
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locations import SAMPLES
from small_models import metadata

from seaformer.artifact.beside import path_beside, read_beside
from seaformer.benchmark.presentation.results_csv import to_csv
from seaformer.benchmark.presentation.terminal import print_results
from seaformer.benchmark.results.schema import FILE_NAME, read_results
from seaformer.console import Console
from seaformer.datasets import own_task
from seaformer.errors import SeaformerError
from seaformer.evaluation.progress import ImageLine, ProgressFile
from seaformer.evaluation.tally import Tally, count_masks
from seaformer.json_text import JsonError, parse_json
from seaformer.tasks import get_task
from seaformer.training.progress import read_metrics
from seaformer.weights.checkpoint import read_checkpoint

WRONG = (
    'null "x" "" [] {} [null] {"a":1} true 0 -1 1.5 1e-320 1e308 1e999 NaN "\\ud800" "\\u0000" '
    f"9223372036854775808 1{'0' * 400} -1{'0' * 5000} {'[' * 150}{']' * 150} {'[' * 100_000}"
).split()
"""JSON texts, also invalid ones."""

MARK = "the position of the wrong value"

OLD = SAMPLES / "schema_1" / "make_tiny_64x64_fp32.json"
MASK = np.eye(3, dtype=np.uint8)
HEADER = {"schema_version": 1, "run": {"models": ["a"]}}
MODELS = [candidate(0, "a.tflite"), candidate(1, "b.tflite", "int8")]


def image_line() -> Any:
    line = ImageLine(name="0", stamp=((1, 2),), models=tuple(count_masks(MASK, [MASK, MASK], 3)))
    return json.loads(line.model_dump_json(exclude_defaults=True))


def read_images(path: Path, text: bytes) -> None:
    path.write_bytes(json.dumps(HEADER).encode() + b"\n" + text + b"\n")
    file = ProgressFile(path, {"models": ["a"]})
    for line in file.read():
        for tally, counts in zip((Tally(3, False), Tally(3, True)), line.models, strict=False):
            if tally.takes(counts):
                tally.add(line.name, counts)
    file.close()


def read_benchmark(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    results = read_results(path)
    print_results(Console(file=io.StringIO()), results)
    to_csv(results)


def read_task(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    own_task(path.parent)


def read_description(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    read_beside(path.with_suffix(""))


def read_header(path: Path, text: bytes) -> None:
    header = {"seaformer": text.decode()}
    path.write_bytes(safetensors.torch.save({"weight": torch.zeros(1)}, header))
    _ = read_checkpoint(path).task


def read_curve(path: Path, text: bytes) -> None:
    path.write_bytes(text + b"\n")
    read_metrics(path)


def benchmark_results() -> Any:
    times = {"m0": times_around(20.0, 1), "m1": times_around(10.0, 2)}
    return json.loads(broken_down(make_results(MODELS, times), *PARTS).text())


READERS: dict[str, tuple[Callable[[], Any], str, Callable[[Path, bytes], None]]] = {
    "results": (benchmark_results, FILE_NAME, read_benchmark),
    "task": (get_task("cityscapes").to_json, "labels.json", read_task),
    "description": (metadata, path_beside(Path("a.onnx")).name, read_description),
    "description before": (lambda: json.loads(OLD.read_text()), "a.onnx.json", read_description),
    "checkpoint": (
        lambda: {"format_version": 1, "variant": "tiny", "task": get_task("shapes").to_json()},
        "a.safetensors",
        read_header,
    ),
    "evaluation": (image_line, "images.jsonl", read_images),
    "training": (
        lambda: {"step": 1, "loss": 0.5, "lr": 0.1, "images_per_s": 3.0, "mIoU": 0.5, "best": 0.5},
        "metrics.jsonl",
        read_curve,
    ),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each member and of the first items of lists."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, member in list(enumerate(value))[:2] if isinstance(value, list) else items:
        yield from places(member, (*path, key))


def replaced(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return MARK
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:])
    return copy


@pytest.mark.parametrize("kind", READERS)
def test_a_wrong_member_is_an_error_that_names_the_file(kind: str, tmp_path: Path) -> None:
    make, name, read = READERS[kind]
    good, file = make(), tmp_path / name
    read(file, json.dumps(good).encode())

    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.sampled_from(list(places(good))), st.sampled_from(WRONG))
    def check(place: tuple[Any, ...], wrong: str) -> None:
        text = json.dumps(replaced(good, place)).replace(json.dumps(MARK), wrong)
        try:
            read(file, text.encode())
        except SeaformerError as error:
            message = str(error)
            assert name in message
            assert "\n" not in message
            assert len(message) < 2000

    check()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, {", "not JSON"),
        ("[NaN]", "not JSON"),
        ('{"a": [0, 1e999]}', "a.1 is inf. Allowed: numbers up to"),
        (f'{{"a": 1{"0" * 400}}}', r"a is 1000.*\.\.\.0"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_invalid_numbers_are_named(text: str, message: str) -> None:
    with pytest.raises(JsonError, match=message):
        parse_json(text)
