"""`--table accelerators`: its rows, reasons for rows that are not run, and the fastest one."""

import csv
import re
from pathlib import Path

import onnx
import pytest
from benchmark_parts import times_around
from click.testing import CliRunner, Result
from locations import SAMPLES

from seaformer.artifact.accelerators import CPU, GPU, NPU
from seaformer.benchmark.cli import main
from seaformer.benchmark.studies.accelerators.accelerators_page import write_accelerators_page
from seaformer.benchmark.studies.accelerators.accelerators_results import (
    AcceleratorResults,
    AcceleratorRow,
)
from seaformer.benchmark.studies.accelerators.accelerators_rows import ROWS
from seaformer.runtimes.graphics_driver import find_driver
from seaformer.statistics.bootstrap import summarize

MODEL = SAMPLES / "accelerator_faults" / "argmax_int32.tflite"


def table(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--table", "accelerators"])


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """Write a file that looks like one compiled for an NPU."""
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3])
        for name in ("x", "y")
    ]
    node = onnx.helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft")
    graph = onnx.helper.make_graph([node], "compiled", ends[:1], ends[1:])
    file = tmp_path / "compiled.onnx"
    onnx.save(onnx.helper.make_model(graph), file)
    return file


@pytest.mark.usefixtures("gpu")
def test_supported_rows_are_measured_and_the_others_have_a_reason(tmp_path: Path) -> None:
    done = table(MODEL, "--device", "host", "--runs", 2, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    document = tmp_path / "out" / "accelerators.json"
    results = AcceleratorResults.model_validate_json(document.read_text())
    assert [row.title for row in results.rows] == [row.title for row in ROWS]
    rows = dict(zip((row.name for row in ROWS), results.rows, strict=True))
    cpu, gpu = rows["cpu-1"], rows["gpu-single"]
    assert (cpu.backend, gpu.backend) == ("litert", "litert-gpu")
    assert cpu.latency is not None
    assert cpu.coverage is None
    # Chromium's driver computes on the CPU.
    driver = find_driver()
    assert driver is not None
    assert (gpu.latency is None) == driver.is_software
    assert str(gpu.coverage) == "all"
    assert gpu.parity is not None
    assert gpu.parity.passed
    assert "--accelerator npu --soc CHIP" in str(rows["npu"].not_run)
    if not driver.computes_half:
        assert "single precision only" in str(rows["gpu-half"].not_run)
    assert results.fastest in (cpu, rows["cpu-4"])
    for row in results.rows:
        assert row.title in done.stdout.replace("\n", " ")
        if row.not_run is not None:
            assert f"not run: {row.title}: {row.not_run}" in done.stdout
    with (tmp_path / "out" / "accelerators.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["title"] for line in lines] == [row.title for row in results.rows]
    assert [line["energy_mj"] for line in lines] == [""] * len(lines)
    assert (tmp_path / "out" / "gpu-single" / "results.json").is_file()
    assert "computes on the processor" in (tmp_path / "out" / "accelerators.html").read_text()


def test_files_are_assigned_to_the_rows_that_support_them(compiled: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.onnx"
    content = onnx.load(compiled)
    content.graph.node[0].op_type = "Relu"
    content.graph.node[0].domain = ""
    onnx.save(content, plain)
    found = {
        file: [row.backend(file) and row.backend(file).name for row in ROWS]
        for file in (MODEL, plain, compiled, "seaformer-tiny")
    }
    litert = ["litert", "litert", "litert-gpu", "litert-gpu", None]
    assert found == {
        MODEL: litert,
        "seaformer-tiny": litert,
        plain: ["onnxruntime", "onnxruntime", None, None, None],
        compiled: [None, None, None, None, "onnxruntime-qnn"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend", "litert"), "--backend cannot be combined with --table accelerators"),
        (("--threads", "2"), "--threads cannot be combined with --table accelerators"),
        (("--half",), "--half cannot be combined with"),
        (("--breakdown",), "--breakdown cannot be combined with"),
        (("--variant", "small"), "--variant cannot be combined with MODEL"),
    ],
)
def test_options_determined_by_the_rows_are_refused(
    arguments: tuple[str, ...], message: str
) -> None:
    done = table(MODEL, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_the_plot_has_a_bar_for_every_correct_output(tmp_path: Path) -> None:
    def row(title: str, accelerator: str, median_ms: float | None) -> AcceleratorRow:
        latency = None if median_ms is None else summarize(list(times_around(median_ms, 0)), 0)
        common = {"file": "a.tflite", "precision": "fp32", "backend": "b", "results": "r.json"}
        return AcceleratorRow(title=title, accelerator=accelerator, latency=latency, **common)

    rows = (row("CPU", CPU, 40.0), row("GPU", GPU, 4.0), row("NPU", NPU, None))
    results = AcceleratorResults(
        created_at="2026-01-01T00:00:00Z", command="c", conditions="d", emulated=False,
        warnings=(), rows=rows,
    )  # fmt: skip
    assert results.fastest == rows[1]
    write_accelerators_page(tmp_path / "page.html", results)
    page = (tmp_path / "page.html").read_text()
    assert page.count('class="field stack plot"') == 2
    headings = re.findall(r'<th scope="col"[^>]*>([^<]*)', page)
    assert headings == ["accelerator", "ms [95 %]", "parity"]  # others have no value
    assert re.search(r"<p>GPU is 10\.00x \(9\.\d\d to 10\.\d\d\) as fast as CPU\.</p>", page)
