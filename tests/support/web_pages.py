"""The page of `seaformer-bundle --web` in a real browser."""

import time
from pathlib import Path

from browser import Browser
from click.testing import CliRunner

from seaformer.cli.bundle import main

WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
CAMERA = ("--use-fake-device-for-media-stream",)
ALLOWED = ("--use-fake-ui-for-media-stream",)
"""The camera is allowed without a question."""

TIME_LIMIT_S = 300


def write_page(model: Path, folder: Path, *options: str) -> Path:
    """Write the page of a model, and return its folder."""
    done = CliRunner().invoke(main, [str(model), "--web", str(folder), *options])
    assert done.exit_code == 0, done.output
    return folder


def wait_for(opened: Browser, condition: str) -> None:
    """Wait until a JavaScript expression is true."""
    end = time.monotonic() + TIME_LIMIT_S
    while not opened.evaluate(condition):
        assert time.monotonic() < end, opened.evaluate("document.body.innerText")
        time.sleep(0.1)


def start(opened: Browser, port: int, width: int = 1280, scheme: str = "light") -> None:
    """Open the page, see `Browser.open`, and wait until it has checked the accelerators."""
    opened.open(f"http://localhost:{port}/", width, scheme)
    wait_for(opened, "document.readyState == 'complete' && !!document.body.dataset.ready")


def statuses(opened: Browser) -> dict[str, str]:
    """Return accelerator -> "right", "wrong" or "unavailable"."""
    rows = "[...document.querySelectorAll('#verdicts li')]"
    return dict(opened.evaluate(f"{rows}.map(r => [r.dataset.accelerator, r.dataset.status])"))


def text_of(opened: Browser, id: str) -> str:
    """Return the text of an element, also of one which is hidden."""
    text: str = opened.evaluate(f"document.getElementById('{id}').textContent")
    return text.strip()


def click(opened: Browser, id: str) -> None:
    """Click on an element."""
    opened.evaluate(f"document.getElementById('{id}').click()")


def choose(opened: Browser, id: str, value: str) -> None:
    """Set the value of a control."""
    control = f"document.getElementById('{id}')"
    opened.evaluate(f"{control}.value = '{value}', {control}.dispatchEvent(new Event('change'))")
    assert opened.evaluate(f"{control}.value") == value


def download(opened: Browser, button: str, folder: Path, name: str) -> Path:
    """Click on a button that saves a file, and return the file."""
    opened.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    saved = folder / name
    saved.unlink(missing_ok=True)
    click(opened, button)
    end = time.monotonic() + TIME_LIMIT_S
    while not saved.is_file():
        assert time.monotonic() < end
        time.sleep(0.1)
    return saved
