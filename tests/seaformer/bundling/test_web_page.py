"""`seaformer-bundle --web`: the page in a real browser, compared with Python, and its errors."""

from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Browser, browser, in_a_browser
from click.testing import CliRunner
from exporting import run_export
from PIL import Image
from serving import serving
from web_pages import (
    ALLOWED,
    CAMERA,
    WEBGPU,
    click,
    download,
    start,
    statuses,
    text_of,
    wait_for,
    write_page,
)

from seaformer.artifact.embedding import content_of
from seaformer.cli.bundle import main
from seaformer.cli.predict import main as predict
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.prediction import predict as predict_image
from seaformer.runtimes import open_model
from seaformer.tasks import TASKS

FP32, INT8 = 0.9999, 0.97
"""Smallest shares of pixels with the class of Python."""

LABELS = TASKS["shapes"].labels
STATED = ("--input-range", "0..255", "--labels", ",".join(LABELS))
"""What predict and the page have to know about a file without metadata."""


def python_mask(model: Path, folder: Path, *options: str) -> np.ndarray:
    mask = folder / "python.png"
    files = ["--output", str(folder / "overlay.png"), "--mask", str(mask), "--force"]
    arguments = [str(sample_photograph()), "--model", str(model), *files, *options]
    done = CliRunner().invoke(predict, arguments)
    assert done.exit_code == 0, done.output
    return np.asarray(Image.open(mask))


def browser_mask(opened: Browser, folder: Path) -> np.ndarray:
    return np.asarray(Image.open(download(opened, "save", folder, "mask.png")).convert("L"))


@pytest.mark.slow
@in_a_browser
def test_the_page_computes_the_mask_of_python(shapes_export: Path, tmp_path: Path) -> None:
    (model,) = shapes_export.glob("*_fp32.tflite")
    page = write_page(model, tmp_path / "page")
    with browser(*WEBGPU, *CAMERA, *ALLOWED) as opened:
        with serving(page) as port:
            start(opened, port)
            assert opened.evaluate("crossOriginIsolated")
            assert statuses(opened) == {"wasm": "right", "webgpu": "right"}
            mask = browser_mask(opened, tmp_path)
            assert (mask == python_mask(model, tmp_path)).mean() >= FP32
            click(opened, "camera")
            wait_for(opened, "document.getElementById('overlay').width == 640")
            click(opened, "camera")
            hosts = {urlsplit(url).netloc for url in opened.requests if url.startswith("http")}
            assert hosts == {f"localhost:{port}"}
        start(opened, port)  # the server has ended: the page comes from the service worker
        assert statuses(opened)["wasm"] == "right"

        golden = page / "golden" / "model.bin"
        golden.write_bytes(np.roll(np.frombuffer(golden.read_bytes(), "<f4"), 1).tobytes())
        with serving(page) as port:
            start(opened, port)
            assert statuses(opened)["wasm"] == "wrong"
            warning = opened.evaluate("document.getElementById('warnings').innerText")
            assert warning.startswith("CPU: wrong. This browser computes another output")
            (page / "model.tflite").write_bytes(b"not a model")
        with serving(page) as port:
            start(opened, port)
            assert "cannot load the model" in text_of(opened, "verdicts")


@pytest.mark.slow
@in_a_browser
def test_a_quantized_model_has_the_mask_of_python(integer_export: Path, tmp_path: Path) -> None:
    (model,) = integer_export.glob("*_int8.tflite")
    with serving(write_page(model, tmp_path / "page")) as port, browser(*WEBGPU) as opened:
        start(opened, port)
        assert statuses(opened)["wasm"] == "right"
        assert (browser_mask(opened, tmp_path) == python_mask(model, tmp_path)).mean() >= INT8


@pytest.mark.slow
@in_a_browser
@pytest.mark.parametrize("head", ["classes", "mask"])
def test_a_head_that_returns_class_ids_has_the_mask_of_python(head: str, tmp_path: Path) -> None:
    command = f"--weights shapes --input-size 128x128 --format tflite --head {head} --output ."
    assert run_export(*command.split(), cwd=tmp_path).returncode == 0
    (model,) = tmp_path.glob("*.tflite")
    with serving(write_page(model, tmp_path / "page")) as port, browser() as opened:
        start(opened, port)
        assert statuses(opened)["wasm"] == "right"
        assert (browser_mask(opened, tmp_path) == python_mask(model, tmp_path)).mean() >= FP32


@pytest.mark.slow
@in_a_browser
def test_a_classifier_has_the_ranking_of_python(classifier_export: Path, tmp_path: Path) -> None:
    (model,) = classifier_export.glob("*_fp32.tflite")
    with open_model(model) as session:
        found = predict_image(read_image(sample_photograph()), session, session.metadata, 0)
        labels = session.metadata.labels
    assert found.probabilities is not None
    expected = [labels[place] for place in np.argsort(-found.probabilities)[:5]]
    with serving(write_page(model, tmp_path / "page")) as port, browser() as opened:
        start(opened, port)
        assert statuses(opened)["wasm"] == "right"
        rows = opened.evaluate(
            "[...document.querySelectorAll('#classes tbody tr')].map(row =>"
            " [...row.cells].map(cell => cell.textContent))"
        )
        assert [name for name, _ in rows[:5]] == expected
        assert text_of(opened, "share-name") == "Probability"
        assert opened.evaluate("document.getElementById('save').hidden")


@pytest.mark.slow
@in_a_browser
def test_a_file_without_metadata_runs_as_predict_runs_it(
    shapes_export: Path, tmp_path: Path
) -> None:
    (exported,) = shapes_export.glob("*_fp32.tflite")
    model = tmp_path / "others.tflite"
    model.write_bytes(content_of(exported))
    with (
        serving(write_page(model, tmp_path / "page", *STATED)) as port,
        browser() as opened,
    ):
        start(opened, port)
        assert statuses(opened)["wasm"] == "right"
        assert (
            browser_mask(opened, tmp_path) == python_mask(model, tmp_path, *STATED)
        ).mean() >= FP32
        names = opened.evaluate(
            "[...document.querySelectorAll('#classes td')].map(td => td.innerText)"
        )
        assert set(names) & set(LABELS)


@pytest.mark.slow
@in_a_browser
def test_without_camera_and_gpu_the_page_says_why(shapes_export: Path, tmp_path: Path) -> None:
    (model,) = shapes_export.glob("*_fp32.tflite")
    with serving(write_page(model, tmp_path / "page")) as port, browser(*CAMERA) as opened:
        denied = {"permission": {"name": "camera"}, "setting": "denied"}
        opened.call("Browser.setPermission", origin=f"http://localhost:{port}", **denied)
        start(opened, port)
        assert statuses(opened) == {"wasm": "right", "webgpu": "unavailable"}
        row = opened.evaluate("document.querySelector('[data-accelerator=webgpu]').textContent")
        assert row in (
            "GPU: not available. This browser has no WebGPU, so the GPU cannot be used.",
            "GPU: not available. WebGPU finds no usable GPU on this device.",
        )
        assert text_of(opened, "warnings") == ""
        click(opened, "camera")
        wait_for(opened, "document.getElementById('problem').textContent != ''")
        assert text_of(opened, "problem") == (
            "The camera was denied. Allow it in the settings of this page, and try again."
        )
        assert text_of(opened, "camera") == "Start the camera"
        click(opened, "sample")
        wait_for(opened, "document.getElementById('status').textContent == 'Done'")
        assert text_of(opened, "problem") == ""


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.touch()
    done = CliRunner().invoke(main, [str(model), "--web", str(tmp_path / "page")])
    assert done.exit_code == 2
    assert "a browser cannot run" in done.output
    assert not (tmp_path / "page").exists()
