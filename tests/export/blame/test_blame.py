"""`seaformer-export --blame`: operators that the GPU, OpenVINO or XNNPACK computes differently."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from exporting import assert_one_line, names, run_export
from locations import SAMPLES
from sampling import sampled
from small_tflite import SmallModel

from seaformer.console import Console
from seaformer.export.blame_command import blame
from seaformer.extraction.differences import ACCUMULATED, EXACT, compare
from seaformer.extraction.extractor import Extractor
from seaformer.extraction.graph_description import GraphTensor
from seaformer.runtimes import open_session

FAULTS = SAMPLES / "accelerator_faults"
FP32 = "seaformer_tiny_shapes_128x128_fp32.tflite"


def search(target: str, file: Path, output: Path) -> tuple[bool, list[dict[str, Any]], str]:
    """Return whether nothing differs, the faults in the report, and the printed output."""
    printed = io.StringIO()
    is_clean = blame(target, file, output, False, Console(file=printed, width=200))
    report = output / f"{file.stem}_blame_{target}" / "blame.json"
    assert report.exists() != is_clean
    faults = [] if is_clean else json.loads(report.read_text())["faults"]
    return is_clean, faults, printed.getvalue()


def culprits(faults: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return sorted((one["index"], one["type"]) for fault in faults for one in fault["culprits"])


def two_faults(folder: Path) -> Path:
    model = SmallModel()
    for name in ("mul_b1_const_b4", "argmax_int32", "bmm_b4_b1"):
        model.include((FAULTS / f"{name}.tflite").read_bytes())
    file = folder / "two.tflite"
    file.write_bytes(model.content())
    return file


def constant_of_int16(folder: Path) -> Path:
    """Write a file in which an operator crashes the GPU accelerator, after supported operators."""
    model = SmallModel()
    source, absolute = model.tensor([1, 4, 8]), model.tensor([1, 4, 8])
    model.operator("ABS", [source], [absolute])
    integers = model.tensor([1, 4, 8], "INT16", scale=0.001)
    model.operator("QUANTIZE", [absolute], [integers], version=2)
    constant = model.tensor([1, 4, 8], "INT16", np.arange(32, dtype=np.int16), scale=0.1)
    product = model.tensor([1, 4, 8], "INT16", scale=0.01)
    model.operator("MUL", [integers, constant], [product], version=4, options=schema.MulOptionsT())
    model.graph.inputs, model.graph.outputs = [source], [product]
    file = folder / "int16.tflite"
    file.write_bytes(model.content())
    return file


def convolution_after_heads(folder: Path) -> Path:
    """Write a file that OpenVINO 2026.3 computes incorrectly, but each operator alone correctly."""
    generator = np.random.default_rng(0)

    def values(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    model = SmallModel()
    source = model.tensor([4, 4, 16])
    products, one, shifted = (model.tensor(side) for side in ([4, 4, 16], [1, 4, 16], [1, 4, 16]))
    laid, convolved = (model.tensor([1, 4, 1, 16]) for _ in range(2))
    mask, bias = model.tensor([4, 1, 16], values=values(4, 1, 16)), values(16)
    axis = model.tensor([1], "INT32", np.zeros(1, np.int32))
    shape = model.tensor([4], "INT32", np.array([1, 4, 1, 16], np.int32))
    weights = model.tensor([16, 1, 1, 16], values=values(16, 1, 1, 16))
    biases = [model.tensor([16], values=bias) for _ in range(2)]
    options = schema.ReducerOptionsT()
    options.keepDims = True
    strides = schema.Conv2DOptionsT()
    strides.strideH = strides.strideW = 1
    model.operator("MUL", [source, mask], [products], options=schema.MulOptionsT())
    model.operator("SUM", [products, axis], [one], options=options)
    model.operator("ADD", [one, biases[0]], [shifted], options=schema.AddOptionsT())
    model.operator("RESHAPE", [shifted, shape], [laid])
    model.operator("CONV_2D", [laid, weights, biases[1]], [convolved], options=strides)
    model.graph.inputs, model.graph.outputs = [source], [convolved]
    file = folder / "after_heads.tflite"
    file.write_bytes(model.content())
    return file


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("name", "type", "kind"),
    sampled(
        [
            ("mul_b1_const_b4", "MUL", "computes different values"),
            ("mul_2d_const", "MUL", "computes different values"),
            ("mul_b4_const_b4_full", "MUL", "computes different values"),
            ("bmm_b4_b1", "BATCH_MATMUL", "computes different values"),
            ("bmm_b4_constb1", "BATCH_MATMUL", "computes different values"),
            ("argmax_int64", "ARG_MAX", "refused"),
        ],
        2,
    ),
)
def test_every_known_fault_is_named(name: str, type: str, kind: str, tmp_path: Path) -> None:
    is_clean, (fault,), printed = search("gpu", FAULTS / f"{name}.tflite", tmp_path)
    assert not is_clean
    (culprit,) = fault["culprits"]
    assert (culprit["index"], culprit["type"], culprit["kind"]) == (0, type, kind)
    assert f"operator 0, {type}" in printed
    assert fault["advice"]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", ["heads_on_h_equivalent", "bmm_b4_b4", "argmax_int32"])
def test_correct_operators_are_not_blamed(name: str, tmp_path: Path) -> None:
    is_clean, _, printed = search("gpu", FAULTS / f"{name}.tflite", tmp_path)
    assert is_clean
    assert "matches the reference" in printed


@pytest.mark.usefixtures("gpu")
def test_two_faults_in_one_file_are_both_named(tmp_path: Path) -> None:
    _, faults, _ = search("gpu", two_faults(tmp_path), tmp_path)
    assert culprits(faults) == [(0, "MUL"), (2, "BATCH_MATMUL")]


@pytest.mark.usefixtures("gpu")
@pytest.mark.slow
def test_faults_of_an_old_deployment_form_are_found(tmp_path: Path) -> None:
    file = FAULTS / "joint_as_exported.tflite"
    done = run_export("--blame", "gpu", file, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    folder = tmp_path / "build" / "joint_as_exported_blame_gpu"
    faults = json.loads((folder / "blame.json").read_text())["faults"]
    assert culprits(faults) == [(0, "MUL"), (3, "BATCH_MATMUL"), (4, "MUL")]
    assert "Its constant is misread" in faults[0]["advice"][0]
    assert names(folder) == [
        "blame.json",
        "operator_000_mul.tflite",
        "operator_003_batch_matmul.tflite",
        "operator_004_mul.tflite",
    ]
    smallest = folder / "operator_000_mul.tflite"
    with Extractor(smallest) as extractor:
        assert [one.type for one in extractor.graph.operators] == ["MUL"]
        assert len(extractor.graph.inputs) == 1
    x = np.random.default_rng(1).standard_normal((1, 8, 64)).astype(np.float32)
    results = []
    for accelerator in ("cpu", "gpu"):
        with open_session(smallest, accelerator=accelerator) as session:
            results += session.run([x])
    assert np.abs(results[0] - results[1]).max() > 0.1
    again = run_export("--blame", "gpu", file, cwd=tmp_path)
    assert_one_line(again, 2, "blame.json' exists")


@pytest.mark.usefixtures("gpu")
def test_an_operator_that_crashes_the_accelerator_is_named(tmp_path: Path) -> None:
    _, faults, printed = search("gpu", constant_of_int16(tmp_path), tmp_path)
    found = {one["type"]: one["kind"] for fault in faults for one in fault["culprits"]}
    assert found["MUL"] == "crashes the accelerator"
    assert "ABS" not in found
    assert "int16" in printed


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("target", ["gpu", "openvino", "xnnpack"])
@pytest.mark.slow
def test_no_accelerator_has_faults_in_the_deployment_form(
    target: str, shapes_export: Path, tmp_path: Path
) -> None:
    done = run_export("--blame", target, shapes_export / FP32, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "photograph" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_fault_that_depends_on_other_operators(tmp_path: Path) -> None:
    _, (fault,), printed = search("openvino", convolution_after_heads(tmp_path), tmp_path)
    (culprit,) = fault["culprits"]
    assert (culprit["index"], culprit["type"]) == (4, "CONV_2D")
    assert culprit["after"][-1] == 3
    assert "in context" in printed
    assert not fault["by_itself"]["is_good"]


def test_a_broken_driver_is_not_a_fault_of_the_file(tmp_path: Path) -> None:
    driver = tmp_path / "driver.json"
    driver.write_text('{"file_format_version": "1.0.0", "ICD": {"library_path": "/no/such.so"}}')
    file = FAULTS / "argmax_int32.tflite"
    done = run_export("--blame", "gpu", file, cwd=tmp_path, VK_ICD_FILENAMES=str(driver))
    assert_one_line(done, 1, "GPU accelerator")


def test_every_operator_can_be_extracted(shapes_export: Path) -> None:
    with Extractor(shapes_export / FP32) as extractor:
        graph = extractor.graph
        extracted = extractor.alone(graph.computing)
        assert len(extracted.outputs) == sum(len(one.outputs) for one in graph.computing)
        whole = extractor.extract(graph.computing, ())
    assert (whole.inputs, whole.outputs) == (graph.inputs, graph.outputs)


def test_differences_of_integers_are_measured_in_steps() -> None:
    tensor = GraphTensor(0, "x", (4,), "int8", 0.5, 0)
    reference = np.array([0, 1, 2, 3], np.int8)
    assert compare(tensor, reference, reference + np.int8(3), 1.0, EXACT).agrees
    assert not compare(tensor, reference, reference + np.int8(4), 1.0, EXACT).agrees
    assert compare(tensor, reference, reference, 1.0, ACCUMULATED).unit == "dB"


def test_infinities_have_to_be_in_the_same_positions_as_in_the_reference() -> None:
    tensor = GraphTensor(0, "x", (3,), "float32", 0.0, 0)
    reference = np.array([1, -np.inf, np.nan], np.float32)
    assert compare(tensor, reference, reference, 1.0, EXACT).agrees
    assert not compare(tensor, reference, np.ones(3, np.float32), 1.0, EXACT).agrees


@pytest.mark.parametrize(
    ("target", "name", "status", "message"),
    sampled(
        [
            ("gpus", "argmax_int32.tflite", 2, "unknown target 'gpus'. Did you mean 'gpu'"),
            ("xnnpack", "none.tflite", 1, "there is no model file"),
            ("xnnpack", "model.onnx", 2, "does not run"),
            ("xnnpack", "damaged.tflite", 1, "damaged.tflite"),
            ("gpu", "argmax_int32.tflite", 1, "apt-get install chromium"),
        ],
        2,
    ),
)
def test_bad_input_is_a_one_line_error(
    target: str, name: str, status: int, message: str, tmp_path: Path
) -> None:
    content = (FAULTS / "argmax_int32.tflite").read_bytes()
    (tmp_path / "argmax_int32.tflite").write_bytes(content)
    (tmp_path / "damaged.tflite").write_bytes(content[:200])
    done = run_export("--blame", target, name, cwd=tmp_path)
    assert_one_line(done, status, message)
    assert not (tmp_path / "build").exists()
