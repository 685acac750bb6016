"""Data sets on disk: every layout, values of masks, and missing or invalid files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seaformer.datasets import LAYOUTS, Item, check, open_dataset, own_task, read_mask
from seaformer.datasets.image_names import write_names
from seaformer.datasets.selection import selected
from seaformer.errors import SeaformerError, UnknownNameError, UsageError
from seaformer.tasks import get_task

WIDTH, HEIGHT = 6, 4


def write_image(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (10, 20, 30)).save(path, **options)
    return path


def mask(path: Path, values: list[int] | np.ndarray | None = None) -> Path:
    """Write a mask whose first pixels have `values`, and all others the first value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(values, np.ndarray):
        values = values or [0]
        pixels = np.full(HEIGHT * WIDTH, values[0], np.uint8)
        pixels[: len(values)] = values
        values = pixels.reshape(HEIGHT, WIDTH)
    Image.fromarray(values).save(path)
    return path


def first_pixels(item: Item, task_name: str, count: int) -> list[int]:
    found = read_mask(item, get_task(task_name))
    assert (found.dtype, found.shape) == (np.uint8, (HEIGHT, WIDTH))
    pixels: list[int] = found.reshape(-1)[:count].tolist()
    return pixels


def plain(folder: Path, labels: object = ("sky", "sea")) -> Path:
    write_image(folder / "images" / "a.png")
    mask(folder / "masks" / "a.png", [1, 0])
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


def test_ade20k(tmp_path: Path) -> None:
    for split, name in (("training", "t"), ("validation", "v2"), ("validation", "v1")):
        write_image(tmp_path / "images" / split / f"{name}.jpg")
        mask(tmp_path / "annotations" / split / f"{name}.png", [1, 150, 0])
    dataset = open_dataset(tmp_path)
    assert (dataset.task.name, dataset.layout, dataset.split) == ("ade20k", "ade20k", "val")
    assert [item.name for item in dataset.items] == ["v1.jpg", "v2.jpg"]
    assert dataset.items[0].image == tmp_path / "images" / "validation" / "v1.jpg"
    assert dataset.items[0].target == tmp_path / "annotations" / "validation" / "v1.png"
    assert first_pixels(dataset.items[0], "ade20k", 3) == [0, 149, 255]
    train = open_dataset(tmp_path, "ade20k", split="train")
    assert [item.name for item in train.items] == ["t.jpg"]


def test_cityscapes_by_city(tmp_path: Path) -> None:
    for city, name in (("munster", "munster_1"), ("bonn", "bonn_2")):
        write_image(tmp_path / "leftImg8bit" / "val" / city / f"{name}_leftImg8bit.png")
        truth = tmp_path / "gtFine" / "val" / city / f"{name}_gtFine"
        mask(Path(f"{truth}_labelTrainIds.png"), [18, 255, 0])
        mask(Path(f"{truth}_labelIds.png"), [1])
        write_image(Path(f"{truth}_color.png"))
    dataset = open_dataset(tmp_path)
    assert (dataset.task.name, dataset.layout) == ("cityscapes", "cityscapes")
    assert [item.name for item in dataset.items] == [
        "bonn/bonn_2_leftImg8bit.png",
        "munster/munster_1_leftImg8bit.png",
    ]
    assert first_pixels(dataset.items[0], "cityscapes", 3) == [18, 255, 0]


def test_cityscapes_with_label_ids_as_downloaded(tmp_path: Path) -> None:
    write_image(tmp_path / "leftImg8bit" / "train" / "ulm" / "ulm_1_leftImg8bit.png")
    stored = np.arange(36, dtype=np.uint8).reshape(6, 6)
    stored[stored > 33] = 0
    path = mask(tmp_path / "gtFine" / "train" / "ulm" / "ulm_1_gtFine_labelIds.png", stored)
    write_image(tmp_path / "leftImg8bit" / "train" / "ulm" / "ulm_1_leftImg8bit.png", (6, 6))
    (item,) = open_dataset(tmp_path, split="train").items
    assert item.target == path
    found = read_mask(item, get_task("cityscapes")).reshape(-1)
    # From the official scripts: helpers/labels.py, column trainId for ids 0 to 33.
    assert found[:34].tolist() == (
        [255] * 7 + [0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12]
        + [13, 14, 15, 255, 255, 16, 17, 18]
    )  # fmt: skip
    mask(path, np.full((6, 6), 34, np.uint8))
    with pytest.raises(SeaformerError, match=r"stores 34, .*Allowed: 7\.\.8, 11\.\.13, 17, "):
        read_mask(item, get_task("cityscapes"))


@pytest.mark.parametrize(
    ("task", "expected"), [("pascal-context", [58, 255]), ("pascal-context-60", [59, 0])]
)
def test_pascal_context_is_listed_in_a_file(tmp_path: Path, task: str, expected: list[int]) -> None:
    for name in ("2008_2", "2008_1", "2008_3"):
        write_image(tmp_path / "JPEGImages" / f"{name}.jpg")
        mask(tmp_path / "SegmentationClassContext" / f"{name}.png", [59, 0])
    listing = tmp_path / "ImageSets" / "SegmentationContext" / "val.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text("2008_2\n2008_1\n")
    dataset = open_dataset(tmp_path, task)
    assert [item.name for item in dataset.items] == ["2008_2", "2008_1"]
    assert first_pixels(dataset.items[0], task, 2) == expected
    assert open_dataset(tmp_path).task.name == "pascal-context"
    assert list(check(dataset)) == []
    with pytest.raises(SeaformerError, match=r"SegmentationContext/train\.txt"):
        open_dataset(tmp_path, task, split="train")


def test_converted_coco_stuff(tmp_path: Path) -> None:
    for split in ("train2014", "test2014"):
        write_image(tmp_path / "images" / split / "COCO_1.jpg")
        mask(tmp_path / "annotations" / split / "COCO_1_labelTrainIds.png", [171, 0, 1])
    dataset = open_dataset(tmp_path)
    assert (dataset.task.name, dataset.items[0].image.parent.name) == ("coco-stuff", "test2014")
    assert first_pixels(dataset.items[0], "coco-stuff", 3) == [170, 255, 0]


def test_imagenet_by_synset(tmp_path: Path) -> None:
    for synset, name in (("n01443537", "b.JPEG"), ("n01440764", "a.JPEG")):
        write_image(tmp_path / "val" / synset / name, format="JPEG")
    dataset = open_dataset(tmp_path)
    assert (dataset.task.name, dataset.layout) == ("imagenet", "imagenet")
    assert [(item.name, item.target) for item in dataset.items] == [
        ("n01440764/a.JPEG", 0),
        ("n01443537/b.JPEG", 1),
    ]
    assert list(check(dataset)) == []
    with pytest.raises(UsageError, match="has no mask"):
        read_mask(dataset.items[0], dataset.task)
    write_image(tmp_path / "val" / "dogs" / "a.jpg")
    with pytest.raises(SeaformerError, match=r"dogs' is not a class of task imagenet.*n01440764"):
        open_dataset(tmp_path)


def test_plain_with_a_list_of_names(tmp_path: Path) -> None:
    dataset = open_dataset(plain(tmp_path / "My Garden!"))
    assert (dataset.layout, dataset.task.name) == ("plain", "my-garden")
    assert (dataset.task.labels, dataset.task.ignore_index) == (("sky", "sea"), 255)
    mask(tmp_path / "My Garden!" / "masks" / "a.png", [1, 0, 255])
    assert read_mask(dataset.items[0], dataset.task).reshape(-1)[:3].tolist() == [1, 0, 255]
    # Without folders of splits, all images belong to both.
    assert open_dataset(dataset.folder, split="train").items == dataset.items


def test_masks_with_another_numbering_are_reported_with_a_hint(tmp_path: Path) -> None:
    image = write_image(tmp_path / "images" / "a.png")
    stored = mask(tmp_path / "masks" / "a.png", [12, 1, 255])
    with pytest.raises(SeaformerError, match=r"All values fit offset 1: 1\.\.12 for the classes"):
        read_mask(Item("a", image, stored), get_task("shapes"))
    read_mask(Item("a", image, stored), replace(get_task("shapes"), label_offset=1))
    mask(stored, [14])
    with pytest.raises(SeaformerError) as caught:
        read_mask(Item("a", image, stored), get_task("shapes"))
    assert "All values fit" not in str(caught.value)


def test_plain_with_splits_and_a_task(tmp_path: Path) -> None:
    task = get_task("shapes").to_json() | {"name": "own", "label_offset": 3, "ignore_index": 99}
    for split, name in (("train", "a"), ("val", "b")):
        write_image(tmp_path / "images" / split / f"{name}.webp")
        mask(tmp_path / "masks" / split / f"{name}.png", [3, 14, 2, 99])
    (tmp_path / "labels.json").write_text(json.dumps(task))
    dataset = open_dataset(tmp_path)
    assert (dataset.task.name, [item.name for item in dataset.items]) == ("own", ["b.webp"])
    assert read_mask(dataset.items[0], dataset.task).reshape(-1)[:4].tolist() == [0, 11, 255, 255]
    assert [item.name for item in open_dataset(tmp_path, split="train").items] == ["a.webp"]


def test_a_task_has_precedence_over_labels_json(tmp_path: Path) -> None:
    assert open_dataset(plain(tmp_path), "ade20k").task.name == "ade20k"
    assert open_dataset(tmp_path, get_task("shapes")).task.name == "shapes"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("sky", r"labels\.json'.*task is 'sky'"),
        (["sky", "sky"], r"labels\.json': labels\[1\] is 'sky'"),
        ([], r"labels\.json'.*at least one name"),
        ({"name": "x"}, r"labels\.json': the task has no 'labels'"),
    ],
)
def test_bad_labels_are_errors(tmp_path: Path, labels: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_dataset(plain(tmp_path, labels))


def test_labels_that_are_not_json_are_an_error(tmp_path: Path) -> None:
    (plain(tmp_path) / "labels.json").write_text("sky, sea")
    with pytest.raises(UsageError, match=r"labels\.json' .* not JSON.*a list of class names"):
        own_task(tmp_path)


def test_unknown_classes_are_an_error(tmp_path: Path) -> None:
    (plain(tmp_path) / "labels.json").unlink()
    assert own_task(tmp_path) is None
    with pytest.raises(UsageError, match=r"Add labels\.json"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["../../secret", "/secret", "..\\secret", "a/b", "-v", "nul"])
def test_a_list_cannot_name_files_outside_the_data_set(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    write_image(tmp_path / "secret.jpg")
    write_image(root / "JPEGImages" / "v.jpg")
    mask(root / "SegmentationClassContext" / "v.png")
    listing = root / "ImageSets" / "SegmentationContext" / "val.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text(f"v\n{name}\n")
    with pytest.raises(SeaformerError, match=r"an image named in '.*val\.txt' is .*Allowed"):
        open_dataset(root, "pascal-context")


def test_the_expected_layout_is_shown(tmp_path: Path) -> None:
    with pytest.raises(SeaformerError, match=r"no folder '.*nowhere'"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(SeaformerError) as error:
        open_dataset(tmp_path, "cityscapes")
    assert str(error.value).endswith(
        "Expected: cityscapes: leftImg8bit/val/*/*_leftImg8bit.jpg or .png with "
        "gtFine/val/*/*_gtFine_labelTrainIds.png or _gtFine_labelIds.png; plain: images/val/*.jpg "
        "or .png with masks/val/*.png, or images/*.jpg or .png with masks/*.png."
    )
    with pytest.raises(SeaformerError) as error:
        open_dataset(tmp_path)
    assert all(f"{name}: " in str(error.value) for name in LAYOUTS)
    (tmp_path / "images" / "validation").mkdir(parents=True)
    (tmp_path / "annotations" / "validation").mkdir(parents=True)
    with pytest.raises(SeaformerError, match=r"no images in '.*validation'. Expected: images/val"):
        open_dataset(tmp_path, "ade20k")


def test_the_parent_folder_is_detected(tmp_path: Path) -> None:
    write_image(tmp_path / "ADEChallengeData2016" / "images" / "validation" / "v.jpg")
    mask(tmp_path / "ADEChallengeData2016" / "annotations" / "validation" / "v.png")
    with pytest.raises(SeaformerError, match=r"Did you mean '.*ADEChallengeData2016'\?"):
        open_dataset(tmp_path, "ade20k")


def test_unknown_names_are_errors(tmp_path: Path) -> None:
    plain(tmp_path)
    with pytest.raises(UnknownNameError, match="unknown split 'test'"):
        open_dataset(tmp_path, split="test")
    with pytest.raises(UnknownNameError, match=r"unknown layout 'plane'\. Did you mean 'plain'"):
        open_dataset(tmp_path, layout="plane")
    with pytest.raises(UnknownNameError, match="unknown task"):
        open_dataset(tmp_path, "ade")
    with pytest.raises(UsageError, match="layout plain is not for classification"):
        open_dataset(tmp_path, "imagenet", layout="plain")


def test_a_layout_can_be_selected(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "validation" / "v.jpg")
    mask(tmp_path / "annotations" / "validation" / "v.png", [11])
    with pytest.raises(SeaformerError, match="none of the layouts"):
        open_dataset(tmp_path, "shapes")
    dataset = open_dataset(tmp_path, "shapes", layout="ade20k")
    assert read_mask(dataset.items[0], dataset.task)[0, 0] == 11


def test_other_files_are_ignored(tmp_path: Path) -> None:
    plain(tmp_path)
    for name in ("._a.png", ".hidden.jpg", "notes.txt", "Thumbs.db"):
        (tmp_path / "images" / name).write_bytes(b"?")
    (tmp_path / "images" / "folder.png").mkdir()
    assert [item.name for item in open_dataset(tmp_path).items] == ["a.png"]


def test_a_subset_is_evenly_spaced(tmp_path: Path) -> None:
    for index in range(10):
        write_image(tmp_path / "images" / f"{index}.png")
        mask(tmp_path / "masks" / f"{index}.png")
    dataset = open_dataset(tmp_path, "shapes")
    assert [item.name for item in dataset.spread(3).items] == ["0.png", "3.png", "6.png"]
    assert dataset.spread(99).items == dataset.items


def test_images_are_selected_by_name_then_number_then_shard(tmp_path: Path) -> None:
    for index in range(10):
        write_image(tmp_path / "images" / f"{index}.png")
        mask(tmp_path / "masks" / f"{index}.png")
    dataset = open_dataset(tmp_path, "shapes")
    write_names(tmp_path / "names.json", [f"{index}.png" for index in range(2, 10)])

    def names(*arguments: Any) -> list[str]:
        return [item.name for item in selected(dataset, *arguments).items]

    assert names() == [item.name for item in dataset.items]
    assert names(tmp_path / "names.json", 4) == ["2.png", "4.png", "6.png", "8.png"]
    assert names(tmp_path / "names.json", 4, (2, 2)) == ["4.png", "8.png"]
    assert names(None, None, (3, 4)) == ["2.png", "6.png"]
    (tmp_path / "other.json").write_text('["11.png"]')
    with pytest.raises(UsageError, match=r"no image '11\.png'"):
        names(tmp_path / "other.json")


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16"])
def test_every_type_of_index_png(tmp_path: Path, mode: str) -> None:
    plain(tmp_path)
    values = np.zeros((HEIGHT, WIDTH), np.uint16 if mode == "I;16" else np.uint8)
    values[1:, 2] = 1
    stored = Image.fromarray(values.astype(bool) if mode == "1" else values)
    if mode == "P":
        # The colors of a palette carry no information.
        stored.putpalette([200, 10, 10, 200, 10, 10])
    assert stored.mode == mode
    stored.save(tmp_path / "masks" / "a.png")
    dataset = open_dataset(tmp_path)
    found = read_mask(dataset.items[0], dataset.task)
    assert found.dtype == np.uint8
    assert np.array_equal(found, values)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((HEIGHT, WIDTH), 7, np.uint8), r"stores 7, for which task .*Allowed: 0\.\.1 for"),
        (
            np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH),
            r"stores 2, 3, 4, 5, 6 and 17 more values",
        ),
        (np.full((HEIGHT, WIDTH), 256, np.uint16), "stores 256, "),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), "is a color image .mode RGB"),
        (np.zeros((WIDTH, HEIGHT), np.uint8), "has 4 x 6 pixels, .* 6 x 4. Rotate one of them"),
        (np.zeros((9, 9), np.uint8), "has 9 x 9 pixels, but the image .* 6 x 4. Is it the mask"),
    ],
)
def test_bad_masks_are_errors(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    mask(plain(tmp_path) / "masks" / "a.png", pixels)
    dataset = open_dataset(tmp_path)
    with pytest.raises(SeaformerError, match=message) as error:
        read_mask(dataset.items[0], dataset.task)
    assert "a.png" in str(error.value)


def test_the_mask_of_an_upright_photo(tmp_path: Path) -> None:
    plain(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    write_image(tmp_path / "images" / "a.png", exif=exif)
    mask(tmp_path / "masks" / "a.png", np.zeros((WIDTH, HEIGHT), np.uint8))
    dataset = open_dataset(tmp_path)
    assert read_mask(dataset.items[0], dataset.task).shape == (WIDTH, HEIGHT)


def test_too_many_classes_are_an_error(tmp_path: Path) -> None:
    dataset = open_dataset(plain(tmp_path))
    task = get_task("imagenet")
    with pytest.raises(UsageError, match=r"has 1000 classes\. Allowed: 255"):
        read_mask(dataset.items[0], task)


def test_the_check_lists_broken_and_missing_files(tmp_path: Path) -> None:
    plain(tmp_path)
    images, masks = tmp_path / "images", tmp_path / "masks"
    for name in ("cut", "lost", "odd", "text"):
        write_image(images / f"{name}.png", (60, 40))
        mask(masks / f"{name}.png", np.zeros((40, 60), np.uint8))
    assert list(check(open_dataset(tmp_path))) == []
    content = (images / "cut.png").read_bytes()
    (images / "cut.png").write_bytes(content[: len(content) - 30])
    (masks / "lost.png").unlink()
    mask(masks / "odd.png", np.full((40, 60), 9, np.uint8))
    (masks / "text.png").write_text("no image")
    mask(masks / "orphan.png")
    faults = list(check(open_dataset(tmp_path)))
    assert [fault.path for fault in faults] == [
        images / "cut.png",
        masks / "lost.png",
        masks / "odd.png",
        masks / "text.png",
        masks / "orphan.png",
    ]
    for fault, message in zip(
        faults, ("damaged", "no mask", "stores 9", "is not a PNG", "no image"), strict=True
    ):
        assert message in fault.problem
