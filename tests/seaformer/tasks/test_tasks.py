"""The table of tasks: its facts, and the rules for user-defined tasks."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from locations import ROOT

from seaformer.errors import UnknownNameError, UsageError
from seaformer.tasks import TASKS, Task, get_task

FILES = ROOT / "seaformer" / "tasks"

COUNTS = {
    "ade20k": 150,
    "cityscapes": 19,
    "coco": 80,
    "coco-stuff": 171,
    "imagenet": 1000,
    "pascal-context": 59,
    "pascal-context-60": 60,
    "shapes": 12,
    "shapes-detection": 8,
}
DETECTION = ["coco", "shapes-detection"]
SEGMENTATION = sorted(COUNTS.keys() - {"imagenet", *DETECTION})


def own_task() -> dict[str, Any]:
    """Return a valid description of a user-defined task, without optional members."""
    return {
        "schema_version": 1,
        "name": "my-garden",
        "title": "My garden",
        "kind": "segmentation",
        "source": "photographed at home",
        "num_classes": 2,
        "labels": ["grass", "hedge"],
        "palette": [[0, 255, 0], [0, 128, 0]],
        "ignore_index": None,
        "label_offset": 0,
        "label_note": "",
        "preprocessing": {
            "color_order": "RGB",
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "interpolation": "bilinear",
            "resize": "stretch",
            "input_size": [256, 512],
            "pad_value": 0,
        },
    }


def test_names_and_class_counts() -> None:
    assert {name: get_task(name).num_classes for name in TASKS} == COUNTS
    assert list(TASKS) == sorted(COUNTS)


def test_the_mapping_has_the_same_tasks() -> None:
    assert dict(TASKS) == {name: get_task(name) for name in COUNTS}
    assert TASKS["ade20k"] is get_task("ade20k")
    assert "ade" not in TASKS
    assert TASKS.get("ade") is None


@pytest.mark.parametrize("name", COUNTS)
def test_file_is_named_after_its_task(name: str) -> None:
    assert get_task(name).name == name


@pytest.mark.parametrize("name", COUNTS)
def test_a_task_survives_writing_and_reading(name: str) -> None:
    on_disk = json.loads((FILES / f"{name}.json").read_text(encoding="utf-8"))
    task = get_task(name)
    assert json.loads(json.dumps(task.to_json())) == on_disk
    assert Task.from_json(task.to_json()) == task


@pytest.mark.parametrize("name", SEGMENTATION)
def test_segmentation_tasks(name: str) -> None:
    task = get_task(name)
    assert task.is_segmentation
    assert task.palette is not None
    assert len(task.palette) == task.num_classes
    assert len(set(task.labels)) == task.num_classes
    assert task.ids is None
    assert task.ignore_index == 255
    assert task.preprocessing.resize == "stretch"
    assert task.preprocessing.interpolation == "bilinear"


@pytest.mark.parametrize(
    ("name", "of_pixels", "first"), [("coco", "coco-stuff", 0), ("shapes-detection", "shapes", 2)]
)
def test_detection_tasks_have_classes_of_a_segmentation_task(
    name: str, of_pixels: str, first: int
) -> None:
    task, pixels = get_task(name), get_task(of_pixels)
    classes = slice(first, first + task.num_classes)
    assert not task.is_segmentation
    assert task.score_name == "AP"
    assert task.labels == pixels.labels[classes]


def test_the_ids_of_coco_have_gaps() -> None:
    task = get_task("coco")
    assert task.ids is not None
    names = dict(zip(task.ids, task.labels, strict=True))
    assert [names[key] for key in ("1", "13", "90")] == ["person", "stop sign", "toothbrush"]
    assert not {"12", "26", "83"} & set(task.ids)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("cityscapes", []),
        ("ade20k", [{"road", "skyscraper"}]),
        ("pascal-context", [{"bicycle", "snow"}]),
        ("pascal-context-60", [{"bicycle", "snow"}]),
    ],
)
def test_colors_are_unique_unless_the_source_repeats_them(
    name: str, shared: list[set[str]]
) -> None:
    task = get_task(name)
    assert task.palette is not None
    repeated = [color for color, count in Counter(task.palette).items() if count > 1]
    pairs = list(zip(task.labels, task.palette, strict=True))
    assert [{label for label, own in pairs if own == color} for color in repeated] == shared


@pytest.mark.parametrize(
    ("name", "index", "label", "color"),
    [
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 2, "sky", (6, 230, 230)),
        ("ade20k", 7, "bed", (204, 5, 255)),
        ("ade20k", 12, "person", (150, 5, 61)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("cityscapes", 0, "road", (128, 64, 128)),
        ("cityscapes", 13, "car", (0, 0, 142)),
        ("cityscapes", 18, "bicycle", (119, 11, 32)),
        ("pascal-context", 0, "aeroplane", (180, 120, 120)),
        ("pascal-context-60", 0, "background", (120, 120, 120)),
        ("coco-stuff", 0, "person", (0, 192, 64)),
        ("coco-stuff", 80, "banner", (0, 192, 0)),
        ("coco-stuff", 170, "wood", (64, 64, 0)),
    ],
)
def test_known_classes(name: str, index: int, label: str, color: tuple[int, int, int]) -> None:
    task = get_task(name)
    assert task.palette is not None
    assert (task.labels[index], task.palette[index]) == (label, color)


def test_pascal_context_60_is_59_after_background() -> None:
    with_background, without = get_task("pascal-context-60"), get_task("pascal-context")
    assert with_background.labels == ("background", *without.labels)
    assert with_background.palette is not None
    assert with_background.palette[1:] == without.palette


@pytest.mark.parametrize(
    ("index", "synset", "label"),
    [
        (0, "n01440764", "tench"),
        (207, "n02099601", "golden retriever"),
        (282, "n02123159", "tiger cat"),
        (999, "n15075141", "toilet tissue"),
    ],
)
def test_known_imagenet_classes(index: int, synset: str, label: str) -> None:
    task = get_task("imagenet")
    assert task.ids is not None
    assert (task.ids[index], task.labels[index]) == (synset, label)


def test_imagenet() -> None:
    task = get_task("imagenet")
    assert not task.is_segmentation
    assert task.palette is None
    assert task.ids == tuple(sorted(set(task.ids or ())))
    repeated = {label for label, count in Counter(task.labels).items() if count > 1}
    assert repeated == {"crane", "maillot"}


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("ade20k", 1),
        ("cityscapes", 0),
        ("pascal-context", 1),
        ("pascal-context-60", 0),
        ("coco-stuff", 1),
        ("imagenet", 0),
    ],
)
def test_label_offsets(name: str, offset: int) -> None:
    assert get_task(name).label_offset == offset


@pytest.mark.parametrize(
    ("name", "input_size", "short_side", "long_side_max", "size_multiple"),
    [
        ("ade20k", (512, 512), 512, 2048, 32),
        ("cityscapes", (512, 1024), 512, 1024, 1),
        ("pascal-context", (480, 480), 520, 520, 1),
        ("pascal-context-60", (480, 480), 520, 520, 1),
        ("coco-stuff", (512, 512), 512, 2048, 1),
        ("imagenet", (224, 224), 256, None, 1),
    ],
)
def test_sizes(
    name: str,
    input_size: tuple[int, int],
    short_side: int,
    long_side_max: int | None,
    size_multiple: int,
) -> None:
    task = get_task(name)
    assert task.evaluation is not None
    assert task.preprocessing.input_size == input_size
    assert task.evaluation.short_side == short_side
    assert task.evaluation.long_side_max == long_side_max
    assert task.evaluation.size_multiple == size_multiple


@pytest.mark.parametrize("name", COUNTS)
def test_normalization_matches_the_official_weights(name: str) -> None:
    preprocessing = get_task(name).preprocessing
    assert preprocessing.color_order == "RGB"
    assert preprocessing.mean == (123.675, 116.28, 103.53)
    assert preprocessing.std == (58.395, 57.12, 57.375)
    assert preprocessing.pad_value == 0


def test_imagenet_crops_of_device_and_evaluation_agree() -> None:
    task = get_task("imagenet")
    assert task.evaluation is not None
    assert task.preprocessing.interpolation == "bicubic"
    assert task.preprocessing.resize == "center-crop"
    assert task.preprocessing.crop_fraction == 0.875
    assert task.evaluation.crop_size == task.preprocessing.input_size == (224, 224)
    assert task.evaluation.short_side == 224 / 0.875


def test_the_error_about_an_unknown_task_lists_and_suggests() -> None:
    with pytest.raises(UnknownNameError) as caught:
        get_task("cityscape")
    message = str(caught.value)
    assert "unknown task 'cityscape'" in message
    assert "Did you mean 'cityscapes'?" in message
    assert all(name in message for name in COUNTS)


def test_the_table_has_no_slow_imports() -> None:
    code = (
        "import sys, seaformer.tasks as t; t.get_task('ade20k'); "
        "print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FILES.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_own_task_without_optional_members() -> None:
    task = Task.from_json(own_task())
    assert (task.name, task.labels, task.num_classes) == ("my-garden", ("grass", "hedge"), 2)
    assert task.preprocessing.input_size == (256, 512)
    assert (task.evaluation, task.ids) == (None, None)
    assert task.to_json() == own_task()


def test_own_task_with_all_members() -> None:
    data = own_task()
    data["ids"] = ["g", "h"]
    data["labels"] = ["plant", "plant"]
    data["ignore_index"] = 255
    data["preprocessing"] |= {"resize": "center-crop", "crop_fraction": 1.0}
    data["evaluation"] = {
        "short_side": 512,
        "long_side_max": 1024,
        "size_multiple": 32,
        "crop_size": [256, 512],
        "note": "as on the poster",
    }
    task = Task.from_json(data)
    assert task.labels == ("plant", "plant")
    assert task.to_json() == data


def test_own_classification_task_without_colors() -> None:
    task = Task.from_json(own_task() | {"kind": "classification", "palette": None})
    assert task.palette is None
    assert not task.is_segmentation


def put(data: Any, path: list[str | int], value: object) -> None:
    """Store a value at `path` inside a description."""
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


EVALUATION = {"short_side": 512}
PRE = "preprocessing"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["schema_version"], 2, ["schema_version is 2", "Allowed: 1."]),
        (["name"], "My Garden", ["name is 'My Garden'", "lower-case"]),
        (["name"], "../x", ["name is '../x'", "lower-case"]),
        (["title"], "", ["title is ''", "non-empty"]),
        (["source"], 3, ["source is 3", "text"]),
        (["kind"], "depth", ["kind is 'depth'", "segmentation, classification, detection"]),
        (["num_classes"], 3, ["num_classes is 3", "Allowed: 2, the number of labels"]),
        (["labels"], "grass", ["labels is 'grass'", "a list"]),
        (["labels", 1], "grass", ["labels[1] is 'grass'", "differs from labels[0]"]),
        (["labels", 1], "hedge ", ["labels[1] is 'hedge '", "without leading or trailing spaces"]),
        (["labels", 1], "he\ndge", ["labels[1] is 'he\\ndge'", "one non-empty line of text"]),
        (["ids"], ["a"], ["ids has 1 values", "Allowed: 2."]),
        (["ids"], ["a", "a"], ["ids[1] is 'a'", "differs from ids[0]"]),
        (["palette"], [[0, 0, 0]], ["palette has 1 values", "Allowed: 2."]),
        (["palette", 1], [0, 128], ["palette[1] has 2 values", "Allowed: 3."]),
        (["palette", 1, 2], 256, ["palette[1][2] is 256", "a whole number, 0..255"]),
        (["palette", 1, 2], -1, ["palette[1][2] is -1", "a whole number, 0..255"]),
        (["palette", 1, 2], 0.5, ["palette[1][2] is 0.5", "a whole number, 0..255"]),
        (["palette", 1, 2], True, ["palette[1][2] is True", "a whole number, 0..255"]),
        (["ignore_index"], 1, ["ignore_index is 1", "a whole number, 2 or more"]),
        (["label_offset"], -1, ["label_offset is -1", "a whole number, 0 or more"]),
        (["label_note"], None, ["label_note is None", "text"]),
        ([PRE], [], ["preprocessing is []", "a JSON object"]),
        ([PRE, "color_order"], "GBR", ["color_order is 'GBR'", "RGB, BGR"]),
        ([PRE, "mean"], [0.5, 0.5], ["preprocessing.mean has 2 values", "Allowed: 3."]),
        ([PRE, "mean", 0], 256, ["preprocessing.mean[0] is 256", "a number, 0..255"]),
        ([PRE, "mean", 0], float("nan"), ["preprocessing.mean[0] is nan", "a number, 0..255"]),
        ([PRE, "std"], [1, 1, 1, 1], ["preprocessing.std has 4 values", "Allowed: 3."]),
        ([PRE, "std", 2], 0, ["preprocessing.std[2] is 0", "a number, above 0"]),
        ([PRE, "std", 2], "1", ["preprocessing.std[2] is '1'", "a number, above 0"]),
        ([PRE, "interpolation"], "cubic", ["interpolation is 'cubic'", "bilinear, bicubic"]),
        ([PRE, "resize"], "crop", ["resize is 'crop'", "stretch, center-crop"]),
        ([PRE, "resize"], "center-crop", ["crop_fraction is None", "above 0, up to 1"]),
        ([PRE, "crop_fraction"], 0.9, ["crop_fraction is 0.9", "nothing, as resize is 'stretch'"]),
        ([PRE, "input_size"], [512], ["input_size has 1 values", "Allowed: 2."]),
        ([PRE, "input_size", 0], 0, ["input_size[0] is 0", "a whole number, 1 or more"]),
        ([PRE, "pad_value"], float("inf"), ["pad_value is inf", "a number, finite"]),
        (["evaluation"], {}, ["evaluation has no 'short_side'", "Required: short_side"]),
        (["evaluation"], {"short_side": 0}, ["evaluation.short_side is 0", "1 or more"]),
        (["evaluation"], EVALUATION | {"long_side_max": 0}, ["long_side_max is 0", "1 or more"]),
        (["evaluation"], EVALUATION | {"size_multiple": 0}, ["size_multiple is 0", "1 or more"]),
        (["evaluation"], EVALUATION | {"crop_size": [1, 0]}, ["crop_size[1] is 0", "1 or more"]),
        (["evaluation"], EVALUATION | {"note": 1}, ["evaluation.note is 1", "text"]),
        (["evaluation"], EVALUATION | {"shortside": 1}, ["'shortside'", "mean 'short_side'?"]),
        (["pallete"], [], ["unknown key of task 'pallete'", "Did you mean 'palette'?"]),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(
    path: list[str | int], value: object, named: list[str]
) -> None:
    data = own_task()
    put(data, path, value)
    with pytest.raises(UsageError) as caught:
        Task.from_json(data)
    assert [part for part in named if part not in str(caught.value)] == []


@pytest.mark.parametrize("key", own_task())
def test_missing_key_is_named(key: str) -> None:
    data = own_task()
    del data[key]
    with pytest.raises(UsageError, match=f"task has no '{key}'"):
        Task.from_json(data)


def test_task_without_classes_is_refused() -> None:
    data = own_task() | {"num_classes": 0, "labels": [], "palette": []}
    with pytest.raises(UsageError, match=r"labels is \[\]\. Allowed: at least one name"):
        Task.from_json(data)
