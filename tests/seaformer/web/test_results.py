"""results.json of the page: read, reported and compared by the commands on a computer."""

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from benchmark_parts import candidate, make_results, times_around
from click.testing import CliRunner
from html_page import Page
from web_modules import call, needs_node

from seaformer.benchmark.cli import main
from seaformer.benchmark.presentation.terminal import print_comparison
from seaformer.benchmark.results.comparison import browser_cautions, compare, require_comparable
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import Results, read_results
from seaformer.console import Console
from seaformer.errors import UsageError
from seaformer.statistics.bootstrap import summarize

pytestmark = [pytest.mark.tools, needs_node]

NAME = "seaformer_float.tflite"
TENSOR = {"shape": [1, 8, 8, 3], "dtype": "float32", "quantization": None}
PAGE = {
    "title": "SeaFormer-Tiny",
    "kind": "segmentation",
    "precision": "fp32",
    "model": {"path": "model.tflite", "name": NAME, "sha256": "1" * 64, "bytes": 1000},
    "runtime": {
        "name": "LiteRT.js",
        "version": "2.5.3",
        "license": "Apache-2.0",
        "archive": "litertjs-core-2.5.3.tgz",
        "sha256": "a" * 64,
    },
    "seaformer": "0.1.0",
    "facts": {"variant": "tiny", "task": "ade20k", "weights": "random", "is_random": True},
    "input": TENSOR,
    "output": TENSOR,
    "weights": {"name": "random", "source": "seed 0", "is_random": True, "note": ""},
    "golden": {"reference": "LiteRT on the CPU of the computer that wrote this page"},
}
CONDITIONS = {
    "taken_at": "2026-01-02T03:04:05.678Z",
    "temperatures": [],
    "thermal_status": None,
    "battery_percent": None,
    "is_charging": None,
    "core_khz": {},
    "free_bytes": None,
    "is_screen_on": True,
}
BROWSER = {
    "name": "Chromium 150",
    "user_agent": "Mozilla/5.0 (Linux; Android 10; K) Chrome/150.0.0.0 Mobile",
    "processors": 8,
    "memory_gib": 8,
    "gpu": None,
    "isolated": True,
    "clock_ms": 0.005,
}
DEVICE = {
    "serial": "browser",
    "manufacturer": None,
    "model": None,
    "soc": None,
    "os": "Android 10",
    "sdk": None,
    "abi": None,
    "cores": [],
    "memory_bytes": None,
    "is_emulated": False,
}
AT: dict[str, Any] = {
    "created_at": "2026-01-02T03:04:05.678Z",
    "device": DEVICE,
    "browser": BROWSER,
    "gpu": None,
    "before": CONDITIONS,
    "after": CONDITIONS,
}
LATER = {"created_at": "2026-01-04T03:04:05.678Z"}
RIGHT = {
    "passed": True,
    "sqnr_db": 144.9,
    "agreement": 1,
    "threshold": {"min_sqnr_db": 60, "min_agreement": 0.99},
}


def measured(median_ms: float, seed: int = 0, count: int = 10) -> dict[str, Any]:
    """Return a `Measurement` with rounds around a latency."""
    rounds = [
        {
            "load_ms": 100 + index,
            "warmup_ms": [3 * median_ms, median_ms, median_ms],
            "durations_ms": [round(value, 3) for value in row],
            "started_ms": 1000 * index,
            "excluded": None,
        }
        for index, row in enumerate(times_around(median_ms, seed).tolist()[:count])
    ]
    return {
        "threads": 4,
        "verdict": RIGHT,
        "rounds": rounds,
        "stoppedBy": "runs",
        "problem": None,
    }


def in_another(**members: Any) -> dict[str, Any]:
    """Return circumstances at another time, in a browser that differs in some members."""
    return (
        AT
        | {"created_at": "2026-01-03T03:04:05.678Z", "browser": BROWSER | members}
        | {"browser": BROWSER | members}
    )


def interrupted() -> dict[str, Any]:
    measurement = measured(20.0, count=6)
    measurement["rounds"][2]["excluded"] = "the page was in the background"
    return measurement | {"stoppedBy": "interrupt", "problem": "It was stopped."}


def wrong() -> dict[str, Any]:
    measurement = measured(20.0, count=1)
    measurement["rounds"][0]["excluded"] = "the output is wrong"
    verdict = RIGHT | {"passed": False, "sqnr_db": -2.5, "agreement": 0.1}
    problem = "The output of the model is wrong."
    return measurement | {"verdict": verdict, "stoppedBy": "problem", "problem": problem}


def without_metadata() -> dict[str, Any]:
    return PAGE | {"precision": None, "facts": {}, "weights": None}


CPU = {"accelerator": "wasm", "threads": 4, "rounds": 10}
GPU = {"accelerator": "webgpu", "threads": 4, "rounds": 10}
SOFTWARE = {"description": "google swiftshader", "software": "SwiftShader"}
CASES: dict[str, tuple[Any, ...]] = {
    "cpu": (measured(20.0), CPU, PAGE, AT),
    "again": (measured(15.0, seed=1), CPU, PAGE, in_another()),
    "elsewhere": (measured(15.0, seed=1), CPU, PAGE, in_another(processors=4) | LATER),
    "gpu": (measured(20.0), GPU, PAGE, AT | {"gpu": {"description": "arm", "software": None}}),
    "software": (measured(20.0), GPU, PAGE, AT | {"gpu": SOFTWARE}),
    "interrupted": (interrupted(), CPU, without_metadata(), AT),
    "wrong": (wrong(), CPU, PAGE, AT),
    "coarse": (measured(2.0), CPU, PAGE, in_another(isolated=False, clock_ms=0.1)),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of `CASES`, as the page writes them."""
    folder = tmp_path_factory.mktemp("results")
    found = call(
        folder, "results", "value.map((one) => module.resultsOf(...one))", [*CASES.values()]
    )
    for name, content in zip(CASES, found, strict=True):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def native() -> Results:
    return make_results([candidate(0, NAME)], {"m0": times_around(10.0, 2)})


@pytest.mark.parametrize("name", CASES)
def test_the_file_is_of_the_schema(files: Path, name: str) -> None:
    jsonschema.validate(
        json.loads((files / f"{name}.json").read_text()), Results.model_json_schema()
    )
    results = read_results(files / f"{name}.json")
    assert results.browser is not None
    assert results.runtime.file == "litertjs-core-2.5.3.tgz"
    assert results.versions == {"seaformer": "0.1.0", "LiteRT.js": "2.5.3"}
    assert results.device.model is None
    assert {"temperature", "the name of the device", "battery"} <= set(results.unknown)


@pytest.mark.parametrize("name", ["cpu", "gpu", "interrupted"])
def test_the_summary_is_the_one_of_python(files: Path, name: str) -> None:
    results = read_results(files / f"{name}.json")
    (model,) = results.models
    assert model.latency is not None
    assert model.latency.run is not None
    expected = summarize(run_times(results.rounds, model.id), results.protocol.seed)
    assert model.latency.run.runs == expected.runs
    assert model.latency.run.median_ms == pytest.approx(expected.median_ms, rel=1e-12)
    assert model.latency.run.interval_ms is not None
    assert expected.interval_ms is not None
    assert model.latency.run.interval_ms.low == pytest.approx(expected.interval_ms.low, rel=1e-9)
    assert model.latency.run.interval_ms.high == pytest.approx(expected.interval_ms.high, rel=1e-9)


def test_software_and_wrong_outputs_have_no_latency(files: Path) -> None:
    software, mistaken = (read_results(files / f"{one}.json") for one in ("software", "wrong"))
    assert software.emulation == "SwiftShader computes on the processor"
    assert software.models[0].latency is None
    assert software.models[0].emulated is not None
    assert mistaken.models[0].is_wrong
    assert mistaken.models[0].times is None
    assert not mistaken.complete


def test_what_spoils_a_measurement_is_warned_of(files: Path) -> None:
    coarse, stopped = (read_results(files / f"{one}.json") for one in ("coarse", "interrupted"))
    assert [warning.split(",")[0] for warning in coarse.warnings] == [
        "the browser's clock has steps of 0.1 ms",
        "the page was not cross-origin isolated",
    ]
    assert stopped.warnings == ("the page was in the background in 1 rounds, which are not used",)
    assert stopped.problem == "It was stopped."


@pytest.mark.parametrize("name", CASES)
def test_the_report_says_that_a_browser_measured(files: Path, name: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = CliRunner().invoke(main, ["report", str(files / f"{name}.json"), "-o", str(page)])
    assert done.exit_code == 0, done.output
    text = Page(page.read_text()).text
    assert "a page in the browser Chromium 150" in text
    assert "cross-origin isolated" in text
    assert ("WRONG OUTPUT" in text) == (name == "wrong")
    assert ("NO LATENCY" in text) == (name == "software")
    if name == "cpu":
        assert "Latency in the browser Chromium 150" in text
        assert "in the browser Chromium 150." in text
        assert "those of the computer that wrote the page" in text


def test_browser_and_native_are_never_mixed_silently(files: Path, tmp_path: Path) -> None:
    ours, theirs = native(), read_results(files / "cpu.json")
    (tmp_path / "native.json").write_text(ours.text())
    measured_by = (
        "measured by a program on the device, previously a page in the browser Chromium 150"
    )
    with pytest.raises(UsageError, match=measured_by):
        require_comparable(theirs, "litert", 4, half=False, anyway=False)
    with pytest.raises(UsageError, match=measured_by):
        compare(ours, theirs, 0.03)
    page = tmp_path / "both.html"
    both = [str(tmp_path / "native.json"), str(files / "cpu.json")]
    done = CliRunner().invoke(main, ["report", *both, "-o", str(page)])
    assert done.exit_code == 0, done.output
    assert "B cannot be compared with A: device browser" in Page(page.read_text()).text

    console = Console(file=io.StringIO(), width=200)
    compared = compare(ours, theirs, 0.03, anyway=True)
    print_comparison(console, compared, browser_cautions(ours, theirs))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "warning: A browser measured one of the benchmarks" in printed


def test_two_browsers_are_compared_only_if_they_describe_the_same(
    files: Path, tmp_path: Path
) -> None:
    old, new, elsewhere = (
        read_results(files / f"{name}.json") for name in ("cpu", "again", "elsewhere")
    )
    (compared,) = compare(new, old, 0.03)
    assert compared.verdict == "faster"
    with pytest.raises(UsageError, match="the browser's description of the device"):
        compare(elsewhere, old, 0.03)
    page = tmp_path / "both.html"
    both = [str(files / f"{name}.json") for name in ("cpu", "again")]
    assert CliRunner().invoke(main, ["report", *both, "-o", str(page)]).exit_code == 0
    assert "whether both benchmarks are of the same one is unknown" in Page(page.read_text()).text


def test_latencies_of_different_browsers_are_different_series(files: Path, tmp_path: Path) -> None:
    names = ("cpu", "again", "elsewhere")
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_bytes((files / f"{name}.json").read_bytes())
    page = tmp_path / "history.html"
    done = CliRunner().invoke(main, ["history", str(tmp_path), "-o", str(page)])
    assert done.exit_code == 0, done.output
    text = Page(page.read_text()).text
    assert "8 processors" in text
    assert "4 processors" in text
