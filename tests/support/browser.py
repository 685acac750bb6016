"""Opens reports in a real browser, which is driven over the DevTools protocol."""

import atexit
import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("SEAFORMER_REQUIRE_CHROMIUM") == "1"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--hide-scrollbars --remote-debugging-pipe"
)

KEYS = {"Tab": 9, "Enter": 13, "Home": 36, "End": 35, "ArrowLeft": 37, "ArrowRight": 39}
"""Name of a key -> its code on Windows, which Chromium uses everywhere."""

Test = Callable[..., None]


def in_a_browser(test: Test) -> Test:
    """Mark a test that needs a browser."""
    absent = CHROMIUM is None and not REQUIRED
    return pytest.mark.tools(pytest.mark.skipif(absent, reason="chromium is not installed")(test))


class Browser:
    """A browser with one tab.

    Attributes:
        complaints: messages of the console, exceptions, and violations of the page's own policy,
            since the page was opened.
        requests: addresses of everything that the page loads.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._pending = b""
        self._count = 0
        self._session: str | None = None
        self._events: list[str] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        id = self._send(method, arguments)
        while (answer := self._next()).get("id") != id:
            self._note(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, method: str, arguments: dict[str, Any]) -> int:
        self._count += 1
        message = {"id": self._count, "method": method, "params": arguments}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        return self._count

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            data = os.read(self._answers, 1 << 20)
            assert data, "the browser ended"
            self._pending += data
        first, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method", ""), event.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(params))
        elif method == "Page.javascriptDialogOpening":  # the question whether to leave the page
            self._send("Page.handleJavaScriptDialog", {"accept": True})

    def open(self, page: Path | str, width: int = 1280, scheme: str = "light") -> None:
        """Open a page, a file or an address, in a window of a width, in a color scheme."""
        self.resize(width)
        self.emulate(scheme)
        self._events.clear()
        self.requests.clear()
        self.complaints.clear()
        address = page if isinstance(page, str) else page.absolute().as_uri()
        self.call("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._events:
            self._note(self._next())

    def resize(self, width: int) -> None:
        """Set the width of the window; below 640 pixels it is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 640,
        )  # fmt: skip

    def emulate(self, scheme: str = "light", medium: str = "screen") -> None:
        """Set the color scheme, "light" or "dark", and the medium, "screen" or "print"."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[feature])

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key of `KEYS` and release it."""
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path: Path, selector: str | None = None) -> None:
        """Save the whole page as PNG, or only the first element that a CSS selector finds."""
        clip = {}
        if selector is not None:
            box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
            place = self.evaluate(f"({{...{box}.toJSON(), left: scrollX, top: scrollY}})")
            clip["clip"] = {
                "x": place["x"] + place["left"], "y": place["y"] + place["top"],
                "width": place["width"], "height": place["height"], "scale": 1,
            }  # fmt: skip
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True, **clip)
        path.write_bytes(base64.b64decode(image["data"]))

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    """Start a browser, with more flags than usual, and end it."""
    assert CHROMIUM is not None, "chromium is not installed, and SEAFORMER_REQUIRE_CHROMIUM=1"
    (read_commands, commands), (answers, write_answers) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The browser reads from descriptor 3 and writes to descriptor 4.
        shell = f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers}'
        process = subprocess.Popen(
            ["bash", "-c", shell, CHROMIUM, *FLAGS.split(), *flags, f"--user-data-dir={profile}"],
            pass_fds=(read_commands, write_answers), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_commands)
        os.close(write_answers)
        try:
            opened = Browser(commands, answers)
            yield opened
            opened.call("Browser.close")
            process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
            os.close(commands)
            os.close(answers)


@cache
def shared_browser() -> Browser:
    """Return the browser that all tests of this process share; it ends with the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(browser())


def look(page: Path, widths: Sequence[int], expression: str) -> list[Any]:
    """Evaluate a JavaScript property of the page's document at each window width."""
    opened = shared_browser()
    found = []
    for width in widths:
        opened.open(page, width)
        found.append(opened.evaluate(f"document.{expression}"))
    assert opened.complaints == []
    return found
