"""`seaformer-export --blame npu`: an .onnx cut into operators, and what an NPU makes of them."""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import assert_one_line, run_export
from onnx import helper
from onnx_engines import engine_of, images, small_engine

from seaformer.artifact.chips import CHIPS
from seaformer.console import Console
from seaformer.cutting.cutter import Cutter
from seaformer.export.blame_command import blame
from seaformer.export.quantize.module_patterns import match
from seaformer.export.quantize.ranges import choose
from seaformer.runtimes import open_session

FP32 = "seaformer_tiny_shapes_128x128_fp32.onnx"


@pytest.fixture(scope="module")
def mixed(shapes_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """w8a8 with a part at 16 bits."""
    engine = engine_of(shapes_export / FP32)
    engine.ranges = choose(engine.observe(images(4, "train")), "mse")
    file = tmp_path_factory.mktemp("mixed") / "mixed.onnx"
    file.write_bytes(engine.quantize("w8a8", match(("light_head",), engine.operators)))
    return file


@pytest.mark.parametrize("is_quantized", [False, True])
@pytest.mark.slow
def test_operators_that_are_cut_out_compute_what_they_do_in_the_file(
    is_quantized: bool, shapes_export: Path, mixed: Path, tmp_path: Path
) -> None:
    file = mixed if is_quantized else shapes_export / FP32
    x = images(1)[0]
    with Cutter(file) as cutter, open_session(file) as session:
        graph = cutter.graph
        assert graph.is_quantized == is_quantized
        computing = [node.op_type for node in onnx.load(file).graph.node]
        kinds = {one.type for one in graph.operators}
        assert kinds >= {"Conv", "Softmax", "MatMul", "Resize"}
        assert ("DequantizeLinear" in kinds) is False
        # Integers between widths are an operator of their own; all other conversions are in one.
        conversions = [one for one in graph.operators if one.type == "QuantizeLinear"]
        assert len(conversions) == (1 if is_quantized else 0), conversions
        assert len(graph.operators) - len(conversions) == sum(
            kind not in ("QuantizeLinear", "DequantizeLinear") for kind in computing
        )
        given = session.inputs[0].encode(x)
        tensors = [t for one in graph.operators for t in one.outputs]
        fetched = session.fetch([graph.key(t) for t in tensors], [given])
        known = dict(zip(tensors, fetched, strict=True)) | {graph.inputs[0]: given}
        alone = cutter.alone(graph.operators)
        chain = cutter.cut(graph.operators, (), graph.outputs)
    for cut in (alone, chain):
        path = tmp_path / "cut.onnx"
        path.write_bytes(cut.model)
        with open_session(path) as session:
            results = session.fetch(cut.keys, [known[t] for t in cut.inputs])
        for tensor, result in zip(cut.outputs, results, strict=True):
            np.testing.assert_array_equal(result, known[tensor])
    assert set(alone.outputs) == set(tensors)
    assert (chain.inputs, chain.outputs) == (graph.inputs, graph.outputs)


@pytest.mark.slow
def test_an_npu_computes_each_operator_of_a_quantized_file(mixed: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_qnn")
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    assert blame("npu", mixed, tmp_path, False, console, [CHIPS["SM8350"]]), printed.getvalue()
    assert "operators, 0 at fault" in printed.getvalue()


def test_an_operator_that_an_npu_refuses_is_named(tmp_path: Path) -> None:
    """Hexagon V68 has no floating point."""
    pytest.importorskip("onnxruntime_qnn")
    engine = small_engine(
        [
            helper.make_node("Sub", ["image", "mean"], ["centred"]),
            helper.make_node("Conv", ["centred", "kernel"], ["logits"]),
        ],
        mean=np.array([100.0]),
        kernel=np.random.default_rng(0).standard_normal((8, 3, 3, 3)),
    )
    file = tmp_path / "small.onnx"
    file.write_bytes(engine.graph.SerializeToString())
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    assert not blame("npu", file, tmp_path, False, console, [CHIPS["SM8350"]])
    folder = tmp_path / "small_blame_npu_SM8350"
    report = json.loads((folder / "blame.json").read_text(encoding="utf-8"))
    (fault,) = report["faults"]
    (culprit,) = fault["culprits"]
    assert (report["target"], culprit["type"], culprit["kind"]) == ("npu SM8350", "Conv", "refused")
    onnx.checker.check_model(onnx.load(folder / fault["model"]), full_check=True)
    assert "--soc SM8350 --force" in printed.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("npu", "model.onnx"), "target 'npu' takes one --soc, of SM8350, "),
        (("npu", "model.onnx", "--soc", "SM8350,SM8650"), "target 'npu' takes one --soc"),
        (("gpu", "model.tflite", "--soc", "SM8350"), "target 'gpu' takes no --soc"),
        (("npu", "model.tflite", "--soc", "SM8350"), r"does not run .* Allowed: \.onnx"),
    ],
)
def test_a_target_takes_its_files_and_its_chip(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    assert_one_line(run_export("--blame", *arguments, cwd=tmp_path), 2, message)
