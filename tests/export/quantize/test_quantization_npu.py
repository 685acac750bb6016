"""Integers throughout, for NPUs: operators at 8 bits, at 16 bits, or a mix of both."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import assert_one_line, names, run_export
from onnx import TensorProto, helper
from onnx_engines import (
    ONNX,
    SIZE,
    engine_of,
    images,
    noise,
    outputs,
    small_engine,
    stored_in,
)
from quantizing import TFLITE, calibrated, scenes
from sampling import sampled

from seaformer.artifact.accelerators import ACCELERATORS, NPU
from seaformer.artifact.chips import CHIPS
from seaformer.artifact.metadata import Scale
from seaformer.evaluation.metrics import sqnr_db
from seaformer.export.npu.compiled_names import binary_name, compiled_name
from seaformer.export.npu.onnx_compiler import compile_onnx
from seaformer.export.quantize.mixed_precision import search
from seaformer.export.quantize.module_patterns import match
from seaformer.export.quantize.onnx_engine import OnnxEngine
from seaformer.export.quantize.quality import Reference, open_bytes
from seaformer.export.quantize.sensitivity import rank
from seaformer.quantization.ranges import choose
from seaformer.runtimes import open_session
from seaformer.runtimes.tflite_flatbuffer import pack, parse
from seaformer.tasks import get_task

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
KEPT = ("context_branch.stage5", "light_head")


@dataclass(frozen=True)
class Quantized:
    """An engine, its files, and the outputs of the single-precision graph."""

    engine: OnnxEngine
    files: dict[str, bytes]
    inputs: list[np.ndarray]
    logits: np.ndarray

    def sqnr_db(self, name: str) -> float:
        """Return the SQNR of the logits of a file in dB."""
        return sqnr_db(self.logits, outputs(self.files[name], self.inputs))


@pytest.fixture(scope="module")
def tiny(shapes_export: Path) -> Quantized:
    engine = engine_of(shapes_export / "seaformer_tiny_shapes_128x128_fp32.onnx")
    engine.ranges = choose(engine.observe(images(16, "train")), "mse")
    inputs = images(8)
    files = {name: engine.quantize(name) for name in ("w8a8", "w8a16")}
    files["mixed"] = engine.quantize("w8a8", match(KEPT, engine.operators))
    return Quantized(engine, files, inputs, outputs(engine.graph.SerializeToString(), inputs))


def stored_types(data: bytes) -> set[int]:
    """Return the integer types that activations are converted to."""
    graph = onnx.load_from_string(data).graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {stored[n.input[2]] for n in graph.node if n.op_type == "QuantizeLinear"}


@pytest.mark.parametrize("name", ["w8a8", "w8a16", "mixed"])
def test_every_operator_has_integer_inputs_and_outputs(name: str, tiny: Quantized) -> None:
    graph = onnx.load_from_string(tiny.files[name]).graph
    stored = {tensor.name for tensor in graph.initializer}
    by_output = {output: node.op_type for node in graph.node for output in node.output}
    takers: dict[str, set[str]] = {}
    for node in graph.node:
        for taken in node.input:
            takers.setdefault(taken, set()).add(node.op_type)
    computing = [node for node in graph.node if node.op_type not in CONVERSIONS]
    assert {"Conv", "MatMul", "Softmax", "Resize", "ReduceMean"} <= {n.op_type for n in computing}
    for node in computing:
        assert {by_output[x] for x in node.input if x and x not in stored} == {"DequantizeLinear"}
        assert {kind for x in node.output for kind in takers[x]} == {"QuantizeLinear"}
    assert tiny.engine.float_operators(tiny.files[name], "w8a8") == []


def test_activations_have_the_width_of_the_precision(tiny: Quantized) -> None:
    engine, files = tiny.engine, tiny.files
    assert stored_types(files["w8a8"]) == {TensorProto.UINT8}
    # The bytes of an image are converted; they need no more than 8 bits.
    assert stored_types(files["w8a16"]) == {TensorProto.UINT16}
    for data, dtype in ((files["w8a8"], "uint8"), (files["w8a16"], "uint16")):
        taken, output = engine.ports(data)
        assert (taken.dtype, taken.scale) == ("uint8", Scale(scale=1.0, zero_point=0))
        assert output.dtype == dtype
    assert tiny.sqnr_db("w8a8") > 20
    assert tiny.sqnr_db("w8a16") > tiny.sqnr_db("w8a8") + 6


def test_only_kept_operators_have_16_bits(tiny: Quantized) -> None:
    engine, data = tiny.engine, tiny.files["mixed"]
    operators = engine.map_operators(data)
    wide = {node for index in engine.wide_operators(data) for node in operators[index].nodes}
    assert wide == {engine.operators[i].nodes[0] for i in match(KEPT, engine.operators)}
    assert engine.wide_operators(tiny.files["w8a8"]) == []
    assert stored_types(data) == {TensorProto.UINT8, TensorProto.UINT16}
    assert engine.ports(data)[1].dtype == "uint16"
    assert tiny.sqnr_db("w8a8") < tiny.sqnr_db("mixed") < tiny.sqnr_db("w8a16")


def test_a_softmax_needs_no_images(tiny: Quantized) -> None:
    engine = tiny.engine
    softmax = [node.output[0] for node in engine.graph.graph.node if node.op_type == "Softmax"]
    assert softmax
    for data, steps in ((tiny.files["w8a8"], 2**8), (tiny.files["w8a16"], 2**16)):
        stored = stored_in(data)
        for name in softmax:
            assert stored[f"{name}_scale"] == pytest.approx(1 / (steps - 1))
            assert stored[f"{name}_zero_point"] == 0


def test_scales_fixed_by_the_npu_are_also_used_at_16_bits() -> None:
    engine = small_engine(
        [
            helper.make_node("Sigmoid", ["image"], ["gate"]),
            helper.make_node("Tanh", ["gate"], ["logits"]),
        ]
    )
    data = engine.quantize("w8a16")
    stored = stored_in(data)
    assert stored["gate_scale"] == 2**-16
    assert engine.ports(data)[1].scale == Scale(scale=2**-15, zero_point=2**15)
    assert stored_in(engine.quantize("w8a8"))["gate_scale"] > 2**-9


def test_a_clip_that_changes_zero_is_a_separate_operator() -> None:
    engine = small_engine(
        [
            helper.make_node("Conv", ["image", "kernel"], ["a"]),
            helper.make_node("Clip", ["a", "low", "high"], ["b"]),
            helper.make_node("Add", ["b", "one"], ["logits"]),
        ],
        kernel=np.random.default_rng(2).standard_normal((4, 3, 1, 1)) / 100,
        low=np.array(2.0),
        high=np.array(6.0),
        one=np.array(1.0),
    )
    data = engine.quantize("w8a8")
    assert outputs(data, noise(2)).min() > 2.9
    assert engine.float_operators(data, "w8a8") == []


def test_a_constant_shared_by_two_widths_is_stored_in_both() -> None:
    engine = small_engine(
        [
            helper.make_node("Mul", ["image", "scale"], ["a"]),
            helper.make_node("Mul", ["a", "scale"], ["logits"]),
        ],
        scale=np.array([0.5]),
    )
    data = engine.quantize("w8a8", [1])
    types = {name: array.dtype for name, array in stored_in(data).items() if "quantized" in name}
    assert types == {"scale_quantized": np.uint8, "scale_16bit_quantized": np.uint16}
    x = noise(1)
    np.testing.assert_allclose(outputs(data, x), x[0] / 4, atol=0.3)


@pytest.mark.slow
def test_the_module_that_needs_16_bits_is_found(tiny: Quantized) -> None:
    engine = copy(tiny.engine)
    low, high = engine.ranges["logits"]
    engine.ranges = {**engine.ranges, "logits": (50 * low, 50 * high)}
    some = match(("light_head", "spatial_branch.fusion_blocks.1"), engine.operators)
    kept = {operator.index for operator in engine.operators} - some
    task = get_task("shapes")
    with open_bytes(engine.graph.SerializeToString(), ONNX) as session:
        reference = Reference(session, scenes(8, SIZE), task.preprocessing, True, task.num_classes)
        ranking = rank(
            engine,
            "w8a8",
            ONNX,
            reference,
            kept=kept,
            levels=("module",),
            both_ways=False,
        )
        found = search(engine, "w8a8", ONNX, reference, 1.0, lambda: ranking.rows, kept=kept)
    assert [step.fits for step in found.steps] == [False, True]
    assert (found.kept_as, found.keep_option) == ("at 16 bits", "--keep-16bit")
    assert found.found.kept_modules == ("light_head.classifier",)
    file = engine.quantize("w8a8", match(found.found.kept_modules, engine.operators))
    assert engine.float_operators(file, "w8a8") == []
    assert len(engine.wide_operators(file)) == 1


def test_a_tflite_has_integers_throughout(shapes_export: Path) -> None:
    engine, _ = calibrated(shapes_export / "seaformer_tiny_shapes_128x128_fp32.tflite", "shapes")
    data = engine.quantize("w8a8")
    assert engine.float_operators(data, "w8a8") == engine.wide_operators(data) == []
    assert {"BATCH_MATMUL", "SOFTMAX"} <= {row.type for row in engine.map_operators(data)}
    assert [port.dtype for port in engine.ports(data)] == ["int8", "int8"]
    chosen = match(("light_head",), engine.operators)
    wide = engine.quantize("w8a8", chosen)
    assert engine.float_operators(wide, "w8a8") == []
    assert len(engine.wide_operators(wide)) == len(chosen)
    assert engine.ports(wide)[1].dtype == "int16"


def test_channels_with_tiny_weights_have_minimum_steps_in_a_tflite(shapes_export: Path) -> None:
    engine, _ = calibrated(shapes_export / "seaformer_tiny_shapes_128x128_fp32.tflite", "shapes")
    parsed = parse(engine.model)
    operators = parsed.subgraphs[0].operators
    last = [one for one in operators if len(one.inputs) == 3][-1]  # the classifier
    _, weights, bias = (parsed.subgraphs[0].tensors[index] for index in last.inputs)
    classes = int(weights.shape[0])
    values = np.frombuffer(bytes(parsed.buffers[weights.buffer].data), np.float32)
    values = values.reshape(weights.shape) * np.where(np.arange(classes) < 4, 0, 1)[:, *[None] * 3]
    parsed.buffers[weights.buffer].data = values.astype(np.float32).reshape(-1).view(np.uint8)
    engine.model = pack(parsed)
    data = engine.quantize("w8a8")
    tensors = parse(data).subgraphs[0].tensors
    scales = {one.name: one.quantization.scale for one in tensors if one.quantization is not None}
    steps, bias_steps = scales[weights.name], scales[bias.name]
    assert steps.min() == pytest.approx(steps.max() * 2**-12)
    assert bias_steps / steps == pytest.approx(bias_steps[-1] / steps[-1])
    image = images(1)[0].transpose(0, 2, 3, 1)
    with open_bytes(engine.model, TFLITE) as single, open_bytes(data, TFLITE) as integers:
        expected, found = single.run(image), integers.run(image)
    step = scales[parse(data).subgraphs[0].tensors[last.outputs[0]].name][0]
    # Without weights, the logit of a class is its bias everywhere.
    np.testing.assert_allclose(found[..., :4], expected[..., :4], atol=step)


@pytest.mark.parametrize("name", ["w8a8", "w8a16", "mixed"])
def test_an_npu_without_floating_point_runs_the_whole_file(
    name: str, tiny: Quantized, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime_qnn")
    chip = CHIPS["SM8350"]
    assert not chip.has_float
    file = tmp_path / "model.onnx"
    file.write_bytes(tiny.files[name])
    compiled = compile_onnx(chip, file)
    assert (compiled.partitions, compiled.left) == (1, ())
    written = tmp_path / compiled_name(file.name, chip)
    written.write_bytes(compiled.content)
    written.with_name(str(binary_name(written.name))).write_bytes(compiled.binary or b"")
    with open_session(file) as cpu, open_session(written, accelerator="npu") as npu:
        image = cpu.inputs[0].encode(tiny.inputs[0])
        (expected,), (found,) = cpu.run([image]), npu.run([image])
        scale = cpu.outputs[0].integers
    assert scale is not None
    zero = scale.zero_point
    assert sqnr_db(expected.astype(float) - zero, found.astype(float) - zero) > 20


def test_channels_with_tiny_weights_run_on_the_npu(tmp_path: Path) -> None:
    """With the smallest possible steps, these channels would saturate on the NPU."""
    pytest.importorskip("onnxruntime_qnn")
    kernel = np.random.default_rng(3).standard_normal((8, 3, 1, 1)) / 100
    kernel[4:] *= np.array([1e-6, 1e-8, 1e-10, 0]).reshape(4, 1, 1, 1)
    engine = small_engine(
        [helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"])],
        kernel=kernel,
        bias=np.linspace(-1, 1, 8),
    )
    for precision in ("w8a8", "w8a16"):
        file = tmp_path / f"{precision}.onnx"
        file.write_bytes(engine.quantize(precision))
        with open_session(file) as cpu, open_session(file, accelerator="npu", chip="SM8350") as npu:
            x = cpu.inputs[0].encode(noise(1)[0])
            (expected,), (found,) = cpu.run([x]), npu.run([x])
        step = 1 if precision == "w8a8" else 2**6
        np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=step)


def test_the_npu_has_its_own_operators() -> None:
    assert ACCELERATORS[NPU].precisions == {"int8": "w8a8", "int16x8": "w8a16"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    sampled(
        [
            ("--format tflite --precision w8a16", "no precision w8a16 for format tflite: LiteRT's"),
            ("--precision w8a8 --keep-float stem", "--keep-float.*--precision int8"),
            ("--precision int8 --keep-16bit stem", "--keep-16bit.*--precision w8a8"),
            (
                "--precision w8a16 --mixed-precision auto",
                "--mixed-precision.*Allowed: int8, .*w8a8",
            ),
            ("--precision w8a8 --keep-16bit stemm", "no module or operator .* matches 'stemm'"),
        ]
    ),
)
def test_options_that_cannot_be_combined_are_refused(
    arguments: str, message: str, tmp_path: Path
) -> None:
    quick = ("--weights", "shapes", "--format", "onnx", "--input-size", "64", "--output", ".")
    assert_one_line(run_export(*quick, *arguments.split(), cwd=tmp_path), 2, message)
    assert names(tmp_path) == []
