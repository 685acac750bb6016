"""The page of many benchmarks: series by model, device and conditions, and their plots."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from benchmark_parts import WRONG, candidate, make_results, times_around
from click.testing import CliRunner
from html_page import Page

from seaformer.benchmark.cli import main
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.collection import collect
from seaformer.benchmark.report.history_page import write_history
from seaformer.benchmark.report.series import series_of
from seaformer.benchmark.results.schema import Results
from seaformer.errors import SeaformerError

PLAIN = make_results([candidate(0, "a.tflite")], {"m0": times_around(20.0, 0)})


def of(
    night: float,
    ms: float = 20.0,
    serial: str = "R58",
    hardware: str | None = None,
    **changes: object,
) -> Results:
    """Return results of a model, measured some days after the first."""
    device = replace(PLAIN.device, serial=serial, hardware_serial=hardware)
    made = make_results(
        [candidate(0, "a.tflite")],
        {"m0": times_around(ms, int(10 * night))},
        **({"device": device} | changes),  # type: ignore[arg-type]
    )
    return made.model_copy(update={"created_at": PLAIN.created_at + timedelta(days=night)})


def sources(*results: Results) -> list[Source]:
    return [Source(f"{place}/results.json", one) for place, one in enumerate(results)]


def page_of(folder: Path, *results: Results) -> str:
    path = folder / "history.html"
    write_history(path, sources(*results), (), "seaformer-benchmark history .")
    return path.read_text("utf-8").replace("<wbr>", "")


def verdict_of(text: str) -> str:
    (found,) = re.findall(r'<div class="verdict">(.*?)</div>', text, re.DOTALL)
    return re.sub(r"<[^>]*>", " ", found)


@pytest.mark.parametrize(
    "change",
    [
        {"serial": "S9"},
        {"threads": 4},
        {"backend": "litert-gpu"},
        {"cores": PLAIN.cores.model_copy(update={"mask": "f"})},
        {"protocol": PLAIN.protocol.model_copy(update={"half": True})},
        {"emulated": True},
    ],
)
def test_other_devices_and_conditions_are_other_series(change: dict[str, object]) -> None:
    series = series_of(sources(of(2), of(1, **change), of(0)))  # type: ignore[arg-type]
    assert sorted(len(one.points) for one in series) == [1, 2]


def test_a_series_follows_a_phone_and_names_what_changed() -> None:
    newer = PLAIN.runtime.model_copy(update={"version": "2.4.0", "sha256": "1" * 64})
    (one,) = series_of(
        sources(
            of(3, hardware="8ABC", serial="10.0.0.7:5555", runtime=newer),
            of(1, hardware="8ABC"),
            of(2, 30.0, hardware="8ABC", emulated=False),
        )
    )
    assert [point.source.file[0] for point in one.points] == ["1", "2", "0"]
    assert [point.changes for point in one.points] == [(), (), ("runtime, now LiteRT 2.4.0",)]
    ratios = [point.to_previous for point in one.points]
    assert ratios[0] is None
    assert [ratio and ratio.value for ratio in ratios[1:]] == pytest.approx([1.5, 2 / 3], rel=0.02)
    latest = one.latest.to_first
    assert latest is not None
    assert latest.value == pytest.approx(1.0, rel=0.02)
    assert one.device == "Maker Phone (10.0.0.7:5555)"


def test_a_creeping_slowdown_is_stated_although_no_step_is(tmp_path: Path) -> None:
    nights = [of(night, 20.0 * 1.012**night) for night in range(9)]
    stated = verdict_of(page_of(tmp_path, *nights))
    assert "now and in the previous benchmark can be stated" in stated
    assert re.search(
        r"a\.tflite on Maker Phone \(R58\) takes 1\.\d\dx \([^)]*\) as long now as in the first "
        r"benchmark\.",
        stated,
    )


def test_changes_of_many_series_are_counted_and_the_slower_ones_named(tmp_path: Path) -> None:
    phones = [f"S{number}" for number in range(5)]
    before = [of(0, serial=serial) for serial in phones]
    now = [of(1, 30.0 if serial == "S3" else 20.0, serial=serial) for serial in phones]
    assert verdict_of(page_of(tmp_path, *before, *now)).strip() == (
        "Of 5 models on devices, 0 became faster and 1 slower (a.tflite on Maker Phone (S3)) than "
        "in the previous benchmark; for 4, no difference can be stated."
    )
    first = verdict_of(page_of(tmp_path, *before))
    assert first.strip().startswith("5 latencies were measured once, from ")


def test_points_of_the_plot_are_at_their_times_and_latencies(tmp_path: Path) -> None:
    text = page_of(tmp_path, of(0), of(1, 25.0), of(4, 30.0), of(2, 50.0, serial="S9"))
    figure = text[text.index("Over time") :].split("figure", 2)[1]
    ticks = re.findall(r'class="x[^"]*"[^>]*left:([\d.]+)%">([\d.]+)<', figure)
    (left, low), (right, high) = ((float(a), float(b)) for a, b in (ticks[0], ticks[-1]))
    points = re.findall(r'<path class="dots[^"]*" d="M([\d.]+) ([\d.]+)h0"', figure)
    days = [low + (float(x) - left) / (right - left) * (high - low) for x, _ in points]
    assert days == pytest.approx([0, 1, 4], abs=0.02)
    assert "days since 2026-01-02 03:04 UTC" in figure
    top, bottom = map(float, re.findall(r'class="y(?: low)?"[^>]*>([\d.]+)<', figure))
    heights = [top - float(y) / 100 * (top - bottom) for _, y in points]
    assert heights == pytest.approx([20, 25, 30], rel=0.01)
    # The other phone was measured once: it has a latency, but no line.
    assert figure.count("Maker Phone (S9)") == 0
    assert "Maker Phone (S9)" in text


def test_models_without_latency_have_none(tmp_path: Path) -> None:
    wrong = make_results(
        [candidate(0, "wrong.tflite")], {"m0": times_around(3.25, 0)}, parities={"m0": WRONG}
    )
    emulated = of(1, 77.0, emulated=True)
    text = page_of(tmp_path, wrong, emulated)
    assert "No latency can be stated" in verdict_of(text)
    shown = Page(text).text
    assert "WRONG OUTPUT" in shown
    assert "emulated: no latency" in shown
    assert not re.search(r"77\.\d|76\.\d|3\.2\d", shown)
    assert "<svg" not in text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nightly results of two phones, one of them twice, a copy, and a file of another kind."""
    for name, results in (
        ("0/R58", of(0)), ("1/R58", of(1)), ("1/S9", of(1, serial="S9")), ("copy", of(1)),
    ):  # fmt: skip
        path = tmp_path / "nightly" / name / "results.json"
        path.parent.mkdir(parents=True)
        path.write_text(results.text())
    (tmp_path / "nightly/other").mkdir()
    (tmp_path / "nightly/other/results.json").write_text("{}")
    return tmp_path / "nightly"


def test_folders_are_searched_and_other_files_are_skipped(folder: Path) -> None:
    found = collect([folder, folder / "0/R58", folder / "0/R58/results.json"])
    assert len(found.sources) == 3
    copy, other = sorted(found.skipped)
    assert copy.endswith(f"copy of '{folder}/1/R58/results.json'.")
    assert other.startswith(f"'{folder}/other/results.json' is not a results.json")
    with pytest.raises(SeaformerError, match=r"not a results\.json"):
        collect([folder / "other/results.json"])
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(
        SeaformerError, match=r"there is no results\.json of a benchmark in .*empty"
    ):
        collect([empty])


@pytest.mark.parametrize("what", ["history", "report"])
def test_the_commands_write_one_page_of_a_folder(
    what: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    run: Callable[..., object] = lambda *words: CliRunner().invoke(main, [what, *words])  # noqa: E731
    page = folder / "report.html" if what == "report" else folder.parent / "history.html"
    done = run(str(folder))
    assert done.exit_code == 0, done.output
    assert f"{what}: " in done.output
    assert done.output.count("skipped: ") == 2
    assert "Latency of 1 model on 2 devices" in page.read_text()
    again = run(str(folder))
    assert again.exit_code == 2
    assert "--force" in again.output
    assert run(str(folder), "--force").exit_code == 0
    assert run(str(folder), "-o", "page.txt").exit_code == 2
