"""The page of a comparison with an older benchmark."""

import io
import re
from pathlib import Path

import pytest
from benchmark_parts import candidate, make_results, times_around
from broken_down_results import results_of
from html_page import Page

from seaformer.benchmark.presentation.terminal import print_comparison
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.comparison_page import write_comparison_page
from seaformer.benchmark.results.comparison import compare
from seaformer.benchmark.results.schema import Results
from seaformer.console import Console


def page_of(folder: Path, new: Results, old: Results, tolerance: float = 0.03) -> str:
    path = folder / "comparison.html"
    compared = compare(new, old, tolerance, anyway=True)
    write_comparison_page(
        path, Source("new.json", new), Source("old.json", old), compared, tolerance
    )
    return path.read_text("utf-8").replace("<wbr>", "")


def verdict_of(text: str) -> str:
    (found,) = re.findall(r'<div class="verdict">(.*?)</div>', text, re.DOTALL)
    return re.sub(r"\d\.\d\d\)|\d\.\d\d to", lambda end: end[0].translate(ENDS), found)


ENDS = dict.fromkeys(map(ord, "0123456789"), "#")


def test_the_verdict_states_what_became_faster_and_what_is_a_regression(tmp_path: Path) -> None:
    new, old = results_of(16.0, 11.0), results_of(20.0, 10.0)
    assert verdict_of(page_of(tmp_path, new, old)) == (
        "<p>seaformer_float.tflite is 1.25x (#.## to #.##) as fast now as before.</p>"
        "<p>seaformer_bytes.tflite takes 1.10x (#.## to #.##) as long now as before.</p>"
        "<p>seaformer_bytes.tflite is a regression: the whole interval of the ratio is above "
        "1.03.</p>"
    )
    assert "No regression was found at a tolerance of 15 %." in page_of(tmp_path, new, old, 0.15)
    same = verdict_of(page_of(tmp_path, old, old))
    assert "No difference between seaformer_float.tflite now and before can be stated" in same


def test_the_page_has_the_numbers_of_the_terminal(tmp_path: Path) -> None:
    new, old = results_of(16.0, 11.0), results_of(20.0, 10.0)
    console = Console(file=io.StringIO(), width=120)
    print_comparison(console, compare(new, old, 0.03))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    ratios = re.findall(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", printed)
    shown = Page(page_of(tmp_path, new, old)).text
    assert len(ratios) == 2
    assert all(ratio in shown for ratio in ratios)
    assert "slower: regression" in printed
    assert "slower: regression" in shown
    for results in (new, old):
        for model in results.models:
            assert model.latency is not None
            assert model.latency.run is not None
            assert f"{model.latency.run.median_ms:.2f} [" in shown


def test_the_plot_shows_the_interval_the_margin_and_the_tolerance(tmp_path: Path) -> None:
    new, old = results_of(16.0, 11.0), results_of(20.0, 10.0)
    text = page_of(tmp_path, new, old, tolerance=0.05)
    figure = text[text.index("<figure") : text.index("</figure>")]
    ticks = re.findall(r'class="x[^"]*"[^>]*left:([\d.]+)%">([\d.]+)<', figure)
    (left, low), (right, high) = ((float(a), float(b)) for a, b in (ticks[0], ticks[-1]))

    def values(kind: str) -> list[list[float]]:
        """Values at the horizontal positions of the marks of a kind."""
        paths = re.findall(rf'<path class="{kind}[^"]*" d="([^"]*)"', figure)
        places = [re.findall(r"[MH]([\d.]+)", path) for path in paths]
        return [
            [low + (float(place) - left) / (right - left) * (high - low) for place in one]
            for one in places
        ]

    compared = compare(new, old, 0.05)
    for one, ends in zip(compared, values("whisker"), strict=True):
        assert one.ratio.interval is not None
        assert min(ends) == pytest.approx(one.ratio.interval.low, abs=1e-3)
        assert max(ends) == pytest.approx(one.ratio.interval.high, abs=1e-3)
    assert [min(one) for one in values("band")] == pytest.approx([1 / 1.02] * 2, abs=1e-3)
    assert [max(one) for one in values("band")] == pytest.approx([1.02] * 2, abs=1e-3)
    assert [one[0] for one in values("limit")] == pytest.approx([1.05] * 2, abs=1e-3)


def test_accepted_differences_and_models_without_a_partner_are_named(tmp_path: Path) -> None:
    times = {"m0": times_around(20.0, 1), "m1": times_around(10.0, 2)}
    new = make_results([candidate(0, "a.tflite"), candidate(1, "b.tflite")], times, threads=4)
    old = make_results([candidate(0, "a.tflite"), candidate(1, "c.tflite")], times)
    shown = Page(page_of(tmp_path, new, old)).text
    assert "Compared although these differ. threads 4, previously 1" in re.sub(r"\s+", " ", shown)
    assert "Only in the new benchmark: b.tflite." in shown
    assert "Only in the older benchmark: c.tflite." in shown


def test_a_model_under_another_name_is_named(tmp_path: Path) -> None:
    times = {"m0": times_around(20.0, 1)}
    new, old = (make_results([candidate(0, name)], times) for name in ("b.tflite", "a.tflite"))
    assert "before: a.tflite" in Page(page_of(tmp_path, new, old)).text
