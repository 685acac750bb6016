"""The options of a distillation: a complete run of the command, and bad requests."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.train import main
from seaformer.datasets.shapes import write
from seaformer.errors import UsageError
from seaformer.models.resolve import as_network
from seaformer.tasks import get_task
from seaformer.training.checkpoints import METRICS
from seaformer.training.distillation_plan import plan_distillation
from seaformer.training.progress import read_metrics
from seaformer.weights.builtin import BUILTIN

SIDE, STUDENT_SIDE = 128, 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "data"
    write(folder, 4, validation=3, size=(SIDE, SIDE))
    return folder


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_run_is_evaluated_at_its_size_and_resumed(data: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.safetensors"
    shutil.copy(BUILTIN[0].path, teacher)
    output = tmp_path / "run"
    done = invoke(
        *("--variant", "tiny", "--data", data, "--output", output, "--device", "cpu"),
        *("--iterations", 2, "--batch-size", 2, "--crop", SIDE),
        *("--teacher", teacher, "--student-size", STUDENT_SIDE),
    )
    assert done.exit_code == 0, done.output
    assert f"teacher {teacher}: SeaFormer-Tiny at 128x128; student at 64x64" in done.output
    names = ("labels", "teacher head", "features", "outputs")
    terms = r" \+ ".join(rf"{name} \d+\.\d{{3}}" for name in names)
    assert re.search(rf"2/2  loss \S+ \({terms}\)  lr ", done.output), done.output
    record = json.loads((output / "best.json").read_text("utf-8"))
    assert record["task"]["preprocessing"]["input_size"] == [STUDENT_SIDE, STUDENT_SIDE]
    assert record["origin"]["student_size"] == [STUDENT_SIDE, STUDENT_SIDE]
    page = (output / "report.html").read_text("utf-8")
    assert "loss: teacher head" in page
    assert page.count("<svg") == 3 + 4

    report = tmp_path / "report"
    arguments = [output / "best.safetensors", "--data", data, "--report", report]
    arguments += ["--protocol", "deployed"]
    scored = CliRunner().invoke(evaluate, [str(argument) for argument in arguments])
    assert scored.exit_code == 0, scored.output
    (found,) = json.loads((report / "results.json").read_text("utf-8"))["models"]
    best = read_metrics(output / METRICS)[-1]["best"]
    assert found["scores"]["miou"] == pytest.approx(best, abs=1e-4)

    resumed = invoke("--output", output, "--resume", "--iterations", 3, "--device", "cpu")
    assert resumed.exit_code == 0, resumed.output
    assert "resumed after step 2" in resumed.output
    assert f"teacher {teacher}: SeaFormer-Tiny" in resumed.output
    other = invoke("--output", output, "--resume", "--student-size", "96", "--device", "cpu")
    assert other.exit_code == 2
    assert "student_size was [64, 64] and is now [96, 96]" in other.output
    shutil.copy(output / "last.safetensors", teacher)
    changed = invoke("--output", output, "--resume", "--iterations", 4, "--device", "cpu")
    assert changed.exit_code == 2
    assert "teacher_sha256 was" in changed.output


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--student-size", "64"], "--student-size is given without a teacher. Give --teacher"),
        (["--teacher", "shapes"], "the student's images is not given. Give --student-size"),
        (
            ["--teacher", "shapes", "--student-size", "80"],
            "--student-size is 80x80. Allowed: multiples of 32 up to 128x128",
        ),
        (
            ["--teacher", "shapes", "--student-size", "160"],
            "the teacher sees training crops of 128x128. Allowed: at most their size",
        ),
        (["--teacher", "shapes", "--student-size", "64x96"], "Allowed: the same aspect ratio"),
        (["--teacher", "shapes", "--student-size", "32"], "Allowed: 64 or more"),
        (["--teacher", "shapes", "--student-size", "half"], "'half' is not HEIGHTxWIDTH"),
        (["--teacher", "nothing", "--student-size", "64"], "unknown weights 'nothing'"),
        (["--teacher", ".", "--student-size", "64"], "a folder without best.safetensors"),
        (
            ["--teacher", "shapes", "--student-size", "64", "--model", "lraspp-mobilenetv2"],
            "has several layers that compute logits",
        ),
    ],
)
def test_bad_requests_are_reported(
    options: list[str], named: str, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    chosen = [] if "--model" in options else ["--variant", "tiny"]
    done = invoke("--data", data, "--output", output, "--crop", SIDE, *chosen, *options)
    assert done.exit_code == 2
    assert named in done.output
    assert not output.exists()


def test_boxes_are_refused() -> None:
    task, network = get_task("shapes-detection"), as_network("tiny")
    device = torch.device("cpu")
    with pytest.raises(UsageError, match="task shapes-detection is detection"):
        plan_distillation("shapes", (64, 64), network, task, (128, 128), device)
