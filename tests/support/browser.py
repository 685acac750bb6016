"""Opens a report in a real browser."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("SEAFORMER_REQUIRE_CHROMIUM") == "1"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--hide-scrollbars --allow-file-access-from-files --enable-logging=stderr --v=0"
)

Test = Callable[..., None]


def in_a_browser(test: Test) -> Test:
    """Mark a test that needs a browser."""
    absent = CHROMIUM is None and not REQUIRED
    return pytest.mark.tools(pytest.mark.skipif(absent, reason="chromium is not installed")(test))


def browse(page: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the browser on a page; it has to end without an error."""
    assert CHROMIUM is not None, "chromium is not installed, and SEAFORMER_REQUIRE_CHROMIUM=1"
    profile = f"--user-data-dir={page.parent / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *FLAGS.split(), profile, *arguments, page.as_uri()],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def look(
    page: Path, widths: Sequence[int], expression: str
) -> tuple[list[Any], subprocess.CompletedProcess[str]]:
    """Evaluate a JavaScript property of the page's document at each window width."""
    frames = "".join(
        f'<iframe src="{page.name}" style="width:{width}px;height:800px;border:0"></iframe>'
        for width in widths
    )
    wrapper = page.with_name("wrapper.html")
    wrapper.write_text(
        f"<!doctype html><body>{frames}<script>onload = () => {{"
        "document.title = JSON.stringify([...document.querySelectorAll('iframe')].map(frame => "
        f"frame.contentDocument.{expression}));"
        "console.error('the wrapper ran'); }</script>"
    )
    done = browse(wrapper, "--virtual-time-budget=5000", "--dump-dom")
    title = re.search(r"<title>([^<]*)</title>", done.stdout)
    assert title is not None, done.stderr
    return json.loads(title[1]), done
