"""NPU cycles by block, from two profiles of Qualcomm's emulator; and invalid profiles.

The profiles are of the trained Tiny at 128x128, compiled for SM8650: one run of the fp32 file, and
two runs of the w8a8 file with 16-bit activations in `WIDE_MODULES`.
"""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from exporting import assert_one_line
from locations import SAMPLES
from onnx_engines import engine_of, images

from seaformer.benchmark.breakdown.npu_modules import break_down
from seaformer.benchmark.breakdown.onnx_graph import OnnxGraph
from seaformer.benchmark.breakdown.qnn_profile import read_qnn_profile
from seaformer.benchmark.results.npu_breakdown import NpuBreakdown
from seaformer.errors import SeaformerError
from seaformer.export.quantize.module_patterns import match
from seaformer.quantization.ranges import choose

PROFILES = SAMPLES / "npu"
SINGLE = PROFILES / "shapes_128_fp32_SM8650.csv"
MIXED = PROFILES / "shapes_128_w8a8_mixed_SM8650.csv"
WIDE_MODULES = ("context_branch.stage5", "light_head")
BENCHMARK = Path(sys.executable).with_name("seaformer-benchmark")
RUN = "Accelerator (execute) time (cycles)"


@pytest.fixture(scope="module")
def single(shapes_export: Path) -> Path:
    return shapes_export / "seaformer_tiny_shapes_128x128_fp32.onnx"


@pytest.fixture(scope="module")
def mixed(single: Path, tmp_path_factory: pytest.TempPathFactory) -> NpuBreakdown:
    engine = engine_of(single)
    engine.ranges = choose(engine.observe(images(1)), "min-max")
    data = engine.quantize("w8a8", match(WIDE_MODULES, engine.operators))
    file = tmp_path_factory.mktemp("mixed") / "mixed.onnx"
    file.write_bytes(data)
    graph = OnnxGraph(file, engine.map_operators(data))
    return break_down(graph, read_qnn_profile(MIXED), file, MIXED, {})


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [BENCHMARK, "npu-profile", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def cycles_of(breakdown: NpuBreakdown) -> dict[str, float]:
    return {row.path: row.cycles for row in breakdown.rows}


def lines_of(profile: Path) -> list[dict[str, str]]:
    with profile.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def assert_adds_up(breakdown: NpuBreakdown) -> None:
    for row in breakdown.rows:
        parts = [other for other in breakdown.rows if other.parent == row.path]
        if parts:
            assert sum(part.cycles for part in parts) == pytest.approx(row.cycles), row.path
            assert sum(part.events for part in parts) == row.events, row.path


def test_every_cycle_is_in_one_row(single: Path, tmp_path: Path) -> None:
    output = tmp_path / "cycles.json"
    done = run(single, SINGLE, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Cycles are not latency" in done.stdout
    assert " ms" not in done.stdout
    found = NpuBreakdown.model_validate_json(output.read_text(encoding="utf-8"))
    (total,) = (int(line["Time"]) for line in lines_of(SINGLE) if line["Event Identifier"] == RUN)
    assert (found.rows[0].cycles, found.rows[0].share, found.unknown) == (total, 1.0, ())
    assert_adds_up(found)
    rows = {row.path: row for row in found.rows}
    assert rows["stem.stage1.0"].title == "MobileNetV2 block 1"
    assert (rows["(inserted: Transpose)"].events, rows["(transfer: Input)"].events) == (10, 1)
    assert run(single, SINGLE, "--output", output).returncode == 2
    table = tmp_path / "cycles.csv"
    assert run(single, SINGLE, "--output", table).returncode == 0
    assert [row["path"] for row in lines_of(table)] == list(rows)


def test_a_block_has_its_convolutions_and_activations(single: Path) -> None:
    """The NPU computes an activation with its convolution, and reports either name."""
    graph = OnnxGraph(single, engine_of(single).operators)
    found = cycles_of(break_down(graph, read_qnn_profile(SINGLE), single, SINGLE, {}))
    names = {line["Event Identifier"]: int(line["Time"]) for line in lines_of(SINGLE)}
    begins = "/stem/stage1.1/"
    own = [cycles for name, cycles in names.items() if name.startswith(begins)]
    assert len(own) == 5
    assert 0 in own
    assert found["stem.stage1.1"] == sum(own)
    assert "stem.stage1.1.expand" not in found


def test_runs_are_averaged_and_conversions_belong_to_the_producer_of_the_tensor(
    mixed: NpuBreakdown,
) -> None:
    assert (mixed.runs, mixed.partitions, mixed.unknown) == (2, 1, ())
    assert_adds_up(mixed)
    lines = lines_of(MIXED)
    wholes = [int(line["Time"]) for line in lines if line["Event Identifier"] == RUN]
    assert mixed.rows[0].cycles == pytest.approx(sum(wholes) / 2)
    # Between 8 and 16 bits the compiler converts a tensor for its consumer.
    (name,) = {
        line["Event Identifier"]
        for line in lines
        if line["Event Identifier"].startswith("/context_branch/stage4/blocks.1/Add_1_output_0_")
    }
    own = [
        int(line["Time"])
        for line in lines
        if line["Event Identifier"] == name
        or line["Event Identifier"].startswith("/context_branch/stage4/blocks.1/Add")
    ]
    paths = cycles_of(mixed)
    assert paths["context_branch.stage4.blocks.1.(own)"] == pytest.approx(sum(own) / 2)


def test_an_event_without_a_node_is_named(single: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.csv"
    text = SINGLE.read_text(encoding="utf-8")
    strange.write_text(text.replace("Output OpId_3", "spill\x1b[2J OpId_3"), encoding="utf-8")
    done = run(single, strange)
    assert done.returncode == 0
    assert "Not named after a node of the file: 'spill\\x1b[2J OpId_3 (cycles)'" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 2 .* lacks a column Message"),
        ("", "has no node events.*profiling_level=detailed"),
        ("{head}0,BACKEND,5,CYCLES,BACKEND,ROOT,{run}\n", "has no node events"),
        (
            "{head}0,BACKEND,5,CYCLES,BACKEND,ROOT,{run}\n0,NODE,-5,CYCLES,BACKEND,ROOT,a\n",
            "line 3 .* has '-5' 'CYCLES' for a node",
        ),
        (
            "{head}0,BACKEND,5,CYCLES,BACKEND,ROOT,{run}\n0,NODE,5,CYCLES,BACKEND,ROOT,a/b:OpId_1\n",
            "is not a profile of",
        ),
        (b"\xff\xfe\x00", "it is not a CSV"),
    ],
)
def test_invalid_profiles_are_refused(
    text: str | bytes, message: str, single: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "profile.csv"
    if isinstance(text, str):
        head = SINGLE.read_text(encoding="utf-8").splitlines()[0] + "\n"
        text = text.format(head=head, run=RUN).encode()
    profile.write_bytes(text)
    graph = OnnxGraph(single, engine_of(single).operators)
    with pytest.raises(SeaformerError, match=message):
        break_down(graph, read_qnn_profile(profile), single, profile, {})


def test_files_that_cannot_be_broken_down(single: Path, tmp_path: Path) -> None:
    compiled = tmp_path / "compiled.onnx"
    compiled.write_bytes(b"EPContext")
    for arguments, status, message in (
        ((single, tmp_path / "none.csv"), 1, "none.csv' cannot be read"),
        ((tmp_path / "none.onnx", SINGLE), 1, "there is no model file"),
        ((tmp_path / "model.tflite", SINGLE), 2, "Allowed: the .onnx"),
        ((compiled, SINGLE), 2, "is compiled"),
        (
            (single, SINGLE, "--output", tmp_path / "cycles.txt"),
            2,
            "a name ending in .csv or .json",
        ),
    ):
        assert_one_line(run(*arguments), status, message)
