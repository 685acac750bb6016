"""The page of a benchmark: its content, and how a real browser shows it."""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_parts import RIGHT, WRONG, candidate, make_results, measure, times_around
from broken_down_results import FLOAT, PARTS, broken_down, results_of, row, warmed
from click.testing import CliRunner, Result
from html_page import Page
from hypothesis import example, given
from hypothesis import strategies as st
from page_gallery import whole_frames
from rounds import SOURCES

from seaformer.benchmark.cli import main
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.presentation.breakdown_terminal import print_breakdowns
from seaformer.benchmark.report.benchmark_page import Source, write_report
from seaformer.benchmark.report.benchmark_verdict import regressions, side_by_side, verdict
from seaformer.benchmark.report.distribution import distribution
from seaformer.benchmark.report.drift import drift
from seaformer.benchmark.report.modules import modules
from seaformer.benchmark.results.breakdown import UNATTRIBUTED
from seaformer.benchmark.results.comparison import Compared, passage
from seaformer.benchmark.results.published import FIGURES, paper_rows
from seaformer.benchmark.results.schema import ModelFacts, Results
from seaformer.console import Console
from seaformer.models.registry import REGISTRY
from seaformer.reporting.plots import COLORS, Plot, Rows, Segment
from seaformer.reporting.scale import Scale
from seaformer.reporting.tree_plot import Branch, tree_plot
from seaformer.statistics.bootstrap import Interval, Ratio

FULL = warmed(broken_down(results_of(), *PARTS))


def page_of(folder: Path, *results: Results) -> str:
    path = folder / "page.html"
    write_report(path, [Source(f"{place}.json", one) for place, one in enumerate(results)])
    return path.read_text(encoding="utf-8")


def path_of(plot: Plot, kind: str) -> str:
    """The path of the marks of a kind; empty without one."""
    return "".join(mark.path for mark in plot.marks if mark.kind == kind)


def numbers_in(path: str) -> list[float]:
    """Return the coordinates of an SVG path, in order."""
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path)]


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


# Content of the page


def test_the_verdict_comes_first_and_conditions_are_folded_below(tmp_path: Path) -> None:
    text = page_of(tmp_path, FULL).replace("<wbr>", "")
    times, folded = text.index("median ms"), text.index('<details class="folded">')
    assert text.index("seaformer_bytes.tflite is 2.00x (2.00 to 2.02) as fast as") < times < folded
    shown = Page(text[folded : text.index("</section>", folded)]).text
    conditions = ("Maker Phone", "Android 13", "prime (core 7, up to 2.84 GHz)", "LiteRT 2.3.0")
    assert all(condition in shown for condition in conditions)
    assert "battery" in shown[shown.index("not reported by the device") :]


def test_a_plot_has_a_table_of_its_numbers(tmp_path: Path) -> None:
    page = Page(page_of(tmp_path, FULL, results_of()))
    for heading in ("median [95 %]", "start s", "relative to", "of the MACs"):
        assert heading in page.text


def test_medians_intervals_and_ratios_are_shown(tmp_path: Path) -> None:
    results = results_of()
    text = Page(page_of(tmp_path, results)).text
    for model in results.models:
        assert model.latency is not None
        summary = model.latency.run
        assert summary is not None
        interval = summary.interval_ms
        assert interval is not None
        assert f"{summary.median_ms:.2f} [{interval.low:.2f}, {interval.high:.2f}]" in text
    ratio = results.ratio("m1", "m0")
    assert ratio is not None
    assert ratio.interval is not None
    shown = f"{ratio.value:.3f} [{ratio.interval.low:.3f}, {ratio.interval.high:.3f}]"
    assert f"{shown}: faster" in text


def test_emulated_times_are_not_latency_and_are_not_drawn(tmp_path: Path) -> None:
    results = warmed(broken_down(results_of(emulated=True), *PARTS, emulated=True))
    page = Page(page_of(tmp_path, results))
    assert page.all("svg") == []
    assert page.all("figure") == []
    assert "emulated, NO LATENCY" in page.text
    assert "median ms" not in page.text
    assert "ratio [95 %]" not in page.text
    assert "EMULATED" in page.text
    beside = Page(page_of(tmp_path, results_of(), results)).text
    table = beside[beside.index("Side by side") : beside.index("All runs")]
    emulated = results.models[0].emulated
    assert emulated is not None
    assert f"{emulated.typical_ms:.2f}" not in table.split("seaformer_float")[1].split("-")[1]


def test_a_model_with_a_wrong_output_has_no_latency(tmp_path: Path) -> None:
    page_if_right = Page(page_of(tmp_path, results_of(bytes_ms=77.0))).text
    wrong_results = results_of(bytes_ms=77.0, parities={"m0": RIGHT, "m1": WRONG})
    text = Page(page_of(tmp_path, wrong_results)).text
    assert "WRONG OUTPUT" in text
    measured = r"7[67]\.\d\d \["
    assert re.search(measured, page_if_right) is not None
    assert re.search(measured, text) is None


def test_an_incomplete_benchmark_is_reported_first(tmp_path: Path) -> None:
    results = results_of(complete=False, stopped_by="problem", problem="The phone is disconnected.")
    text = Page(page_of(tmp_path, results)).text
    assert text.index("Incomplete.") < text.index("Conditions")
    assert "The phone is disconnected." in text


def test_file_names_are_escaped(tmp_path: Path) -> None:
    awkward = candidate(0, "a/<script>alert(1)</script>&amp;\"'.tflite")
    results = make_results([awkward], {"m0": times_around(5, 1)}, command="x <b onload=y>")
    page = Page(page_of(tmp_path, results))
    assert page.all("script") == [{}]  # the page's own
    assert "script>&amp;\"'.tflite" in page.text  # a name ends at the last slash
    assert "x <b onload=y>" in page.text


def test_models_with_the_same_file_name_are_distinguished(tmp_path: Path) -> None:
    models = [candidate(0, "one/model.tflite"), candidate(1, "two/model.tflite")]
    results = make_results(models, {"m0": times_around(5, 1), "m1": times_around(6, 2)})
    text = Page(page_of(tmp_path, results)).text
    assert "one/model.tflite" in text
    assert "two/model.tflite" in text


# Several side by side


def test_comparable_benchmarks_have_ratios_and_others_a_reason(tmp_path: Path) -> None:
    faster, other = results_of(float_ms=16.0), results_of(threads=2)
    text = Page(page_of(tmp_path, results_of(), faster, other)).text
    assert re.search(r"\u00d7 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", text)
    assert "C is not compared with A (“previously”): threads 2, previously 1." in text
    assert "B is not compared" not in text


def test_conditions_that_differ_are_marked(tmp_path: Path) -> None:
    text = page_of(tmp_path, results_of(), results_of(threads=2))
    marked = re.findall(r'<tr class="differs"><th scope="row">([^<]*)', text)
    assert marked == ["threads"]


# The plots


def test_every_run_is_drawn_and_runs_outside_the_axis_are_counted() -> None:
    times = times_around(20.0, 1)
    times[3, 2] = 500.0
    plot = distribution(make_results([FLOAT], {"m0": times}))
    assert plot is not None
    (row,) = plot.rows
    assert isinstance(row.content, Plot)
    assert path_of(row.content, "dots small").count("M") == times.size - 1
    assert path_of(row.content, "dots beyond").count("M") == 1
    assert "1 outside the axis" in row.note
    low, _, high = numbers_in(path_of(row.content, "whisker"))[:3]
    left, _, right = numbers_in(path_of(row.content, "band"))[:3]
    assert left < low < plot.x.at(0) < high < right


def test_drift_shows_reported_sensors_and_marks_discarded_rounds() -> None:
    found = drift(FULL)
    assert found is not None
    assert [(row.label, row.note) for row in found.plot.rows] == [
        ("seaformer_float.tflite", "latency, % from its median"),
        ("seaformer_bytes.tflite", "latency, % from its median"),
        ("clock of the core", "GHz"),
        ("hottest sensor", "°C"),
        ("skin or battery", "°C"),
    ]
    assert found.missing == ()
    plots = [row.content for row in found.plot.rows[:2] if isinstance(row.content, Plot)]
    assert [path_of(plot, "dots unused").count("M") for plot in plots] == [1, 1]
    assert [path_of(plot, "dots").count("M") for plot in plots] == [9, 9]
    assert found.plot.x.high >= 19  # ten rounds of two blocks, one each second

    silent = drift(results_of())
    assert silent is not None
    assert len(silent.plot.rows) == 2
    assert silent.missing == ("clock of the core", "hottest sensor", "skin or battery")


def bar_of(rows: Rows) -> tuple[Segment, ...]:
    """Return the only bar of a plot."""
    (row,) = rows.rows
    assert not isinstance(row.content, Plot)
    return row.content


def test_segments_of_a_bar_add_up_to_the_latency_of_the_model(tmp_path: Path) -> None:
    plot = modules(FULL)
    assert plot is not None
    times, shares = bar_of(plot.times), bar_of(plot.shares)
    assert [part.name for part in times] == ["STEM", "context branch", "unattributed"]
    assert times[-1].end == pytest.approx(20.0)
    assert shares[-1].end == pytest.approx(100.0)
    assert len({color for _, color in plot.legend}) == 3
    text = Page(page_of(tmp_path, FULL)).text
    assert "1.0 % of the measured total is not attributed to any module" in text
    assert "conv" in text


def test_bars_of_all_models_have_their_segments_in_one_order() -> None:
    results = broken_down(results_of(), *PARTS)
    first, second = results.models
    assert first.breakdown is not None
    reversed_rows = first.breakdown.model_copy(update={"rows": first.breakdown.rows[::-1]})
    second = second.model_copy(update={"breakdown": reversed_rows})
    plot = modules(results.model_copy(update={"models": (first, second)}))
    assert plot is not None
    for rows in (plot.times, plot.shares):
        for bar in rows.rows:
            assert not isinstance(bar.content, Plot)
            names = [part.name for part in bar.content]
            assert names == ["STEM", "context branch", "unattributed"]


def test_segments_are_distinguishable(tmp_path: Path) -> None:
    many = [row(f"part{number}", 0.2, title=f"part {number}") for number in range(7 * COLORS)]
    page = Page(page_of(tmp_path, broken_down(results_of(), *many)))
    segments = [span for span in page.all("span") if (span.get("title") or "").startswith("part")]
    looks = {
        (span["class"], re.sub(r"(left|width):[^;]*;", "", span["style"] or ""))
        for span in segments
    }
    assert len(looks) == len(segments) == len(many)
    swatches = {
        (span["class"], span.get("style"))
        for span in page.all("span")
        if "swatch" in (span.get("class") or "")
    }
    assert len(swatches) == len(many)
    assert "cothers" not in "".join(str(look) for look in looks | swatches)


@pytest.mark.parametrize(
    ("overhead", "text"),
    [
        (-0.155, "profiling overhead within noise"),
        (0.01, "profiling overhead within noise"),
        (0.155, "profiling overhead 15.5 %"),
    ],
)
def test_profiling_overhead_is_compared_with_noise(
    tmp_path: Path, overhead: float, text: str
) -> None:
    results = broken_down(results_of(), *PARTS)
    first = results.models[0]
    assert first.breakdown is not None
    total = first.breakdown.total_ms
    changed_breakdown = first.breakdown.model_copy(
        update={
            "profile_overhead": overhead,
            "total_interval_ms": Interval(0.98 * total, 1.02 * total, 0.95),
        }
    )
    first = first.model_copy(update={"breakdown": changed_breakdown})
    changed = results.model_copy(update={"models": (first, *results.models[1:])})
    assert text in Page(page_of(tmp_path, changed)).text


def test_rounds_and_runs_are_not_confused(tmp_path: Path) -> None:
    text = Page(page_of(tmp_path, results_of())).text
    assert "10 rounds x 5 runs per model; 3 warm-up runs per model and round" in text


def test_a_negative_part_is_only_in_the_table(tmp_path: Path) -> None:
    below = row(UNATTRIBUTED, -0.3, parent="", depth=1, title="unattributed", kind="unattributed")
    results = broken_down(results_of(), *PARTS[:-1], below)
    plot = modules(results)
    assert plot is not None
    assert [part.name for part in bar_of(plot.times)] == ["STEM", "context branch"]
    assert "-0.300" in Page(page_of(tmp_path, results)).text


def test_without_a_breakdown_there_is_no_plot_of_modules() -> None:
    assert modules(results_of()) is None


leaves = st.builds(Branch, st.just("leaf"), st.just(""), st.just(0), st.floats(-1, 100))
trees = st.recursive(
    leaves,
    lambda parts: st.builds(
        Branch, st.just("branch"), st.just(""), st.just(1), st.floats(-1, 100),
        st.lists(parts, min_size=1, max_size=4).map(tuple),
    ),
    max_leaves=12,
)  # fmt: skip


@example(
    [Branch("branch", "", 1, 2.0, (Branch("leaf", "", 0, 5e-324),)), Branch("leaf", "", 0, 1.0)]
)
@given(st.lists(trees, min_size=1, max_size=4))
def test_a_tree_is_filled_in_proportion_and_in_order(branches: list[Branch]) -> None:
    blocks = iter(tree_plot(branches))

    def check(parts: Sequence[Branch], top: float, bottom: float, left: float) -> None:
        """Check that the blocks of these parts fill their place from top to bottom."""
        shown = [part for part in parts if part.size > 0]
        total, end = sum(part.size for part in shown), top
        for part in shown:
            block, height = next(blocks), (bottom - top) * (part.size / total)
            assert block.branch is part
            assert (block.left, block.top, block.height) == pytest.approx(
                (left, end, height), abs=0.01
            )
            if not any(inner.size > 0 for inner in part.parts):
                assert left + block.width == pytest.approx(100, abs=0.01)
            check(part.parts, end, end + height, left + block.width)
            end += height
        assert end == pytest.approx(bottom) or not shown

    check(branches, 0.0, 100.0, 0.0)
    assert next(blocks, None) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_an_axis_shows_all_values_in_order(values: list[float]) -> None:
    scale = Scale.over(values, least=1.0)
    assert all(scale.holds(value) for value in (*values, *scale.ticks))
    places = [scale.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert (scale.at(scale.low), scale.at(scale.high)) == (0, 100)
    assert 2 <= len(scale.ticks) <= 12


# Published and measured


def published_candidate(number: int, variant: str, **facts: object) -> object:
    known = ModelFacts(name=f"seaformer_{variant}_ade20k", variant=variant, task="ade20k")
    one = candidate(number, f"{variant}{number}.tflite")
    return replace(
        one,
        facts=known.model_copy(update={"head": "logits"} | facts),
        input=one.input.model_copy(update={"shape": (1, 512, 512, 3)}),
    )


def test_published_figures_are_next_to_the_measured_ones(tmp_path: Path) -> None:
    tiny, base = published_candidate(0, "tiny"), published_candidate(1, "base")
    times = {"m0": times_around(10, 1), "m1": times_around(30, 2)}
    results = make_results([tiny, base], times)  # type: ignore[list-item]
    first, second = paper_rows(results)
    assert (first.figure.title, first.base) == ("SeaFormer-T", None)
    on_paper = [FIGURES[f"seaformer-{size}"].paper_ms for size in ("tiny", "base")]
    assert second.published_ratio == on_paper[1] / on_paper[0]
    assert second.ratio == results.ratio("m1", "m0")
    text = Page(page_of(tmp_path, results)).text
    assert "Snapdragon 865" in text
    assert FIGURES["seaformer-base"].miou_source in text


@pytest.mark.parametrize(
    "change",
    [{"task": "cityscapes"}, {"head": "mask"}, {"name": "seaformer_tiny_detail-off_ade20k"}],
)
def test_networks_that_differ_from_the_published_ones_have_no_figures(
    change: dict[str, object],
) -> None:
    times = {"m0": times_around(10, 1)}
    other = published_candidate(0, "tiny", **change)
    assert paper_rows(make_results([other], times)) == ()  # type: ignore[list-item]
    assert paper_rows(make_results([FLOAT], times)) == ()  # another size
    same = published_candidate(0, "tiny")
    assert len(paper_rows(make_results([same], times))) == 1  # type: ignore[list-item]


def test_every_published_peer_has_a_figure() -> None:
    published = {name for name, row in REGISTRY.items() if row.published is not None}
    assert set(FIGURES) == published
    assert published >= {f"seaformer-{size}" for size in ("tiny", "small", "base", "large")}
    assert published >= {name for name in REGISTRY if name.startswith(("topformer", "segformer"))}


# The command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    path.write_text(FULL.text())
    return path


def test_a_benchmark_and_the_report_command_write_the_same_page(tmp_path: Path) -> None:
    measure([SOURCES / "probe.tflite"], [Host()], tmp_path, runs=5)
    page = tmp_path / "report.html"
    drawn = page.read_text()
    assert "probe.tflite" in Page(drawn).text
    result = command(tmp_path, "--force")
    assert result.exit_code == 0, result.stderr
    assert f"report: {page}" in result.stdout
    assert page.read_text() == drawn.replace("results.json", str(tmp_path))
    again = CliRunner().invoke(
        main, [str(SOURCES / "probe.tflite"), "--device", "host", "--output", str(tmp_path)]
    )
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_several_results_become_one_page(file: Path, tmp_path: Path) -> None:
    result = command(file, file, "--output", tmp_path / "both.html")
    assert result.exit_code == 0, result.stderr
    assert "2 benchmarks side by side" in (tmp_path / "both.html").read_text()


def test_files_of_the_user_are_not_overwritten(file: Path) -> None:
    assert command(file).exit_code == 0
    page = file.with_name("report.html")
    page.write_text("mine")
    result = command(file)
    assert result.exit_code == 2
    assert re.fullmatch(r"error: .*report\.html' exists.*--force.*\n", result.stderr)
    assert page.read_text() == "mine"
    assert command(file, "--output", file, "--force").exit_code == 2
    assert json.loads(file.read_text())["schema_version"] == 1


def test_a_file_without_results_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    for path, message in (
        (wrong, "is not a results.json"),
        (tmp_path / "no.json", "there is no file"),
    ):
        result = command(path)
        assert result.exit_code == 1
        assert message in result.stderr


# The verdict


def test_the_verdict_of_one_model_is_its_latency_with_the_interval() -> None:
    (time, output) = verdict(make_results([FLOAT], {"m0": times_around(20, 1)}))
    assert re.fullmatch(
        r"seaformer_float\.tflite takes 20\.0\d ms \(19\.\d\d to 20\.\d\d\) per inference\.", time
    )
    assert output == "Outputs match this computer's at 120 dB."


def test_a_wrong_output_has_no_verdict_but_that() -> None:
    results = make_results([FLOAT], {"m0": times_around(20, 1)}, parities={"m0": WRONG})
    assert verdict(results) == [
        "The output of seaformer_float.tflite is wrong, so its latency is discarded."
    ]
    doubted = verdict(results_of(parities={"m0": RIGHT, "m1": WRONG}))
    assert doubted[0].startswith("seaformer_float.tflite takes 20.0")
    assert doubted[2] == "The other outputs match this computer's at 120 dB."


def test_no_latency_is_stated_for_an_emulated_device() -> None:
    assert verdict(results_of(emulated=True))[0] == (
        "The processor is emulated, so no latency can be stated."
    )


def test_latencies_within_noise_are_inconclusive() -> None:
    (stated, *_) = verdict(results_of(bytes_ms=20.01))
    assert stated.startswith("No difference between seaformer_")
    assert "contains 1" in stated


def test_largest_modules_are_stated() -> None:
    assert verdict(FULL)[-1] == (
        "Of the latency of seaformer_float.tflite, 50.0 % are in STEM and 49.0 % are in context "
        "branch."
    )


def shares_with_rest(rest_ms: float, ends: tuple[float, float] | None) -> list[str]:
    """Return the sentences about modules whose times miss the total by `rest_ms`."""
    interval = None if ends is None else Interval(*ends, 0.95)
    rest = row(UNATTRIBUTED, rest_ms, parent="", depth=1, title="rest", kind="unattributed")
    rest = rest.model_copy(update={"interval_ms": interval})
    stem = PARTS[0].model_copy(update={"interval_ms": Interval(9.0, 11.0, 0.95)})
    results = broken_down(results_of(), stem, *PARTS[1:-1], rest)
    return [one for one in verdict(results) if "of modules" in one or "Of the latency" in one]


@pytest.mark.parametrize(
    ("rest_ms", "ends", "excess"),
    [
        (-2.0, (-3.0, -1.0), "110.0 % (105.0 to 115.0)"),
        (-2.0, None, "110.0 %"),
        (-0.5, (-1.2, 0.2), None),
        (0.2, None, None),
    ],
)
def test_shares_that_are_inconsistent_are_not_stated(
    rest_ms: float, ends: tuple[float, float] | None, excess: str | None
) -> None:
    """Modules that need more time than the network, beyond the interval, have no shares."""
    if excess is None:
        stated = (
            "Of the latency of seaformer_float.tflite, 50.0 % (45.0 to 55.0) are in STEM and "
            "49.0 % are in context branch."
        )
    else:
        stated = (
            "No shares of modules can be stated for seaformer_float.tflite: the times of all "
            f"modules add up to {excess} of the latency. Measure again while no other program is "
            "running."
        )
    assert shares_with_rest(rest_ms, ends) == [stated]


def test_inconsistent_shares_are_called_wrong_where_they_are_shown(tmp_path: Path) -> None:
    below = row(UNATTRIBUTED, -2.0, parent="", depth=1, title="rest", kind="unattributed")
    results = broken_down(results_of(), *PARTS[:-1], below)
    excess = "The shares are wrong: the times of all modules add up to 110.0 % of the latency."
    console = Console(file=io.StringIO(), width=200)
    print_breakdowns(console, results)
    assert excess in console.file.getvalue()  # type: ignore[attr-defined]
    assert excess[1:] in Page(page_of(tmp_path, results)).text
    assert "not attributed to any module" not in Page(page_of(tmp_path, results)).text


def test_a_disagreement_on_a_stated_module_is_stated() -> None:
    doubted = PARTS[0].model_copy(update={"agrees": False})
    assert verdict(broken_down(results_of(), doubted, *PARTS[1:]))[-1] == (
        "Truncated-model timing disagrees with the profile on STEM."
    )


def test_the_fastest_and_the_slowest_of_many_frames_are_named() -> None:
    times = {f"m{number}": times_around(20.0 + number, number) for number in range(5)}
    models = [candidate(number, f"{number}.tflite") for number in range(5)]
    (stated,) = (
        one for one in verdict(whole_frames(make_results(models, times))) if "frame" in one
    )
    assert re.fullmatch(
        r"A whole frame takes from 30\.\d\d ms \([\d.]+ to [\d.]+\) with 0\.tflite to "
        r"34\.\d\d ms \([\d.]+ to [\d.]+\) with 4\.tflite\.",
        stated,
    )


def test_many_models_of_two_benchmarks_are_counted() -> None:
    def changed(low: float, high: float) -> Compared:
        ratio = Ratio((low + high) / 2, Interval(low, high, 0.99))
        (model, *_) = FULL.models
        return Compared(model, model, ratio, ratio.verdict(0.02), passage(ratio, 0.03))

    ends = ((0.5, 0.6), (0.7, 0.8), (1.2, 1.3), (0.99, 1.01))
    changes = {f"{place}.tflite": changed(*pair) for place, pair in enumerate(ends)}
    assert side_by_side("B", "A", changes, []) == [
        "Of 4 models, 2 are faster and 1 is slower in B than in A; for 1, no difference can be "
        "stated."
    ]
    assert side_by_side("B", "A", dict([*changes.items()][:1]), []) == [
        "0.tflite is 1.82x (1.67 to 2.00) as fast in B as in A."
    ]
    assert regressions(changes, 0.03) == [
        "2.tflite is a regression: the whole interval of the ratio is above 1.03."
    ]
    assert regressions(dict([*changes.items()][:1]), 0.03) == [
        "No regression was found at a tolerance of 3 %."
    ]
    assert regressions({"wide.tflite": changed(0.99, 1.2)}, 0.03) == [
        "No regression was found at a tolerance of 3 %.",
        "For wide.tflite, a regression can be neither stated nor excluded: the ratio's interval "
        "contains 1.03, or there were too few rounds for an interval.",
    ]
    assert side_by_side("B", "A", {}, ["threads 2, previously 1"]) == [
        "B cannot be compared with A: threads 2, previously 1."
    ]
