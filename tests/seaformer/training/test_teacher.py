"""The teacher of a distillation: where it comes from, and which files are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seaformer.errors import SeaformerError, UsageError
from seaformer.models.create import create_model, weights_hash
from seaformer.models.entry import Network
from seaformer.models.registry import REGISTRY
from seaformer.models.resolve import as_network
from seaformer.tasks import Task, get_task
from seaformer.training.initial_weights import initial_network
from seaformer.training.teacher import classifier_layer, load_teacher
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.saving import save_weights

TINY = as_network("tiny")
SHAPES = get_task("shapes")


def load(teacher: str | Path, network: Network = TINY, task: Task = SHAPES) -> torch.nn.Module:
    found = load_teacher(str(teacher), network, task, torch.device("cpu"))
    assert len(found.sha256) == 64
    return found.network


def saved(path: Path, variant: str, task: Task) -> Path:
    network = as_network(variant)
    model = initial_network(network, task)
    save_weights(model, path, network=network.name, task_json=task.to_json())
    return path


@pytest.mark.parametrize("student", ["seaformer-tiny", "topformer-tiny"])
def test_a_name_means_built_in_weights_for_every_student(student: str) -> None:
    expected = weights_hash(create_model("tiny", "shapes", "shapes"))
    assert weights_hash(load("shapes", REGISTRY[student])) == expected


def test_a_file_and_a_run_state_their_network(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.safetensors", "small", SHAPES)
    assert weights_hash(load(path)) == weights_hash(create_model("small", weights=path))
    assert weights_hash(load(tmp_path)) == weights_hash(load(path))


def test_a_plain_checkpoint_is_identified_by_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "tensors.pth"
    model = create_model("tiny", "shapes", "shapes")
    torch.save(model.state_dict(), path)
    assert weights_hash(load(path)) == weights_hash(model)


def test_a_name_wins_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    assert weights_hash(load("shapes")) == weights_hash(create_model("tiny", "shapes", "shapes"))
    with pytest.raises(UsageError, match=r"'\./shapes', a folder without best\.safetensors"):
        load("./shapes")


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    labels = SHAPES.labels
    fewer = replace(SHAPES, name="fewer", labels=labels[:5], palette=None)
    swapped = replace(SHAPES, name="swapped", labels=(labels[1], labels[0], *labels[2:]))
    path = saved(tmp_path / "fewer.safetensors", "tiny", fewer)
    with pytest.raises(UsageError, match="the file has 5 classes and task shapes has 12"):
        load(path)
    path = saved(tmp_path / "swapped.safetensors", "tiny", swapped)
    with pytest.raises(UsageError, match="the classes of the file differ from task shapes"):
        load(path)


def test_a_classifier_of_images_is_refused(tmp_path: Path) -> None:
    imagenet = get_task("imagenet")
    path = tmp_path / "images.safetensors"
    model = create_model("tiny", "imagenet")
    save_weights(model, path, network=TINY.name, task_json=imagenet.to_json())
    with pytest.raises(UsageError, match="the file is for classification and task shapes is segm"):
        load(path)


def test_files_without_a_teacher_are_refused(tmp_path: Path) -> None:
    for name in ("random", "backbone:shapes"):
        with pytest.raises(UsageError, match=f"--teacher is {name}, which has no trained head"):
            load(name)
    with pytest.raises(SeaformerError, match=r"there is no file '.*missing\.safetensors'"):
        load(tmp_path / "missing.safetensors")
    with pytest.raises(UsageError, match="unknown weights 'shape'"):
        load("shape")
    other = tmp_path / "other.safetensors"
    content = BUILTIN[0].path.read_bytes()
    other.write_bytes(content[: len(content) // 2])
    with pytest.raises(SeaformerError, match=r"other\.safetensors' is damaged"):
        load(other)


@pytest.mark.parametrize(
    "name", [name for name, network in REGISTRY.items() if "segmentation" in network.builders]
)
def test_the_classifier_computes_the_logits(name: str) -> None:
    network = REGISTRY[name]
    if name.startswith("lraspp-"):
        with pytest.raises(UsageError, match="several layers that compute logits"):
            classifier_layer(network, "segmentation")
        return
    layer = network.build("segmentation", 7).get_submodule(
        classifier_layer(network, "segmentation")
    )
    assert isinstance(layer, torch.nn.Conv2d)
    assert (layer.out_channels, layer.kernel_size) == (7, (1, 1))
