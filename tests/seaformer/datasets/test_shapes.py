"""The procedural data set: its scenes are reproducible and cover all classes; its files."""

import json
from pathlib import Path

import numpy as np
import pytest

from seaformer.datasets import check, open_dataset, read_mask
from seaformer.datasets.shapes import SPLITS, ShapesDataset, render, write
from seaformer.errors import UnknownNameError, UsageError
from seaformer.imaging.images import read_image
from seaformer.tasks import Task, get_task
from seaformer.weights.builtin import BUILTIN, find_builtin


def test_a_scene_has_the_documented_form() -> None:
    image, mask = render(0, 0, (96, 160))
    assert (image.dtype, image.shape) == (np.uint8, (96, 160, 3))
    assert (mask.dtype, mask.shape) == (np.uint8, (96, 160))
    assert mask.max() < get_task("shapes").num_classes
    assert image.flags.c_contiguous


def test_a_scene_depends_only_on_seed_index_and_size() -> None:
    first, again = render(3, 5, (64, 64)), render(3, 5, (64, 64))
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    for other in (render(4, 5, (64, 64)), render(3, 6, (64, 64))):
        assert not np.array_equal(first[1], other[1])


def test_scenes_match_the_training_scenes() -> None:
    scenes = ShapesDataset("val")
    pixels = sum(np.bincount(scenes[index][1].ravel(), minlength=12) for index in range(4))
    known = [130002, 47903, 35104, 15604, 5476, 4462, 6379, 1115, 6840, 8191, 1068, 0]
    # Another version of Pillow may draw the last pixel of an edge differently.
    assert np.abs(pixels - known).sum() < 0.002 * sum(known)


def test_another_size_shows_the_same_scene() -> None:
    small, large = render(0, 7, (64, 64))[1], render(0, 7, (256, 256))[1]
    assert (small == large[2::4, 2::4]).mean() > 0.93


def test_every_class_occurs_and_class_frequencies_are_unbalanced() -> None:
    scenes = ShapesDataset("train", (64, 64))
    counts = sum(np.bincount(scenes[index][1].ravel(), minlength=12) for index in range(80))
    shares = counts / counts.sum()
    assert shares.min() > 0.001
    assert shares.max() > 20 * shares.min()


def test_splits_have_no_common_scene() -> None:
    assert len(ShapesDataset("val")) == SPLITS["val"]
    scenes = [ShapesDataset(split, (64, 64), seed)[0][1] for split in SPLITS for seed in (0, 1)]
    assert len({scene.tobytes() for scene in scenes}) == 4


def test_bad_arguments_are_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown split 'test'"):
        ShapesDataset("test")
    with pytest.raises(UsageError, match="16 x 64 pixels"):
        ShapesDataset("val", (16, 64))
    with pytest.raises(IndexError):
        ShapesDataset("val")[SPLITS["val"]]


def test_colors_of_the_palette_are_distinguishable() -> None:
    palette = np.array(get_task("shapes").palette, int)
    distances = np.abs(palette[:, None] - palette).sum(2) + 999 * np.eye(len(palette), dtype=int)
    assert distances.min() >= 100


def test_written_scenes_match_rendered_ones(tmp_path: Path) -> None:
    write(tmp_path, 3, validation=2, size=(64, 64))
    for split, count in (("train", 3), ("val", 2)):
        dataset = open_dataset(tmp_path, split=split)
        assert dataset.task == get_task("shapes")
        assert len(dataset.items) == count
        assert list(check(dataset)) == []
        for item, (image, mask) in zip(dataset.items, ShapesDataset(split, (64, 64)), strict=False):
            assert np.array_equal(read_image(item.image), image)
            assert np.array_equal(read_mask(item, dataset.task), mask)
    described = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    assert Task.from_json(described) == get_task("shapes")


def test_an_invalid_count_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 scenes for val"):
        write(tmp_path, 3, validation=0)
    assert list(tmp_path.iterdir()) == []


def test_built_in_weights_are_small() -> None:
    assert all(0 < weights.path.stat().st_size < 5_000_000 for weights in BUILTIN)


def test_built_in_weights_are_for_one_network() -> None:
    tiny, small = "seaformer-tiny", "seaformer-small"
    assert find_builtin("shapes", tiny, get_task("shapes")) is BUILTIN[0]
    assert find_builtin("ade20k", tiny, get_task("ade20k")) is None
    detector = "seaformer-tiny-retinanet-narrow"
    assert find_builtin("shapes-detection", detector, get_task("shapes-detection")) is BUILTIN[1]
    for variant, task in ((small, "shapes"), (tiny, "ade20k")):
        with pytest.raises(UnknownNameError, match="Allowed: variant tiny and task shapes"):
            find_builtin("shapes", variant, get_task(task))
    with pytest.raises(UnknownNameError, match=f"Allowed: model {detector} and task shapes-det"):
        find_builtin("shapes-detection", tiny, get_task("shapes"))
