"""`seaformer-export --blame npu`: operators extracted from an .onnx, and run by an NPU."""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import assert_one_line, run_export
from onnx import helper
from onnx_engines import engine_of, images, small_engine
from sampling import sampled

from seaformer.artifact.chips import CHIPS
from seaformer.console import Console
from seaformer.export.blame_command import blame
from seaformer.export.quantize.module_patterns import match
from seaformer.extraction.extractor import Extractor
from seaformer.quantization.ranges import choose
from seaformer.runtimes import open_session

FP32 = "seaformer_tiny_shapes_128x128_fp32.onnx"


@pytest.fixture(scope="module")
def mixed(shapes_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a w8a8 file with some 16-bit activations."""
    engine = engine_of(shapes_export / FP32)
    engine.ranges = choose(engine.observe(images(4, "train")), "mse")
    file = tmp_path_factory.mktemp("mixed") / "mixed.onnx"
    file.write_bytes(engine.quantize("w8a8", match(("light_head",), engine.operators)))
    return file


@pytest.mark.parametrize("is_quantized", [False, True])
@pytest.mark.slow
def test_extracted_operators_compute_the_same_as_in_the_file(
    is_quantized: bool, shapes_export: Path, mixed: Path, tmp_path: Path
) -> None:
    file = mixed if is_quantized else shapes_export / FP32
    x = images(1)[0]
    with Extractor(file) as extractor, open_session(file) as session:
        graph = extractor.graph
        assert graph.is_quantized == is_quantized
        computing = [node.op_type for node in onnx.load(file).graph.node]
        kinds = {one.type for one in graph.operators}
        assert kinds >= {"Conv", "Softmax", "MatMul", "Resize"}
        assert ("DequantizeLinear" in kinds) is False
        # Conversions between integer widths are separate operators; all others are part of one.
        conversions = [one for one in graph.operators if one.type == "QuantizeLinear"]
        assert len(conversions) == (1 if is_quantized else 0), conversions
        assert len(graph.operators) - len(conversions) == sum(
            kind not in ("QuantizeLinear", "DequantizeLinear") for kind in computing
        )
        encoded = session.inputs[0].encode(x)
        tensors = [t for one in graph.operators for t in one.outputs]
        fetched = session.fetch([graph.key(t) for t in tensors], [encoded])
        known = dict(zip(tensors, fetched, strict=True)) | {graph.inputs[0]: encoded}
        alone = extractor.alone(graph.operators)
        chain = extractor.extract(graph.operators, (), graph.outputs)
    for extracted in (alone, chain):
        path = tmp_path / "extracted.onnx"
        path.write_bytes(extracted.model)
        with open_session(path) as session:
            results = session.fetch(extracted.keys, [known[t] for t in extracted.inputs])
        for tensor, result in zip(extracted.outputs, results, strict=True):
            np.testing.assert_array_equal(result, known[tensor])
    assert set(alone.outputs) == set(tensors)
    assert (chain.inputs, chain.outputs) == (graph.inputs, graph.outputs)


@pytest.mark.slow
def test_an_npu_computes_each_operator_of_a_quantized_file_correctly(
    mixed: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime_qnn")
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    assert blame("npu", mixed, tmp_path, False, console, [CHIPS["SM8350"]]), printed.getvalue()
    assert "operators, 0 at fault" in printed.getvalue()


def test_an_operator_rejected_by_an_npu_is_named(tmp_path: Path) -> None:
    """Hexagon V68 does not support floating point."""
    pytest.importorskip("onnxruntime_qnn")
    engine = small_engine(
        [
            helper.make_node("Sub", ["image", "mean"], ["centered"]),
            helper.make_node("Conv", ["centered", "kernel"], ["logits"]),
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
    sampled(
        [
            (("npu", "model.onnx"), "target 'npu' takes one --soc, of SM8350, "),
            (("npu", "model.onnx", "--soc", "SM8350,SM8650"), "target 'npu' takes one --soc"),
            (("gpu", "model.tflite", "--soc", "SM8350"), "target 'gpu' takes no --soc"),
            (("npu", "model.tflite", "--soc", "SM8350"), r"does not run .* Allowed: \.onnx"),
        ]
    ),
)
def test_files_and_chips_that_a_target_does_not_support_are_refused(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    assert_one_line(run_export("--blame", *arguments, cwd=tmp_path), 2, message)
