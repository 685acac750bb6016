"""The command `seaformer-evaluate`, with real data sets on disk and real model files.

The models classify by color: red, green and blue stand for three classes of a task. The images
have bands of these colors at multiples of 8, so that every mask is known in advance.
"""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import in_a_browser, look
from click.testing import CliRunner, Result
from PIL import Image
from small_models import (
    LABELS,
    RANDOM_WEIGHTS,
    SIDE,
    associate,
    metadata,
    tflite,
    write_onnx,
    write_painter,
)
from torch.nn import functional as F

from seaformer.cli.evaluate import main
from seaformer.datasets import IGNORED, open_dataset
from seaformer.evaluation.protocols import (
    official_classification,
    official_segmentation,
    two_step_mask,
)
from seaformer.imaging.preprocessing import normalize
from seaformer.locks import locked
from seaformer.models.create import create_model
from seaformer.tasks import Evaluation, Task, get_task
from seaformer.weights.saving import save_weights

HEAVY = ("torch", "tensorflow", "onnxruntime", "ai_edge_litert", "numpy", "PIL", "jinja2")

RED, GREEN, BLUE = range(3)

# Predictions and ground truth of two images. A corner of the first is blue and its last
# rows are ignored, and the lower half of the second is green.
FOUND = np.full((2, SIDE, SIDE), RED, np.uint8)
FOUND[0, :, 24:40] = GREEN
FOUND[0, :, 40:] = BLUE
TRUTH = FOUND.copy()
TRUTH[0, :16, :8] = BLUE
TRUTH[0, 60:] = IGNORED
TRUTH[1, 32:] = GREEN

# Counted by hand: red as red 1312 + 2048, green as red 2048, blue as red 128, green as green 960
# and blue as blue 1440 times.
IOU = (3360 / 5536, 960 / 3008, 1440 / 1568)
ACCURACY = (1.0, 960 / 3008, 1440 / 1568)
PIXEL_ACCURACY = 5760 / 7936


def colors(found: np.ndarray) -> Image.Image:
    """Draw the image for which a model predicts `found`."""
    return Image.fromarray((200 * np.eye(3)[found]).astype(np.uint8))


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_plain(folder: Path, labels: object = LABELS) -> Path:
    for index in range(2):
        save(colors(FOUND[index]), folder / "images" / f"{index}.png")
        save(Image.fromarray(TRUTH[index]), folder / "masks" / f"{index}.png")
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with a plain data set and a model."""
    write_plain(tmp_path / "data")
    write_onnx(tmp_path / "model.onnx", metadata())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "seaformer.cli.evaluate", *map(str, arguments)]


def evaluated(*arguments: str | Path, report: str = "out") -> dict[str, Any]:
    """Run the command, which has to succeed, and return its results."""
    result = run(*arguments, "--report", report)
    assert result.exit_code == 0, result.output
    return results(report)


def results(report: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(report, "results.json").read_text("utf-8"))
    return found


def assert_error(result: Result, status: int, message: str) -> None:
    assert result.exit_code == status, result.output
    assert len(re.findall(r"^error: ", result.stderr, re.MULTILINE)) == 1, result.stderr
    assert re.search(f"error: .*{message}", result.stderr), result.stderr


def assert_known_scores(found: dict[str, Any], classes: tuple[int, int, int]) -> None:
    """Compare exactly with the numbers counted by hand."""
    (model,) = found["models"]
    assert {name: value for name, value in model["scores"].items() if value is not None} == {
        "miou": sum(IOU) / 3,
        "mean_accuracy": sum(ACCURACY) / 3,
        "pixel_accuracy": PIXEL_ACCURACY,
    }
    by_class = model["classes"]
    assert [by_class[index]["iou"] for index in classes] == list(IOU)
    assert [by_class[index]["accuracy"] for index in classes] == list(ACCURACY)
    others = [entry for entry in by_class if entry["index"] not in classes]
    assert all(
        (entry["iou"], entry["accuracy"], entry["pixels"]) == (None, None, 0) for entry in others
    )


def encoded(truth: np.ndarray, classes: tuple[int, int, int], offset: int) -> Image.Image:
    """Store the classes as in a data set that ignores 0 if `offset` is 1, otherwise 255."""
    stored = np.array(classes, np.uint8)[np.minimum(truth, BLUE)] + offset
    stored[truth == IGNORED] = 0 if offset else 255
    return Image.fromarray(stored.astype(np.uint8))


LayoutWriter = Callable[[Path, int, Image.Image, Image.Image], None]


def ade20k(root: Path, index: int, image: Image.Image, mask: Image.Image) -> None:
    save(image, root / "images" / "validation" / f"{index}.png")
    save(mask, root / "annotations" / "validation" / f"{index}.png")


def cityscapes(root: Path, index: int, image: Image.Image, mask: Image.Image) -> None:
    save(image, root / "leftImg8bit" / "val" / f"city{index}" / "a_leftImg8bit.png")
    save(mask, root / "gtFine" / "val" / f"city{index}" / "a_gtFine_labelTrainIds.png")


def coco_stuff(root: Path, index: int, image: Image.Image, mask: Image.Image) -> None:
    save(image, root / "images" / "test2014" / f"{index}.png")
    save(mask, root / "annotations" / "test2014" / f"{index}_labelTrainIds.png")


def plain(root: Path, index: int, image: Image.Image, mask: Image.Image) -> None:
    save(image, root / "images" / f"{index}.png")
    save(mask, root / "masks" / f"{index}.png")


def pascal_context(root: Path, index: int, image: Image.Image, mask: Image.Image) -> None:
    # The images are JPEG: plain colors survive the compression.
    (root / "JPEGImages").mkdir(parents=True, exist_ok=True)
    image.save(root / "JPEGImages" / f"{index}.jpg", quality=95, subsampling=0)
    save(mask, root / "SegmentationClassContext" / f"{index}.png")
    listing = root / "ImageSets" / "SegmentationContext" / "val.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    with listing.open("a") as file:
        file.write(f"{index}\n")


@pytest.mark.parametrize(
    ("task", "write", "classes", "offset"),
    [
        ("ade20k", ade20k, (0, 42, 149), 1),
        ("cityscapes", cityscapes, (0, 7, 18), 0),
        ("coco-stuff", coco_stuff, (0, 170, 3), 1),
        ("pascal-context", pascal_context, (58, 0, 20), 1),
        ("pascal-context-60", pascal_context, (59, 0, 20), 0),
        ("shapes", plain, (11, 0, 5), 0),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_known_data_set_in_each_layout(
    task: str, write: LayoutWriter, classes: tuple[int, int, int], offset: int
) -> None:
    write_painter(Path("painter.onnx"), get_task(task), classes)
    for index in range(2):
        write(Path("known"), index, colors(FOUND[index]), encoded(TRUTH[index], classes, offset))
    found = evaluated("painter.onnx", "--task", task, "--data", "known")
    assert_known_scores(found, classes)
    assert (found["task"], found["pictures"], found["schema_version"]) == (task, 2, 1)
    assert found["models"][0]["protocol"] == "deployed"
    assert found["models"][0]["input"] == "stretched to 64 x 64"


def test_the_plain_layout_describes_itself(folder: Path) -> None:
    done = subprocess.run(
        command("model.onnx", "--data", "data"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "2 of 2 images"
    assert "data: data, layout plain, split val, 2 of 2 images" in done.stdout
    assert "SeaFormer-tiny, colors, fp32, deployed protocol (stretched to 64 x 64)" in done.stdout
    assert re.search(r"model\.onnx\W+61\.48\W+74\.58\W+72\.58\W", done.stdout)
    assert re.search(r"green\W+31\.91\W+31\.91\W(.|\n)*red\W+60\.69\W+100\.00", done.stdout)
    assert_known_scores(results("model_evaluation"), (0, 1, 2))
    page = folder / "model_evaluation" / "report.html"
    assert "<code>seaformer-evaluate model.onnx --data data</code>" in page.read_text("utf-8")
    assert "<p>model.<wbr>onnx: mIoU 61.48 %.</p>" in page.read_text("utf-8")
    assert f"\n  python -m webbrowser {page}\n" in done.stdout
    # The second image is the worst one: half of it is wrong.
    assert "\n  seaformer-predict data/images/1.png --model model.onnx\n" in done.stdout


@pytest.mark.usefixtures("folder")
def test_mistakes_and_worst_images_are_listed() -> None:
    (model,) = evaluated("model.onnx", "--data", "data")["models"]
    assert model["mistakes"] == [
        {"expected": "green", "found": "red", "pixels": 2048, "share": 2048 / 3008},
        {"expected": "blue", "found": "red", "pixels": 128, "share": 128 / 1568},
    ]
    assert model["worst"] == [
        {"name": "1.png", "score": 0.5},
        {"name": "0.png", "score": 3712 / 3840},
    ]


def test_every_format_gives_the_same_scores(folder: Path) -> None:
    model = folder / "model.tflite"
    model.write_bytes(tflite())
    associate(model, metadata("NHWC"))
    found = evaluated("--reference", "model.onnx", "model.tflite", "--data", "data")
    onnx_result, tflite_result = found["models"]
    assert onnx_result["scores"] == tflite_result["scores"]
    assert tflite_result["scores"]["miou"] == sum(IOU) / 3
    assert (onnx_result["agreement"], tflite_result["agreement"]) == (None, 1.0)
    assert tflite_result["differences"] == []
    assert [entry["change"] for entry in tflite_result["classes"]] == [0.0, 0.0, 0.0]
    assert [entry["runtime"] for entry in found["models"]] == ["ONNX Runtime", "LiteRT"]


@pytest.mark.usefixtures("folder")
def test_a_comparison_shows_where_models_differ() -> None:
    task = open_dataset("data").task
    write_painter(Path("painter.onnx"), task, (RED, GREEN, BLUE))
    # Confuses green and blue, so it is correct nowhere.
    write_painter(Path("swapped.onnx"), task, (RED, BLUE, GREEN))
    found = evaluated("--reference", "painter.onnx", "swapped.onnx", "model.onnx", "--data", "data")
    reference, swapped, same = found["models"]
    assert same["agreement"] == 1.0
    assert same["scores"] == reference["scores"]
    # Green and blue, 40 of 64 columns of the first image, are exchanged.
    assert swapped["agreement"] == (24 * 64 + 64 * 64) / (2 * 64 * 64)
    assert [entry["agreement"] for entry in swapped["classes"]] == [1.0, 0.0, 0.0]
    assert [entry["iou"] for entry in swapped["classes"]] == [IOU[0], 0.0, 0.0]
    assert [entry["change"] for entry in swapped["classes"]] == [0.0, -IOU[1], -IOU[2]]
    assert swapped["differences"] == [
        {"expected": "blue", "found": "green", "pixels": 24 * 64, "share": 1.0},
        {"expected": "green", "found": "blue", "pixels": 16 * 64, "share": 1.0},
    ]
    assert swapped["worst"] == [
        {"name": "0.png", "score": 24 / 64},
        {"name": "1.png", "score": 1.0},
    ]
    page = Path("out", "report.html").read_text("utf-8")
    assert "2 models against painter.onnx" in page
    # Photo, ground truth, reference, model and difference of both images for both models.
    assert page.count('src="data:image/jpeg;base64,') == 2 * 2 * 5


def read_panels(page: str) -> dict[str, np.ndarray]:
    """Decode the images of a page by their captions."""
    import base64
    import io

    found = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)">', page)
    return {
        caption: np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
        for code, caption in found
    }


@pytest.mark.usefixtures("folder")
def test_the_page_shows_the_worst_images_and_is_self_contained() -> None:
    evaluated("model.onnx", "--data", "data")
    page = Path("out", "report.html").read_text("utf-8")
    panels = read_panels(page)
    assert list(panels)[:4] == [
        "1.png: photo", "1.png: ground truth", "1.png: model.onnx", "1.png: wrong",
    ]  # fmt: skip
    wrong = panels["1.png: wrong"].astype(int)
    assert wrong[48, 32] == pytest.approx([255, 45, 85], abs=6)
    assert wrong[16, 32].max() < 60
    assert not re.search(r"https?:|@import|<link|<script src", page)
    assert re.search(r'class="figure">61\.48 ', page)


@pytest.mark.usefixtures("folder")
def test_every_bar_of_the_classes_has_a_name() -> None:
    evaluated("model.onnx", "--data", "data")
    page = Path("out", "report.html").read_text("utf-8")
    (bars,) = re.findall(r'<ul class="bars">(.*?)</ul>', page, re.DOTALL)
    assert re.findall(r"<li><span>([^<]*)</span>.*?<b>([^<]*)</b>", bars) == [
        (name, f"{100 * iou:.2f} %")
        for name, iou in sorted(zip(LABELS, IOU, strict=True), key=lambda entry: -entry[1])
    ]


LONG = "seaformer_tiny_shapes_256x256_fp32.onnx"


@in_a_browser
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("models", "tables"),
    [((LONG,), ["classes"]), (("--reference", LONG, LONG), ["classes", "scores"])],
)
def test_the_page_fits_a_phone_and_starts_with_the_scores(
    models: tuple[str, ...], tables: list[str]
) -> None:
    write_onnx(Path(LONG), metadata())
    evaluated(*models, "--data", "data")
    page, widths = Path("out", "report.html").absolute(), (390, 1280)
    assert look(page, widths, "documentElement.scrollWidth") == list(widths)
    for table in tables:
        row = f"querySelector('[aria-labelledby={table}] tbody tr')"
        score = f"{row}.children[{2 if table == 'classes' else 1}]"
        rights = look(page, (390,), f"{score}.getBoundingClientRect().right")
        assert rights[0] <= 390
    # All scores of a comparison, each with its name, not only those in the first columns.
    cells = (
        "querySelectorAll('[aria-labelledby=scores] td').values().map(one => "
        "[getComputedStyle(one, '::before').content, one.offsetWidth, "
        "one.getBoundingClientRect().right]).toArray()"
    )
    for label, width, right in look(page, (390,), cells)[0]:
        assert label.strip('"') not in ("", "none")
        assert 0 < width < right <= 390
    # On a wide screen no column is clipped.
    is_clipped = (
        "querySelectorAll('.scroll').values().some(one => one.scrollWidth > one.clientWidth)"
    )
    assert look(page, (1280,), is_clipped) == [False]


@pytest.mark.usefixtures("folder")
def test_names_cannot_break_the_page() -> None:
    write_plain(Path("data"), ["<script>alert(1)</script>", "a & b", "blue"])
    result = run("model.onnx", "--data", "data", "--report", "out")
    assert result.exit_code == 0
    assert "2 class names of 'model.onnx' differ from the data set's" in result.stdout
    page = Path("out", "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.usefixtures("folder")
def test_random_weights_are_reported() -> None:
    write_onnx(Path("model.onnx"), metadata(weights=RANDOM_WEIGHTS))
    result = run("model.onnx", "--data", "data", "--report", "out")
    assert "random weights: the scores are meaningless" in result.stdout
    assert results()["models"][0]["is_random"] is True
    assert "has random weights" in Path("out", "report.html").read_text("utf-8")


@pytest.mark.usefixtures("folder")
def test_an_image_without_labels_has_no_score() -> None:
    for index in range(2):
        save(Image.new("L", (SIDE, SIDE), IGNORED), Path("data", "masks", f"{index}.png"))
    (model,) = evaluated("model.onnx", "--data", "data")["models"]
    assert model["scores"]["miou"] is None
    assert model["worst"] == []
    assert "NaN" not in Path("out", "results.json").read_text()


@pytest.mark.usefixtures("folder")
def test_a_subset_of_the_images() -> None:
    found = evaluated("model.onnx", "--data", "data", "--limit", "1")
    assert (found["pictures"], found["available"]) == (1, 2)
    assert [entry["name"] for entry in found["models"][0]["worst"]] == ["0.png"]


# --- Resuming, faults and overwriting


def many(folder: Path, count: int) -> None:
    """Extend the data set to `count` images, with copies of the first."""
    for index in range(count):
        save(colors(FOUND[0]), folder / "data" / "images" / f"{index:02}.png")
        save(Image.fromarray(TRUTH[0]), folder / "data" / "masks" / f"{index:02}.png")
    for kind in ("images", "masks"):
        for index in range(2):
            (folder / "data" / kind / f"{index}.png").unlink()


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_run_resumes(folder: Path) -> None:
    import os

    many(folder, 12)
    whole = evaluated("model.onnx", "--data", "data", report="whole")
    # The run blocks on a pipe that nobody writes to, so it is killed halfway.
    mask = folder / "data" / "masks" / "07.png"
    content = mask.read_bytes()
    mask.unlink()
    os.mkfifo(mask)
    arguments = ("model.onnx", "--data", "data", "--report", "out")
    progress = folder / "out" / "images.jsonl"
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL)
    wait_for(lambda: progress.exists() and progress.read_bytes().count(b"\n") == 1 + 7)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "out" / "results.json").exists()
    mask.unlink()
    mask.write_bytes(content)

    # As left by a kill in the middle of a line.
    with progress.open("ab") as file:
        file.write(b'{"name":"07.png","stamp":[[')
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "resumed: 7 of 12 were already done" in result.stdout
    assert results() == whole
    names = [json.loads(line).get("name") for line in progress.read_text().splitlines()]
    assert names == [None, *(f"{index:02}.png" for index in range(12))]


@pytest.mark.usefixtures("folder")
def test_changed_images_are_evaluated_again() -> None:
    evaluated("model.onnx", "--data", "data")
    Path("out", "results.json").unlink()
    save(Image.fromarray(FOUND[1]), Path("data", "masks", "1.png"))
    result = run("model.onnx", "--data", "data", "--report", "out")
    assert "resumed: 1 of 2 were already done" in result.stdout
    assert results()["models"][0]["worst"][1] == {"name": "1.png", "score": 1.0}


@pytest.mark.usefixtures("folder")
def test_another_run_does_not_resume_from_this_progress() -> None:
    evaluated("model.onnx", "--data", "data")
    Path("out", "results.json").unlink()
    again = ("--data", "data", "--report", "out")
    write_onnx(Path("model.onnx"), metadata(), scale=2.0)
    assert_error(
        run("model.onnx", *again), 2, "belongs to a different run; different: models.*--force"
    )
    assert run("model.onnx", *again, "--force").exit_code == 0
    Path("out", "results.json").unlink()
    assert_error(
        run("model.onnx", *again, "--limit", "1"), 2, "a different run; different: data set"
    )


@pytest.mark.usefixtures("folder")
def test_damaged_progress_is_an_error() -> None:
    evaluated("model.onnx", "--data", "data")
    Path("out", "results.json").unlink()
    path = Path("out", "images.jsonl")
    path.write_bytes(path.read_bytes().replace(b'{"name":"0', b'xx"name":"0'))
    assert_error(run("model.onnx", "--data", "data", "--report", "out"), 1, "is damaged.*--force")


@pytest.mark.usefixtures("folder")
def test_files_are_not_overwritten_without_force() -> None:
    first = evaluated("model.onnx", "--data", "data")
    again = ("model.onnx", "--data", "data", "--report", "out")
    assert_error(run(*again), 2, r"results\.json' exists.*--force")
    assert results() == first
    assert run(*again, "--force").exit_code == 0
    Path("other").mkdir()
    Path("other", "report.html").write_text("precious")
    result = run("model.onnx", "--data", "data", "--report", "other")
    assert_error(result, 2, r"report\.html' exists")
    assert Path("other", "report.html").read_text() == "precious"
    assert [path.name for path in Path("other").iterdir()] == ["report.html"]


@pytest.mark.usefixtures("folder")
def test_one_of_two_runs_with_the_same_folder_is_refused() -> None:
    Path("out").mkdir()
    with locked(Path("out")):
        result = run("model.onnx", "--data", "data", "--report", "out", "--force")
        assert_error(result, 1, "another seaformer process is writing to 'out'")
        assert list(Path("out").iterdir()) == []
    assert run("model.onnx", "--data", "data", "--report", "out").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_broken_images_are_listed_and_can_be_repaired() -> None:
    good = Path("data", "images", "0.png").read_bytes()
    Path("data", "images", "0.png").write_bytes(good[:-40])
    save(colors(FOUND[0]), Path("data", "images", "lonely.png"))
    arguments = ("model.onnx", "--data", "data", "--report", "out")
    result = run(*arguments)
    assert_error(result, 1, "2 of 3 images are broken. .*--skip-broken")
    assert re.search(r"broken: 'data/images/0\.png' is damaged", result.stdout)
    assert "broken: there is no mask 'data/masks/lonely.png'" in result.stdout
    found = results()
    assert (found["complete"], found["pictures"]) == (False, 1)
    assert [entry["name"] for entry in found["broken"]] == ["0.png", "lonely.png"]
    assert found["models"][0]["scores"]["pixel_accuracy"] == 0.5
    assert "2 broken images skipped" in Path("out", "report.html").read_text("utf-8")

    Path("data", "images", "0.png").write_bytes(good)
    result = run(*arguments, "--skip-broken")
    assert result.exit_code == 0, result.stderr
    assert "resumed: 1 of 3 were already done" in result.stdout
    found = results()
    assert (found["complete"], found["pictures"], len(found["broken"])) == (True, 2, 1)
    assert_known_scores(found, (0, 1, 2))
    assert_error(run(*arguments), 2, "exists")


@pytest.mark.usefixtures("folder")
def test_a_data_set_of_only_broken_images_is_an_error() -> None:
    for index in range(2):
        Path("data", "masks", f"{index}.png").write_text("no image")
    result = run("model.onnx", "--data", "data", "--report", "out", "--skip-broken")
    assert_error(result, 1, "none of the 2 images can be used. The first: .*is not a PNG")


@pytest.mark.usefixtures("folder")
def test_an_output_of_nan_is_reported_as_an_error_of_the_model() -> None:
    write_onnx(Path("model.onnx"), metadata(), scale=float("nan"))
    result = run("model.onnx", "--data", "data", "--report", "out", "--skip-broken")
    assert_error(result, 1, "'model.onnx' returns values that are not finite")


# --- Checkpoints and protocols


def save_network(path: Path, task: Task) -> torch.nn.Module:
    network = create_model("tiny", task)
    save_weights(network, path, network="seaformer-tiny", task_json=task.to_json())
    return network


def write_scenes(folder: Path, sizes: list[tuple[int, int]], task: Task) -> Path:
    """Write images and masks of noise with these sizes."""
    random = np.random.RandomState(0)
    for index, size in enumerate(sizes):
        noise = random.randint(0, 256, (*size, 3)).astype(np.uint8)
        save(Image.fromarray(noise), folder / "images" / f"{index}.png")
        truth = random.randint(0, task.num_classes, size).astype(np.uint8)
        save(Image.fromarray(truth), folder / "masks" / f"{index}.png")
    return folder


@pytest.mark.parametrize("batch", ["1", "2"])
def test_a_checkpoint_with_the_official_protocol(folder: Path, batch: str) -> None:
    task = get_task("shapes")
    network = save_network(folder / "tiny.safetensors", task)
    write_scenes(folder / "scenes", [(64, 96), (64, 96), (80, 64)], task)
    found = evaluated("tiny.safetensors", "--data", "scenes", "--batch", batch)
    (model,) = found["models"]
    assert (model["protocol"], model["input"]) == ("official", "short side 256")
    hits = total = 0
    for index, size in enumerate([(256, 384), (256, 384), (320, 256)]):
        image = np.array(Image.open(folder / "scenes" / "images" / f"{index}.png"))
        truth = np.asarray(Image.open(folder / "scenes" / "masks" / f"{index}.png"))
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
        # Halves are rounded up.
        resized = (F.interpolate(pixels, size, mode="bilinear") + 0.5).floor()
        x = resized.permute(0, 2, 3, 1).numpy()
        x = torch.from_numpy(normalize(x, task.preprocessing)).permute(0, 3, 1, 2)
        logits = F.interpolate(network(x), size, mode="bilinear")
        mask = F.interpolate(logits, truth.shape, mode="bilinear").argmax(dim=1)[0].numpy()
        hits += np.count_nonzero(mask == truth)
        total += truth.size
    # Rounding may change the class of a pixel between two classes.
    assert model["scores"]["pixel_accuracy"] == pytest.approx(hits / total, abs=2 / total)


@pytest.mark.usefixtures("folder")
def test_a_checkpoint_with_the_deployed_protocol_matches_its_export(folder: Path) -> None:
    task = get_task("shapes")
    network = save_network(folder / "tiny.safetensors", task)
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, 64, 128),),
        folder / "tiny.onnx",
        input_names=["image"],
        output_names=["logits"],
        dynamo=False,
    )
    write_scenes(folder / "scenes", [(64, 96), (80, 64)], task)
    found = evaluated(
        "--reference", "tiny.safetensors", "tiny.onnx", "--data", "scenes", "--input-size", "64x128"
    )
    checkpoint, export = found["models"]
    assert checkpoint["protocol"] == export["protocol"] == "deployed"
    assert checkpoint["input"] == export["input"] == "stretched to 128 x 64"
    assert export["title"].startswith("a model without metadata, used for Shapes")
    assert export["agreement"] > 0.999


def test_the_official_resize_matches_opencv() -> None:
    # cv2.resize(..., cv2.INTER_LINEAR) of OpenCV 5.0.0 on the same pixels; it computes in fixed
    # point, so values differ by at most one.
    protocol = official_segmentation(
        get_task("ade20k").preprocessing,
        Evaluation(short_side=8, long_side_max=90, size_multiple=4),
    )
    pixels = (np.arange(5 * 7 * 3) * 37 % 256).astype(np.uint8).reshape(5, 7, 3)
    prepared = protocol.prepare(pixels)
    assert prepared.shape == (8, 12, 3)  # Via 8 x 11.
    np.testing.assert_allclose(
        prepared[::7, :, 0],
        [
            [0, 44, 106, 171, 178, 119, 109, 147, 121, 66, 109, 154],
            [36, 80, 124, 69, 42, 80, 145, 183, 157, 102, 145, 190],
        ],
        atol=1,
    )
    smaller = official_segmentation(
        get_task("ade20k").preprocessing, Evaluation(4, long_side_max=6)
    )
    pixels = (np.arange(9 * 13 * 3) * 37 % 256).astype(np.uint8).reshape(9, 13, 3)
    np.testing.assert_allclose(
        smaller.prepare(pixels)[:, :, 1],
        [
            [110, 68, 181, 144, 101, 182],
            [90, 131, 78, 44, 196, 144],
            [150, 130, 109, 90, 99, 78],
            [90, 168, 161, 124, 122, 106],
        ],
        atol=1,
    )


def test_the_official_crop_matches_torchvision() -> None:
    task = get_task("imagenet")
    assert task.evaluation is not None
    protocol = official_classification(task.preprocessing, task.evaluation)
    pixels = np.random.RandomState(0).randint(0, 256, (375, 500, 3)).astype(np.uint8)
    # Resize(256) truncates 341.33, and CenterCrop rounds half to even: 58.5 is 58.
    scaled = Image.fromarray(pixels).resize((341, 256), Image.Resampling.BICUBIC)
    assert np.array_equal(protocol.prepare(pixels), np.asarray(scaled)[16:240, 58:282])


def test_resizing_classes_in_two_steps_matches_all_at_once() -> None:
    logits = torch.from_numpy(np.random.RandomState(0).randn(1, 21, 5, 7).astype(np.float32))
    at_input = F.interpolate(logits, (40, 56), mode="bilinear")
    at_image = F.interpolate(at_input, (33, 61), mode="bilinear")
    mask = two_step_mask(logits[0].numpy(), (40, 56), (33, 61))
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, at_image.argmax(dim=1)[0])
    assert two_step_mask(np.zeros((9, 2, 2), np.float32), (4, 4), (3, 3)).max() == 0


@pytest.mark.usefixtures("folder")
def test_a_larger_scale_with_the_official_protocol(folder: Path) -> None:
    task = get_task("shapes")
    save_network(folder / "tiny.safetensors", task)
    write_scenes(folder / "scenes", [(64, 96)], task)
    found = evaluated("tiny.safetensors", "--data", "scenes", "--short-side", "64")
    assert found["models"][0]["input"] == "short side 64"


# --- Classification


def classes_folder(root: Path, names: list[str]) -> Path:
    """Write a plain red, a plain green and a plain blue image for each name."""
    for name in names:
        for channel, color in enumerate(("red", "green", "blue")):
            pixel = tuple(200 if place == channel else 100 for place in range(3))
            save(Image.new("RGB", (70, 64), pixel), root / "val" / name / f"{color}.png")
    return root


@pytest.mark.usefixtures("folder")
def test_top_1_and_top_5_of_a_folder_of_classes() -> None:
    own = get_task("imagenet").to_json() | {
        "name": "colors",
        "num_classes": 3,
        "labels": LABELS,
        "ids": None,
    }
    root = classes_folder(Path("classes"), ["red", "blue"])
    (root / "labels.json").write_text(json.dumps(own))
    info = metadata(kind="classification", palette=None)
    info["input"] |= {"resize": "center-crop", "crop_fraction": 1.0}
    write_onnx(Path("classifier.onnx"), info, classify=True)
    write_onnx(Path("backwards.onnx"), info, classify=True, scale=-1.0)
    found = evaluated("--reference", "classifier.onnx", "backwards.onnx", "--data", "classes")
    forwards, backwards = found["models"]
    assert found["kind"] == "classification"
    # One of three images of each class has its color.
    assert (forwards["scores"]["top1"], forwards["scores"]["top5"]) == (2 / 6, 1.0)
    assert [entry["accuracy"] for entry in forwards["classes"]] == [1 / 3, None, 1 / 3]
    assert forwards["classes"][0]["iou"] is None
    # The smallest of three colors is the first of the other two: never the largest.
    assert backwards["agreement"] == 0.0
    assert backwards["scores"]["top1"] == 2 / 6
    # Each is correct where the other is not: with six images the interval is very wide.
    difference = backwards["difference"]
    assert difference["points"] == 0
    assert difference["low"] < -20
    assert difference["high"] > 20
    assert forwards["difference"] is None
    page = Path("out", "report.html").read_text("utf-8")
    assert "truth: blue" in page
    assert "classifier.onnx: red, green, blue" in page


def test_imagenet_with_a_checkpoint(folder: Path) -> None:
    network = create_model("tiny", "imagenet")
    torch.save(network.state_dict(), folder / "tiny.pth")
    task = get_task("imagenet")
    random = np.random.RandomState(1)
    image = random.randint(0, 256, (300, 300, 3)).astype(np.uint8)
    scaled = Image.fromarray(image).resize((256, 256), Image.Resampling.BICUBIC)
    x = normalize(np.asarray(scaled, np.float32)[16:240, 16:240], task.preprocessing)
    logits = network(torch.from_numpy(x).permute(2, 0, 1)[None])[0]
    best = logits.argsort(descending=True)[:6].tolist()
    assert task.ids is not None
    for index in (best[0], best[4], best[5]):
        save(Image.fromarray(image), folder / "ilsvrc" / "val" / task.ids[index] / "a.png")
    found = evaluated("tiny.pth", "--task", "imagenet", "--data", "ilsvrc", "--batch", "3")
    (model,) = found["models"]
    assert (model["scores"]["top1"], model["scores"]["top5"]) == (1 / 3, 2 / 3)
    assert model["input"] == "short side 256, center crop 224 x 224"


# --- Errors


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, r"Missing argument 'MODEL\.\.\.'"),
        (["model.onnx"], 2, r"Missing option '--data'"),
        (["model.onnx", "b.onnx", "--data", "data"], 2, "--reference model.onnx"),
        (["model.onnx", "--data", "nowhere"], 1, "no folder 'nowhere'"),
        (["model.onnx", "--data", "."], 1, r"none of the layouts.*Did you mean 'data'\?"),
        (["model.onnx", "--data", "data", "--task", "ade"], 2, "unknown task 'ade'.*ade20k"),
        (["model.onnx", "--data", "data", "--layout", "x"], 2, "unknown layout 'x'"),
        (["model.onnx", "--data", "data", "--task", "cityscapes"], 2, "3 classes, but .* with 19"),
        (["model.onnx", "--data", "data", "--protocol", "x"], 2, "unknown protocol 'x'"),
        (["model.onnx", "--data", "data", "--protocol", "official"], 2, "of one size.*Omit"),
        (["model.onnx", "--data", "data", "--batch", "2"], 2, "exported file takes one image"),
        (["model.onnx", "--data", "data", "--batch", "0"], 2, "--batch"),
        (["model.onnx", "--data", "data", "--limit", "0"], 2, "--limit"),
        (["model.onnx", "--data", "data", "--short-side", "9"], 2, "to the official protocol"),
        (["model.onnx", "--data", "data", "--input-size", "96"], 2, "only takes 64x64"),
        (["model.onnx", "--data", "data", "--input-size", "x"], 2, "input size 'x'"),
        (["model.onnx", "--data", "data", "--report", "model.onnx"], 2, "is not a folder"),
        (["model.pb", "--data", "data"], 2, r"suffix is '\.pb'"),
        (["absent.onnx", "--data", "data"], 1, "no model file 'absent.onnx'"),
        (["absent.pth", "--data", "data"], 1, "no file 'absent.pth'"),
        (["classifier.onnx", "--data", "data"], 2, "classification with 3 classes, but"),
        (["middle.onnx", "--data", "data"], 2, "takes only the center"),
        (["foreign.onnx", "--data", "data", "--task", "shapes"], 2, r"shape \[1, 3, 8, 8\]"),
    ],
)
def test_errors_are_one_line(folder: Path, arguments: list[str], status: int, message: str) -> None:
    write_onnx(folder / "classifier.onnx", metadata(kind="classification"), classify=True)
    info = metadata()
    info["input"] |= {"resize": "center-crop", "crop_fraction": 1.0}
    write_onnx(folder / "middle.onnx", info)
    write_onnx(folder / "foreign.onnx")
    assert_error(run(*arguments), status, message)
    assert not [path for path in folder.iterdir() if (path / "results.json").exists()]


def test_a_task_without_a_protocol(folder: Path) -> None:
    task = open_dataset("data").task
    save_network(folder / "tiny.safetensors", task)
    found = evaluated("tiny.safetensors", "--data", "data", "--input-size", "64")
    assert found["models"][0]["input"] == "stretched to 64 x 64"
    arguments = ("tiny.safetensors", "--data", "data", "--protocol", "official", "--report", "b")
    assert_error(run(*arguments), 2, "task data has no official protocol")
    result = run(*arguments, "--input-size", "64")
    assert_error(result, 2, "--input-size does not apply to the official protocol")


def test_help_has_no_slow_imports() -> None:
    program = (
        "import sys, seaformer.cli.evaluate\n"
        "try: seaformer.cli.evaluate.main(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Evaluate MODEL on a data set" in done.stdout
    assert done.stdout.endswith("[]\n")
