"""The search keeps modules with widened ranges in floating point, and no more than necessary."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from html_page import Page, assert_needs_nothing_else
from quantizing import TFLITE, calibrated, scenes, stretched

from seaformer.artifact.metadata import Accuracy, Latency
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.export.quantize.calibration import Images
from seaformer.export.quantize.latency import measure_latency
from seaformer.export.quantize.mixed_precision import Search, Step, search
from seaformer.export.quantize.mixed_precision_report import (
    loss_plot,
    steps_table,
    write_report,
)
from seaformer.export.quantize.module_patterns import match
from seaformer.export.quantize.quality import Reference, open_bytes
from seaformer.export.quantize.sensitivity import Row, rank
from seaformer.export.quantize.tflite_engine import TFLiteEngine
from seaformer.reporting.plots import Plot
from seaformer.runtimes import Session
from seaformer.tasks import get_task

TASK = get_task("shapes")
SIZE = (128, 128)


@pytest.fixture(scope="module")
def engine(shapes_export: Path) -> TFLiteEngine:
    file = shapes_export / "seaformer_tiny_shapes_128x128_fp32.tflite"
    return calibrated(file, "shapes")[0]


@pytest.fixture(scope="module")
def session(engine: TFLiteEngine) -> Iterator[Session]:
    with open_bytes(engine.model, TFLITE) as opened:
        yield opened


@pytest.fixture(scope="module")
def reference(session: Session) -> Reference:
    return Reference(session, scenes(25, SIZE), TASK.preprocessing, True, TASK.num_classes)


@pytest.fixture
def restore_ranges(engine: TFLiteEngine) -> Iterator[None]:
    ranges = engine.ranges
    yield
    engine.ranges = ranges


def found_by(
    engine: TFLiteEngine, reference: Reference, budget_points: float, *quantized: str
) -> Search:
    """Search among a few modules, so that it takes seconds."""
    chosen = match(quantized, engine.operators) - engine.always_float
    kept = {operator.index for operator in engine.operators} - chosen

    def order() -> tuple[Row, ...]:
        return rank(
            engine,
            "int8",
            TFLITE,
            reference,
            kept=kept,
            levels=("module",),
            both_ways=False,
        ).rows

    return search(engine, "int8", TFLITE, reference, budget_points, order, kept=kept)


def no_order() -> tuple[Row, ...]:
    raise AssertionError("the ranking is not needed")


def test_a_file_within_the_budget_is_found_at_once(
    engine: TFLiteEngine, reference: Reference
) -> None:
    steps: list[Step] = []
    found = search(engine, "int8", TFLITE, reference, 30.0, no_order, progress=steps.append)
    assert found.steps == (found.found,) == tuple(steps)
    assert found.found.kept_modules == ()
    assert found.found.bytes == len(engine.quantize("int8"))
    assert found.found.accuracy == reference.measure_file(engine.quantize("int8"), TFLITE)


@pytest.mark.usefixtures("restore_ranges")
def test_only_the_module_with_a_widened_range_is_kept(
    engine: TFLiteEngine, reference: Reference
) -> None:
    stretched(engine, ["logits"], 50)
    found = found_by(engine, reference, 1.0, "light_head", "spatial_branch.fusion_blocks.1")
    first, second = found.steps
    assert (first.action, first.module, first.fits) == ("quantize all", None, False)
    assert (second.action, second.module, second.fits) == ("keep", "light_head.classifier", True)
    assert found.found == second
    assert first.accuracy.difference_points is not None
    assert first.accuracy.difference_points < -1.0
    assert second.accuracy.difference_points is not None
    assert second.accuracy.difference_points >= -1.0
    assert second.bytes > first.bytes
    kept = match(found.found.kept_modules, engine.operators)
    assert kept == {
        operator.index
        for operator in engine.operators
        if operator.module == "light_head.classifier"
    }


@pytest.mark.usefixtures("restore_ranges")
def test_all_modules_of_a_widened_tensor_are_kept_and_no_others(
    engine: TFLiteEngine, reference: Reference
) -> None:
    """Keeping only the producer or only the consumer of the tensor gains nothing."""
    widened = [n for n in engine.producers if n.startswith("light_head.fuse@")]
    stretched(engine, widened, 200)
    found = found_by(engine, reference, 1.0, "light_head", "spatial_branch.fusion_blocks.1")
    assert set(found.found.kept_modules) == {"light_head.fuse", "light_head.classifier"}
    assert found.found.fits
    assert [step.fits for step in found.steps[:3]] == [False, False, True]


@pytest.mark.usefixtures("restore_ranges")
def test_unnecessarily_kept_modules_are_quantized_again(
    engine: TFLiteEngine, reference: Reference
) -> None:
    stretched(engine, ["logits"], 50)
    every = {operator.index for operator in engine.operators}
    some = match(["light_head"], engine.operators)
    rows = rank(
        engine, "int8", TFLITE, reference, kept=every - some, levels=("module",), both_ways=False
    ).rows
    assert [row.name for row in rows] == ["light_head.classifier", "light_head.fuse"]
    found = search(engine, "int8", TFLITE, reference, 1.0, lambda: rows[::-1], kept=every - some)
    assert [(step.action, step.module, step.fits) for step in found.steps] == [
        ("quantize all", None, False),
        ("keep", "light_head.fuse", False),
        ("keep", "light_head.classifier", True),
        ("quantize again", "light_head.fuse", True),
    ]
    assert found.found.kept_modules == ("light_head.classifier",)
    assert Search.model_validate_json(found.text()) == found


@pytest.mark.usefixtures("restore_ranges")
def test_without_ground_truth_the_agreement_decides(engine: TFLiteEngine, session: Session) -> None:
    drawn = scenes(8, SIZE)
    bare = Images("scenes", drawn.count, lambda place: (drawn.read(place)[0], None))
    reference = Reference(session, bare, TASK.preprocessing, True, None)
    stretched(engine, ["logits"], 50)
    found = found_by(engine, reference, 1.0, "light_head")
    assert found.found.kept_modules == ("light_head.classifier",)
    for step in found.steps:
        assert step.accuracy.difference_points is None
        assert step.fits == (step.accuracy.argmax_agreement >= found.min_agreement)


@pytest.mark.usefixtures("restore_ranges")
def test_a_budget_that_cannot_be_met_is_an_error(
    engine: TFLiteEngine, reference: Reference
) -> None:
    stretched(engine, ["logits"], 50)
    with pytest.raises(SeaformerError, match="above 1 points with every module"):
        search(engine, "int8", TFLITE, reference, 1.0, lambda: ())


def test_the_table_has_a_row_for_each_step(engine: TFLiteEngine, reference: Reference) -> None:
    found = search(engine, "int8", TFLITE, reference, 30.0, no_order, latency=lambda _file: LATENCY)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(steps_table(found))
    (line,) = captured.get().splitlines()[2:]
    assert line.startswith("quantize all")
    assert " 0.50 " in line
    assert "fits" in line


# The page


def steps_of(*losses: float | None) -> Search:
    """Return a search whose steps lose these points (None: no ground truth); the last one fits."""
    steps = []
    for place, loss in enumerate(losses):
        has_truth = loss is not None
        accuracy = Accuracy(
            pictures="scenes <val>",
            count=9,
            sqnr_db=20.0 + place,
            argmax_agreement=0.9 + place / 100,
            reference_score=70.0 if has_truth else None,
            score=None if loss is None else 70.0 - loss,
            difference_points=None if loss is None else -loss,
            interval_points=None if loss is None else (-loss - 0.5, -loss + 0.25),
        )
        step = Step(
            action="keep" if place else "quantize all",
            module=f"head.part{place}" if place else None,
            kept_modules=tuple(f"head.part{other}" for other in range(1, place + 1)),
            accuracy=accuracy,
            bytes=2_000_000 + 50_000 * place,
            latency=LATENCY,
            fits=place == len(losses) - 1,
        )
        steps.append(step)
    return Search(
        kept_as="in floating point",
        keep_option="--keep-float",
        budget_points=1.0,
        min_agreement=0.978,
        steps=tuple(steps),
        found=steps[-1],
    )


LATENCY = Latency(ratio=0.5, interval=(0.4, 0.6), runs=9, threads=1, processor="a computer")


def drawn(found: Search, folder: Path) -> Page:
    write_report(folder / "page.html", found, "tiny <64x64>", "mIoU")
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\(", text)
    assert "tiny &lt;64x64&gt;" in text
    page = Page(text)
    assert_needs_nothing_else(page)
    return page


def test_the_page_shows_accuracy_size_and_latency_of_every_step(tmp_path: Path) -> None:
    found = steps_of(4.0, 2.5, 0.5)
    page = drawn(found, tmp_path)
    words = " ".join(page.text.split())
    assert "2 modules have to stay in floating point" in words
    # The interval of the loss, from 0.25 to 1.00 points, does not contain zero.
    assert "With 2 modules in floating point: 0.50 points of mIoU below fp32" in words
    assert "This file is 2.00x (1.67 to 2.50) as fast as the fp32 file." in words
    for place, step in enumerate(found.steps):
        change, interval = step.accuracy.difference_points, step.accuracy.interval_points
        assert change is not None
        assert interval is not None
        row = (
            f"{step.action}{f' {step.module}' if step.module else ''} {place} {-change:.2f} "
            f"{-interval[1]:.2f} to {-interval[0]:.2f}"
        )
        assert row.replace(" ", "") in words.replace(" ", "")
        assert f"{step.bytes / 1e6:.2f}0.500.40 to 0.60".replace(" ", "") in words.replace(" ", "")
    assert words.count("beyond") == 1 + 2
    assert [kept["class"] for kept in page.all("path") if "dot" in str(kept["class"])] == [
        "dot point", "dot point", "dot fits point",
    ]  # fmt: skip
    assert "--keep-float head.part1" in words


def heights_in(plot: Plot, kind: str) -> list[list[float]]:
    """Return the distances from the top in the path of every mark of a kind."""
    paths = [mark.path for mark in plot.marks if mark.kind.split()[0] == kind]
    return [[float(y) for y in re.findall(r"(?: |V)(-?[\d.]+)", path)] for path in paths]


def test_the_plot_shows_losses_and_the_budget() -> None:
    plot = loss_plot(steps_of(4.0, 2.5, 0.5), "mIoU")
    assert plot.y is not None
    assert (plot.y.low, plot.y.high) == (0, 5)
    assert heights_in(plot, "zero") == [[100]]
    ((limit,),) = heights_in(plot, "limit")
    assert limit == plot.y.below(1.0)
    dots = [y for (y,) in heights_in(plot, "dot")]
    assert [y < limit for y in dots] == [True, True, False]
    for (top, bottom), y in zip(heights_in(plot, "interval"), dots, strict=True):
        assert 0 <= top < y < bottom <= 100
    places = [float(mark.path[1:].split()[0]) for mark in plot.marks if mark.kind.startswith("dot")]
    assert places == sorted(places)
    assert 0 < places[0] < places[-1] < 100


def test_the_page_without_ground_truth_shows_changed_positions(tmp_path: Path) -> None:
    found = steps_of(None, None)
    page = drawn(found, tmp_path)
    assert "2.20 % of positions may change their class" in page.text
    assert "points lost" not in page.text
    plot = loss_plot(found, "mIoU")
    assert plot.y is not None
    assert (plot.y.low, plot.y.high) == (0, 10)


def test_the_page_of_a_file_within_the_budget(tmp_path: Path) -> None:
    page = drawn(steps_of(0.0), tmp_path)
    assert "No module has to stay in floating point" in page.text
    assert "--keep-float" not in page.text.partition("Search method")[0]


# Latency relative to fp32


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.slow
def test_a_file_is_as_fast_as_itself(shapes_export: Path, suffix: str) -> None:
    """Only properties of the time that also hold on a busy computer are asserted."""
    from seaformer.artifact.precisions import format_of

    file = shapes_export / f"seaformer_tiny_shapes_128x128_fp32{suffix}"
    latency = measure_latency(file.read_bytes(), file.read_bytes(), format_of(file.name))
    assert latency.runs == 30
    assert latency.threads == 1
    assert latency.interval[0] <= latency.ratio <= latency.interval[1]
    assert np.isfinite(latency.interval).all()
    assert latency.processor.endswith(")")


def test_a_quantized_file_can_be_timed(engine: TFLiteEngine) -> None:
    assert measure_latency(engine.model, engine.quantize("int8"), TFLITE).ratio > 0


def test_a_failed_benchmark_has_a_reason(engine: TFLiteEngine) -> None:
    with pytest.raises(SeaformerError, match=r"quantized\.tflite.*Command: seaformer-benchmark"):
        measure_latency(engine.model, b"no model", TFLITE)
