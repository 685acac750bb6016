"""Data sets for detection: annotations in COCO's format, and scenes written in it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seaformer.datasets import Box, Boxes, check, open_dataset
from seaformer.datasets.shapes import ShapesWithBoxes, render, render_boxes, write_coco
from seaformer.errors import SeaformerError
from seaformer.tasks import get_task

WIDTH, HEIGHT = 40, 30

CONTENT: dict[str, Any] = {
    "info": {"year": 2017},
    "images": [
        {"id": 7, "file_name": "b.jpg", "height": HEIGHT, "width": WIDTH, "license": 3},
        {"id": 3, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 9, "bbox": [1, 2.5, 10, 4], "area": 33.5},
        {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 40.4, 30], "iscrowd": 1},
    ],
    "categories": [{"id": 9, "name": "cup"}, {"id": 4, "name": "spoon"}],
}


def write_folder(
    folder: Path, content: object = CONTENT, file: str = "annotations/instances_val2017.json"
) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    images = folder / ("val2017" if "2017" in file else "images")
    images.mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(images / name)
    return folder


def changed(kind: str, place: int = 0, **members: Any) -> dict[str, Any]:
    """Return `CONTENT` with other members of one entry; None removes a member."""
    rows = [dict(row) for row in CONTENT[kind]]
    rows[place] |= members
    rows[place] = {name: value for name, value in rows[place].items() if value is not None}
    return CONTENT | {kind: rows}


@pytest.mark.parametrize("file", ["annotations/instances_val2017.json", "boxes.json"])
def test_images_have_boxes_of_their_classes(tmp_path: Path, file: str) -> None:
    dataset = open_dataset(write_folder(tmp_path, file=file))
    assert dataset.layout == "coco"
    assert (dataset.task.kind, dataset.task.labels) == ("detection", ("spoon", "cup"))
    first, second = dataset.items
    assert (first.name, first.target) == ("a.jpg", Boxes((HEIGHT, WIDTH), ()))
    assert second.image.is_file()
    assert isinstance(second.target, Boxes)
    # The second box exceeds the image by less than a pixel, and has no area of its own.
    assert second.target.boxes == (
        Box(1, 2.5, 11, 6.5, 1, 33.5),
        Box(0, 0, 40, 30, 0, 40.4 * 30, is_crowd=True),
    )
    assert second.target.single().classes().tolist() == [1]
    assert second.target.corners().tolist()[0] == [1, 2.5, 11, 6.5]
    assert not list(check(dataset))


def test_the_order_of_the_classes_is_that_of_the_task(tmp_path: Path) -> None:
    dataset = open_dataset(write_folder(tmp_path), "coco")
    target = dataset.items[1].target
    assert isinstance(target, Boxes)
    labels = get_task("coco").labels
    assert [labels[index] for index in target.classes()] == ["cup", "spoon"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "it is not JSON"),
        ({"images": []}, "has no 'annotations'"),
        (changed("images", width=0), "images.0.width is 0. "),
        (changed("images", height=10**9), "images.0.height is 1000000000"),
        (changed("images", id=3), "two entries have the image id 3. Allowed: unique ids"),
        (changed("images", id="7"), "images.0.id is '7'"),
        (changed("images", file_name="a.jpg"), "two images are called 'a.jpg'"),
        (changed("images", file_name="../secret"), "an image named in '.*' is '..'"),
        (changed("images", file_name="/etc/passwd"), "an image named in '.*' is ''"),
        (changed("annotations", id=2), "two entries have the annotation id 2"),
        (changed("annotations", image_id=5), "annotation 1 is of the image 5, which"),
        (changed("annotations", category_id=5), "annotation 1 is of the category 5, which"),
        (changed("annotations", bbox=[0, 0, -1, 5]), "annotations.0.bbox.2 is -1"),
        (changed("annotations", bbox=[0, 0, 5]), "annotations.0.bbox"),
        (changed("annotations", bbox=[35, 0, 10, 5]), "which exceeds its image of 40 x 30"),
        (changed("annotations", bbox=[-5, 0, 10, 5]), "which exceeds its image of 40 x 30"),
        (changed("annotations", iscrowd=2), "annotations.0.iscrowd is 2"),
        (changed("annotations", bbox=None), "annotations.0 has no 'bbox'"),
        (changed("categories", name="spoon"), "two categories are called 'spoon'"),
        (changed("categories", id=4), "two entries have the category id 4"),
    ],
)
def test_unusable_annotations_are_one_clear_error(
    tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(SeaformerError, match=message) as caught:
        open_dataset(write_folder(tmp_path, content))
    assert "instances_val2017.json" in str(caught.value)


def test_a_category_that_is_not_a_class_is_named(tmp_path: Path) -> None:
    content = changed("categories", name="blorp")
    with pytest.raises(SeaformerError, match="the category 'blorp' is not one of the 80 classes"):
        open_dataset(write_folder(tmp_path, content), "coco")


def test_missing_images_and_other_sizes_are_found(tmp_path: Path) -> None:
    dataset = open_dataset(write_folder(tmp_path))
    (tmp_path / "val2017" / "a.jpg").unlink()
    Image.new("RGB", (HEIGHT, WIDTH)).save(tmp_path / "val2017" / "b.jpg")
    missing, turned = check(dataset)
    assert "there is no file" in missing.problem
    assert "has 30 x 40 pixels, but its annotations are for 40 x 30" in turned.problem


def test_boxes_contain_exactly_the_visible_pixels_of_a_class() -> None:
    image, objects = render_boxes(0, 3)
    same, mask = render(0, 3)
    assert np.array_equal(image, same)
    shapes, labels = get_task("shapes").labels, get_task("shapes-detection").labels
    assert objects.boxes
    for box in objects.boxes:
        inside = mask[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
        of_class = inside == shapes.index(labels[box.class_index])
        # All four sides touch the object.
        assert of_class[[0, -1]].any(axis=1).all()
        assert of_class[:, [0, -1]].any(axis=0).all()
        assert 16 <= box.area <= of_class.sum()


def test_written_scenes_are_read_again(tmp_path: Path) -> None:
    for name in ("first", "again"):
        write_coco(tmp_path / name, 2, validation=3, size=(64, 96))
    first, again = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in files}
        for name in ("first", "again")
        for files in [[p for p in (tmp_path / name).rglob("*") if p.is_file()]]
    )
    assert first == again
    dataset = open_dataset(tmp_path / "first")
    assert dataset.task is get_task("shapes-detection")
    scenes = ShapesWithBoxes("val", (64, 96))
    assert [item.target for item in dataset.items] == [scenes[place][1] for place in range(3)]
    assert not list(check(dataset))
    assert len(open_dataset(tmp_path / "first", split="train").items) == 2
