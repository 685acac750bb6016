"""Calibration images, and the ranges computed from them."""

import json
from pathlib import Path

import numpy as np
import pytest
from exporting import run_export
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from seaformer.datasets.shapes import ShapesDataset, write
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.quantize.calibration import (
    Images,
    network_inputs,
    open_calibration,
)
from seaformer.quantization.methods import METHODS
from seaformer.quantization.ranges import BINS, Activation, choose, collect
from seaformer.tasks import get_task

ADE20K, SHAPES, IMAGENET = (get_task(name) for name in ("ade20k", "shapes", "imagenet"))


def photographs(folder: Path, count: int, color: int | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for place in range(count):
        generator = np.random.default_rng(place)
        image = generator.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        if color is not None:
            image[:] = color
        Image.fromarray(image).save(folder / f"{place:03}.png")
    return folder


def test_the_task_shapes_provides_images_with_ground_truth() -> None:
    calibration = open_calibration(None, 12, SHAPES)
    assert calibration.images.count == 12
    assert calibration.test is not None
    assert (calibration.test.count, calibration.classes) == (500, 12)
    image, mask = calibration.test.read(3)
    drawn, truth = ShapesDataset("val")[3]
    assert np.array_equal(image, drawn)
    assert np.array_equal(mask, truth)
    # Images for measuring are not calibration images.
    first, _ = calibration.images.read(3)
    assert not np.array_equal(first, image)


def test_another_task_needs_a_folder() -> None:
    with pytest.raises(UsageError, match=r"'ade20k' does not provide any.*--calibration DIR"):
        open_calibration(None, 200, ADE20K)


def test_noise_is_only_for_latency() -> None:
    calibration = open_calibration("random", 3, ADE20K)
    assert calibration.is_random
    assert calibration.test is None
    again = open_calibration("random", 3, ADE20K)
    for (one, _), (other, _) in zip(calibration.images, again.images, strict=True):
        assert np.array_equal(one, other)


def test_a_folder_is_split_into_calibration_and_test(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "photos", 30)
    calibration = open_calibration(str(folder), 20, ADE20K)
    assert calibration.test is not None
    assert (calibration.images.count, calibration.test.count) == (20, 10)
    seen = [image.tobytes() for image, _ in calibration.images]
    held_out = [image.tobytes() for image, _ in calibration.test]
    assert not set(seen) & set(held_out)
    assert calibration.classes is None
    assert any("20 images are too few" in note for note in calibration.notes)


def test_a_folder_without_spare_images_is_measured_on_the_calibration_images(
    tmp_path: Path,
) -> None:
    calibration = open_calibration(str(photographs(tmp_path / "p", 5)), 200, ADE20K)
    assert calibration.test is not None
    assert calibration.test.count == 5
    assert any("on the calibration images" in note for note in calibration.notes)


def test_enough_images_raise_no_warning(tmp_path: Path) -> None:
    calibration = open_calibration(str(photographs(tmp_path / "p", 130)), 110, ADE20K)
    assert calibration.notes == ()


def test_a_data_set_of_the_task_provides_ground_truth(tmp_path: Path) -> None:
    write(tmp_path / "scenes", 6, validation=4, size=(64, 64))
    calibration = open_calibration(str(tmp_path / "scenes"), 5, SHAPES)
    assert calibration.test is not None
    assert (calibration.images.count, calibration.test.count) == (5, 4)
    assert calibration.classes == 12
    _, mask = calibration.test.read(0)
    assert mask is not None
    assert mask.shape == (64, 64)


def folder_of_classes(folder: Path) -> Path:
    """Write two classes of ImageNet, 0 and 7: three training and two validation images each."""
    assert IMAGENET.ids is not None
    for split, count in (("train", 3), ("val", 2)):
        for index in (0, 7):
            photographs(folder / split / IMAGENET.ids[index], count)
    return folder


def test_a_folder_of_classes_provides_ground_truth(tmp_path: Path) -> None:
    calibration = open_calibration(str(folder_of_classes(tmp_path)), 200, IMAGENET)
    assert calibration.test is not None
    assert (calibration.images.count, calibration.test.count) == (6, 4)
    assert calibration.classes == 1000
    truths = [truth for _, truth in calibration.test]
    assert [truth.tolist() for truth in truths if truth is not None] == [0, 0, 7, 7]


@pytest.mark.slow
def test_a_classifier_is_measured_by_top_1_accuracy(tmp_path: Path) -> None:
    folder_of_classes(tmp_path / "ilsvrc")
    done = run_export(
        *("--variant", "tiny", "--task", "imagenet", "--input-size", "64", "--format", "onnx"),
        *("--precision", "int8", "--calibration", "ilsvrc", "--accept-loss", "--output", "."),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.json")
    accuracy = json.loads(file.read_text())["quantization"]["accuracy"]
    assert accuracy["count"] == 4
    assert 0 <= accuracy["score"] <= 100
    assert accuracy["difference_points"] == accuracy["score"] - accuracy["reference_score"]
    assert f"top-1 {accuracy['score']:.2f}: " in done.stdout
    assert "mIoU" not in done.stdout


@pytest.mark.parametrize(
    ("where", "message"),
    [("missing", "--calibration: there is no folder"), ("empty", "no images in")],
)
def test_a_folder_without_images_is_an_error(tmp_path: Path, where: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SeaformerError, match=message):
        open_calibration(str(tmp_path / where), 10, ADE20K)


@pytest.mark.parametrize("samples", [0, -3])
def test_samples_are_one_or_more(samples: int) -> None:
    with pytest.raises(UsageError, match=f"--calibration-samples is {samples}"):
        open_calibration("random", samples, ADE20K)


def test_broken_images_are_skipped_and_all_named(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "p", 6)
    for name in ("001.png", "003.png"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    calibration = open_calibration(str(folder), 200, ADE20K)
    assert calibration.images.count == 4
    assert "2 images of" in calibration.skipped
    assert all(f"{name}' is damaged" in calibration.skipped for name in ("001.png", "003.png"))
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(SeaformerError, match=r"no image of .* can be used. 6 images"):
        open_calibration(str(folder), 200, ADE20K)


def test_links_are_followed_and_other_files_are_counted(tmp_path: Path) -> None:
    photographs(tmp_path / "elsewhere", 3)
    folder = photographs(tmp_path / "p", 2)
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    for name in ("._000.png", ".DS_Store", "notes.txt"):
        (folder / name).write_bytes(b"no image")
    calibration = open_calibration(str(folder), 200, ADE20K)
    assert calibration.images.count == 5
    assert "3 files" in calibration.skipped
    assert "2 hidden, 1 in .txt" in calibration.skipped


def test_all_problems_of_a_data_set_are_reported_together(tmp_path: Path) -> None:
    write(tmp_path / "scenes", 4, validation=3, size=(64, 64))
    for path in sorted((tmp_path / "scenes" / "masks").rglob("*.png"))[:2]:
        path.write_bytes(b"")
    with pytest.raises(SeaformerError, match=r"^2 of the 7 images of .* cannot be used"):
        open_calibration(str(tmp_path / "scenes"), 200, SHAPES)


def test_images_of_one_color_are_refused(tmp_path: Path) -> None:
    calibration = open_calibration(str(photographs(tmp_path / "p", 3, color=90)), 3, ADE20K)
    with pytest.raises(SeaformerError, match="has a single color"):
        list(network_inputs(calibration.images, ADE20K.preprocessing, (32, 32), True))


def test_inputs_are_preprocessed_for_the_exported_file() -> None:
    scenes = ShapesDataset("val")
    images = Images("two", 2, scenes.__getitem__)
    raw = list(network_inputs(images, SHAPES.preprocessing, (96, 64), inside=True))
    normalized = list(network_inputs(images, SHAPES.preprocessing, (96, 64), inside=False))
    assert [x.shape for x in raw] == [(1, 3, 96, 64)] * 2
    assert all(x.dtype == np.float32 for x in (*raw, *normalized))
    mean, std = (
        np.array(v, np.float32).reshape(1, 3, 1, 1)
        for v in (SHAPES.preprocessing.mean, SHAPES.preprocessing.std)
    )
    for x, y in zip(raw, normalized, strict=True):
        assert np.allclose((x - mean) / std, y, atol=1e-6)


def test_classifiers_can_be_calibrated_with_photos(tmp_path: Path) -> None:
    calibration = open_calibration(str(photographs(tmp_path / "p", 4)), 2, IMAGENET)
    assert calibration.images.count == 2


values = arrays(
    np.float32, st.integers(1, 60), elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False)
)


@given(st.lists(values, min_size=1, max_size=5))
def test_a_growing_histogram_loses_no_value(images: list[np.ndarray]) -> None:
    activation = Activation.of(images[0])
    for image in images[1:]:
        activation.add(image)
    everything = np.concatenate(images)
    assert activation.histogram.sum() == everything.size
    assert min(activation.lows) == everything.min()
    assert max(activation.highs) == everything.max()
    end = activation.start + BINS * activation.width
    slack = 1e-6 * max(abs(activation.start), abs(end))
    assert activation.start - slack <= everything.min()
    assert everything.max() <= end + slack


@given(st.lists(values, min_size=1, max_size=4), st.sampled_from(list(METHODS)))
def test_every_range_contains_zero_and_only_observed_values(
    images: list[np.ndarray], method: str
) -> None:
    seen = collect({"x": image} for image in images)
    low, high = choose(seen, method)["x"]
    assert low <= 0 <= high
    assert low >= min(0.0, *(float(p.min()) for p in images))
    assert high <= max(0.0, *(float(p.max()) for p in images))


def test_methods_clip_the_stated_outliers() -> None:
    generator = np.random.default_rng(0)
    images = [generator.normal(size=100_000).astype(np.float32) for _ in range(4)]
    images[2][7] = 1000.0
    seen = collect({"x": image} for image in images)
    ranges = {method: choose(seen, method)["x"] for method in METHODS}
    assert ranges["min-max"] == (min(p.min() for p in images), 1000.0)
    assert ranges["average"][1] == pytest.approx(np.mean([p.max() for p in images]))
    # One of 400,000 values is rarer than 1 in 10,000, and covering it would widen every step.
    assert ranges["percentile"][1] < 10
    assert rounding_error(images, ranges["mse"]) <= min(
        rounding_error(images, ranges[method]) for method in METHODS
    ) * (1 + 1e-3)


def rounding_error(images: list[np.ndarray], chosen: tuple[float, float]) -> float:
    low, high = chosen
    step = (high - low) / 255
    stored = [np.round((np.clip(p, low, high) - low) / step) * step + low for p in images]
    return float(sum(np.square(s - p).sum() for s, p in zip(stored, images, strict=True)))


def test_a_data_set_of_other_classes_provides_no_ground_truth(tmp_path: Path) -> None:
    write(tmp_path / "scenes", 3, validation=2, size=(64, 64))
    labels = json.loads((tmp_path / "scenes" / "labels.json").read_text())
    assert labels
    # Without the task's own layout the images are still images.
    calibration = open_calibration(str(tmp_path / "scenes" / "images"), 3, ADE20K)
    assert calibration.classes is None
