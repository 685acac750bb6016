"""Networks other than SeaFormer in every command, identified by their tensors or by name."""

import json
import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from exporting import write_networks
from PIL import Image
from topformer_files import write_golden

from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.predict import main as predict
from seaformer.cli.train import main as train
from seaformer.imaging.images import read_image
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.models.create import create_model
from seaformer.models.registry import LAYERS
from seaformer.tasks import Task, get_task
from seaformer.weights.checkpoint import read_checkpoint

ADE20K = get_task("ade20k")
SHAPES = get_task("shapes")
SIDE = 128


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with a photo of noise."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.RandomState(0).randint(0, 256, (80, 120, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    return tmp_path


def run(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def succeeded(command: click.Command, *arguments: str | Path) -> str:
    result = run(command, *arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def assert_error(result: Result, status: int, message: str) -> None:
    assert result.exit_code == status, result.output
    assert re.fullmatch(r"error: [^\n]+\n", result.stderr), result.stderr
    assert re.search(message, result.stderr), result.stderr


def expected_mask(model: torch.nn.Module, task: Task, photo: str = "photo.png") -> np.ndarray:
    """Compute the mask without code of the commands."""
    image = read_image(Path(photo))
    x = normalize(prepare(image, task.preprocessing, (SIDE, SIDE)), task.preprocessing)
    with torch.no_grad():
        logits = model(torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)[None]))).numpy()
    return upsample_argmax(logits[0], image.shape[:2])


def read_mask() -> np.ndarray:
    return np.asarray(Image.open("mask.png"))


MASK = ("--mask", "mask.png", "--input-size", str(SIDE), "--force")


# Predict


@pytest.mark.parametrize(
    "how",
    [
        ("--model", "t.pth", "--task", "ade20k"),
        ("--model", "topformer-tiny", "--weights", "t.pth"),
        ("--model", "topformer-tiny", "--weights", "t.pth", "--task", "ade20k"),
    ],
)
def test_a_checkpoint_of_topformer_predicts(folder: Path, how: tuple[str, ...]) -> None:
    path = write_golden(folder / "t.pth", "tiny", ADE20K)
    output = succeeded(predict, "photo.png", *how, *MASK)
    assert "topformer-tiny, ade20k, fp32, input 128 x 128" in output
    assert "random" not in output
    mask = read_mask()
    assert np.array_equal(mask, expected_mask(create_model("topformer-tiny", weights=path), ADE20K))
    assert len(np.unique(mask)) > 1


@pytest.mark.parametrize("name", ["lraspp-mobilenetv2", "segformer-b0"])
def test_our_own_names_are_recognized(folder: Path, name: str) -> None:
    model = create_model(name, "cityscapes")
    torch.save(model.state_dict(), folder / "mine.pth")
    output = succeeded(predict, "photo.png", "--model", "mine.pth", "--task", "cityscapes", *MASK)
    assert f"{name}, cityscapes, fp32" in output
    assert np.array_equal(read_mask(), expected_mask(model, get_task("cityscapes")))


@pytest.mark.usefixtures("folder")
def test_built_in_weights_record_their_task() -> None:
    named = ("--model", "seaformer-tiny", "--weights", "shapes")
    output = succeeded(predict, "photo.png", *named, "--variant", "tiny", *MASK)
    assert "SeaFormer-tiny, shapes, fp32" in output
    model = create_model("tiny", "shapes", "shapes")
    assert np.array_equal(read_mask(), expected_mask(model, SHAPES))


@pytest.mark.usefixtures("folder")
def test_without_weights_they_are_random_and_reported() -> None:
    output = succeeded(predict, "photo.png", "--model", "topformer-tiny", *MASK)
    assert "random weights: the result is meaningless" in output


def test_a_user_defined_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_networks(folder)
    monkeypatch.syspath_prepend(folder)
    model = ("--model", "my_networks:make_network", "--task", "cityscapes")
    assert "random" not in succeeded(predict, "photo.png", *model, *MASK)
    from my_networks import make_network

    expected = expected_mask(make_network().eval(), get_task("cityscapes"))
    assert np.array_equal(read_mask(), expected)
    assert_error(run(predict, "photo.png", *model, "--weights", "x.pth"), 2, "the factory loads")


@pytest.mark.usefixtures("folder")
def test_the_heat_map_of_a_named_network() -> None:
    succeeded(predict, "photo.png", "--model", "topformer-tiny", "--heatmap", "heat.png", *MASK)
    assert np.asarray(Image.open("heat.png")).max() == 255


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--model", "attention-global"), 2, "takes features of another network.*prediction"),
        (("--model", "topformer-tny"), 2, "unknown model 'topformer-tny'.*'topformer-tiny'"),
        (("--model", "topformer-tiny", "--variant", "tiny"), 2, "name different networks"),
        (("--model", "topformer-tiny", "--task", "imagenet"), 2, "is for segmentation"),
        (("--model", "topformer-tiny", "--weights", "absent.pth"), 1, "no file 'absent.pth'"),
        (("--model", "topformer-base", "--weights", "t.pth"), 1, "Use --model topformer-tiny"),
        (("--model", "tiny", "--weights", "t.pth"), 2, "unknown model 'tiny'"),
        (("--model", "t.pth", "--weights", "t.pth"), 2, "'t.pth' is a file. Omit it"),
        (("--model", "t.pth"), 2, "does not record its task. Give --task"),
        (("--model", "other.pth", "--task", "ade20k"), 2, "cannot be identified by its tensors"),
    ],
)
def test_networks_that_cannot_predict_are_refused(
    folder: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    write_golden(folder / "t.pth", "tiny", ADE20K)
    torch.save({"layer.weight": torch.ones(3)}, folder / "other.pth")
    before = sorted(folder.iterdir())
    assert_error(run(predict, "photo.png", *arguments), status, message)
    assert sorted(folder.iterdir()) == before


# Evaluate


@pytest.fixture
def scenes(folder: Path) -> Path:
    """A data set of noise with random annotations, in the layout of ADE20K."""
    random = np.random.RandomState(0)
    for index, size in enumerate([(64, 96), (80, 64)]):
        for name, array in (
            ("images", random.randint(0, 256, (*size, 3))),
            ("annotations", random.randint(1, 151, size)),
        ):
            path = folder / "scenes" / name / "validation" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(path)
    return folder / "scenes"


DEPLOYED = ("--protocol", "deployed", "--input-size", str(SIDE), "--task", "ade20k")


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize(
    "model",
    [("t.pth",), ("topformer-tiny", "--weights", "t.pth"), ("t.pth", "--model", "topformer-tiny")],
)
@pytest.mark.slow
def test_a_checkpoint_of_topformer_is_evaluated(scenes: Path, model: tuple[str, ...]) -> None:
    path = write_golden(Path("t.pth"), "tiny", ADE20K)
    output = succeeded(evaluate, *model, "--data", scenes, *DEPLOYED, "--report", "out")
    assert "topformer-tiny, ade20k, fp32" in output
    hits = total = 0
    network = create_model("topformer-tiny", weights=path)
    for index in range(2):
        name = f"validation/{index}.png"
        truth = np.asarray(Image.open(scenes / "annotations" / name)).astype(int) - 1
        hits += np.count_nonzero(truth == expected_mask(network, ADE20K, f"scenes/images/{name}"))
        total += truth.size
    (found,) = results(Path("out"))["models"]
    assert found["scores"]["pixel_accuracy"] == pytest.approx(hits / total, abs=2 / total)
    assert (found["file"], found["runtime"]) == (model[0], "PyTorch")
    assert found["sha256"] == read_checkpoint(path).sha256
    # The suggested next command works.
    (line,) = (line for line in output.splitlines() if line.startswith("  seaformer-predict "))
    arguments = line.split()[1:]
    assert "topformer-tiny, ade20k" in succeeded(predict, *arguments, "--input-size", "64")


@pytest.mark.slow
def test_two_named_networks_are_compared(scenes: Path) -> None:
    arguments = ("segformer-b0", "--reference", "topformer-tiny", "--data", scenes, *DEPLOYED)
    output = succeeded(evaluate, *arguments, "--report", "out")
    assert output.count("random weights: the scores are meaningless") == 2
    models = results(Path("out"))["models"]
    assert [model["file"] for model in models] == ["topformer-tiny", "segformer-b0"]
    assert len({model["sha256"] for model in models}) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("attention-axial",), 2, "takes features of another network.*evaluation"),
        (("topformer-tny",), 2, "unknown model 'topformer-tny'.*'topformer-tiny'"),
        (("t.pth", "--weights", "t.pth"), 2, "no MODEL is a name"),
        (("t.pth", "--model", "topformer-tiny", "--variant", "tiny"), 2, "name different networks"),
        (("t.pth", "--model", "topformer-base"), 1, "Use --model topformer-tiny"),
        (
            ("topformer-tiny", "--reference", "segformer-b0", "--weights", "t.pth"),
            2,
            "2 MODELs are names: segformer-b0, topformer-tiny",
        ),
    ],
)
def test_networks_that_cannot_be_evaluated_are_refused(
    scenes: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    write_golden(Path("t.pth"), "tiny", ADE20K)
    assert_error(run(evaluate, *arguments, "--data", scenes, *DEPLOYED), status, message)


# Train

SHORT = (
    *("--data", "shapes", "--device", "cpu", "--iterations", "2", "--batch-size", "2"),
    *("--crop", "64", "--validate-every", "2"),
)


@pytest.fixture
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate on two scenes, with the size of the training."""
    from seaformer.datasets import shapes

    monkeypatch.setattr(shapes, "SPLITS", {"train": 4, "val": 2})


@pytest.mark.parametrize("name", ["topformer-tiny", "segformer-b0"])
@pytest.mark.usefixtures("few_scenes")
@pytest.mark.slow
def test_another_network_is_trained_and_recognized_by_its_weights(folder: Path, name: str) -> None:
    output = succeeded(train, "--model", name, "--output", "run", *SHORT)
    assert {"topformer-tiny": "TopFormer-T", "segformer-b0": "SegFormer-B0"}[name] in output
    best = folder / "run" / "best.safetensors"
    header = read_checkpoint(best)
    assert (header.network, header.task) == (name, SHAPES)
    described = json.loads(best.with_suffix(".json").read_text("utf-8"))
    assert (described["model"], "variant" in described) == (name, False)
    # No other option is necessary.
    output = succeeded(predict, "photo.png", "--model", best, *MASK)
    assert f"{name}, shapes, fp32" in output
    assert np.array_equal(read_mask(), expected_mask(create_model(name, "shapes", best), SHAPES))


@pytest.mark.usefixtures("few_scenes")
@pytest.mark.slow
def test_training_starts_from_a_backbone(folder: Path) -> None:
    write_golden(folder / "t.pth", "tiny", ADE20K)
    options = ("--model", "topformer-tiny", "--weights", "backbone:t.pth", "--lr", "1e-9")
    succeeded(train, *options, "--output", "run", *SHORT)
    trained = read_checkpoint(folder / "run" / "last.safetensors").tensors
    golden = create_model("topformer-tiny", weights=folder / "t.pth").state_dict()
    key = "semantics_extractor.3.ffn.depthwise.weight"
    torch.testing.assert_close(trained[key], golden[key], rtol=0, atol=1e-6)
    assert trained["head.classifier.weight"].shape[0] == SHAPES.num_classes
    assert not torch.allclose(trained["head.fuse.conv.weight"], golden["head.fuse.conv.weight"])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ((), "no network is given. Give --variant"),
        (("--model", f"attention-{next(iter(LAYERS))}"), "takes features.*a training needs"),
        (("--model", "a.b:c"), "cannot be trained: its factory"),
        (("--model", "transformers:a/b"), "cannot be trained here: train it with its own library"),
        (("--model", "topformer-tny"), "unknown model 'topformer-tny'"),
        (("--model", "topformer-tiny", "--variant", "tiny"), "name different networks"),
    ],
)
def test_networks_that_cannot_be_trained_are_refused(
    folder: Path, network: tuple[str, ...], message: str
) -> None:
    assert_error(run(train, *network, "--output", "run", *SHORT), 2, message)
    assert not (folder / "run").exists()
