"""`seaformer-benchmark attention`: growth, memory, the layout of the plot, and a real small run."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from benchmark_parts import times_around
from click.testing import CliRunner, Result
from html_page import Page, assert_needs_nothing_else
from page_gallery import attention_in_swin

from seaformer.benchmark.cli import main
from seaformer.benchmark.results.schema import read_results
from seaformer.benchmark.studies.attention import paper
from seaformer.benchmark.studies.attention.attention_command import (
    parse_layers,
    parse_sides,
)
from seaformer.benchmark.studies.attention.attention_page import write_attention_page
from seaformer.benchmark.studies.attention.attention_results import STEM, AttentionResults
from seaformer.benchmark.studies.attention.attention_study import plan_exports
from seaformer.benchmark.studies.attention.growth import fit, fit_rounds, larger_half
from seaformer.errors import UsageError
from seaformer.models.registry import ATTENTIONS, LAYERS
from seaformer.reporting.scale import Scale
from seaformer.reporting.xy_plot import Value, line_plot, spread


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["attention", *map(str, arguments)])


# Growth


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.7])
def test_the_exponent_of_a_power_law_is_found(exponent: float) -> None:
    fitted = fit({side: 0.01 * side**exponent for side in (8, 16, 32, 64)})
    assert fitted is not None
    assert fitted.exponent == pytest.approx(exponent)
    assert fitted.sides == (16, 32, 64)


def test_the_exponent_is_fitted_to_the_larger_sides() -> None:
    times = {8: 5.0, 16: 5.0, 32: 5.0, 64: 4.0, 128: 16.0, 256: 64.0, 512: 256.0}
    fitted = fit(times)
    assert fitted is not None
    assert (fitted.sides, fitted.exponent) == ((64, 128, 256, 512), pytest.approx(2.0))
    assert larger_half([32, 8]) == (8, 32)
    assert larger_half([32, 8, 16]) == (16, 32)
    assert fit({8: 1.0}) is None


def test_the_interval_contains_the_exponent_and_reflects_the_noise() -> None:
    held, widths = 0, {0.01: [], 0.05: []}
    for seed in range(40):
        for spread_, found in widths.items():
            rounds = {
                side: list(times_around(1e-3 * side**2, seed * 10 + place, spread_))
                for place, side in enumerate((32, 64, 128))
            }
            fitted = fit_rounds(rounds, seed=1)
            assert fitted is not None
            assert fitted.interval is not None
            found.append(fitted.interval.half_width)
            held += fitted.interval.low <= 2.0 <= fitted.interval.high
    assert held >= 70  # of 80, at 95 %
    assert np.median(widths[0.05]) == pytest.approx(5 * np.median(widths[0.01]), rel=0.2)


def test_few_rounds_have_an_exponent_and_no_interval() -> None:
    fitted = fit_rounds({8: [np.array([1.0])] * 2, 16: [np.array([4.0])] * 2}, seed=0)
    assert fitted is not None
    assert (fitted.exponent, fitted.interval) == (pytest.approx(2.0), None)


# The paper's figure


def test_the_published_lines_have_the_stated_growth() -> None:
    """Up to the difference from the asymptotic exponent at sides up to 512."""
    for kind, times in paper.TIMES_MS.items():
        growth = fit(times)
        assert growth is not None
        assert list(times) == sorted(times)
        assert growth.exponent == pytest.approx(LAYERS[kind].cost.growth, abs=0.75), kind
    assert set(paper.TIMES_MS) == set(LAYERS) - {"squeeze"}
    assert (paper.error_ms(32), paper.error_ms(64)) == (0.1, 10.0)


# Requests


def test_sides_are_sorted_and_deduplicated() -> None:
    assert parse_sides("64, 8,16,8") == (8, 16, 64)


@pytest.mark.parametrize("text", ["", "8,", "7", "8;16", "-8", "9000", "8.5"])
def test_bad_sides_are_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"--sides has '.*'\. Allowed: numbers from 8 to 8192"):
        parse_sides(text)


def test_layers_are_in_the_order_of_the_table() -> None:
    assert [layer.size for layer in parse_layers("axial, global")] == ["global", "axial"]
    with pytest.raises(UsageError, match="Did you mean 'axial'"):
        parse_layers("axail")


def test_exports_that_exceed_the_memory_are_left_out_with_a_reason() -> None:
    layers = (LAYERS["squeeze-enhanced"], LAYERS["global"])
    planned, absent = plan_exports(layers, (64, 256), 16 * 2**30)
    assert [(one.layer.size, one.side) for one in planned] == [
        ("squeeze-enhanced", 64), ("squeeze-enhanced", 256), ("global", 64)
    ]  # fmt: skip
    (one,) = absent
    assert (one.export.layer.size, one.export.side) == ("global", 256)
    assert "but 16.0 GiB are free" in one.reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sides", "4"), "--sides has '4'"),
        (("--layers", "nothing"), "unknown attention layer 'nothing'"),
        (("--layers", "shifted-window"), "unknown attention layer 'shifted-window'"),
        (("--model", "segformer-b0"), "unknown network whose attention can be replaced 'segformer"),
    ],
)
def test_bad_requests_are_refused_before_any_work(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = command(*arguments, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


# In a network


def test_layers_in_a_network_are_its_rows() -> None:
    rows = ATTENTIONS["swin-tiny"]
    found = parse_layers("shifted-window,axial", rows)
    assert [row.name for row in found] == ["swin-tiny", "swin-tiny-axial"]
    (planned,), (absent,) = plan_exports([rows["global"]], (224, 1024), 16 * 2**30)
    assert (planned.title, absent.export.title) == ("global at 224", "global at 1024")
    assert planned.arguments == ("--model", "swin-tiny-global", "--input-size", "224")


def test_a_page_of_layers_in_a_network_has_their_sizes(tmp_path: Path) -> None:
    attention_in_swin(tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert_needs_nothing_else(page)
    assert page.all("svg") == []  # one side has no growth
    assert "Attention layers in Swin-T" in page.text
    for text in ("28.29 M", "4.491 G", "Swin-T, axial", "Memory"):
        assert text in page.text, text
    for text in ("Growth", "The paper's figure", "Single attention layers"):
        assert text not in page.text, text


# The plot


def test_equal_factors_have_equal_distances_on_a_logarithmic_axis() -> None:
    scale = Scale.logarithmic([1, 10, 100])
    first, second, third = (scale.at(value) for value in (1, 10, 100))
    assert second - first == pytest.approx(third - second, abs=0.02)
    assert 0 < first < third < 100
    assert scale.below(100) == pytest.approx(100 - third)
    assert set(scale.ticks) == {1, 2, 5, 10, 20, 50, 100}
    assert Scale.logarithmic([0.1, 5000]).ticks == (0.1, 1, 10, 100, 1000)
    assert Scale.logarithmic([8, 512], ticks=(8, 64, 512)).ticks == (8, 64, 512)


def test_labels_are_separated_and_keep_their_order() -> None:
    places = [50.0, 51.0, 50.5, 2.0, 1.0, 99.0]
    moved = spread(places, gap=6.0)
    ordered = sorted(range(len(places)), key=places.__getitem__)
    assert [moved[index] for index in ordered] == sorted(moved)
    gaps = np.diff(sorted(moved))
    assert gaps.min() >= 6.0 - 0.02
    assert min(moved) >= 0
    assert max(moved) <= 100
    assert spread([10.0, 90.0]) == [10.0, 90.0]


def test_a_line_goes_through_its_points_and_is_labeled_at_its_end() -> None:
    whole, short = [Value(8, 1), Value(64, 10, 9, 11)], [Value(8, 100)]
    lines = [("a", 3, whole), ("b", 1, short)]
    plot = line_plot("times", "two lines", "side", lines, (8, 64))
    assert plot.x is not None
    assert plot.y is not None
    of_a, of_b = (
        {mark.kind: mark.path for mark in plot.marks if mark.color == color} for color in (3, 1)
    )
    end = (plot.x.at(64), plot.y.below(10))
    assert of_a["curve"] == f"M{plot.x.at(8):g} {plot.y.below(1):g}L{end[0]:g} {end[1]:g}"
    label, single = plot.labels
    assert (label.text, label.x) == ("a", 100)
    assert abs(label.y - end[1]) < 3
    assert of_a["leader"] == f"M{end[0]:g} {end[1]:g}L{label.x:g} {label.y:g}"
    # It ends before the others.
    assert (single.text, single.x, single.y) == ("b", plot.x.at(8), plot.y.below(100))
    assert of_a["whiskers"].count("V") == 1
    assert of_b["whiskers"] == ""
    assert of_b["spots"].count("h0") == 1


# A real run, with small sides


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("attention") / "out"
    result = command("--sides", "16,8", "--layers", "squeeze,window", "--runs", "10", "--device",
                     "host", "--output", output)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "side^b" in result.stdout
    return output


@pytest.fixture(scope="module")
def found(folder: Path) -> AttentionResults:
    return AttentionResults.model_validate_json((folder / f"{STEM}.json").read_bytes())


@pytest.mark.slow
def test_every_layer_is_measured_at_every_side(folder: Path, found: AttentionResults) -> None:
    assert [layer.kind for layer in found.layers] == ["squeeze", "window"]
    assert [side.side for side in found.sides] == [8, 16]
    for layer in found.layers:
        assert [point.side for point in layer.points] == [8, 16]
        assert layer.left_out == ()
        assert layer.measured_growth is not None
        for point in layer.points:
            assert (folder / point.file).is_file()
            assert point.added_peak_bytes is not None
            assert 0 < point.added_peak_bytes < 20e6
            assert point.macs is not None


@pytest.mark.slow
def test_the_layers_of_a_side_are_interleaved_in_one_benchmark(
    folder: Path, found: AttentionResults
) -> None:
    for side in found.sides:
        results = read_results(folder / side.results)
        assert [model.facts.model for model in results.models] == [
            "attention-squeeze", "attention-window"
        ]  # fmt: skip
        assert results.ratio("m1", "m0") is not None
        medians = {model.id: model.times for model in results.models}
        for layer, times in zip(found.layers, medians.values(), strict=True):
            point = next(point for point in layer.points if point.side == side.side)
            assert times is not None
            assert point.latency == times.run


@pytest.mark.slow
def test_the_csv_has_a_row_for_every_layer_and_side(folder: Path, found: AttentionResults) -> None:
    rows = list(csv.DictReader((folder / f"{STEM}.csv").open()))
    assert [(row["layer"], row["side"]) for row in rows] == [
        ("squeeze", "8"), ("squeeze", "16"), ("window", "8"), ("window", "16")
    ]  # fmt: skip
    first = found.layers[0].points[0].latency
    assert first is not None
    assert float(rows[0]["latency_median_ms"]) == first.median_ms
    assert (rows[0]["paper_phone_ms"], rows[2]["paper_phone_ms"]) == ("", "0.4")


@pytest.mark.slow
def test_the_page_is_complete_and_self_contained(folder: Path) -> None:
    page = Page((folder / f"{STEM}.html").read_text(encoding="utf-8"))
    assert_needs_nothing_else(page)
    assert len(page.all("svg")) == 2
    for layer in ("squeeze", "window"):
        assert LAYERS[layer].title in page.text
    assert "±" in page.text
    labeled = [svg["aria-labelledby"] for svg in page.all("svg")]
    assert set(labeled) <= {title["id"] for title in page.all("title") if title.get("id")}


@pytest.mark.slow
def test_results_are_not_overwritten_without_force(folder: Path) -> None:
    before = (folder / f"{STEM}.json").read_bytes()
    result = command("--sides", "8", "--device", "host", "--output", folder)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert (folder / f"{STEM}.json").read_bytes() == before


@pytest.mark.slow
def test_an_emulated_device_has_no_latency_on_the_page(
    found: AttentionResults, tmp_path: Path
) -> None:
    data = json.loads(found.text())
    data["emulated"] = True
    data["sides"][0]["warnings"] = ["it was <busy>"]
    for layer in data["layers"]:
        layer["measured_growth"] = None
        for point in layer["points"]:
            point["emulated"], point["latency"] = point["latency"], None
    emulated = AttentionResults.model_validate(data)
    write_attention_page(tmp_path / "page.html", emulated)
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "The processor is emulated." in page.text
    assert "NO LATENCY" in page.text
    assert "Side 8: it was <busy>" in page.text
    assert len(page.all("svg")) == 1  # the paper's
