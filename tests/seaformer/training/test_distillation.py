"""Distillation: its loss against a plain formulation, its gradients, and complete short runs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from accelerate import Accelerator
from few_scenes import FewScenes, InterruptedScenes
from safetensors.torch import load_file

from seaformer.console import Console
from seaformer.datasets.shapes import ShapesDataset
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.models.create import create_model, weights_hash
from seaformer.models.resolve import as_network
from seaformer.tasks import Task, get_task
from seaformer.training.checkpoints import (
    METRICS,
    STATE,
    CheckpointOptions,
    Origin,
    RunFolder,
    load_state,
)
from seaformer.training.distillation import (
    TERMS,
    Distillation,
    Outputs,
    Student,
    distillation_loss,
)
from seaformer.training.distillation_plan import plan_distillation, task_at_size
from seaformer.training.initial_weights import initial_network
from seaformer.training.optimizer import parameter_groups
from seaformer.training.progress import read_metrics
from seaformer.training.recipe import RECIPES, Recipe
from seaformer.training.teacher import Teacher, classifier_layer
from seaformer.training.training_loop import train

SIDE, STUDENT_SIDE = 128, 64
TINY = as_network("tiny")
CLASSIFIER = "light_head.classifier"
Floats = npt.NDArray[np.float64]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def student_task() -> Task:
    return task_at_size(get_task("shapes"), (STUDENT_SIDE, STUDENT_SIDE))


def distillation(teacher: str = "shapes", seed: int = 0) -> Distillation:
    """Return a student of 64 x 64 and a teacher of 128 x 128."""
    sizes = (STUDENT_SIDE, STUDENT_SIDE), (SIDE, SIDE)
    network = initial_network(TINY, student_task(), seed=seed)
    plan = plan_distillation(teacher, sizes[0], TINY, student_task(), sizes[1], torch.device("cpu"))
    return plan.student(network)


# The loss, computed again without torch.


def weights_of_axis(count: int, wanted: int) -> Floats:
    """Return the matrix, [wanted, count], of linear interpolation between centers of pixels."""
    matrix = np.zeros((wanted, count))
    for row in range(wanted):
        place = min(max((row + 0.5) * count / wanted - 0.5, 0), count - 1)
        below = int(place)
        above = min(below + 1, count - 1)
        matrix[row, below] += 1 - (place - below)
        matrix[row, above] += place - below
    return matrix


def resized(maps: Floats, size: tuple[int, int]) -> Floats:
    rows, columns = (weights_of_axis(*pair) for pair in zip(maps.shape[2:], size, strict=True))
    return np.einsum("ih,nchw,jw->ncij", rows, maps, columns)


def probabilities(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def cross_entropy(logits: Floats, masks: npt.NDArray[np.int64]) -> float:
    shares = probabilities(resized(logits, masks.shape[1:]))
    total = 0.0
    for image, row, column in np.ndindex(masks.shape):
        if masks[image, row, column] != 255:
            total -= np.log(shares[image, masks[image, row, column], row, column])
    return total / masks.size


def test_the_terms_are_those_of_a_plain_formulation() -> None:
    random = np.random.default_rng(0)
    logits, headed = random.normal(size=(2, 5, 4, 6)), random.normal(size=(2, 5, 9, 13))
    features, wanted = (random.normal(size=(2, 7, 9, 13)) for _ in range(2))
    theirs = 3 * random.normal(size=(2, 5, 9, 13))
    masks = random.integers(0, 5, size=(2, 18, 26))
    masks[0, :5] = 255
    arrays = (logits, headed, features, wanted, theirs)
    outputs = Outputs(*(torch.from_numpy(array).float() for array in arrays))
    found = distillation_loss(outputs, torch.from_numpy(masks))

    products = (features * wanted).sum(axis=1)
    norms = np.sqrt((features**2).sum(axis=1)) * np.sqrt((wanted**2).sum(axis=1))
    taught, learned = probabilities(theirs), probabilities(resized(logits, (9, 13)))
    divergence = (taught * np.log(taught / learned)).sum(axis=1)
    expected = [
        cross_entropy(logits, masks),
        cross_entropy(headed, masks),
        1 - (products / norms).mean(),
        divergence.mean(),
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    assert len(TERMS) == len(expected)


def test_a_student_equal_to_its_teacher_has_no_distance() -> None:
    random = torch.Generator().manual_seed(0)
    logits, features = (torch.randn(1, count, 8, 8, generator=random) for count in (5, 7))
    masks = torch.full((1, 16, 16), 255)
    outputs = Outputs(logits, logits, features, 2 * features, logits)
    assert distillation_loss(outputs, masks).tolist() == pytest.approx([0, 0, 0, 0], abs=1e-6)


# The networks.


def test_the_student_gets_the_image_of_a_device() -> None:
    image, _ = ShapesDataset("val", (SIDE, SIDE))[0]
    task = student_task()
    student = Student(torch.nn.Identity(), (STUDENT_SIDE, STUDENT_SIDE))
    whole = torch.from_numpy(normalize(image.astype(np.float32), task.preprocessing))
    shrunk = student(whole.permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    expected = normalize(prepare(image, task.preprocessing), task.preprocessing)
    # Pillow rounds to whole numbers of 0..255 after each of the two axes.
    assert np.abs(shrunk - expected).max() <= 1.01 / min(task.preprocessing.std)


def test_features_and_logits_are_those_of_the_networks() -> None:
    model = distillation().eval()
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = model(images)
        shrunk = torch.nn.functional.interpolate(
            images, (STUDENT_SIDE, STUDENT_SIDE), mode="bilinear", antialias=True
        )
        teacher = create_model("tiny", "shapes", "shapes")
        whole = teacher.spatial_branch(
            teacher.stem(images), teacher.context_branch(teacher.stem(images))
        )
        features = teacher.light_head.act(teacher.light_head.fuse(whole))
        torch.testing.assert_close(outputs.logits, model.network(shrunk))
        torch.testing.assert_close(outputs.teacher_logits, teacher(images))
        torch.testing.assert_close(outputs.teacher_features, features)
        torch.testing.assert_close(
            outputs.teacher_head_logits, teacher.light_head.classifier(outputs.features)
        )
    assert outputs.features.shape == features.shape


def batch(count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, SIDE, SIDE, generator=random)
    return images, torch.randint(0, 12, (count, SIDE, SIDE), generator=random)


def learning(model: Distillation, term: int) -> set[str]:
    """Return the names of the parameters that a term changes."""
    images, masks = batch()
    distillation_loss(model.train()(images), masks)[term].backward()
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
    }


def test_only_student_and_upsampler_learn() -> None:
    model = distillation()
    images, masks = batch()
    distillation_loss(model.train()(images), masks).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    names = {name.partition(".")[0] for name, _ in model.named_parameters()}
    assert names == {"network", "upsampler"}
    teacher = model.teacher.network
    assert not any(p.requires_grad or p.grad is not None for p in teacher.parameters())
    assert not teacher.training


@pytest.mark.parametrize(
    ("term", "classifier", "upsampler"),
    [(0, True, False), (1, False, True), (2, False, True), (3, True, False)],
)
def test_each_term_teaches_its_part(term: int, classifier: bool, upsampler: bool) -> None:
    found = learning(distillation(), term)
    assert (f"network.{CLASSIFIER}.weight" in found) == classifier
    assert any(name.startswith("upsampler.") for name in found) == upsampler
    assert "network.stem.conv.conv.weight" in found


def test_the_optimizer_treats_the_students_backbone_like_that_of_a_network() -> None:
    model, plan = distillation(), RECIPES["ade20k"]
    groups = {
        group["name"]: {id(parameter) for parameter in group["params"]}
        for group in parameter_groups(model, plan, model.prefixed(TINY.backbone))
    }
    alone = {
        group["name"]: {id(parameter) for parameter in group["params"]}
        for group in parameter_groups(model.network, plan, TINY.backbone)
    }
    for name, members in alone.items():
        extra = groups[name] - members
        assert groups[name] >= members
        assert extra <= {id(parameter) for parameter in model.upsampler.parameters()}
        assert bool(extra) == name.startswith("head")


def test_a_teacher_can_be_wider() -> None:
    small = as_network("small")
    network = small.build("segmentation", 12)
    teacher = Teacher(network, classifier_layer(small, "segmentation"), small.title, "")
    student = initial_network(TINY, student_task())
    model = Distillation(student, (STUDENT_SIDE, STUDENT_SIDE), CLASSIFIER, teacher)
    outputs = model(batch()[0])
    assert teacher.channels != student.get_submodule(CLASSIFIER).in_channels
    assert outputs.features.shape == outputs.teacher_features.shape
    assert outputs.logits.shape == (2, 12, STUDENT_SIDE // 8, STUDENT_SIDE // 8)


# Runs.


def recipe(**changes: Any) -> Recipe:
    return replace(RECIPES["shapes"], crop=(SIDE, SIDE), batch_size=2, warmup=1, **changes)


def run(
    path: Path,
    plan: Recipe,
    training: FewScenes,
    make: Callable[[], torch.nn.Module] = distillation,
    *,
    validate_every: int = 1,
    resume: bool = False,
) -> torch.nn.Module:
    path.mkdir(exist_ok=True)
    model = make()
    train(
        model,
        training,
        FewScenes("val", 2, SIDE),
        RunFolder(
            path, TINY, student_task(), plan, Origin("test"), CheckpointOptions(validate_every)
        ),
        Accelerator(cpu=True),
        Console(quiet=True),
        state=load_state(path) if resume else None,
    )
    return model


def test_a_run_changes_the_student_and_not_the_teacher(tmp_path: Path) -> None:
    before = weights_hash(create_model("tiny", "shapes", "shapes"))
    model = run(
        tmp_path, recipe(iterations=3, dropout=0.1, drop_path=0.1), FewScenes("train", 6, SIDE)
    )
    assert isinstance(model, Distillation)
    assert weights_hash(model.teacher.network) == before
    start = distillation()
    trained, untrained = model.state_dict(), start.state_dict()
    # At 64 x 64, the coarsest attention has one position, and its queries and keys do not learn.
    for part in ("network.stem", "network.context_branch", f"network.{CLASSIFIER}", "upsampler"):
        names = [name for name, _ in start.named_parameters() if name.startswith(part)]
        changed = [name for name in names if not torch.equal(trained[name], untrained[name])]
        assert len(changed) > 0.8 * len(names) > 0, part

    stored = load_file(tmp_path / "best.safetensors")
    assert stored.keys() == start.network.state_dict().keys()
    deployed = create_model("tiny", weights=tmp_path / "best.safetensors")
    assert weights_hash(deployed) == weights_hash(model.network)
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["model"].keys() == untrained.keys()

    entries = read_metrics(tmp_path / METRICS)
    assert entries
    for entry in entries:
        assert tuple(entry["terms"]) == TERMS
        assert sum(entry["terms"].values()) == pytest.approx(entry["loss"], rel=1e-5)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    plan = recipe(iterations=8, dropout=0.1, drop_path=0.1)
    run(tmp_path / "whole", plan, FewScenes("train", 12, SIDE), validate_every=4)
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        run(broken, plan, InterruptedScenes("train", 12, SIDE, interrupted=11), validate_every=4)
    state = load_state(broken)
    assert (state.step, np.shape(state.losses)) == (5, (1, len(TERMS)))
    # The seed of the second start makes no difference: the state contains the upsampler.
    run(
        broken,
        plan,
        FewScenes("train", 12, SIDE),
        lambda: distillation(seed=1),
        validate_every=4,
        resume=True,
    )
    for name in ("last.safetensors", "best.safetensors"):
        assert (broken / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    whole, resumed = (
        [{**entry, "images_per_s": 0} for entry in read_metrics(folder / METRICS)]
        for folder in (tmp_path / "whole", broken)
    )
    assert whole == resumed


def test_a_student_without_a_teacher_learns_from_the_labels_alone(tmp_path: Path) -> None:
    def student() -> Student:
        network = initial_network(TINY, student_task())
        return Student(network, (STUDENT_SIDE, STUDENT_SIDE))

    run(tmp_path, recipe(iterations=1), FewScenes("train", 2, SIDE), student)
    (entry,) = read_metrics(tmp_path / METRICS)
    assert "terms" not in entry
    stored = load_file(tmp_path / "best.safetensors")
    assert stored.keys() == TINY.build("segmentation", 12).state_dict().keys()
