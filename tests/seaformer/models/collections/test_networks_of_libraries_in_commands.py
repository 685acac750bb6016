"""Networks of other libraries in every command: from the export to the app's assets."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from android_app import APP
from exporting import run_export
from once import Once
from other_libraries import created, library, run
from PIL import Image

from seaformer.benchmark.results.schema import read_results
from seaformer.datasets.shapes import render, write
from seaformer.imaging.images import sample_photograph
from seaformer.runtimes import open_session
from seaformer.tasks import TASKS

library("torchvision")
library("timm")

pytestmark = pytest.mark.slow

CLASSIFIER = "timm:mobilenetv3_small_100"
SEGMENTATION = "transformers:nvidia/segformer-b0-finetuned-ade-512-512"
SIZE = "128x128"
PRECISIONS = ("fp32", "int8")
SUFFIXES = (".onnx", ".tflite")


@dataclass(frozen=True)
class Exported:
    """The exported files of a network, in a folder that also contains photos."""

    name: str
    folder: Path

    def file(self, precision: str, suffix: str) -> Path:
        (found,) = self.folder.glob(f"*_{precision}{suffix}")
        return found


@pytest.fixture(scope="module", params=[CLASSIFIER, SEGMENTATION])
def exported(request: pytest.FixtureRequest, once: Once) -> Exported:
    def fill(folder: Path) -> None:
        write(folder / "scenes", 8, validation=2)
        precisions = [part for name in PRECISIONS for part in ("--precision", name)]
        formats = ["--format", "onnx", "--format", "tflite"]
        size = ["--input-size", SIZE]
        calibration = ["--calibration", "scenes/images/train", "--accept-loss"]
        done = run_export(
            "--model", request.param, *formats, *precisions, *size, *calibration, "--output", ".",
            cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    name = request.param.replace(":", "_").replace("/", "_")
    return Exported(request.param, once(name, fill))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_predict_names_the_classes_of_the_library(
    exported: Exported, tmp_path: Path, precision: str, suffix: str
) -> None:
    file = exported.file(precision, suffix)
    with open_session(file) as session:
        metadata = session.metadata
    assert metadata is not None
    printed = run("cli.predict", sample_photograph(), "--model", file, cwd=tmp_path)
    assert any(label in printed for label in metadata.labels)
    assert len(list(tmp_path.glob("*_overlay.png"))) == (exported.name == SEGMENTATION)


def test_calibrated_files_record_the_folder(exported: Exported) -> None:
    for suffix in SUFFIXES:
        described = json.loads(Path(f"{exported.file('int8', suffix)}.json").read_text())
        expected = "8 photos in 'scenes/images/train'"
        assert described["quantization"]["calibration"] == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_breakdown_has_the_modules_of_the_library(
    exported: Exported, tmp_path: Path, suffix: str
) -> None:
    file = exported.file("fp32", suffix)
    run("benchmark.cli", file, "--breakdown", "--device", "host", "--runs", 10,
        "--output", "out", cwd=tmp_path)  # fmt: skip
    (model,) = read_results(tmp_path / "out").models
    assert model.breakdown is not None
    modules = {path for path, _ in created(exported.name)[0].named_modules()}
    rows = [row for row in model.breakdown.rows if row.kind == "module"]
    assert len(rows) > 20
    assert not [row.path for row in rows if row.path not in modules]
    assert not [row.title for row in rows if row.title.isdecimal()]


@pytest.mark.parametrize("exported", [CLASSIFIER], indirect=True)
def test_an_image_net_folder_is_evaluated(exported: Exported, tmp_path: Path) -> None:
    for number, name in enumerate(TASKS["imagenet"].ids or ()):
        if number in (0, 1, 999):
            (tmp_path / "val" / name).mkdir(parents=True)
            shutil.copy(sample_photograph(), tmp_path / "val" / name)
    files = [exported.file(p, s) for p in PRECISIONS for s in SUFFIXES]
    run("cli.evaluate", "--reference", *files, "--data", ".", "--report", "out", cwd=tmp_path)
    found = json.loads((tmp_path / "out/results.json").read_text())
    assert [model["scores"]["top1"] is not None for model in found["models"]] == [True] * 4
    assert found["models"][1]["agreement"] == 1.0  # fp32 in the other format


@pytest.mark.parametrize("exported", [SEGMENTATION], indirect=True)
def test_a_data_set_of_masks_is_evaluated(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "images/validation").mkdir(parents=True)
    (tmp_path / "annotations/validation").mkdir(parents=True)
    for index in range(2):
        image, mask = render(1, index, (96, 128))
        Image.fromarray(image).save(tmp_path / f"images/validation/{index}.jpg")
        Image.fromarray(mask + 1).save(tmp_path / f"annotations/validation/{index}.png")
    files = [exported.file(p, s) for p in PRECISIONS for s in SUFFIXES]
    run("cli.evaluate", "--reference", *files, "--data", ".", "--report", "out", cwd=tmp_path)
    found = json.loads((tmp_path / "out/results.json").read_text())
    assert [model["scores"]["miou"] is not None for model in found["models"]] == [True] * 4
    assert found["models"][1]["agreement"] > 0.999


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_app_gets_the_files(exported: Exported, tmp_path: Path, suffix: str) -> None:
    main = tmp_path / "app/app/src/main"
    main.mkdir(parents=True)
    shutil.copy(APP / "app/src/main/AndroidManifest.xml", main)
    file = exported.file("fp32", suffix)  # int8 of random weights fails its verification
    run("cli.bundle", file, "--app", tmp_path / "app", cwd=tmp_path)
    assert (main / "assets" / file.name).read_bytes() == file.read_bytes()
