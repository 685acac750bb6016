"""Training: the parts of the recipe, and complete short runs."""

import itertools
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner, Result
from exporting import write_hiding_modules
from few_scenes import FewScenes, InterruptedScenes
from locations import SUPPORT
from PIL import Image
from safetensors.torch import load_file

from seaformer.cli.train import main
from seaformer.console import Console
from seaformer.datasets.shapes import ShapesDataset, render, write
from seaformer.errors import SeaformerError, UsageError
from seaformer.interrupts import SIGNALS
from seaformer.locks import locked
from seaformer.models.create import create_model
from seaformer.models.resolve import as_network
from seaformer.models.seaformer.attention import SqueezeAxialPositionEmbedding
from seaformer.models.seaformer.context_branch import DROP_PATH
from seaformer.models.seaformer.layer import DropPath
from seaformer.tasks import Task, get_task
from seaformer.temporary_folders import PREFIX
from seaformer.training.augmentation import augment, distort_colors
from seaformer.training.checkpoints import (
    METRICS,
    STATE,
    CheckpointOptions,
    Origin,
    RunFolder,
    load_state,
)
from seaformer.training.initial_weights import initial_network
from seaformer.training.loss import segmentation_loss
from seaformer.training.optimizer import parameter_groups, rate_factor, regularize
from seaformer.training.progress import read_metrics
from seaformer.training.recipe import RECIPES, Recipe, get_recipe
from seaformer.training.samples import Batches, Examples
from seaformer.training.training_loop import train
from seaformer.training.validation import validate
from seaformer.weights.saving import save_weights

SIDE = 64
TINY = as_network("tiny")
VALIDATION = FewScenes("val", 2)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def small_task() -> Task:
    """Return the task of procedural scenes, at a size that trains in seconds."""
    task = get_task("shapes")
    preprocessing = replace(task.preprocessing, input_size=(SIDE, SIDE))
    return replace(task, name="small-shapes", preprocessing=preprocessing, evaluation=None)


def recipe(**changes: Any) -> Recipe:
    return replace(RECIPES["shapes"], crop=(SIDE, SIDE), **changes)


def run(
    path: Path,
    recipe_of_run: Recipe,
    training: FewScenes,
    validation: FewScenes = VALIDATION,
    *,
    validate_every: int,
    seed: int = 0,
    resume: bool = False,
    **options: Any,
) -> RunFolder:
    path.mkdir(exist_ok=True)
    keeping = CheckpointOptions(validate_every)
    folder = RunFolder(path, TINY, small_task(), recipe_of_run, Origin("test", seed=seed), keeping)
    train(
        initial_network(TINY, small_task(), seed=seed),
        training,
        validation,
        folder,
        Accelerator(cpu=True),
        Console(quiet=True),
        state=load_state(path) if resume else None,
        **options,
    )
    return folder


def curve(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics without those that depend on time."""
    return [
        {key: value for key, value in entry.items() if key != "images_per_s"}
        for entry in read_metrics(folder / METRICS)
    ]


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("task", "variant", "iterations", "batch", "crop", "rate"),
    [
        ("ade20k", "base", 160_000, 16, (512, 512), 2.5e-4),
        ("ade20k", "tiny", 160_000, 16, (512, 512), 3e-4),
        ("cityscapes", "small", 160_000, 8, (512, 1024), 3e-4),
        ("pascal-context", "tiny", 80_000, 32, (480, 480), 2e-4),
        ("pascal-context-60", "tiny", 80_000, 32, (480, 480), 2e-4),
        ("coco-stuff", "large", 80_000, 32, (512, 512), 2e-4),
    ],
)
def test_recipes_match_the_official_recipes(
    task: str, variant: str, iterations: int, batch: int, crop: tuple[int, int], rate: float
) -> None:
    found = get_recipe(get_task(task), variant)
    assert (found.iterations, found.batch_size, found.crop) == (iterations, batch, crop)
    assert found.learning_rate == rate
    assert (found.head_factor, found.weight_decay, found.betas) == (10, 0.01, (0.9, 0.999))
    assert (found.warmup, found.warmup_ratio, found.power) == (1500, 1e-6, 1)
    assert (found.scale, found.cat_max_ratio, found.flip) == ((0.5, 2), 0.75, 0.5)
    assert (found.photometric, found.dropout, found.drop_path) == (True, 0.1, 0.1)


def test_a_users_task_has_the_recipe_of_ade20k_at_its_size() -> None:
    expected = replace(RECIPES["ade20k"], crop=(SIDE, SIDE))
    assert get_recipe(small_task(), "tiny") == expected


def test_the_learning_rate_warms_up_linearly_and_decays_to_zero() -> None:
    plan = RECIPES["ade20k"]
    assert rate_factor(0, plan) == pytest.approx(1e-6)
    assert rate_factor(750, plan) == pytest.approx(0.5 * (1 - 750 / 160_000), rel=1e-5)
    assert rate_factor(1500, plan) == pytest.approx(1 - 1500 / 160_000)
    assert rate_factor(80_000, plan) == pytest.approx(0.5)
    assert rate_factor(159_999, plan) == pytest.approx(1 / 160_000)


def test_the_warm_up_is_a_tenth_of_a_short_run() -> None:
    plan = RECIPES["ade20k"]
    assert plan.lasting(20_000) == replace(plan, iterations=20_000)
    short = plan.lasting(60)
    assert (short.iterations, short.warmup) == (60, 6)
    assert max(rate_factor(step, plan.lasting(6)) for step in range(6)) == 1


@pytest.mark.parametrize("variant", ["tiny", "large"])
def test_optimizer_groups_match_the_recipe(variant: str) -> None:
    model = initial_network(as_network(variant), small_task())
    plan = RECIPES["ade20k"]
    groups = {
        group["name"]: group
        for group in parameter_groups(model, plan, as_network(variant).backbone)
    }
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    members = {
        group: {names[id(parameter)] for parameter in groups[group]["params"]} for group in groups
    }
    assert sum(map(len, members.values())) == len(names)
    assert set().union(*members.values()) == set(names.values())
    for group, content in groups.items():
        is_head = group.startswith("head")
        assert content["highest_lr"] == plan.learning_rate * (10 if is_head else 1)
        assert content["weight_decay"] == (0 if group.endswith("no decay") else 0.01)
        for name in members[group]:
            assert name.startswith(("spatial_branch.", "light_head.")) == is_head
            spared = ".norm." in name or name.endswith("_position.embedding")
            assert spared == group.endswith("no decay")
    positions = [m for m in model.modules() if isinstance(m, SqueezeAxialPositionEmbedding)]
    spared = members["backbone, no decay"]
    assert sum(name.endswith(".embedding") for name in spared) == len(positions) > 0


def test_dropout_and_drop_path_are_set() -> None:
    model = initial_network(TINY, small_task())
    before = [m.probability for m in model.modules() if isinstance(m, DropPath)]
    regularize(model, recipe(dropout=0.3, drop_path=0.05))
    after = [m.probability for m in model.modules() if isinstance(m, DropPath)]
    assert model.light_head.dropout.p == 0.3
    assert max(before) == pytest.approx(DROP_PATH)
    assert after == pytest.approx([probability / 2 for probability in before])


def test_the_loss_is_the_cross_entropy_of_all_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 12, 8, 8, generator=generator)
    masks = torch.randint(0, 12, (2, 64, 64), generator=generator)
    full = torch.nn.functional.interpolate(logits, size=(64, 64), mode="bilinear")
    expected = torch.nn.functional.cross_entropy(full, masks)
    torch.testing.assert_close(segmentation_loss(logits, masks), expected)
    masks[1] = 255
    half = torch.nn.functional.cross_entropy(full[:1], masks[:1]) / 2
    torch.testing.assert_close(segmentation_loss(logits, masks), half)


def marked(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask with stripes of classes, and an image whose red is 20 times the class index."""
    mask = np.broadcast_to(np.arange(width, dtype=np.uint8) * 11 // width, (height, width)).copy()
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = 20 * mask
    return image, mask


@pytest.mark.parametrize("size", [(64, 64), (40, 50), (90, 70)])
def test_image_and_mask_are_augmented_together(size: tuple[int, int]) -> None:
    task = replace(small_task(), evaluation=None)
    plan = recipe(scale=(min(size) / SIDE, min(size) / SIDE), cat_max_ratio=0.75)
    for seed in range(5):
        image, mask = augment(*marked(*size), task, plan, np.random.default_rng(seed))
        assert (image.shape, image.dtype) == ((3, SIDE, SIDE), np.float32)
        assert (mask.shape, mask.dtype) == ((SIDE, SIDE), np.int64)
        red = image[0] * task.preprocessing.std[0] + task.preprocessing.mean[0]
        counted = mask != 255
        assert np.array_equal(np.round(red[counted] / 20), mask[counted])
        assert counted.sum() == min(size[0], SIDE) * min(size[1], SIDE)
        assert (image[:, ~counted] == task.preprocessing.pad_value).all()


def test_scales_cover_the_range() -> None:
    plan = recipe(scale=(0.5, 2.0))
    random = np.random.default_rng(0)
    shares = [
        (augment(*marked(SIDE, SIDE), small_task(), plan, random)[1] != 255).mean()
        for _ in range(40)
    ]
    assert min(shares) < 0.5
    assert max(shares) == 1
    assert min(shares) >= 0.25


def test_crops_avoid_a_single_class() -> None:
    image, mask = np.zeros((64, 256, 3), np.uint8), np.zeros((64, 256), np.uint8)
    mask[:, :40] = 1
    random = np.random.default_rng(0)

    def uniform(plan: Recipe) -> int:
        crops = (augment(image, mask, small_task(), plan, random)[1] for _ in range(50))
        return sum(len(np.unique(crop)) == 1 for crop in crops)

    assert uniform(recipe(cat_max_ratio=0.75)) < uniform(recipe()) / 2


def test_colors_change_within_bounds() -> None:
    image = np.full((4, 4, 3), (120, 100, 60), np.uint8)
    seen = [distort_colors(image, np.random.default_rng(seed)) for seed in range(60)]
    assert all(colors.dtype == np.uint8 and colors.shape == image.shape for colors in seen)
    assert all((colors == colors[0, 0]).all() for colors in seen)
    assert len({colors.tobytes() for colors in seen}) > 40
    means = [float(colors.mean()) for colors in seen]
    assert min(means) >= (93.3 - 32) * 0.5 - 25
    assert max(means) <= (93.3 + 32) * 1.5 + 25


def test_several_processes_get_the_samples_of_one() -> None:
    alone = list(Batches(8, 3, 6))
    parts = [list(Batches(8, 3, 6, process, 2)) for process in range(2)]
    assert [first + second for first, second in zip(*parts, strict=True)] == alone
    assert alone[0] == list(range(24, 32))


def test_each_epoch_has_every_image_once_in_another_order() -> None:
    examples = Examples(FewScenes("train", 6), small_task(), recipe(flip=0.0), seed=0)
    seen = [examples[number][1].numpy().tobytes() for number in range(12)]
    assert set(seen[:6]) == set(seen[6:])
    assert len(set(seen)) == 6
    assert seen[:6] != seen[6:]


@pytest.mark.slow
def test_the_loss_falls_and_the_miou_rises(tmp_path: Path) -> None:
    plan = recipe(iterations=80, batch_size=4, warmup=8)
    scenes = FewScenes("train", 40), FewScenes("val", 16)
    folder = run(tmp_path / "run", plan, *scenes, validate_every=20)
    entries = curve(folder.path)
    assert [entry["step"] for entry in entries] == list(range(10, 81, 10))
    assert entries[-1]["loss"] < 0.8 * entries[0]["loss"]
    scores = [entry["mIoU"] for entry in entries if "mIoU" in entry]
    assert scores[-1] > 1.3 * scores[0]
    assert entries[-1]["best"] == max(scores)

    described = json.loads((folder.path / "best.json").read_text(encoding="utf-8"))
    assert described["mIoU"] == max(scores)
    assert described["variant"] == "tiny"
    assert Task.from_json(described["task"]) == small_task()
    assert described["recipe"] == plan.to_json()
    model = create_model("tiny", small_task(), folder.path / "best.safetensors")
    again = validate(model, FewScenes("val", 16), small_task(), Accelerator(cpu=True))
    assert again.miou == pytest.approx(max(scores), abs=1e-6)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    # Two epochs, so that the order of the second one matters as well.
    plan = recipe(iterations=12, batch_size=4, warmup=3, dropout=0.1, drop_path=0.1)
    whole = run(tmp_path / "whole", plan, FewScenes("train", 24), validate_every=4)
    with pytest.raises(KeyboardInterrupt):
        run(
            tmp_path / "broken",
            plan,
            InterruptedScenes("train", 24, interrupted=27),
            validate_every=4,
        )
    metrics = curve(tmp_path / "broken")
    assert [entry["step"] for entry in metrics] == [4]
    run(tmp_path / "broken", plan, FewScenes("train", 24), validate_every=4, resume=True)
    assert curve(tmp_path / "broken") == curve(whole.path)
    for name in ("last.safetensors", "best.safetensors", "best.json"):
        first, second = (path / name for path in (whole.path, tmp_path / "broken"))
        assert first.read_bytes() == second.read_bytes()


@dataclass(frozen=True)
class SignalingScenes(FewScenes):
    """Scenes; reading the 27th sends signals to this process."""

    signals: tuple[signal.Signals, ...] = ()
    reads: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if next(self.reads) == 27:
            for number in self.signals:
                os.kill(os.getpid(), number)
        return super().__getitem__(index)


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_as_before")
def test_a_run_stopped_before_its_first_validation_is_saved(tmp_path: Path) -> None:
    plan = recipe(iterations=12, batch_size=4, warmup=3, dropout=0.1)
    whole = run(tmp_path / "whole", plan, FewScenes("train", 24), validate_every=12)
    stopped = SignalingScenes("train", 24, signals=(signal.SIGTERM, signal.SIGINT, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", plan, stopped, validate_every=12)
    assert load_state(tmp_path / "broken").step == 6
    run(tmp_path / "broken", plan, FewScenes("train", 24), validate_every=12, resume=True)
    assert curve(tmp_path / "broken") == curve(whole.path)
    assert [entry["step"] for entry in curve(whole.path)] == [10, 12]


class StoppedValidation(FewScenes):
    """Scenes whose reading is interrupted by Ctrl-C."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        raise KeyboardInterrupt


def test_an_interrupted_validation_is_repeated(tmp_path: Path) -> None:
    plan = recipe(iterations=2, batch_size=2)
    whole = run(tmp_path / "whole", plan, FewScenes("train", 4), validate_every=2)
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        run(broken, plan, FewScenes("train", 4), StoppedValidation("val", 1), validate_every=2)
    assert curve(broken) == []
    run(broken, plan, FewScenes("train", 4), validate_every=2, resume=True)
    assert curve(broken) == curve(whole.path)


IMPORTED_FROM = [str(Path(__file__).parent), str(SUPPORT)]
"""Folders from which separate processes import this file and its requirements."""

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {tests!r}
from test_training import FewScenes, recipe, run
from seaformer.training import training_run
training_run.SAVE_EVERY_S = 0
fsync, calls = os.fsync, []
def kill_at_the_third(descriptor):
    calls.append(descriptor)
    if len(calls) == 3:  # metrics.jsonl, state.pt of step 1, state.pt of step 2
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = kill_at_the_third
run(Path({output!r}), recipe(iterations=3, batch_size=2), FewScenes("train", 4), validate_every=3)
"""


def test_a_run_killed_while_saving_is_resumed_and_cleaned_up(tmp_path: Path) -> None:
    whole = run(
        tmp_path / "whole", recipe(iterations=3, batch_size=2), FewScenes("train", 4),
        validate_every=3,
    )  # fmt: skip
    output = tmp_path / "killed"
    script = KILLED.format(tests=IMPORTED_FROM, output=str(output))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert load_state(output).step == 1
    assert any(path.name.startswith(PREFIX) for path in output.iterdir())
    run(output, whole.recipe, FewScenes("train", 4), validate_every=3, resume=True)
    assert curve(output) == curve(whole.path)
    assert {path.name for path in output.iterdir()} == {path.name for path in whole.path.iterdir()}


def test_a_run_can_be_extended(tmp_path: Path) -> None:
    plan = recipe(iterations=2, batch_size=2, warmup=0)
    run(tmp_path, plan, FewScenes("train", 4), validate_every=1)
    longer = replace(plan, iterations=4)
    folder = run(tmp_path, longer, FewScenes("train", 4), validate_every=1, resume=True)
    rates = [entry["lr"] / plan.learning_rate for entry in curve(folder.path)]
    assert rates == pytest.approx([1, 0.5, 0.5, 0.25])
    assert load_state(tmp_path).step == 4


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Limit the size of the files that this process writes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("size_bytes", "named"), [(2**20, r"File too large: '.*state\.pt'"), (99, r"state\.pt")]
)
def test_a_full_disk_is_not_reported_as_a_bug(tmp_path: Path, size_bytes: int, named: str) -> None:
    plan = recipe(iterations=1, batch_size=2)
    with largest_file(size_bytes), pytest.raises(SeaformerError, match=f"{named}.* start again"):
        run(tmp_path, plan, FewScenes("train", 4), validate_every=1)
    assert {path.name for path in tmp_path.iterdir()} <= {METRICS, "last.safetensors", "last.json"}


class UnreadableScenes(FewScenes):
    """Scenes, one of which is damaged."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index == 3:
            raise SeaformerError("'3.png' is damaged.")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_error_about_an_image_has_no_traceback(tmp_path: Path, workers: int) -> None:
    plan = recipe(iterations=3, batch_size=2)
    with pytest.raises(SeaformerError) as caught:
        run(tmp_path, plan, UnreadableScenes("train", 4), validate_every=3, workers=workers)
    assert str(caught.value) == "'3.png' is damaged."


def test_a_validation_with_only_ignored_pixels_is_refused(tmp_path: Path) -> None:
    class Ignored(FewScenes):
        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            image, mask = super().__getitem__(index)
            return image, np.full_like(mask, 255)

    plan = recipe(iterations=2, batch_size=2)
    with pytest.raises(SeaformerError, match="every pixel of the validation masks is ignored"):
        run(tmp_path, plan, FewScenes("train", 4), Ignored("val", 1), validate_every=1)


@pytest.fixture(scope="module")
def one_step(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("one_step")
    plan = recipe(iterations=1, batch_size=2)
    return run(path, plan, FewScenes("train", 4), validate_every=1)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_flipped_bit_in_the_state_is_detected(
    share: float, one_step: RunFolder, tmp_path: Path
) -> None:
    content = bytearray((one_step.path / STATE).read_bytes())
    content[int(share * len(content))] ^= 1
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(SeaformerError, match=r"is damaged \(wrong checksum of"):
        load_state(tmp_path)


def _without(*keys: object) -> Callable[[Any], Any]:
    def change(state: Any) -> None:
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_without("optimizer"), "optimizer: Field required"),
        (_without("scaler"), "scaler: Field required"),
        (_without("optimizer", "state"), "lacks moments"),
        (_without("optimizer", "state", 3), "lacks moments"),
        (_without("optimizer", "state", 3, "exp_avg"), "lacks moments"),
        (lambda state: state.update(step=-1), "step: "),
        (lambda state: state.update(best=math.nan), "best: "),
        (lambda state: state.update(settings="{}"), "settings: "),
        (lambda state: state["model"].popitem(), "RuntimeError"),
        (lambda state: next(iter(state["model"].values())).fill_(math.nan), "NaN or infinity"),
    ],
)
def test_a_state_without_a_member_is_refused(
    change: Callable[[Any], Any], named: str, one_step: RunFolder, tmp_path: Path
) -> None:
    content = torch.load(one_step.path / STATE, weights_only=True)
    change(content)
    torch.save(content, tmp_path / STATE)
    with pytest.raises(SeaformerError, match=rf"state\.pt' is damaged .*{named}"):
        run(tmp_path, one_step.recipe, FewScenes("train", 4), validate_every=1, resume=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        # Written before states had a version: without losses, and with flat settings.
        (
            lambda state: (state.pop("version"), state.pop("losses"), state.update(settings="{}")),
            r"earlier version of seaformer .* \(losses: Field required\)",
        ),
        (
            lambda state: (state.update(version=1), state["model"].popitem()),
            r"earlier version of seaformer .* \(RuntimeError\)",
        ),
        (lambda state: state.update(version=99), "later version of seaformer"),
    ],
)
def test_a_state_of_another_version_is_not_called_damaged(
    change: Callable[[Any], Any], named: str, one_step: RunFolder, tmp_path: Path
) -> None:
    content = torch.load(one_step.path / STATE, weights_only=True)
    change(content)
    torch.save(content, tmp_path / STATE)
    with pytest.raises(SeaformerError, match=rf"state\.pt' was written by an? {named}") as raised:
        run(tmp_path, one_step.recipe, FewScenes("train", 4), validate_every=1, resume=True)
    assert "damaged" not in str(raised.value)
    assert "Start again in another folder" in str(raised.value)


def test_a_complete_state_from_before_versions_is_resumed(
    one_step: RunFolder, tmp_path: Path
) -> None:
    content = torch.load(one_step.path / STATE, weights_only=True)
    settings = json.loads(content["settings"])
    del content["version"], settings["keeping"]
    torch.save(content | {"settings": json.dumps(settings)}, tmp_path / STATE)
    assert load_state(tmp_path).settings.keeping == CheckpointOptions()


def test_entries_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    plan = recipe(iterations=2, batch_size=2)
    folder = run(tmp_path, plan, FewScenes("train", 4), validate_every=1)
    before = curve(folder.path)
    with (tmp_path / METRICS).open("a", encoding="utf-8") as file:
        file.write('{"step": 3, "loss": 1.0}\n{"step": 4, "lo')
    run(tmp_path, plan, FewScenes("train", 4), validate_every=1, resume=True)
    assert curve(folder.path) == before


def test_interrupted_writing_preserves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path, TINY, small_task(), recipe(), Origin("test"))
    save_empty_state(folder, 1)

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_empty_state(folder, 2)
    monkeypatch.undo()
    assert load_state(tmp_path).step == 1
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def save_empty_state(folder: RunFolder, step: int) -> None:
    folder.save_state(step=step, best=-1.0, losses=[], model={}, optimizer={}, scaler=None)


def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, TINY, small_task(), recipe(), Origin("test"))
    with pytest.raises(UsageError, match=r"there is no .*state\.pt"):
        load_state(tmp_path)
    save_empty_state(folder, 1)
    other = replace(folder, recipe=recipe(learning_rate=1.0), origin=Origin("test", seed=1))
    with pytest.raises(UsageError, match=r"learning_rate was 0\.005 and is now 1\.0; seed was 0"):
        other.check(load_state(tmp_path))
    longer = replace(folder, recipe=recipe(iterations=10**6))
    longer.check(load_state(tmp_path))
    save_empty_state(folder, 5)
    with pytest.raises(UsageError, match=r"--iterations is 4, .* Allowed: 5 or more"):
        replace(folder, recipe=recipe(iterations=4)).check(load_state(tmp_path))


def test_a_resumed_run_keeps_its_validation_and_storage_unless_changed(
    data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    done = invoke(
        *("--variant", "tiny", "--data", data, "--output", output, "--device", "cpu"),
        *("--iterations", "3", "--batch-size", "2", "--validate-every", "2", "--half"),
    )
    assert done.exit_code == 0, done.output

    def resume(iterations: int, *options: str | Path) -> tuple[list[int], str]:
        """Return the steps of the validations, and the type of the weights."""
        arguments = ("--output", output, "--resume", "--iterations", iterations, "--device", "cpu")
        extended = invoke(*map(str, arguments), *options)
        assert extended.exit_code == 0, extended.output
        steps = [entry["step"] for entry in read_metrics(output / METRICS) if "mIoU" in entry]
        tensors = load_file(output / "last.safetensors")
        return steps, str(next(t.dtype for t in tensors.values() if t.is_floating_point()))

    assert resume(5) == ([2, 3, 4, 5], "torch.float16")
    assert resume(6, "--validate-every", "5", "--no-half") == ([2, 3, 4, 5, 6], "torch.float32")
    assert load_state(output).settings.keeping == CheckpointOptions(validate_every=5, half=False)


def test_a_diverged_run_stops(tmp_path: Path) -> None:
    plan = recipe(iterations=30, batch_size=2, learning_rate=1e30, warmup=0)
    with pytest.raises(SeaformerError, match=r"diverged: NaN or infinity before step \d+"):
        run(tmp_path, plan, FewScenes("train", 8), validate_every=30)


WORKER = """
import sys
from pathlib import Path
sys.path[:0] = {tests!r}
from accelerate import Accelerator
from test_training import run_of_one_step
assert Accelerator(cpu=True).num_processes == 2
run_of_one_step(Path({output!r}))
"""


def run_of_one_step(output: Path, **options: Any) -> None:
    plan = recipe(iterations=1, batch_size=8, warmup=0)
    run(output, plan, FewScenes("train", 40), validate_every=1, **options)


SPAWNING = """
import sys
from multiprocessing import set_start_method
from pathlib import Path
if __name__ == "__main__":
    sys.path[:0] = {tests!r}
    from test_training import run_of_one_step
    set_start_method("spawn")
    run_of_one_step(Path({output!r}), workers=1)
"""


@pytest.mark.slow
def test_spawned_workers_import_nothing_from_the_working_directory(tmp_path: Path) -> None:
    """Workers are spawned on macOS and Windows."""
    script, here = tmp_path / "train.py", tmp_path / "here"
    places = {"tests": IMPORTED_FROM, "output": str(tmp_path / "run")}
    script.write_text(SPAWNING.format(**places), encoding="utf-8")
    here.mkdir()
    write_hiding_modules(here)
    done = subprocess.run(
        [sys.executable, script], cwd=here, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(curve(tmp_path / "run")) == 1


@pytest.mark.slow
def test_two_processes_train_the_same_model_as_one(tmp_path: Path) -> None:
    run_of_one_step(tmp_path / "one")
    script = tmp_path / "worker.py"
    places = {"tests": IMPORTED_FROM, "output": str(tmp_path / "two")}
    script.write_text(WORKER.format(**places), encoding="utf-8")
    subprocess.run(
        [
            # On CPUs `accelerate launch` needs MPI; torchrun sets up the same environment.
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node", "2", script),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    one, two = (curve(tmp_path / name) for name in ("one", "two"))
    assert [entry["loss"] for entry in two] == pytest.approx(
        [entry["loss"] for entry in one], rel=1e-4
    )
    alone, together = (
        torch.load(tmp_path / name / STATE, weights_only=True) for name in ("one", "two")
    )
    start = initial_network(TINY, small_task()).state_dict()
    moved, apart = (
        torch.cat([(alone["model"][name] - other[name]).flatten() for name in start])
        for other in (start, together["model"])
    )
    # Values are not compared one by one: where a gradient is nearly 0, rounding determines the
    # sign of AdamW's step. The thresholds are for float32, whose rounding errors are amplified by
    # the norms; in float64, the difference was 1e-13.
    assert apart.norm() < 0.05 * moved.norm()
    # AdamW hides the scale of the gradients; their running mean shows it.
    gradients, others = (
        torch.cat([s["exp_avg"].flatten() for s in state["optimizer"]["state"].values()])
        for state in (alone, together)
    )
    assert (gradients - others).norm() < 0.05 * gradients.norm()


def test_the_batch_has_to_be_divisible_by_the_processes(tmp_path: Path) -> None:
    class Three(Accelerator):
        num_processes = 3

    folder = RunFolder(tmp_path, TINY, small_task(), recipe(batch_size=4), Origin("test"))
    with pytest.raises(UsageError, match=r"size is 4\. Allowed with 3 processes: a multiple of 3"):
        train(
            initial_network(TINY, small_task()),
            FewScenes("train", 4),
            FewScenes("val", 1),
            folder,
            Three(cpu=True),
            Console(quiet=True),
        )


def test_with_backbone_weights_the_rest_is_initialized(tmp_path: Path) -> None:
    trained = initial_network(TINY, small_task(), seed=1)
    path = tmp_path / "trained.safetensors"
    save_weights(trained, path, network=TINY.name, task_json=small_task().to_json())
    fresh = initial_network(TINY, small_task(), seed=2)
    whole = initial_network(TINY, small_task(), path, seed=2).state_dict()
    backbone = initial_network(TINY, small_task(), f"backbone:{path}", seed=2).state_dict()
    for name, tensor in trained.state_dict().items():
        assert torch.equal(whole[name], tensor)
        inside = name.startswith(("stem.", "context_branch."))
        assert torch.equal(backbone[name], tensor if inside else fresh.state_dict()[name])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write(folder, 6, validation=3, size=(SIDE, SIDE))
    labels = folder / "labels.json"
    labels.write_text(json.dumps(small_task().to_json()), encoding="utf-8")
    return folder


def test_weights_of_the_command_need_no_options(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    options = ["--variant", "tiny", "--data", data, "--output", output, "--device", "cpu"]
    options += ["--iterations", "3", "--batch-size", "2", "--half"]
    done = invoke(*options)
    assert done.exit_code == 0, done.output
    assert "6 training images, 3 validation images; 3 steps of 2" in done.output
    assert "learning rate 0.00025 without warm-up" in done.output
    names = {path.name for path in output.iterdir()}
    weights = {f"{name}.{kind}" for name in ("best", "last") for kind in ("safetensors", "json")}
    assert names == weights | {STATE, METRICS, "report.html"}
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert page.count("<svg") == 3
    assert all(f"</span> {label}</td>" in page for label in small_task().labels)

    from seaformer.cli.predict import main as predict

    overlay = tmp_path / "overlay.png"
    arguments = ["--model", str(output / "best.safetensors"), "--output", str(overlay)]
    predicted = CliRunner().invoke(predict, arguments)
    assert predicted.exit_code == 0, predicted.output
    assert "random" not in predicted.output
    assert overlay.exists()

    again = invoke(*options)
    assert (again.exit_code, "already contains a run. Give another folder" in again.output) == (
        2,
        True,
    )
    extended = invoke("--output", output, "--resume", "--iterations", "4", "--device", "cpu")
    assert extended.exit_code == 0, extended.output
    assert "resumed after step 3" in extended.output
    resumed = invoke(*options, "--resume")
    assert (resumed.exit_code, "Allowed: 4 or more" in resumed.output) == (2, True)
    other = invoke("--output", output, "--resume", "--seed", "1")
    assert (other.exit_code, "seed was 0 and is now 1" in other.output) == (2, True)


def test_invalid_labels_stop_the_run_before_training(data: Path, tmp_path: Path) -> None:
    masks = data / "masks" / "train"
    Image.fromarray(np.full((SIDE, SIDE), 12, np.uint8)).save(masks / "000001.png")
    Image.fromarray(np.zeros((SIDE, 32), np.uint8)).save(masks / "000003.png")
    (masks / "000004.png").unlink()
    (data / "images" / "val" / "000002.png").write_bytes(b"no image")
    output = tmp_path / "run"
    done = invoke("--variant", "tiny", "--data", data, "--output", output)
    assert done.exit_code == 1
    for name in ("train/000001.png", "train/000003.png", "train/000004.png", "val/000002.png"):
        assert name in done.output
    assert "train/000002.png" not in done.output
    assert "cannot be used, see above" in done.output
    assert not any(output.iterdir())


@pytest.mark.parametrize("split", ["train", "val"])
def test_completely_ignored_masks_stop_the_run_before_training(
    split: str, data: Path, tmp_path: Path
) -> None:
    for path in (data / "masks" / split).iterdir():
        Image.fromarray(np.full((SIDE, SIDE), 255, np.uint8)).save(path)
    done = invoke("--variant", "tiny", "--data", data, "--output", tmp_path / "run")
    assert done.exit_code == 1
    kind = {"train": "6 training", "val": "3 validation"}[split]
    assert f"every pixel of the {kind} masks is ignored: they store only 255" in done.output
    assert not any((tmp_path / "run").iterdir())


def test_masks_of_one_class_and_a_long_warm_up_cause_warnings(data: Path, tmp_path: Path) -> None:
    masks = sorted((data / "masks" / "train").iterdir())
    for place, path in enumerate(masks):
        values = np.full((SIDE, SIDE), 0 if place else 255, np.uint8)
        Image.fromarray(values).save(path)
    done = invoke(
        *("--variant", "tiny", "--data", data, "--output", tmp_path / "run", "--device", "cpu"),
        *("--iterations", "2", "--batch-size", "2", "--warm-up", "2"),
    )
    assert done.exit_code == 0, done.output
    assert "all pixels of the training masks are of one class, 'wall', or ignored" in done.output
    assert "the warm-up takes 100% of the run" in done.output


def test_one_of_two_runs_with_the_same_folder_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path):
        done = invoke("--variant", "tiny", "--data", "shapes", "--output", tmp_path)
    assert (done.exit_code, "another seaformer process is writing" in done.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--data", "missing"], "there is no folder 'missing'"),
        (["--data", "shapes", "--task", "ade20k"], "Allowed with --data shapes: shapes"),
        (["--data", "shapes", "--variant", "huge"], "unknown variant 'huge'"),
        (["--data", "shapes", "--crop", "wide"], "'wide' is not HEIGHTxWIDTH"),
        (
            ["--data", "shapes", "--device", "mps"],
            "--device is mps, which torch cannot use on this",
        ),
        (["--data", "shapes", "--weights", "nothing"], "unknown weights 'nothing'"),
        (["--data", "shapes", "--resume"], "to resume from. Omit --resume"),
        ([], "no data set is given"),
        (["--data", "shapes", "--output", __file__], "which is a file. Give a folder"),
    ],
)
def test_bad_requests_are_reported(options: list[str], named: str, tmp_path: Path) -> None:
    if "mps" in options and torch.backends.mps.is_available():
        pytest.skip("this computer has it")
    done = invoke("--variant", "tiny", "--output", tmp_path / "run", *options)
    assert done.exit_code in (1, 2)
    assert named in done.output


def test_help_has_no_slow_imports() -> None:
    code = (
        "import sys, seaformer.cli.train; "
        "print(sorted({'torch', 'numpy', 'accelerate', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_built_in_weights_record_their_task() -> None:
    task = get_task("shapes")
    model = create_model("tiny", task="shapes", weights="shapes")
    assert all(math.isfinite(float(tensor.sum())) for tensor in model.state_dict().values())

    class Some:
        def __len__(self) -> int:
            return 24

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return ShapesDataset("val")[index]

    scores = validate(model, Some(), task, Accelerator(cpu=True))
    assert 0.65 < scores.miou < 0.95
    untrained = validate(initial_network(TINY, task), Some(), task, Accelerator(cpu=True))
    assert untrained.miou < 0.2


def test_scenes_differ_from_the_training_scenes() -> None:
    validation = ShapesDataset("val")[0][1]
    assert not any(np.array_equal(render(0, index)[1], validation) for index in range(20))
