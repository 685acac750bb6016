"""`seaformer-bundle --web`: the page in a real browser, compared with Python, and its errors."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Browser, browser, in_a_browser
from click.testing import CliRunner
from PIL import Image
from serving import serving

from seaformer.cli.bundle import main
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.prediction import predict
from seaformer.runtimes import open_model

FLAGS = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
TIME_LIMIT_S = 120


def wait_for(opened: Browser, condition: str) -> None:
    end = time.monotonic() + TIME_LIMIT_S
    while not opened.evaluate(condition):
        assert time.monotonic() < end, opened.evaluate("document.body.innerText")
        time.sleep(0.2)


def start(opened: Browser, port: int) -> None:
    opened.open(f"http://localhost:{port}/")
    wait_for(opened, "document.readyState == 'complete' && !!document.body.dataset.ready")


def statuses(opened: Browser) -> dict[str, str]:
    rows = "[...document.querySelectorAll('#verdicts li')]"
    return dict(opened.evaluate(f"{rows}.map(r => [r.dataset.accelerator, r.dataset.status])"))


def python_mask(model: Path) -> np.ndarray:
    with open_model(model) as session:
        mask = predict(read_image(sample_photograph()), session, session.metadata, 0).mask
    assert mask is not None
    return mask


@pytest.mark.slow
@in_a_browser
def test_the_page_computes_the_mask_of_python(shapes_export: Path, tmp_path: Path) -> None:
    (model,) = shapes_export.glob("*_fp32.tflite")
    page, downloads = tmp_path / "page", tmp_path / "downloads"
    done = CliRunner().invoke(main, [str(model), "--web", str(page)])
    assert done.exit_code == 0, done.output
    with browser(*FLAGS) as opened:
        with serving(page) as port:
            start(opened, port)
            assert opened.evaluate("crossOriginIsolated")
            assert statuses(opened) == {"wasm": "right", "webgpu": "right"}
            opened.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
            opened.evaluate("document.getElementById('save').click()")
            saved = downloads / "mask.png"
            end = time.monotonic() + TIME_LIMIT_S
            while not saved.is_file():
                assert time.monotonic() < end
                time.sleep(0.2)
            mask = np.asarray(Image.open(saved).convert("L"))
            assert (mask == python_mask(model)).mean() >= 0.9999
            opened.evaluate("document.getElementById('camera').click()")
            frame = "document.getElementById('overlay').width == 640"
            wait_for(opened, frame)
            opened.evaluate("document.getElementById('camera').click()")
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
            assert "cannot load the model" in opened.evaluate(
                "document.getElementById('verdicts').textContent"
            )


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.touch()
    done = CliRunner().invoke(main, [str(model), "--web", str(tmp_path / "page")])
    assert done.exit_code == 2
    assert "a browser cannot run" in done.output
    assert not (tmp_path / "page").exists()
