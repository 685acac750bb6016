"""`seaformer-train --quantization`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner, Result

from seaformer.artifact.precisions import PRECISIONS
from seaformer.cli.train import main
from seaformer.console import Console
from seaformer.datasets.shapes import ShapesDataset, write
from seaformer.models.create import create_model
from seaformer.models.resolve import as_network
from seaformer.quantization.preparation import LearnedRanges, fake_quantize, learned_ranges
from seaformer.tasks import get_task
from seaformer.training.checkpoints import CheckpointOptions, Origin, RunFolder, load_state
from seaformer.training.initial_weights import initial_network
from seaformer.training.optimizer import parameter_groups
from seaformer.training.quantization import quantize
from seaformer.training.recipe import RECIPES
from seaformer.training.scenes import TrainingData
from seaformer.training.training_loop import train
from seaformer.weights.checkpoint import read_checkpoint

TINY, SHAPES = as_network("tiny"), get_task("shapes")
SIZES = ["--batch-size", "2", "--crop", "64x64"]
SHORT = [*SIZES, "--validate-every", "2", "--device", "cpu", "--warm-up", "0"]
FROM = ["--variant", "tiny", "--weights", "shapes"]


class Few:
    """The first scenes; reading one of them is interrupted by Ctrl-C, if its number is given."""

    def __init__(self, count: int, interrupted_at: int | None = None) -> None:
        self.count, self.interrupted_at, self.reads = count, interrupted_at, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        if self.reads == self.interrupted_at:
            raise KeyboardInterrupt
        return ShapesDataset("train", (64, 64))[index]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small data set of procedural scenes."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    write(folder, 6, validation=2, size=(64, 64))
    return folder


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def trained(output: Path, data: Path, steps: int, *options: str) -> Path:
    done = invoke("--data", data, "-o", output, "--iterations", str(steps), *SHORT, *options)
    assert done.exit_code == 0, done.output
    return output


def test_the_checkpoint_has_learned_ranges_and_plain_weights(data: Path, tmp_path: Path) -> None:
    folder = trained(tmp_path / "run", data, 4, *FROM, "--quantization", "int4-weights")
    weights = folder / "last.safetensors"
    learned = learned_ranges(weights)
    assert learned is not None
    assert learned.precision == "int4-weights"
    assert set(read_checkpoint(weights).tensors) == set(create_model("tiny", "shapes").state_dict())
    create_model("tiny", weights=weights)  # loads as any other checkpoint
    described = json.loads((folder / "last.json").read_text(encoding="utf-8"))
    assert described["origin"]["quantization"] == "int4-weights"


def run(folder: RunFolder, *, resumed: bool = False, interrupted: bool = False) -> LearnedRanges:
    """Train, and return the learned ranges; an interruption is in the third step."""
    folder.path.mkdir(exist_ok=True)
    first = initial_network(TINY, SHAPES, "shapes")
    found = TrainingData(SHAPES, Few(8), Few(2))
    quantize(first, TINY, found, "int8", Console(quiet=True), is_resumed=resumed)
    train(
        first,
        Few(8, 6 if interrupted else None),
        Few(2),
        folder,
        Accelerator(cpu=True),
        Console(quiet=True),
        state=load_state(folder.path) if resumed else None,
    )
    learned = learned_ranges(folder.path / "last.safetensors")
    assert learned is not None
    return learned


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    recipe = replace(
        RECIPES["shapes"], iterations=4, batch_size=2, crop=(64, 64), learning_rate=1e-3, warmup=0
    )
    origin = Origin("test", "shapes", quantization="int8")
    whole, parts = (
        RunFolder(tmp_path / name, TINY, SHAPES, recipe, origin, CheckpointOptions(4))
        for name in ("whole", "parts")
    )
    expected = run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(parts, interrupted=True)
    assert load_state(parts.path).step == 2
    assert run(parts, resumed=True) == expected
    tensors = [
        read_checkpoint(folder.path / "last.safetensors").tensors for folder in (whole, parts)
    ]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_the_steps_are_not_decayed() -> None:
    model = create_model("tiny", "shapes", "shapes")
    fake_quantize(model, PRECISIONS["int8"], SHAPES.preprocessing)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in parameter_groups(model, RECIPES["ade20k"], ("stem.", "context_branch.")):
        inside = {names[id(parameter)] for parameter in group["params"]}
        if group["weight_decay"]:
            assert not any(name.endswith("log_step") for name in inside)


def test_the_recipe_is_a_tenth_of_a_training() -> None:
    short = RECIPES["shapes"].for_quantization()
    assert (short.iterations, short.warmup) == (180, 18)
    assert short.learning_rate == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([*FROM, "--quantization", "fp16"], "fp16"),
        ([*FROM, "--quantization", "int16x8"], "int16x8"),
        (["--variant", "tiny", "--quantization", "int8"], "no weights are given"),
        (
            ["--model", "topformer-tiny", "--weights", "backbone:x.pth", "--quantization", "int8"],
            "x.pth",
        ),
    ],
)
def test_bad_requests_are_reported(
    options: list[str], named: str, data: Path, tmp_path: Path
) -> None:
    done = invoke("--data", data, "-o", tmp_path / "run", *SHORT, *options)
    assert done.exit_code in (1, 2)
    assert named in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "run" / "last.safetensors").exists()


def test_another_precision_cannot_be_resumed(data: Path, tmp_path: Path) -> None:
    folder = trained(tmp_path / "run", data, 2, *FROM, "--quantization", "int8")
    done = invoke("-o", folder, "--resume", "--quantization", "int4-weights")
    assert done.exit_code == 2
    assert "quantization was int8 and is now int4-weights" in " ".join(done.output.split())
