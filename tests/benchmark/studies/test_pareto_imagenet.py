"""`seaformer-benchmark pareto --task imagenet`: networks with and without top-1, and the page."""

import csv
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from benchmark_parts import candidate, make_results, times_around
from browser import in_a_browser, look
from click.testing import CliRunner
from html_page import Page, assert_needs_nothing_else

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.cli import main
from seaformer.benchmark.results.imagenet import SOURCES, published_for
from seaformer.benchmark.results.schema import InputUsed, ModelFacts
from seaformer.benchmark.studies.pareto.classification_networks import (
    PEERS,
    SEAFORMERS,
    family_of,
    networks,
)
from seaformer.benchmark.studies.pareto.pareto_command import TASKS as OFFERED
from seaformer.benchmark.studies.pareto.pareto_page import verdict, write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_results import STEM, ParetoResults
from seaformer.benchmark.studies.pareto.pareto_study import TASKS, combine
from seaformer.benchmark.studies.pareto.pareto_table import to_csv
from seaformer.errors import SeaformerError
from seaformer.network_names import variant_of
from seaformer.reporting.plots import COLORS
from seaformer.reporting.point_names import NARROW, WIDE, Frame, place_names
from seaformer.reporting.xy_plot import Standing

ALL = SEAFORMERS | PEERS


def classifier(
    number: int, network: str, side: int = 224, precision: str = "fp32", **changes: object
) -> Candidate:
    """A model as the export describes it: a SeaFormer, or a network of a library."""
    variant = variant_of(network)
    stem = network.replace("-", "_").replace(":", "_")
    facts = ModelFacts(
        name=f"{stem}_imagenet",
        variant=variant,
        model=None if variant else network,
        task="imagenet",
        kind="classification",
        head="logits",
        precision=precision,
        is_random=True,
        params=5_578_632,
        macs=1_421_000_000,
    ).model_copy(update=changes)
    shape = (1, side, side, 3)
    seen = InputUsed(source="photograph", name="x", dtype="float32", shape=shape, sha256=None)
    return replace(candidate(number, f"build/{stem}.tflite", precision, input=seen), facts=facts)


def summary_of(models: list[Candidate], ms: list[float], spread: float = 0.02) -> ParetoResults:
    times = {f"m{place}": times_around(one, place, spread=spread) for place, one in enumerate(ms)}
    return combine("imagenet", make_results(models, times), "results.json", ())


@cache
def everything() -> ParetoResults:
    """All networks of the command, at the size of their default weights."""
    models = [
        classifier(place, name, published_for(name)[0].side) for place, name in enumerate(ALL)
    ]
    costs = [published_for(name)[0].macs_g for name in ALL]
    return summary_of(models, [4 + 20 * cost for cost in costs])


# What is published


def test_every_network_of_the_command_has_a_published_top_1() -> None:
    assert [one.title for one in networks()] == list(ALL.values())
    assert len(set(ALL.values())) == len(ALL)
    found = everything()
    assert {point.title for point in found.points} == set(ALL.values())
    for point in found.points:
        assert point.score is not None
        assert point.published_params_m is not None
        assert any(point.score_source.endswith(source) for source in SOURCES.values())
    assert found.left_out == ()


def test_a_score_matches_the_input_size_and_names_its_weights() -> None:
    found = summary_of(
        [
            classifier(0, "timm:mobilenetv4_conv_small", 224),
            classifier(1, "timm:mobilenetv4_conv_small", 256),
            classifier(2, "timm:mobilenetv4_conv_small.e1200_r224_in1k", 256),
        ],
        [1.0, 2.0, 3.0],
    )
    assert {(point.model, point.score) for point in found.points} == {
        ("m0", 73.756), ("m1", 74.644), ("m2", 74.282),
    }  # fmt: skip
    by_model = {point.model: point.score_source for point in found.points}
    assert by_model["m0"].startswith("weights e2400_r224_in1k at 224x224: huggingface/pytorch-")
    assert by_model["m2"].startswith("weights e1200_r224_in1k at 256x256: ")


def test_what_nothing_is_published_of_has_a_latency_and_no_top_1() -> None:
    found = summary_of(
        [
            classifier(0, "seaformer-tiny"),
            classifier(1, "timm:mobilevit_s", 224),
            classifier(2, "timm:mobilevit_s", 256, "int8"),
            classifier(3, "nets.py:make"),
            classifier(4, "seaformer-tiny", name="seaformer_tiny_detail-off_imagenet"),
            classifier(5, "transformers:google/mobilenet_v1_1.0_224"),
        ],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    )
    reasons = {point.model: point.score_source for point in found.points[1:]}
    assert reasons == {
        "m1": "top-1 is published only for 256x256",
        "m2": "no top-1 is published for int8",
        "m3": "no published top-1 is known",
        "m4": "no top-1 is published for this variant",
        "m5": "no published top-1 is known",
    }
    for point in found.points[1:]:
        assert (point.score, point.standing, point.on_front) == (None, None, False)
        assert point.latency is not None
        assert point.ratio is not None
    rows = list(csv.DictReader(to_csv(found).splitlines()))
    assert [row["top1_published"] for row in rows] == ["68.1", "", "", "", "", ""]
    assert rows[0]["params"] == "5578632"


def test_networks_that_are_not_classifiers_are_omitted() -> None:
    models = [
        classifier(0, "seaformer-tiny"),
        classifier(1, "seaformer-small", kind="segmentation"),
        classifier(2, "", variant=None, model=None),
    ]
    found = summary_of(models, [1.0, 2.0, 3.0])
    assert [point.title for point in found.points] == ["SeaFormer-T"]
    assert {one.reason for one in found.left_out} == {"it has no metadata of a classifier"}
    with pytest.raises(
        SeaformerError, match=r"no model has a published top-1.*'make': no published top-1 is"
    ):
        summary_of([classifier(0, "nets.py:make")], [1.0])


# The front


def test_a_point_whose_interval_reaches_the_front_is_not_off_it() -> None:
    """The ratio is clearly above 1, as both slow down together, but the intervals overlap."""
    slow_rounds = [1.0, 1.3, 0.9, 1.2, 1.1, 0.8, 1.25, 0.95, 1.15, 1.05]
    times = {
        f"m{place}": [[ms * factor] * 5 for factor in slow_rounds]
        for place, ms in enumerate((10.0, 10.5, 30.0))
    }
    models = [
        classifier(0, "seaformer-small"),
        classifier(1, "seaformer-tiny"),
        classifier(2, "timm:swin_tiny_patch4_window7_224"),
    ]
    found = combine("imagenet", make_results(models, times), "results.json", ())
    assert {point.title: point.standing for point in found.points} == {
        "SeaFormer-S": Standing.ON,
        "SeaFormer-T": Standing.UNCLEAR,
        "Swin-T": Standing.ON,
    }
    ratio = next(point.ratio for point in found.points if point.title == "SeaFormer-S")
    assert ratio is not None
    assert ratio.verdict() == "faster"


# The page


def test_the_verdict_names_few_networks_and_counts_many() -> None:
    models = [classifier(0, "seaformer-tiny"), classifier(1, "timm:mobilevit_xxs", 256)]
    (few,) = verdict(summary_of(models, [1.0, 2.0]))
    assert few == (
        "Of 2 measured networks, SeaFormer-T and MobileViT-XXS are on the Pareto front by the "
        "median latencies here."
    )
    found = everything()
    front = [point for point in found.points if point.standing is Standing.ON]
    fastest = min(front, key=lambda point: point.latency.median_ms if point.latency else 0.0)
    assert verdict(found)[0] == (
        f"Of {len(ALL)} measured networks, {len(front)} are on the Pareto front by the median "
        f"latencies here, from {fastest.title}, the fastest, to MobileNetV4-Hybrid-M, the most "
        "accurate."
    )


def test_families_are_designs() -> None:
    assert family_of("timm:mobilevitv2_050") == "mobilevitv2"
    assert family_of("timm:mobilevit_s.cvnets_in1k") == "mobilevit"
    assert family_of("timm:resnet18") == "resnet"
    assert family_of("torchvision:mobilenet_v2") == "mobilenet"
    assert family_of("9") == "9"


@in_a_browser
def test_thirty_names_are_next_to_each_other_on_a_phone_and_on_a_screen(tmp_path: Path) -> None:
    found = everything()
    assert len({point.family for point in found.points}) > COLORS
    path, widths = tmp_path / f"{STEM}.html", (390, 1280)
    write_pareto_page(path, found)
    seen = (
        "querySelectorAll('.points').values().map(plot => ["
        "plot.ownerDocument.documentElement.scrollWidth, new Set([...plot.querySelectorAll("
        "'.point')].map(one => one.getAttribute('class'))).size, "
        "[...plot.querySelectorAll('.name')].filter(one => one.offsetWidth).map(one => { const "
        "box = one.getBoundingClientRect(); return [one.textContent, box.left, box.right, "
        "box.top, box.bottom]; })]).next().value"
    )
    for width, (page_width, kinds, named) in zip(widths, look(path, widths, seen), strict=True):
        assert page_width <= width
        # Every family has a color and a shape of its own.
        assert kinds == len({point.family for point in found.points})
        assert sorted(name for name, *_ in named) == sorted(ALL.values())
        for place, (name, left, right, top, bottom) in enumerate(named):
            for other, left_of, right_of, top_of, bottom_of in named[:place]:
                apart = right <= left_of or right_of <= left or bottom <= top_of
                assert apart or bottom_of <= top, (name, other)


@pytest.mark.parametrize("frame", [WIDE, NARROW])
def test_names_do_not_cover_the_interval_of_a_point(frame: Frame) -> None:
    interval = [(float(left), 50.0) for left in range(10, 91, 2)]
    ((label, _),) = place_names(["MobileViT-XXS"], [(50.0, 50.0)], frame, interval)
    assert abs(label.y - 50.0) / 100 * frame.height > 7.5
    ((beside, _),) = place_names(["MobileViT-XXS"], [(50.0, 50.0)], frame)
    assert beside.y == pytest.approx(50.0, abs=1)


def test_the_page_has_the_numbers_and_their_sources(tmp_path: Path) -> None:
    models = [
        classifier(0, "seaformer-tiny"),
        classifier(1, "timm:mobilevit_s", 256),
        classifier(2, "timm:mobilevit_xs", 224),
    ]
    write_pareto_page(tmp_path / f"{STEM}.html", summary_of(models, [1.0, 2.0, 3.0]))
    page = Page((tmp_path / f"{STEM}.html").read_text(encoding="utf-8"))
    assert_needs_nothing_else(page)
    assert len(page.all("svg")) == 1
    for text in (
        "top-1, published", "78.298 %", "68.1 %", "5.58 M", "(2.03 G)", "1.421 G", "MobileViT-XS",
        "cvnets_in1k at 256x256", "published only for 256x256", "random weights", "not evaluated",
    ):  # fmt: skip
        assert text in page.text, text
    assert "phone" not in page.text


# The command


def test_the_tasks_of_the_command_match_the_study() -> None:
    assert list(OFFERED) == list(TASKS)


def test_an_unknown_task_is_refused_with_the_valid_ones() -> None:
    result = CliRunner().invoke(main, ["pareto", "--task", "imagnet"])
    assert result.exit_code == 2
    assert "unknown task 'imagnet'" in result.stderr
    assert "imagenet" in result.stderr


def test_without_the_libraries_nothing_is_exported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # as if it were not installed
    result = CliRunner().invoke(main, ["pareto", "--task", "imagenet"])
    assert result.exit_code == 2
    assert "pip install 'seaformer[models]'" in result.stderr
