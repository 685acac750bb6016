"""Progress events of our own commands on a pipe, from real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from exporting import environment

from seaformer.datasets.shapes import write
from seaformer.errors import SeaformerError
from seaformer.own_commands import run_command
from seaformer.progress_events import (
    VARIABLE,
    FileWritten,
    StageAdvanced,
    StageFinished,
    read_event,
)

WRITER = """
from pathlib import Path
from seaformer.progress_events import FileWritten, StageAdvanced, StageFinished, notify
notify(StageFinished(title="trace\\nto ONNX", result="✓ 266 nodes", seconds=1.5))
notify(StageAdvanced(title="evaluate", done=3, total=10))
notify(FileWritten(path=Path("out/möbel.tflite")))
print("done")
"""


def written_by(code: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_events_arrive_unchanged() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as lines:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            env=environment() | {VARIABLE: str(writing)},
            pass_fds=(writing,),
            stdout=subprocess.DEVNULL,
        )
        os.close(writing)
        events = [read_event(line) for line in lines]
        assert process.wait() == 0
    assert events == [
        StageFinished(title="trace\nto ONNX", result="✓ 266 nodes", seconds=1.5),
        StageAdvanced(title="evaluate", done=3, total=10),
        FileWritten(path=Path("out/möbel.tflite")),
    ]


@pytest.mark.parametrize("variables", [{}, {VARIABLE: "97"}, {VARIABLE: "no number"}])
def test_without_a_listener_no_event_is_written(variables: dict[str, str]) -> None:
    assert written_by(WRITER, **variables) == "done\n"


def test_the_descriptor_is_not_inherited() -> None:
    code = f"import os; {WRITER}\nprint({VARIABLE!r} in os.environ)"
    assert written_by(code, **{VARIABLE: "97"}) == "done\nFalse\n"


@pytest.mark.parametrize("line", ["✓ trace to ONNX", "{}", '{"event": "stage finished"}'])
def test_invalid_events_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_event(line)


def test_an_evaluation_reports_its_progress_and_results(
    shapes_export: Path, tmp_path: Path
) -> None:
    scenes, report = tmp_path / "scenes", tmp_path / "report"
    write(scenes, 1, validation=10)
    model = next(shapes_export.glob("*.tflite"))
    shown: list[str] = []
    options = ["--data", str(scenes), "--report", str(report)]
    files = run_command("seaformer-evaluate", [str(model), *options], shown.append)
    assert files == (report / "results.json",)
    assert shown == [f"evaluate: {done} of 10" for done in range(1, 11)]
    with pytest.raises(SeaformerError, match="--force"):
        run_command("seaformer-evaluate", [str(model), *options], shown.append)
