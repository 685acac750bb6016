"""`seaformer-benchmark pareto`: the front, ratios, omitted networks, and a small real run."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmark_parts import WRONG, candidate, make_results, times_around
from browser import in_a_browser, look
from click.testing import CliRunner
from exporting import run_export
from html_page import Page, assert_needs_nothing_else
from interrupting import interrupted
from once import Once

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.cli import main
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request
from seaformer.benchmark.results.published import FIGURES
from seaformer.benchmark.results.schema import InputUsed, ModelFacts
from seaformer.benchmark.studies.pareto.pareto_page import verdict, write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_results import STEM, ParetoResults
from seaformer.benchmark.studies.pareto.pareto_study import combine
from seaformer.benchmark.studies.pareto.pareto_table import to_csv
from seaformer.benchmark.studies.pareto.segmentation_networks import family_of, networks
from seaformer.benchmark.studies.running import export_all
from seaformer.errors import SeaformerError
from seaformer.models.phones import PHONES
from seaformer.models.registry import REGISTRY
from seaformer.reporting.point_names import NARROW, WIDE, Frame, place_names
from seaformer.reporting.xy_plot import Standing, Value, standings

INPUT = InputUsed(
    source="photograph", name="image", dtype="float32", shape=(1, 512, 512, 3), sha256=None
)


def network(number: int, name: str, precision: str = "fp32", **changes: object) -> Candidate:
    """Return a model with the metadata of an export: a variant of SeaFormer, or a peer."""
    is_peer = name in REGISTRY
    facts = ModelFacts(
        name=f"{name.replace('-', '_', 1)}_ade20k" if is_peer else f"seaformer_{name}_ade20k",
        variant=None if is_peer else name,
        model=name if is_peer else None,
        task="ade20k",
        head="logits",
        precision=precision,
        is_random=True,
    )
    one = candidate(number, f"build/{name}.tflite", precision, input=INPUT)
    return replace(one, facts=facts, **changes)


def results_of(times: dict[str, float], **changes: object) -> ParetoResults:
    networks = [network(number, name) for number, name in enumerate(times)]
    measured = {f"m{number}": times_around(ms, number) for number, ms in enumerate(times.values())}
    return combine("ade20k", make_results(networks, measured, **changes), "results.json", ())


# The front


def test_no_network_on_the_front_is_dominated() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        values = [Value(*row) for row in random.integers(1, 8, (12, 2)).astype(float)]

        def dominates(one: Value, other: Value) -> bool:
            at_least = one.x <= other.x and one.y >= other.y
            return at_least and (one.x, one.y) != (other.x, other.y)

        undominated = [not any(dominates(other, v) for other in values) for v in values]
        found = standings(values, lambda *_: True)
        assert found == [Standing.ON if one else Standing.BEATEN for one in undominated]
        found = standings(values, lambda *_: False)
        assert found == [Standing.ON if one else Standing.UNCLEAR for one in undominated]


def test_a_network_that_is_not_significantly_slower_is_on_the_front() -> None:
    """The median of TopFormer-T is slightly higher than SeaFormer-T's, within noise."""
    noisy = {"m0": times_around(10.0, 0, spread=0.2), "m1": times_around(10.5, 1, spread=0.2)}
    noisy["m2"] = times_around(30.0, 2)
    models = [network(0, "tiny"), network(1, "topformer-tiny"), network(2, "topformer-small")]
    found = combine("ade20k", make_results(models, noisy), "results.json", ())
    assert {point.title: point.standing for point in found.points} == {
        "SeaFormer-T": Standing.ON,
        "TopFormer-T": Standing.UNCLEAR,
        "TopFormer-S": Standing.ON,
    }
    assert [row["on_front_unclear"] for row in csv.DictReader(to_csv(found).splitlines())] == [
        str(point.title == "TopFormer-T") for point in found.points
    ]


def test_the_front_of_measured_and_of_published_latencies_can_differ() -> None:
    found = results_of({"tiny": 10.0, "topformer-tiny": 12.0, "topformer-small": 9.0})
    front = {
        point.title: (point.on_front, point.paper and point.paper.on_front)
        for point in found.points
    }
    assert front == {
        "TopFormer-T": (False, False),
        "SeaFormer-T": (False, True),
        "TopFormer-S": (True, True),
    }


# Ratios and published figures


@pytest.mark.parametrize("order", [("tiny", "topformer-base"), ("topformer-base", "tiny")])
def test_ratios_are_to_seaformer_tiny_in_any_order(order: tuple[str, str]) -> None:
    times = {"tiny": 10.0, "topformer-base": 30.0}
    found = results_of({name: times[name] for name in order})
    assert found.base == "SeaFormer-T"
    points = {point.title: point for point in found.points}
    ratio = points["TopFormer-B"].ratio
    assert ratio is not None
    assert ratio.value == pytest.approx(3.0, rel=0.02)
    assert ratio.interval is not None
    assert ratio.interval.low <= ratio.value <= ratio.interval.high
    assert points["SeaFormer-T"].ratio is not None
    assert points["SeaFormer-T"].ratio.value == 1.0
    assert points["TopFormer-B"].paper is not None
    assert points["TopFormer-B"].paper.ratio == 110 / 40
    assert points["TopFormer-B"].score == FIGURES["topformer-base"].miou


def test_latencies_of_two_phones_are_never_in_one_column(tmp_path: Path) -> None:
    found = results_of({"tiny": 10.0, "small": 20.0, "ppmobileseg-tiny": 12.0})
    rows = {row["network"]: row for row in csv.DictReader(to_csv(found).splitlines())}
    columns = ("paper_phone_ms", "snapdragon_855_ms")
    assert {name: tuple(row[column] for column in columns) for name, row in rows.items()} == {
        "SeaFormer-T": ("40.0", "459.0"),
        "SeaFormer-S": ("67.0", ""),
        "PP-MobileSeg-T": ("", "215.3"),
    }
    assert float(rows["PP-MobileSeg-T"]["snapdragon_855_ratio"]) == 215.3 / 459.0
    write_pareto_page(tmp_path / f"{STEM}.html", found)
    page = Page((tmp_path / f"{STEM}.html").read_text(encoding="utf-8"))
    for phone in PHONES.values():
        assert f"ms, ratio, {phone.title}" in page.text


def test_a_model_without_published_figures_is_left_out() -> None:
    small = network(1, "small", input=INPUT.model_copy(update={"shape": (1, 256, 256, 3)}))
    integers = network(2, "base", "int8")
    times = {f"m{number}": times_around(10.0, number) for number in range(3)}
    found = combine(
        "ade20k", make_results([network(0, "tiny"), small, integers], times), "r.json", ()
    )
    assert [point.title for point in found.points] == ["SeaFormer-T"]
    reasons = {one.title: one.reason for one in found.left_out}
    assert reasons["small.tflite"].startswith("there are no published figures")
    assert reasons["base.tflite"] == "the published mIoU is not for int8"


def test_without_a_published_model_there_is_an_error() -> None:
    plain = candidate(0, "a.tflite")
    with pytest.raises(SeaformerError, match="no model has a published mIoU"):
        combine("ade20k", make_results([plain], {"m0": times_around(1.0, 0)}), "r.json", ())


def test_a_wrong_output_has_no_latency_and_is_on_no_front() -> None:
    found = results_of({"tiny": 10.0, "small": 5.0}, parities={"m1": WRONG})
    wrong = next(point for point in found.points if point.title == "SeaFormer-S")
    assert (wrong.latency, wrong.on_front, wrong.ratio) == (None, False, None)


def test_families_match_the_table() -> None:
    assert family_of("SeaFormer-T") == "SeaFormer"
    peers = [
        row
        for row in REGISTRY.values()
        if not (row.variant or row.attention) and "segmentation" in row.builders
    ]
    assert {family_of(peer.title) for peer in peers} == {peer.family for peer in peers}


# The page


@pytest.mark.parametrize("frame", [WIDE, NARROW])
def test_labels_overlap_neither_points_nor_each_other(frame: Frame) -> None:
    random = np.random.default_rng(1)
    positions = [(float(x), float(y)) for x, y in random.uniform(5, 95, (12, 2))]
    names = [f"network {'x' * int(length)}" for length in random.integers(0, 24, 12)]
    boxes: list[tuple[float, float, float, float]] = []
    for name, (label, _) in zip(names, place_names(names, positions, frame), strict=True):
        width, x = 7.2 * len(name), label.x * frame.width / 100
        left = x - {"start": 0, "middle": width / 2, "end": width}[label.kind.split()[1]]
        y = label.y * frame.height / 100
        boxes.append((left, left + width, y - 7.5, y + 7.5))
    for place, (left, right, top, bottom) in enumerate(boxes):
        assert left >= -0.1
        assert right <= frame.width + 0.1
        for x, y in positions:
            inside = left < x * frame.width / 100 < right and top < y * frame.height / 100 < bottom
            assert not inside
        for other in boxes[:place]:
            apart = right <= other[0] + 0.1 or other[1] <= left + 0.1
            assert apart or bottom <= other[2] + 0.1 or other[3] <= top + 0.1


def test_a_label_far_from_its_point_has_a_line_to_it() -> None:
    (alone,) = place_names(["one"], [(50, 50)], NARROW)
    assert alone[1] == ""
    crowd = place_names(["x" * 40] * 8, [(50, 50)] * 8, NARROW)
    assert any(leader for _, leader in crowd)


@in_a_browser
def test_labels_are_at_their_points_and_not_clipped(tmp_path: Path) -> None:
    """The first plot has all networks, and each other plot has the networks of its phone."""
    names = [name.removeprefix("seaformer-") for name in FIGURES]
    times = {
        name: next(iter(FIGURES[key].latencies_ms.values()), 300.0) / 3
        for name, key in zip(names, FIGURES, strict=True)
    }
    path, widths = tmp_path / f"{STEM}.html", (390, 1280)
    write_pareto_page(path, results_of(times))
    assert look(path, widths, "documentElement.scrollWidth") == list(widths)
    is_clipped = (
        "querySelectorAll('.scroll').values().some(one => one.scrollWidth > one.clientWidth)"
    )
    assert look(path, (1280,), is_clipped) == [False]
    boxes = (
        "querySelectorAll('.points').values().map(plot => { const frame = "
        "plot.getBoundingClientRect(); return [...plot.querySelectorAll('.name')].filter(one => "
        "one.offsetWidth).map(one => { const box = one.getBoundingClientRect(); return "
        "[one.textContent, box.left - frame.left, box.right - frame.left, box.top - frame.top, "
        "box.bottom - frame.top, frame.width]; }); }).toArray()"
    )
    figures = FIGURES.values()
    expected = [sorted(one.title for one in figures)]
    expected += [
        sorted(one.title for one in figures if phone in one.latencies_ms) for phone in PHONES
    ]
    for plots in look(path, widths, boxes):
        assert [sorted(name for name, *_ in named) for named in plots] == expected
        for named in plots:
            for place, (name, left, right, top, bottom, width) in enumerate(named):
                assert -1 <= left < right <= width + 1, name
                for other, left_of, right_of, top_of, bottom_of, _ in named[:place]:
                    apart = right <= left_of or right_of <= left or bottom <= top_of
                    assert apart or bottom_of <= top, (name, other)


def test_the_page_states_the_source_of_accuracy_and_is_self_contained(tmp_path: Path) -> None:
    times = {"tiny": 10.0, "small": 20.0, "topformer-tiny": 12.0}
    found = results_of(times, warnings=("it was <busy>",))
    write_pareto_page(tmp_path / f"{STEM}.html", found)
    page = Page((tmp_path / f"{STEM}.html").read_text(encoding="utf-8"))
    assert_needs_nothing_else(page)
    assert len(page.all("svg")) == 1 + len(PHONES)
    assert "random weights" in page.text
    assert "it was not evaluated here" in page.text
    assert "it was <busy>" in page.text
    assert "Snapdragon 865" in page.text
    for point in found.points:
        assert page.text.count(point.title) >= 3  # in both plots and in the table


def test_an_emulated_device_is_drawn_without_its_times(tmp_path: Path) -> None:
    found = results_of({"tiny": 10.0, "small": 20.0}, emulated=True)
    assert all(point.latency is None and point.ratio is None for point in found.points)
    assert not any(point.on_front for point in found.points)
    write_pareto_page(tmp_path / f"{STEM}.html", found)
    page = Page((tmp_path / f"{STEM}.html").read_text(encoding="utf-8"))
    assert "NO LATENCY" in page.text
    assert len(page.all("svg")) == len(PHONES)  # the published ones


def test_the_csv_has_a_row_for_every_network() -> None:
    found = results_of({"tiny": 10.0, "small": 20.0})
    rows = list(csv.DictReader(to_csv(found).splitlines()))
    assert [row["network"] for row in rows] == ["SeaFormer-T", "SeaFormer-S"]
    assert float(rows[1]["ratio"]) == pytest.approx(2.0, rel=0.02)
    assert rows[0]["paper_phone_ms"] == "40.0"


# The command


@pytest.mark.slow
def test_networks_that_cannot_be_exported_are_omitted_with_the_reason(tmp_path: Path) -> None:
    """Every export fails immediately, because its folder is a file."""
    (tmp_path / "models").write_text("")
    messages: list[str] = []
    request = make_request(Options(command="", output=tmp_path))
    exported, left_out = export_all(networks(), request, does_without=True, show=messages.append)
    assert exported == {}
    reasons = {one.export.title: one.reason for one in left_out}
    assert set(reasons) == {figure.title for figure in FIGURES.values()}
    assert all("the output folder" in reason for reason in reasons.values())
    assert messages[0] == "exporting SeaFormer-T"


@pytest.fixture(scope="module")
def tiny(once: Once) -> Path:
    """Export SeaFormer-T as measured in the paper."""

    def export_tiny(folder: Path) -> None:
        done = run_export("--variant", "tiny", "--output", folder, cwd=folder)
        assert done.returncode == 0, done.stderr

    (model,) = once("tiny-512", export_tiny).glob("*.tflite")
    return model


@pytest.mark.slow
def test_measurements_before_ctrl_c_are_saved(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    status, errors = interrupted(
        "pareto", tiny, "--device", "host", "--runs", "2000", "--output", folder
    )
    assert status == 130, errors
    assert "error: interrupted" in errors
    found = ParetoResults.model_validate_json((folder / f"{STEM}.json").read_bytes())
    assert found.points[0].latency is not None


@pytest.mark.slow
def test_given_models_are_measured_and_drawn(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    arguments = ["pareto", tiny, "--device", "host", "--runs", "5", "--output", folder]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.stderr
    found = ParetoResults.model_validate_json((folder / f"{STEM}.json").read_bytes())
    (point,) = found.points
    assert (point.title, point.on_front, point.is_random) == ("SeaFormer-T", True, True)
    assert point.latency is not None
    assert (folder / found.results).is_file()
    assert (folder / f"{STEM}.csv").is_file()
    assert "not evaluated here" in result.stdout
    again = CliRunner().invoke(main, list(map(str, arguments)))
    assert again.exit_code == 2
    assert "--force" in again.stderr


# The verdict


def test_the_verdict_names_the_front_and_unclear_networks() -> None:
    noisy = {"m0": times_around(10.0, 0, spread=0.2), "m1": times_around(10.5, 1, spread=0.2)}
    noisy["m2"] = times_around(30.0, 2)
    models = [network(0, "tiny"), network(1, "topformer-tiny"), network(2, "topformer-small")]
    found = combine("ade20k", make_results(models, noisy), "results.json", ())
    assert verdict(found) == [
        "Of 3 measured networks, SeaFormer-T and TopFormer-S are on the Pareto front by the median "
        "latencies here.",
        "Whether TopFormer-T should be on it cannot be stated: the networks with better "
        "medians are not significantly faster.",
    ]


def test_without_latencies_no_front_is_stated() -> None:
    (stated,) = verdict(results_of({"tiny": 10.0, "small": 20.0}, emulated=True))
    assert stated.startswith("No latency can be stated here")
