"""Training on user-defined classes from weights of another task, and on data without splits."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from official_weights import to_official
from torch import nn

import seaformer
from seaformer.artifact.metadata import Weights
from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.train import main
from seaformer.console import Console
from seaformer.datasets import open_dataset
from seaformer.datasets.image_names import HELD_OUT, write_names
from seaformer.datasets.shapes import write
from seaformer.errors import SeaformerError, UnknownNameError, UsageError
from seaformer.evaluation.training_images import split_note, training_note
from seaformer.export.recorded_weights import recorded_weights
from seaformer.models.create import create, create_model
from seaformer.models.resolve import as_network
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.tasks import Task, get_task
from seaformer.training.initial_weights import initial_network
from seaformer.training.scenes import FolderScenes, open_data
from seaformer.weights.released import find_released
from seaformer.weights.saving import save_weights

TINY = as_network("tiny")
CLASSIFIER = "light_head.classifier."


def task_of(*labels: str) -> Task:
    shapes = get_task("shapes")
    return replace(shapes, name="own", labels=labels, palette=None, evaluation=None)


OWN = task_of("road", "grass", "sky")


def loaded(task: Task, weights: str | Path) -> tuple[nn.Module, str]:
    """Return the initial network of a training, and the message about its weights."""
    text = io.StringIO()
    model = initial_network(TINY, task, weights, 7, Console(file=text, width=1000))
    return model, text.getvalue()


def fresh(model: nn.Module, task: Task) -> set[str]:
    """Return the names of the tensors that equal a newly initialized network's."""
    drawn = initial_network(TINY, task, seed=7).state_dict()
    return {
        name
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point() and tensor.std() > 0 and torch.equal(tensor, drawn[name])
    }


def test_weights_for_other_classes_are_loaded_except_the_classifier() -> None:
    model, text = loaded(OWN, "shapes")
    assert "except the classifier (light_head.classifier), which is random because" in text
    assert all(name.startswith(CLASSIFIER) for name in fresh(model, OWN))
    source = create_model("tiny", "shapes", "shapes").state_dict()
    for name, tensor in model.state_dict().items():
        if not name.startswith(CLASSIFIER):
            assert torch.equal(tensor, source[name])


def test_the_classifier_is_loaded_if_the_class_names_match(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_weights(initial_network(TINY, OWN), path, network=TINY.name, task_json=OWN.to_json())
    model, text = loaded(OWN, path)
    assert "everything is loaded, including the classifier" in text
    assert not fresh(model, OWN)
    other = task_of("road", "sky", "grass")
    model, text = loaded(other, path)
    assert "the classes of the file differ from task own" in text
    assert any(name.startswith(CLASSIFIER) for name in fresh(model, other))


def official_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, task: Task) -> None:
    """Write a checkpoint with the tensor names of the official code to the cache."""
    monkeypatch.setenv("SEAFORMER_CACHE", str(tmp_path))
    model = TINY.build(task.kind, task.num_classes)
    path = tmp_path / "weights" / find_released(name, TINY.name, task).file_name
    path.parent.mkdir()
    torch.save({"state_dict": to_official(model.state_dict(), VARIANTS["tiny"])}, path)


@pytest.mark.parametrize(
    ("weights", "task", "message"),
    [
        ("ade20k", "ade20k", "the file has 150 classes and task own has 3"),
        ("backbone:ade20k", "ade20k", "backbone:ade20k: only the backbone is loaded"),
        ("imagenet", "imagenet", "imagenet: only the backbone is loaded"),
        ("backbone:imagenet", "imagenet", "the backbone is loaded"),
    ],
)
def test_released_weights_of_another_task_are_loaded_by_name(
    weights: str, task: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official_file(tmp_path, monkeypatch, task, get_task(task))
    model, text = loaded(OWN, weights)
    assert message in text
    assert not any(name.startswith(("stem.", "context_branch.")) for name in fresh(model, OWN))


def test_the_backbone_of_the_package_is_loaded_by_name_in_every_command() -> None:
    backbone = create_model("tiny", "ade20k", "backbone:shapes").state_dict()
    source = create_model("tiny", "shapes", "shapes").state_dict()
    inside = [name for name in source if name.startswith(TINY.backbone)]
    assert len(inside) > 100
    assert all(torch.equal(backbone[name], source[name]) for name in inside)


def test_self_check_finds_a_named_backbone() -> None:
    _, record = create(TINY, get_task("ade20k"), "backbone:shapes")
    stored = Weights.model_validate(vars(record))
    assert recorded_weights(stored) == "backbone:shapes"


@pytest.mark.parametrize("prefix", ["", "backbone:"])
def test_the_error_about_an_unknown_name_lists_valid_ones(prefix: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown weights 'shape'.*'shapes'.*imagenet"):
        loaded(OWN, f"{prefix}shape")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    small = as_network("small")
    save_weights(initial_network(small, OWN), path, network=small.name, task_json=OWN.to_json())
    with pytest.raises(SeaformerError, match=r"contains SeaFormer-Small .*Use --variant small\.$"):
        loaded(task_of("road", "grass"), path)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set without folders of splits: 12 images and masks, labels.json."""
    folder = tmp_path_factory.mktemp("data") / "flat"
    write(folder, 11, validation=1, size=(64, 64))
    for kind in ("images", "masks"):
        for path in sorted((folder / kind).glob("*/*.png")):
            path.rename(folder / kind / f"{path.parent.name}{path.name}")
        for split in ("train", "val"):
            (folder / kind / split).rmdir()
    labels = folder / "labels.json"
    labels.write_text(json.dumps(get_task("shapes").labels), encoding="utf-8")
    return folder


def test_a_folder_without_splits_is_split_by_the_seed(flat: Path) -> None:
    def names(seed: int) -> tuple[list[str], list[str]]:
        found = open_data(str(flat), seed=seed)
        parts = (found.training, found.validation)
        assert all(isinstance(scenes, FolderScenes) for scenes in parts)
        training, validation = ([item.name for item in s.dataset.items] for s in parts)
        assert not list(found.faults())
        return training, validation

    training, validation = names(0)
    assert (len(training), len(validation)) == (10, 2)
    assert not set(training) & set(validation)
    assert names(0) == (training, validation)
    assert len({tuple(names(seed)[1]) for seed in range(5)}) > 1


@pytest.fixture(scope="module")
def fine_tuned(flat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of the command, on data without splits."""
    output = tmp_path_factory.mktemp("fine_tuned") / "run"
    options = ["--variant", "tiny", "--data", flat, "--output", output]
    options += ["--weights", "backbone:shapes", "--crop", "64", "--device", "cpu"]
    options += ["--iterations", "1", "--batch-size", "2", "--seed", "3"]
    done = CliRunner().invoke(main, [str(option) for option in options])
    assert done.exit_code == 0, done.output
    assert "2 of 12 images are held out for validation, chosen by --seed 3" in done.output
    assert "weights backbone:shapes: only the backbone is loaded" in done.output
    assert f"held-out images: {output / HELD_OUT}" in done.output
    return output


def held_out_names(folder: Path, data: Path) -> set[str]:
    names = json.loads((folder / HELD_OUT).read_text(encoding="utf-8"))
    scenes = open_data(str(data), seed=3).validation
    assert isinstance(scenes, FolderScenes)
    assert sorted(names) == sorted(item.name for item in scenes.dataset.items)
    return set(names)


def evaluate_best(run: Path, data: Path, report: Path, *options: str | Path) -> Result:
    arguments = [run / "best.safetensors", "--data", data, "--report", report, *options]
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def test_the_evaluation_uses_only_the_held_out_images(
    fine_tuned: Path, flat: Path, tmp_path: Path
) -> None:
    names = held_out_names(fine_tuned, flat)
    done = evaluate_best(fine_tuned, flat, tmp_path, "--images", fine_tuned / HELD_OUT)
    assert done.exit_code == 0, done.output
    assert "2 of 12 images" in done.output
    assert "trained on" not in done.output
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {image["name"] for image in results["models"][0]["worst"]} == names


def test_the_evaluation_reports_scored_training_images(
    fine_tuned: Path, flat: Path, tmp_path: Path
) -> None:
    done = evaluate_best(fine_tuned, flat, tmp_path / "whole", "--limit", "2")
    assert done.exit_code == 0, done.output
    seen = {item.name for item in open_dataset(flat).spread(2).items}
    count = len(seen - held_out_names(fine_tuned, flat))
    assert count
    note = f"The model was trained on {count} of the 2 scored images. "
    assert note in done.output
    assert f"--images {fine_tuned / HELD_OUT}" in done.output
    results = json.loads((tmp_path / "whole" / "results.json").read_text(encoding="utf-8"))
    assert note in results["models"][0]["note"]


def test_the_python_api_accepts_names_and_reports_training_images(
    fine_tuned: Path, flat: Path, tmp_path: Path
) -> None:
    held_out = held_out_names(fine_tuned, flat)
    name = next(item.name for item in open_dataset(flat).items if item.name not in held_out)
    write_names(tmp_path / "names.json", [name])
    with seaformer.load(fine_tuned / "best.safetensors") as model:
        results = model.evaluate(flat, images=tmp_path / "names.json").results
    assert (results.pictures, results.available) == (1, 12)
    assert "The model was trained on 1 of the 1 scored images. " in results.models[0].note


def test_training_images_are_reported_only_if_known(
    fine_tuned: Path, flat: Path, tmp_path: Path
) -> None:
    whole = open_dataset(flat)
    held_out = whole.only(held_out_names(fine_tuned, flat))
    best = fine_tuned / "best.safetensors"
    assert training_note(best, whole.spread(12), whole).startswith(
        "The model was trained on 10 of the 12 scored images. "
    )
    assert training_note(best, held_out, whole) == ""
    elsewhere = Path(shutil.copy(best, tmp_path))
    assert training_note(elsewhere, whole, whole) == ""
    for content in ("[", '["of other data"]'):
        (tmp_path / HELD_OUT).write_text(content, encoding="utf-8")
        assert training_note(elsewhere, whole, whole) == ""
    assert "has no split folders: all images are scored" in split_note(whole)
    write(tmp_path / "split", 1, validation=1, size=(64, 64))
    assert split_note(open_dataset(tmp_path / "split", "shapes")) == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "does not name images. Allowed: a JSON list of image names"),
        ('{"a": 1}', "does not name images. Allowed: a JSON list of image names"),
        ("[]", "names no images. Name at least one"),
        ('["nothing"]', "has no image 'nothing' (1 of 1 names are missing)"),
    ],
)
def test_invalid_lists_of_images_are_reported(
    content: str | None, message: str, fine_tuned: Path, flat: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.json"
    if content is not None:
        names.write_text(content, encoding="utf-8")
    done = evaluate_best(fine_tuned, flat, tmp_path / "report", "--images", names)
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "report").exists()


def test_a_resumed_run_holds_out_the_same_images_after_additions(
    fine_tuned: Path, flat: Path, tmp_path: Path
) -> None:
    names = held_out_names(fine_tuned, flat)
    output = Path(shutil.copytree(fine_tuned, tmp_path / "run"))
    options = ("--output", output, "--resume", "--iterations", "2", "--device", "cpu")
    added = [
        flat / kind / f"added{place}.png" for kind in ("images", "masks") for place in range(9)
    ]
    try:
        for path in added:
            shutil.copy(next(path.parent.iterdir()), path)
        done = CliRunner().invoke(main, [str(option) for option in options])
        assert done.exit_code == 0, done.output
        assert "19 training images, 2 validation images" in done.output
        assert set(json.loads((output / HELD_OUT).read_text(encoding="utf-8"))) == names
    finally:
        for path in added:
            path.unlink(missing_ok=True)
    with pytest.raises(UsageError, match="has no image 'removed'"):
        open_data(str(flat), seed=3, held_out=("removed",))
    with pytest.raises(UsageError, match=r"are held out\. Add training"):
        open_data(str(flat), seed=3, held_out=[item.name for item in open_dataset(flat).items])
