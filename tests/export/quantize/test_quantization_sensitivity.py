"""Modules with widened ranges are ranked first, by names that --keep-float accepts."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from html_page import Page, assert_needs_nothing_else
from page_gallery import ranked_modules
from quantizing import TFLITE, calibrated, scenes, stretched
from sampling import sampled

from seaformer.artifact.metadata import MappedOperator
from seaformer.console import Console
from seaformer.errors import UnknownNameError
from seaformer.export.quantize import sensitivity
from seaformer.export.quantize.module_patterns import match, require_modules
from seaformer.export.quantize.quality import Reference, open_bytes
from seaformer.export.quantize.sensitivity import (
    LEVELS,
    Ranking,
    Sensitivity,
    groups,
    rank,
    tensors_of,
)
from seaformer.export.quantize.sensitivity_report import ranking_table, write_report
from seaformer.export.quantize.tflite_engine import TFLiteEngine
from seaformer.quantization.ranges import Activation, collect
from seaformer.tasks import get_task

OPERATORS = [
    MappedOperator(index=index, type=kind, module=module, nodes=())
    for index, (kind, module) in enumerate(
        [
            ("SUB", ""),
            ("CONV_2D", "stem.conv"),
            ("PAD", "stem.block.depthwise"),
            ("DEPTHWISE_CONV_2D", "stem.block.depthwise"),
            ("ADD", "stem.block"),
            ("SOFTMAX", "head.attention"),
            ("CONV_2D", "head.classifier"),
        ]
    )
]

# --keep-float


@pytest.mark.parametrize(
    ("pattern", "indices"),
    [
        ("stem", {1, 2, 3, 4}),
        ("stem.block", {2, 3, 4}),
        ("stem.block.depthwise", {2, 3}),
        ("stem.block@*", {4}),
        ("stem.block.depthwise@3", {3}),
        ("stem.*", {1, 2, 3, 4}),
        ("*.depthwise", {2, 3}),
        ("head.c[kl]*", {6}),
        ("type:CONV_2D", {1, 6}),
        ("type:*CONV*", {1, 3, 6}),
        ("@*", {0}),
        ("*", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_patterns(pattern: str, indices: set[int]) -> None:
    assert match([pattern], OPERATORS) == indices


def test_patterns_are_combined() -> None:
    assert match(["stem.conv", "type:SOFTMAX"], OPERATORS) == {1, 5}
    assert match([], OPERATORS) == frozenset()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("stem.blok", "Did you mean 'stem.block'"),
        ("head.clasifier", "Did you mean 'head.classifier'"),
        ("type:CONV2D", "Did you mean 'type:CONV_2D'"),
        ("ste", "modules: head, stem, type:"),
        ("stem.conv@7", "'stem.conv@7'"),
    ],
)
def test_unknown_patterns_name_the_nearest(pattern: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as raised:
        match(["stem", pattern], OPERATORS)
    assert message in str(raised.value)
    assert f"'{pattern}'" in str(raised.value)


MODULES = ["", *sorted({row.module for row in OPERATORS} - {""} | {"stem", "head"})]


@pytest.mark.parametrize("pattern", ["stem", "stem.*", "head.c[kl]*", "stem.nothing@7", "type:MUL"])
def test_patterns_of_modules_are_checked_before_the_conversion(pattern: str) -> None:
    require_modules(["stem.conv", pattern], MODULES)


@pytest.mark.parametrize("pattern", ["stem.blok", "head.clasifier", "stem.conv.*"])
def test_an_unknown_module_is_reported_before_the_conversion(pattern: str) -> None:
    with pytest.raises(UnknownNameError) as early:
        require_modules(["stem", pattern], MODULES)
    assert f"'{pattern}'" in str(early.value)
    with pytest.raises(UnknownNameError):
        match([pattern], OPERATORS)


# Ranked groups


def test_every_level_has_its_groups() -> None:
    found = groups(OPERATORS, quantized={0, 1, 2, 3, 4, 6})
    named = {
        level: {group.name: set(group.operators) for group in found if group.level == level}
        for level in LEVELS
    }
    assert named == {
        "part": {"stem": {1, 2, 3, 4}, "head": {6}},
        "block": {"stem.block": {2, 3, 4}},
        "module": {
            "@*": {0},
            "stem.conv": {1},
            "stem.block.depthwise": {2, 3},
            "stem.block@*": {4},
            "head.classifier": {6},
        },
        "type": {
            "type:SUB": {0},
            "type:CONV_2D": {1, 6},
            "type:PAD": {2},
            "type:DEPTHWISE_CONV_2D": {3},
            "type:ADD": {4},
        },
    }


def test_names_of_groups_are_patterns() -> None:
    quantized = {0, 1, 2, 3, 4, 6}
    for group in groups(OPERATORS, quantized):
        assert match([group.name], OPERATORS) & quantized == group.operators


# Ranking


@dataclass
class Trained:
    """The procedural fixture at 128 x 128, calibrated, and its fp32 reference on scenes."""

    engine: TFLiteEngine
    seen: dict[str, Activation]
    reference: Reference
    deep: frozenset[int]


@pytest.fixture(scope="module")
def trained(shapes_export: Path) -> Iterator[Trained]:
    engine, seen = calibrated(shapes_export / "seaformer_tiny_shapes_128x128_fp32.tflite", "shapes")
    task = get_task("shapes")
    with open_bytes(engine.model, TFLITE) as session:
        reference = Reference(
            session, scenes(25, (128, 128)), task.preprocessing, True, task.num_classes
        )
        # The modules that are quantized in these tests, so that they take seconds.
        some = match(["light_head", "spatial_branch"], engine.operators)
        every = {operator.index for operator in engine.operators}
        yield Trained(engine, seen, reference, frozenset(every - some))


@pytest.fixture(scope="module")
def baseline(trained: Trained) -> Ranking:
    return ranked(trained, "module")


@pytest.fixture
def restore_ranges(trained: Trained) -> Iterator[None]:
    ranges = trained.engine.ranges
    yield
    trained.engine.ranges = ranges


def ranked(trained: Trained, *levels: sensitivity.Level) -> Ranking:
    return rank(
        trained.engine,
        "int8",
        TFLITE,
        trained.reference,
        kept=trained.deep,
        levels=levels,
        both_ways=False,
    )


@pytest.mark.usefixtures("restore_ranges")
@pytest.mark.parametrize(
    ("tensor", "factor", "blamed"),
    sampled(
        [
            ("logits", 50, {"light_head.classifier"}),
            ("light_head.fuse@", 200, {"light_head.fuse", "light_head.classifier"}),
            (
                "spatial_branch.fusion_blocks.0.local_embedding@",
                100,
                {
                    "spatial_branch.fusion_blocks.0.local_embedding",
                    "spatial_branch.fusion_blocks.0@*",
                },
            ),
        ]
    ),
)
def test_producer_and_consumer_of_a_widened_tensor_are_ranked_first(
    trained: Trained, baseline: Ranking, tensor: str, factor: float, blamed: set[str]
) -> None:
    before = {row.name: row.only.sqnr_db for row in baseline.rows}
    (widened,) = (name for name in trained.engine.producers if name.startswith(tensor))
    stretched(trained.engine, [widened], factor)
    after = {row.name: row.only.sqnr_db for row in ranked(trained, "module").rows}
    assert set(list(after)[: len(blamed)]) == blamed
    for name, sqnr_db in after.items():
        if name in blamed:
            assert sqnr_db < before[name] - 10
        else:
            assert sqnr_db == before[name]


@pytest.mark.usefixtures("restore_ranges")
def test_a_block_with_widened_ranges_is_ranked_first(trained: Trained) -> None:
    """The noise is attributed to both the producer and the consumer of each tensor."""
    stretched(
        trained.engine,
        [n for n in trained.engine.producers if n.startswith("spatial_branch.fusion_blocks.1")],
        50,
    )
    found = ranked(trained, "part", "block").rows
    assert {row.name for row in found[:2]} == {"spatial_branch", "spatial_branch.fusion_blocks.1"}


def test_both_measures_and_the_scores(trained: Trained) -> None:
    reports: list[tuple[int, int]] = []
    found = rank(
        trained.engine,
        "int8",
        TFLITE,
        trained.reference,
        kept=trained.deep,
        levels=("part",),
        seconds=0.0,
        progress=lambda *now: reports.append(now),
    )
    assert reports == [(1, 2), (2, 2)] * 2
    assert found.whole.count == 25
    assert found.whole.interval_points is not None
    assert [row.name for row in found.rows] == [
        row.name for row in sorted(found.rows, key=lambda r: -r.share)
    ]
    for row in found.rows:
        assert row.all_but is not None
        assert row.only.count == row.all_but.count == 25
        assert row.only.sqnr_db > found.whole.sqnr_db
        assert row.all_but.sqnr_db > found.whole.sqnr_db
        assert row.only.difference_points is not None
    # The noise of modules that share few tensors adds up.
    assert 0.7 < sum(row.share for row in found.rows) < 1.6


# The report


@pytest.fixture(scope="module")
def report(trained: Trained, baseline: Ranking) -> Sensitivity:
    found = rank(
        trained.engine,
        "int8",
        TFLITE,
        trained.reference,
        kept=trained.deep,
        levels=("part",),
        seconds=0.0,
    )
    rows = (*found.rows, *baseline.rows)
    tensors = tensors_of(
        rows,
        trained.engine.operators,
        trained.engine.producers,
        trained.seen,
        trained.engine.ranges,
    )
    return Sensitivity(
        model="tiny 128x128",
        format="tflite",
        precision="int8",
        calibration="8 scenes <train>",
        score_name="mIoU",
        kept_modules=("stem",),
        always_float=len(trained.engine.always_float),
        warnings=("these weights & those",),
        whole=found.whole,
        rows=rows,
        tensors=tensors,
    )


def test_the_report_survives_writing_and_reading(report: Sensitivity) -> None:
    assert json.loads(report.text())["schema_version"] == 2
    assert Sensitivity.model_validate_json(report.text()) == report


def test_the_page_is_complete_and_self_contained(report: Sensitivity, tmp_path: Path) -> None:
    write_report(tmp_path / "page.html", report)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert_needs_nothing_else(page)
    assert page.values("href")
    assert not re.search(r"https?:|@import|url\(", text)
    plain = text.replace("<wbr>", "")
    for row in report.rows:
        assert f">{row.name}</code>" in plain
    assert plain.count("<svg") == len(report.tensors) > 0
    assert "8 scenes &lt;train&gt;" in text
    assert "these weights &amp; those" in text


def test_the_page_without_ground_truth_has_no_scores(report: Sensitivity, tmp_path: Path) -> None:
    nothing = {"difference_points": None, "interval_points": None}
    rows = tuple(
        row.model_copy(
            update={
                "only": row.only.model_copy(update=nothing),
                "all_but": row.all_but and row.all_but.model_copy(update=nothing),
            }
        )
        for row in report.rows
    )
    whole = report.whole.model_copy(update=nothing | {"score": None, "reference_score": None})
    write_report(tmp_path / "page.html", report.model_copy(update={"rows": rows, "whole": whole}))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "mIoU" not in text
    assert "points" not in Page(text).text


def test_the_table_lists_the_worst_modules(report: Sensitivity) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(ranking_table(report))
    lines = captured.get().splitlines()
    shown = report.level("module")[: sensitivity.SHOWN_MODULES]
    assert [line.split()[0] for line in lines[2:]] == [row.name for row in shown]


# Tensors


def test_tensor_statistics_describe_its_values() -> None:
    values = np.concatenate([np.linspace(-1.0, 1.0, 20_000), [4.0] * 200]).astype(np.float32)
    seen = collect([{"stem.conv@1": values}])
    (tensor,) = tensors_of(
        [_row("stem.conv", 1)], OPERATORS, {"stem.conv@1": 1}, seen, {"stem.conv@1": (-1.0, 2.0)}
    )
    assert (tensor.name, tensor.module) == ("stem.conv@1", "stem.conv")
    assert tensor.scale == pytest.approx(3 / 255)
    assert tensor.saturated == pytest.approx(200 / 20_200)
    assert tensor.seen == (-1.0, 4.0)
    assert tensor.span == (-1.0, 4.0)
    assert sum(tensor.histogram) == values.size
    stored = np.round((np.clip(values, -1, 2) + 1) / (3 / 255)) * (3 / 255) - 1
    expected = 10 * np.log10(np.square(values).sum() / np.square(values - stored).sum())
    assert tensor.sqnr_db == pytest.approx(expected, abs=0.5)


def test_tensors_with_the_largest_error_come_first() -> None:
    values = {"stem.conv@1": np.linspace(-1, 1, 999), "stem.block@4": np.linspace(0, 1, 999)}
    seen = collect([values])
    ranges = {"stem.conv@1": (-1.0, 1.0), "stem.block@4": (0.0, 50.0)}
    outputs = {"stem.conv@1": 1, "stem.block@4": 4}
    rows = [_row("stem.conv", 1), _row("stem.block@*", 4)]
    found = tensors_of(rows, OPERATORS, outputs, seen, ranges)
    assert [tensor.name for tensor in found] == ["stem.block@4", "stem.conv@1"]
    assert found[0].span == (0.0, 50.0)


def _row(name: str, operator: int) -> sensitivity.Row:
    cost = sensitivity.Cost(
        count=1, sqnr_db=20.0, argmax_agreement=1.0, difference_points=None, interval_points=None
    )
    return sensitivity.Row(
        name=name, level="module", operators=(operator,), share=1.0, only=cost, all_but=None
    )


def test_the_title_of_a_module_is_below_its_name_on_the_terminal() -> None:
    text = io.StringIO()
    Console(file=text, width=120).print(ranking_table(ranked_modules()))
    lines = text.getvalue().splitlines()
    first = next(n for n, line in enumerate(lines) if "block0.attention.module" in line)
    assert "30.0 %" in lines[first]
    assert lines[first + 1].strip() == "Squeeze-enhanced axial attention"
    assert "\\n" not in text.getvalue()
