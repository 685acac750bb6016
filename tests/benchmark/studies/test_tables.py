"""--table: interleaved settings and models, paired ratios, and their results.json."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from benchmark_parts import (
    WRONG,
    HotComputer,
    candidate,
    make_results,
    measure,
    measured_rounds,
    times_around,
)
from click.testing import CliRunner, Result
from exporting import write_networks
from small_models import write_painter

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.cli import main
from seaformer.benchmark.devices.cores import CoreChoice, Setting
from seaformer.benchmark.devices.device import Core
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.presentation.paper_table import COLUMNS, paper_table
from seaformer.benchmark.results.rounds import pair_ratios
from seaformer.benchmark.results.schema import (
    Accuracy,
    CoresUsed,
    InputUsed,
    ModelFacts,
    Results,
    read_results,
)
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.benchmark.studies.study import Export
from seaformer.benchmark.studies.tables.arrangement import TRAITS, arrange
from seaformer.benchmark.studies.tables.scores import score_trained
from seaformer.benchmark.studies.tables.table_study import TableStudy, settings_of
from seaformer.cli.evaluate import main as evaluate
from seaformer.datasets.shapes import write
from seaformer.errors import SeaformerError, UsageError
from seaformer.own_commands import run_command
from seaformer.tasks import get_task

KHZ = {0: 1_804_800, 1: 1_804_800, 2: 1_804_800, 3: 1_804_800, 4: 2_419_200, 5: 2_419_200,
       6: 2_419_200, 7: 2_841_600}  # fmt: skip
SNAPDRAGON_865 = tuple(Core(core, khz) for core, khz in KHZ.items())

needs_two_cores = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="a table of threads needs two cores"
)


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def tflite(users_export: Path) -> Path:
    return next(users_export.glob("*.tflite"))


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Export the network of a user at two sizes, as a table does; return the larger one first."""
    folder = tmp_path_factory.mktemp("sizes")
    write_networks(folder)
    messages: list[str] = []
    arguments = ["--model", "my_networks:make_network", "--task", "cityscapes", "--format", "onnx"]
    out = str(folder / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exported = run_command(
            "seaformer-export",
            [*arguments, "--input-size", "96x128", "--input-size", "64", "--output", out],
            messages.append,
        )
    assert "trace to ONNX" in messages
    assert [path.suffix for path in exported] == [".onnx", ".onnx"]
    assert sorted(exported) == sorted((folder / "out").glob("*.onnx"))
    return tuple(sorted(exported, key=lambda path: "64x64" in path.name))


@pytest.fixture(scope="module")
def threads(tflite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a benchmark of threads on this computer."""
    folder = tmp_path_factory.mktemp("threads")
    result = command(tflite, "--table", "threads", "--runs", "8", "--output", folder,
                     "--device", "host")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "speed-up" in result.stdout
    return folder


@needs_two_cores
@pytest.mark.slow
def test_settings_are_interleaved_in_separate_processes(threads: Path) -> None:
    results = read_results(threads)
    counts = [model.threads for model in results.models]
    assert counts == [count for count in (1, 2, 4, 8) if count <= len(os.sched_getaffinity(0))]
    measured = [one for one in results.rounds if one.purpose == "measure"]
    turns: dict[int | None, list[str]] = {}
    for one in measured:
        assert one.header is not None
        (loaded,) = one.loaded
        model = next(model for model in results.models if model.id == loaded.id)
        assert one.header.threads == model.threads
        assert model.cores is not None
        assert set(one.header.cpus) == set(model.cores.cores)
        turns.setdefault(one.turn, []).append(loaded.id)
    ids = [model.id for model in results.models]
    assert all(sorted(turn) == ids for turn in turns.values())
    assert None not in turns
    assert len(turns) == 8
    assert len({tuple(turn) for turn in turns.values()}) > 1  # in random order


@needs_two_cores
@pytest.mark.slow
def test_ratios_of_settings_are_paired_by_round(threads: Path) -> None:
    results = read_results(threads)
    medians: dict[tuple[str, int | None], float] = {}
    for one in results.rounds:
        if one.purpose == "measure":
            (block,) = one.blocks
            medians[block.model, one.turn] = float(np.median(block.durations_ns))
    pairs = [medians["m1", turn] / medians["m0", turn] for _, turn in medians if _ == "m0"]
    ratio = results.ratio("m1", "m0")
    assert ratio is not None
    assert ratio.value == pytest.approx(np.median(pairs))
    assert ratio.interval is not None


@needs_two_cores
def test_every_number_has_its_threads_and_cores(threads: Path) -> None:
    results = read_results(threads)
    with (threads / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["threads"] for row in rows] == [str(model.threads) for model in results.models]
    assert all(int(row["core_mask"], 16) for row in rows)
    page = (threads / "report.html").read_text()
    assert "@ 2 threads on" in page
    assert page.index(">Threads</h2>") < page.index(">Conditions</h2>")


@needs_two_cores
def test_the_report_is_rendered_from_the_results_alone(threads: Path, tmp_path: Path) -> None:
    moved = tmp_path / "results.json"
    moved.write_bytes((threads / "results.json").read_bytes())
    result = command("report", moved)
    assert result.exit_code == 0, result.stderr
    again, first = ((folder / "report.html").read_text() for folder in (tmp_path, threads))
    start, end = 'h2 id="b0-table"', 'aria-labelledby="conditions"'
    section = first[first.index(start) : first.index(end)]
    assert section in again
    assert "efficiency" in section


class HotInTheFirstRound(HotComputer):
    """Throttles in the first measured round, and has cooled down at the next check."""

    @staticmethod
    def _statuses(rounds: int) -> Iterator[int]:
        yield from (0, 0, 0, 0)  # before the work, after two checks, before the first round
        yield from (2,) * rounds
        while True:
            yield 0


@needs_two_cores
def test_a_throttled_round_is_repeated(tflite: Path, tmp_path: Path) -> None:
    device, cores = HotInTheFirstRound(1), sorted(os.sched_getaffinity(0))
    options = {"table": "threads", "cores": f"{cores[0]},{cores[1]}", "runs": 2}
    (results,) = measure([tflite], [device], tmp_path, **options).results
    assert results.complete
    turns: dict[int | None, list[bool]] = {}
    for one in results.rounds:
        if one.purpose == "measure":
            turns.setdefault(one.turn, []).append(one.used)
    assert turns == {1: [False], 2: [True, True], 3: [True, True]}
    for model in results.models:
        assert model.latency is not None
        assert model.latency.run is not None
        assert model.latency.run.runs == 2


def test_drift_between_rounds_cancels() -> None:
    """Every round is slower than the previous one; within each, one setting takes twice as long."""
    one, other = candidate(0, "a"), candidate(1, "a")
    drift = np.linspace(10, 30, 10)[:, None] * np.ones((1, 5))
    rounds = [
        round.model_copy(update={"index": 2 * round.index + place, "turn": round.index})
        for place, (model, factor) in enumerate((("m0", 1), ("m1", 2)))
        for round in measured_rounds({model: factor * drift})
    ]
    (pair,) = pair_ratios((one.id, other.id), rounds, 0)
    assert pair.ratio.value == pytest.approx(2)
    assert pair.ratio.interval is not None
    assert pair.ratio.interval.high == pytest.approx(2)
    alone = [round.model_copy(update={"turn": None}) for round in rounds]
    assert pair_ratios((one.id, other.id), alone, 0) == ()  # rounds of different models do not pair


def test_results_of_versions_without_tables_are_read(tmp_path: Path) -> None:
    results = make_results([candidate(0, "a.tflite")], {"m0": times_around(20, 0)})
    data = json.loads(results.text())
    del data["table"]
    for one in data["rounds"]:
        del one["turn"]
    for model in data["models"]:
        del model["threads"], model["cores"], model["facts"]["accuracy"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(data))
    assert read_results(path) == results


@pytest.mark.slow
def test_a_table_of_sizes(sizes: tuple[Path, ...], tmp_path: Path) -> None:
    (results,) = measure(sizes, [Host()], tmp_path, table="sizes", runs=6).results
    assert [model.input.size for model in results.models] == [(64, 64), (96, 128)]
    table = paper_table(results)
    assert table is not None
    cells = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    assert [row["input"] for row in cells] == ["64x64", "96x128"]
    for row, model in zip(cells, results.models, strict=True):
        assert model.latency is not None
        assert model.facts.macs is not None
        assert model.input.size is not None
        gflops = 2 * model.facts.macs / 1e9 / (model.latency.typical_ms / 1e3)
        assert float(row["GFLOP/s"]) == pytest.approx(gflops, abs=0.06)
        pixels = model.input.size[0] * model.input.size[1]
        assert float(row["ms/Mpixel"]) == pytest.approx(
            model.latency.typical_ms / pixels * 1e6, rel=0.01
        )
    assert cells[0]["ratio [95 %]"] == "1"
    ratio = results.ratio("m1", "m0")
    assert ratio is not None
    assert cells[1]["ratio [95 %]"].startswith(f"{ratio.value:.3f} [")


@needs_two_cores
@pytest.mark.slow
def test_a_table_without_models_exports_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    options = ("--table", "threads", "--backend", "onnxruntime", "--device", "host", "--runs", "2")
    result = command(*options, "--output", folder)
    assert result.exit_code == 0, result.stderr
    (model,) = (folder / "models").glob("*.onnx")
    assert model.name == "seaformer_tiny_ade20k_512x512_fp32.onnx"
    assert "export: tiny: verify onnx fp32" in result.stderr
    results = read_results(folder)
    assert {model.file for model in results.models} == {str(model)}
    again = command(*options, "--output", folder)
    assert again.exit_code == 2
    (folder / "results.json").unlink()
    (folder / "results.csv").unlink()
    (folder / "report.html").unlink()
    again = command(*options, "--output", folder)
    assert again.exit_code == 2
    assert "models' exists" in again.stderr


def phone_settings(name: str, cores: str | None = None, threads: int = 1) -> list[tuple[int, str]]:
    found = settings_of(KINDS[name], "R58", SNAPDRAGON_865, cores, threads)
    return [(one.threads, one.cores.name) for one in found]


def test_the_settings_of_a_phone() -> None:
    assert phone_settings("cores") == [(1, "prime"), (1, "big"), (1, "little")]
    assert phone_settings("threads") == [
        (1, "prime"), (2, "prime+big"), (4, "prime+big"), (8, "prime+big+little"),
    ]  # fmt: skip
    assert phone_settings("threads", cores="little") == [
        (1, "little"), (2, "little"), (4, "little"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="2 threads do not fit on 1 core"):
        phone_settings("cores", threads=2)
    with pytest.raises(UsageError, match="has one core in --cores prime"):
        phone_settings("threads", cores="prime")


def test_one_class_of_cores_gives_no_table(tflite: Path, tmp_path: Path) -> None:
    alike = [Core(core, None) for core in range(4)]
    with pytest.raises(UsageError, match=r"reports only one class of cores.*nothing to compare"):
        settings_of(KINDS["cores"], "host", alike, None, 1)
    if len({core.max_khz for core in Host().facts().cores}) == 1:
        folder = tmp_path / "out"
        result = command(tflite, "--table", "cores", "--device", "host", "--output", folder)
        assert result.exit_code == 2
        assert "one class of cores" in result.stderr
        assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--table precison", "Did you mean 'precision'"),
        ("--table threads {m} --backend benchmark_model --binary {m}", "needs our runner"),
        ("--table threads {m} {m}", "one file with several settings, but 2 were given"),
        ("--table precision {m}", "only one was given"),
        ("--table threads --threads 2", "--threads cannot be combined with --table threads"),
        ("--table cores --cores big", "--cores cannot be combined with --table cores"),
        ("--table threads {m} --breakdown", "--breakdown cannot be combined with --table threads"),
        ("--table sizes {m} {m} --variant tiny", "--variant cannot be combined with --table sizes"),
        ("--table variants --variant tiny", "--variant cannot be combined with --table variants"),
        ("--table sizes --variant tniy", "Did you mean 'tiny'"),
        ("{m} --variant tiny", "--variant is only for a --table"),
        ("--table sizes {m} {m} --device host", "have the same input size, 100x144"),
        ("--table threads --backend litrt", "Did you mean 'litert'"),
    ],
)
def test_bad_requests_are_one_line(
    arguments: str, message: str, tflite: Path, tmp_path: Path
) -> None:
    words = [word.format(m=tflite) for word in arguments.split()]
    result = command(*words, "--output", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("error: ") == 1
    assert not (tmp_path / "out").exists()


def model(number: int, precision: str = "fp32", **changes: object):
    """Return a file of Tiny with changed metadata."""
    plain = candidate(number, f"{number}.tflite", precision)
    facts = plain.facts.model_copy(update={"name": "seaformer_tiny_ade20k"} | changes)
    return replace(plain, facts=facts)


def test_files_that_differ_in_more_than_the_setting_are_refused() -> None:
    kind = KINDS["precision"]
    with pytest.raises(
        UsageError, match=r"has network seaformer_tiny_ade20k, but '1\.tflite' other"
    ):
        arrange(kind, [model(0), model(1, "int8", name="other")])
    with pytest.raises(UsageError, match="have the same precision, int8"):
        arrange(kind, [model(0), model(1, "int8"), model(2, "int8")])
    with pytest.raises(UsageError, match="the fp32 file"):
        arrange(kind, [model(0, "fp16"), model(1, "int8")])
    with pytest.raises(UsageError, match=r"'1\.tflite' has no metadata about its precision"):
        arrange(kind, [model(0), model(1, "unknown")])
    with pytest.raises(UsageError, match="no metadata about its network"):
        arrange(KINDS["variants"], [model(0), model(1, name=None)])


def test_files_are_sorted_in_the_order_of_the_table() -> None:
    files = [model(0, "int8"), model(1, "fp16"), model(2)]
    arranged = arrange(KINDS["precision"], files)
    assert [(one.id, one.precision) for one in arranged] == [
        ("m0", "fp32"), ("m1", "fp16"), ("m2", "int8"),
    ]  # fmt: skip
    variants = [model(0, name="b", macs=9), model(1, name="a", macs=2)]
    assert [one.facts.name for one in arrange(KINDS["variants"], variants)] == ["a", "b"]


def test_the_tables_agree_with_the_registries() -> None:
    for name, kind in KINDS.items():
        assert name == kind.name
        assert set(kind.columns) <= set(COLUMNS)
        assert set(kind.alike) <= set(TRAITS)
        assert kind.has_settings or kind.is_of_accelerators or kind.varies in TRAITS
    for backend, format in (("litert", "tflite"), ("onnxruntime", "onnx")):
        (planned,) = TableStudy(Options(command="", table="precision", backend=backend)).plan()
        (export,) = planned.models
        assert isinstance(export, Export)
        precisions = [value for name, value in pairwise(export.arguments) if name == "--precision"]
        assert precisions == [
            name for name, row in PRECISIONS.items() if format in row.formats and not row.for_npu
        ]


SCENES = Accuracy(
    reference="the fp32 file", inputs="500 scenes", agreement=0.991, score=69.97,
    score_inputs="500 scenes", reference_score=70.02, difference_points=-0.05,
    low_points=-0.11, high_points=0.0,
)  # fmt: skip
FEWER_SCENES = SCENES.model_copy(
    update={"inputs": "50 of 500 scenes", "score_inputs": "50 of 500 scenes", "agreement": 0.998}
    | {"score": 70.42, "reference_score": 70.40, "difference_points": 0.02, "high_points": 0.09}
)


def precision_results(*more: tuple[str, Accuracy], **changes: object) -> Results:
    models = [candidate(0, "tiny_fp32.tflite")]
    for place, (name, accuracy) in enumerate((("int8", SCENES), *more), start=1):
        one = candidate(place, f"tiny_{name}.tflite", name)
        facts = one.facts.model_copy(update={"accuracy": accuracy})
        models.append(replace(one, facts=facts))
    times = {one.id: times_around(20 + 4 * place, place) for place, one in enumerate(models)}
    return make_results(models, times, table="precision", **changes)


def test_a_table_of_precisions() -> None:
    results = precision_results()
    table = paper_table(results)
    assert table is not None
    first, second = (dict(zip(table.headings, row, strict=True)) for row in table.rows)
    assert (first["precision"], first["mIoU, %"], first["agrees, %"]) == ("fp32", "70.02", "-")
    assert (second["mIoU, %"], second["points [95 %]"]) == ("69.97", "-0.05 [-0.11, +0.00]")
    assert second["agrees, %"] == "99.10"
    assert second["ratio [95 %]"].startswith("1.2")
    assert "mIoU: on 500 scenes." in table.notes
    assert any("is slower than tiny_fp32.tflite" in warning for warning in results.warnings)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_column_of_accuracy_is_of_one_set_of_images(is_first: bool) -> None:
    parity = Accuracy(reference="PyTorch", inputs="photograph; white", agreement=1.0)
    others = (("fp16", parity), ("int16x8", FEWER_SCENES), ("dynamic-int8", SCENES))
    table = paper_table(precision_results(*(others if is_first else reversed(others))))
    assert table is not None
    rows = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    columns = ("mIoU, %", "points [95 %]", "agrees, %")
    cells = {name: tuple(row[column] for column in columns) for name, row in rows.items()}
    assert cells == {
        "fp32": ("70.02", "-", "-"),
        "fp16": ("unknown", "-", "other images"),
        "int8": ("69.97", "-0.05 [-0.11, +0.00]", "99.10"),
        "int16x8": ("other images", "other images", "other images"),
        "dynamic-int8": ("69.97", "-0.05 [-0.11, +0.00]", "99.10"),
    }
    assert (
        "int16x8 has 70.42 % mIoU on 50 of 500 scenes, where fp32 has 70.40 %: "
        "+0.02 [-0.11, +0.09] points."
    ) in table.notes
    assert (
        "fp16 agrees with PyTorch at 100.00 % of the positions, on photograph; white."
        in table.notes
    )


def test_equally_named_sets_of_images_are_distinguished_by_the_fp32_score() -> None:
    elsewhere = SCENES.model_copy(update={"reference_score": 55.5, "score": 55.4})
    table = paper_table(precision_results(("int16x8", elsewhere), ("w8a8", SCENES)))
    assert table is not None
    column = table.headings.index("mIoU, %")
    assert [row[column] for row in table.rows] == ["70.02", "69.97", "other images", "69.97"]


def test_files_are_scored_on_the_same_scenes(tmp_path: Path) -> None:
    """The accuracy in their metadata, which is for other images, is replaced."""
    task = get_task("shapes")
    walls, discs = (
        write_painter(tmp_path / f"{name}.onnx", task, classes)
        for name, classes in (("walls", (0, 0, 1)), ("discs", (2, 1, 0)))
    )
    facts = ModelFacts(name="painter", task=task.name, is_random=False)
    files = [
        replace(candidate(place, str(path), precision), facts=facts)
        for place, (path, precision) in enumerate(
            ((walls, "fp32"), (walls, "fp16"), (discs, "int16x8"))
        )
    ]
    files[2] = replace(files[2], facts=facts.model_copy(update={"accuracy": FEWER_SCENES}))
    messages: list[str] = []
    fp32, same, other = score_trained(files, messages.append, scenes=4)
    assert messages[0] == "evaluating fp16, int16x8"
    assert fp32 == files[0]
    first, second = same.facts.accuracy, other.facts.accuracy
    assert first is not None
    assert second is not None
    assert first.inputs == second.inputs == first.score_inputs == second.score_inputs
    assert first.inputs == "4 procedural scenes (val)"
    assert (first.agreement, first.difference_points) == (1.0, 0.0)
    assert (first.low_points, first.high_points) == (0.0, 0.0)
    assert second.reference_score == first.reference_score == first.score

    write(tmp_path / "scenes", 1, validation=4)
    options = ["--data", str(tmp_path / "scenes"), "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(evaluate, [str(discs), *options])
    assert done.exit_code == 0, done.output
    (model,) = json.loads((tmp_path / "report" / "results.json").read_text())["models"]
    assert second.score == pytest.approx(100 * model["scores"]["miou"])
    assert second.difference_points == pytest.approx(second.score - first.score)
    assert second.low_points <= second.difference_points <= second.high_points


def test_wrong_and_emulated_times_are_not_shown_as_latency() -> None:
    wrong = paper_table(precision_results(parities={"m1": WRONG}))
    assert wrong is not None
    assert (wrong.rows[1][1], wrong.rows[1][2]) == ("WRONG OUTPUT", "-")
    emulated = paper_table(precision_results(emulated=True))
    assert emulated is not None
    assert emulated.headings[1] == "emulated, NO LATENCY"
    assert [row[2] for row in emulated.rows] == ["-", "-"]
    sizes = paper_table(precision_results(emulated=True).model_copy(update={"table": "variants"}))
    assert sizes is not None
    column = sizes.headings.index("GFLOP/s")
    assert {row[column] for row in sizes.rows} == {"-"}


def test_published_latencies_are_next_to_the_variants() -> None:
    shape = InputUsed(
        source="photograph", name="x", dtype="float32", shape=(1, 512, 512, 3), sha256=None
    )
    variants = [
        replace(
            model(number, variant=name, name=f"seaformer_{name}_ade20k", macs=macs, params=macs),
            input=shape,
        )
        for number, (name, macs) in enumerate((("tiny", 10**9), ("base", 3 * 10**9)))
    ]
    times = {"m0": times_around(20, 0), "m1": times_around(60, 1)}
    table = paper_table(make_results(variants, times, table="variants"))
    assert table is not None
    rows = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    assert [row["paper ms"] for row in rows] == ["40", "106"]
    assert [row["paper ratio"] for row in rows] == ["1.00", "2.65"]
    assert [row["model"] for row in rows] == ["tiny", "base"]
    assert any("arXiv 2301.13156" in note for note in table.notes)


def test_efficiency_is_speedup_per_thread() -> None:
    cores = CoresUsed(name="big", cores=(4, 5), mask="30", max_khz={})
    choice = CoreChoice("big", (4, 5))
    both = [
        replace(candidate(place, "a.tflite"), setting=Setting(place + 1, choice))
        for place in range(2)
    ]
    results = make_results(both, {"m0": times_around(30, 0, 0), "m1": times_around(20, 1, 0)})
    models = tuple(
        one.model_copy(update={"threads": place + 1, "cores": cores})
        for place, one in enumerate(results.models)
    )
    results = results.model_copy(update={"models": models, "table": "threads"})
    table = paper_table(results)
    assert table is not None
    assert table.rows[1] == (
        "2", "big (core 4-5)", "20.00 [20.00, 20.00]", "0.667 [0.667, 0.667]",
        "1.500 [1.500, 1.500]", "75 %",
    )  # fmt: skip
    assert results.models[1].label == "a.tflite @ 2 threads on big"


def test_the_error_of_a_failed_export_matches_the_command(tmp_path: Path) -> None:
    with pytest.raises(SeaformerError, match=r"unknown variant 'tniy'. Did you mean 'tiny'.*seaf"):
        run_command(
            "seaformer-export",
            ["--variant", "tniy", "--output", str(tmp_path)],
            lambda _: None,
        )
    assert not list(tmp_path.iterdir())


def test_a_command_imports_nothing_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('not click')")
    monkeypatch.chdir(tmp_path)
    run_command("seaformer-export", ["--help"], lambda _: None)


def test_an_interrupted_export_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from seaformer.own_commands import run_command\n"
        "run_command('seaformer-export', ['--variant', 'tiny', '--output', 'out'],\n"
        "            lambda text: print(text, flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "create the model\n"
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not list(tmp_path.glob("out/*"))
