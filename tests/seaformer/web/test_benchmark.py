"""The benchmark of the page in a real browser; its results.json is read as the commands do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, browser, in_a_browser
from click.testing import CliRunner
from html_page import Page
from serving import serving
from web_pages import WEBGPU, choose, click, download, start, text_of, wait_for, write_page

from seaformer.benchmark.cli import main
from seaformer.benchmark.results.schema import Results, read_results

pytestmark = [pytest.mark.slow]

ROUNDS = 5
MANY_ROUNDS = 20
"""So many that the page cannot have measured all of them before the next step of the test."""

MEASURED = "document.getElementById('benchmark-progress').value"
SOME_ROUNDS = f"{MEASURED} >= 1"
ENDED = "!document.getElementById('measure').disabled"


@pytest.fixture(scope="module")
def page(shapes_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (model,) = shapes_export.glob("*_fp32.tflite")
    return write_page(model, tmp_path_factory.mktemp("benchmark") / "page")


@pytest.fixture
def opened(page: Path) -> Iterator[tuple[Browser, int]]:
    """A browser with the page, and the port of the page."""
    with serving(page) as port, browser(*WEBGPU) as one:
        start(one, port)
        click(one, "tab-benchmark")
        yield one, port


def begin(opened: Browser, accelerator: str, rounds: int) -> None:
    choose(opened, "benchmark-accelerator", accelerator)
    choose(opened, "benchmark-rounds", str(rounds))
    click(opened, "measure")


def saved(opened: Browser, folder: Path) -> Results:
    return read_results(download(opened, "save-results", folder, "results.json"))


@in_a_browser
def test_the_cpu_has_latencies_in_a_results_json(
    opened: tuple[Browser, int], page: Path, tmp_path: Path
) -> None:
    one, _ = opened
    threads = one.evaluate("document.getElementById('benchmark-threads').options.length")
    choose(one, "benchmark-threads", str(threads))
    begin(one, "wasm", ROUNDS)
    wait_for(one, ENDED)
    assert text_of(one, "benchmark-status") == "Complete"
    results = saved(one, tmp_path)
    (model,) = results.models
    assert results.complete
    assert results.browser is not None
    assert results.browser.isolated
    assert results.browser.clock_ms > 0
    assert results.browser.user_agent == one.evaluate("navigator.userAgent")
    assert results.threads == threads
    assert results.accelerator == "cpu"
    assert results.conditions_before.temperatures == ()
    assert "temperature" in results.unknown
    assert model.sha256 in (page / "page.json").read_text()
    assert model.parity is not None
    assert model.parity.passed
    assert model.latency is not None
    assert model.latency.run is not None
    assert model.latency.run.runs == 5 * ROUNDS
    shown = text_of(one, "times")
    assert f"{model.latency.run.runs} in {ROUNDS} rounds" in shown
    assert "Latency of one inference in this browser, CPU" in shown
    done = CliRunner().invoke(main, ["report", str(tmp_path / "results.json")])
    assert done.exit_code == 0, done.output
    report = Page((tmp_path / "report.html").read_text()).text
    assert f"Latency in the browser {results.browser.name}" in report
    assert "cross-origin isolated" in report


@in_a_browser
def test_a_gpu_in_software_has_no_latency_and_can_be_stopped(
    opened: tuple[Browser, int], tmp_path: Path
) -> None:
    one, _ = opened
    begin(one, "webgpu", 200)
    wait_for(one, SOME_ROUNDS)
    click(one, "stop")
    wait_for(one, ENDED)
    assert text_of(one, "benchmark-status") == "Not complete. It was stopped."
    results = saved(one, tmp_path)
    (model,) = results.models
    assert (results.complete, results.stopped_by) == (False, "interrupt")
    assert results.emulation == "SwiftShader computes on the processor"
    assert results.accelerator == "gpu"
    assert model.latency is None
    assert model.emulated is not None
    assert "Emulated, no latency" in text_of(one, "times")


@in_a_browser
def test_no_round_is_measured_in_the_background(
    opened: tuple[Browser, int], tmp_path: Path
) -> None:
    one, _ = opened
    begin(one, "wasm", MANY_ROUNDS)
    wait_for(one, SOME_ROUNDS)
    other = one.call("Target.createTarget", url="about:blank")["targetId"]
    wait_for(one, "document.hidden")
    measured = one.evaluate(MEASURED)
    one.evaluate("new Promise(resolve => setTimeout(resolve, 2000))")
    assert one.evaluate(MEASURED) == measured
    one.call("Target.closeTarget", targetId=other)
    one.call("Page.bringToFront")
    wait_for(one, ENDED)
    results = saved(one, tmp_path)
    unused = [round.throttled for round in results.rounds if not round.used]
    assert unused == ["the page was in the background"]
    assert len(results.rounds) == MANY_ROUNDS + 1
    assert results.warnings[0] == "the page was in the background in 1 rounds, which are not used"


@in_a_browser
def test_a_page_that_is_closed_while_measuring_leaves_nothing_but_a_note(
    opened: tuple[Browser, int],
) -> None:
    one, port = opened
    begin(one, "wasm", 200)
    wait_for(one, SOME_ROUNDS)
    one.open("about:blank")
    start(one, port)
    expected = (
        "The page was closed during a measurement, so there are no results of it. Measure again."
    )
    wait_for(one, "document.getElementById('benchmark-status').textContent != ''")
    assert text_of(one, "benchmark-status") == expected
    assert one.evaluate("document.getElementById('measured').hidden")
    start(one, port)
    assert text_of(one, "benchmark-status") == ""


@in_a_browser
def test_a_wrong_output_has_no_latency(page: Path, tmp_path: Path) -> None:
    golden = page / "golden" / "model.bin"
    right = golden.read_bytes()
    golden.write_bytes(np.roll(np.frombuffer(right, "<f4"), 1).tobytes())
    try:
        with serving(page) as port, browser() as one:
            start(one, port)
            begin(one, "wasm", ROUNDS)
            wait_for(one, ENDED)
            assert text_of(one, "benchmark-status") == (
                "Not complete. The output of the model is wrong."
            )
            shown = text_of(one, "times")
            assert "wrong, so it has no latency" in shown
            assert "Median" not in shown
            (model,) = saved(one, tmp_path).models
    finally:
        golden.write_bytes(right)
    assert model.is_wrong
    assert model.times is None
