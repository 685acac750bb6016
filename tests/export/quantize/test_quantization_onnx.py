"""The ONNX quantizer on a trained network: what is quantized, what is not, and the accuracy."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper, numpy_helper
from onnx_engines import (
    BYTES,
    engine_of,
    images,
    nodes_of,
    noise,
    outputs,
    small_engine,
    stored_in,
)

from seaformer.errors import SeaformerError
from seaformer.evaluation.metrics import sqnr_db
from seaformer.export.quantize.onnx_engine import OnnxEngine
from seaformer.quantization.ranges import choose
from seaformer.quantization.saturation import unsaturated_steps
from seaformer.runtimes import open_content


@dataclass(frozen=True)
class Quantized:
    """An engine, and its files by precision."""

    engine: OnnxEngine
    files: dict[str, bytes]
    inputs: list[np.ndarray]
    logits: np.ndarray
    """Return the outputs of the single-precision graph."""


@pytest.fixture(scope="module")
def tiny(shapes_export: Path) -> Quantized:
    engine = engine_of(shapes_export / "seaformer_tiny_shapes_128x128_fp32.onnx")
    engine.ranges = choose(engine.observe(images(16, "train")), "average")
    inputs = images(8)
    return Quantized(
        engine,
        {precision: engine.quantize(precision) for precision in ("int8", "dynamic-int8")},
        inputs,
        outputs(engine.graph.SerializeToString(), inputs),
    )


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
def test_the_output_is_close_to_single_precision(tiny: Quantized, precision: str) -> None:
    logits = outputs(tiny.files[precision], tiny.inputs)
    assert sqnr_db(tiny.logits, logits) > 22
    assert (logits.argmax(1) == tiny.logits.argmax(1)).mean() > 0.97
    assert len(tiny.files[precision]) < 0.36 * tiny.engine.graph.ByteSize()


def test_integer_kernels_match_the_graph(tiny: Quantized) -> None:
    """They do not saturate: if each node runs in floating point, the output is nearly the same."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    by_node = onnxruntime.InferenceSession(tiny.files["int8"], options)
    fused = onnxruntime.InferenceSession(tiny.files["int8"])
    x = {"image": tiny.inputs[0].astype(np.uint8)}
    (slow,), (fast,) = by_node.run(None, x), fused.run(None, x)
    zero = int(tiny.engine.ports(tiny.files["int8"])[1].scale.zero_point)  # type: ignore[union-attr]
    assert sqnr_db(slow.astype(float) - zero, fast.astype(float) - zero) > 28


def test_int8_has_byte_inputs_and_outputs(tiny: Quantized) -> None:
    data = tiny.files["int8"]
    port_in, port_out = tiny.engine.ports(data)
    assert (port_in.dtype, port_out.dtype) == ("uint8", "uint8")
    assert port_in.scale is not None
    assert (port_in.scale.scale, port_in.scale.zero_point) == (1.0, 0)
    session = onnxruntime.InferenceSession(data)
    (raw,) = session.run(None, {"image": tiny.inputs[0].astype(np.uint8)})
    assert port_out.scale is not None
    real = (raw.astype(np.float32) - port_out.scale.zero_point) * port_out.scale.scale
    assert np.array_equal(outputs(data, tiny.inputs[:1]), real.astype(np.float32))


def test_dynamic_int8_has_float_inputs_and_outputs(tiny: Quantized) -> None:
    for port in tiny.engine.ports(tiny.files["dynamic-int8"]):
        assert (port.dtype, port.scale) == ("float32", None)


def test_weights_have_a_step_for_each_channel(tiny: Quantized) -> None:
    single, stored = stored_in(tiny.engine.graph.SerializeToString()), stored_in(tiny.files["int8"])
    convolutions = [node for node in tiny.engine.graph.graph.node if node.op_type == "Conv"]
    for node in convolutions:
        weights = single[node.input[1]]
        integers = stored[f"{node.input[1]}_quantized"]
        steps = stored[f"{node.input[1]}_scale"]
        assert integers.dtype == np.int8
        assert steps.shape == (len(weights),)
        steps = steps.reshape(-1, 1, 1, 1)
        assert (np.abs(integers * steps - weights) <= 0.501 * steps).all()


def test_the_attention_core_stays_in_floating_point(tiny: Quantized) -> None:
    engine = tiny.engine
    left = {engine.operators[index].type for index in engine.always_float}
    assert {"MatMul", "Softmax", "ReduceMean", "Concat"} <= left
    assert "Conv" not in left
    nodes = {name for index in engine.always_float for name in engine.operators[index].nodes}
    mapped = engine.map_operators(tiny.files["int8"])
    computing = {
        n for i in engine.float_operators(tiny.files["int8"], "int8") for n in mapped[i].nodes
    }
    assert computing == nodes


def channel_sqnr_db(engine: OnnxEngine, precision: str) -> list[float]:
    """Return the SQNR of each channel of the output relative to single precision."""
    data, inputs = engine.quantize(precision), noise(4)
    with open_content(data, ".onnx") as session:
        given = session.outputs[0]
        found = [given.decode(session.run([session.inputs[0].encode(x)])[0]) for x in inputs]
    single = outputs(engine.graph.SerializeToString(), inputs)
    pairs = zip(np.moveaxis(single, 1, 0), np.moveaxis(np.concatenate(found), 1, 0), strict=True)
    return [sqnr_db(*pair) for pair in pairs]


@pytest.mark.parametrize(("precision", "dtype"), [("int8", "float32"), ("w8a8", "uint16")])
def test_values_of_different_ranges_have_no_common_8_bit_step(precision: str, dtype: str) -> None:
    random = np.random.default_rng(0)
    engine = small_engine(
        [
            helper.make_node("Conv", ["image", "large"], ["logits_map"]),
            helper.make_node("Conv", ["image", "small"], ["offsets_map"]),
            helper.make_node("Concat", ["logits_map", "offsets_map"], ["logits"], axis=1),
        ],
        large=random.normal(size=(3, 3, 1, 1)),
        small=random.normal(size=(2, 3, 1, 1)) / 500,
    )
    assert max(channel_sqnr_db(engine, precision)[3:]) < 10  # the offsets are lost
    apart = OnnxEngine(engine.graph, engine.operators, BYTES, unequal=frozenset({2}))
    apart.ranges = engine.ranges
    assert min(channel_sqnr_db(apart, precision)) > 30
    assert apart.ports(apart.quantize(precision))[1].dtype == dtype


def test_kept_operators_keep_their_weights_and_values(tiny: Quantized) -> None:
    engine = tiny.engine
    kept = [row.index for row in engine.operators if row.module.startswith("stem.stage1.1")]
    data = engine.quantize("int8", kept)
    nodes, stored = nodes_of(data), stored_in(data)
    convolutions = [i for i in kept if engine.operators[i].type == "Conv"]
    assert len(convolutions) == 3
    for index in convolutions:
        weight = nodes[engine.operators[index].nodes[0]].input[1]
        assert f"{weight}_quantized" not in stored
        assert {array.dtype for name, array in stored.items() if name.startswith(weight)} <= {
            np.dtype(np.float32),
            np.dtype(np.float16),
        }
    mapped = engine.map_operators(data)
    computing = {name for i in engine.float_operators(data, "int8") for name in mapped[i].nodes}
    assert {engine.operators[index].nodes[0] for index in kept} <= computing
    assert sqnr_db(tiny.logits, outputs(data, tiny.inputs)) > sqnr_db(
        tiny.logits, outputs(tiny.files["int8"], tiny.inputs)
    )


def test_with_everything_kept_only_the_output_is_quantized(tiny: Quantized) -> None:
    data = tiny.engine.quantize("int8", range(len(tiny.engine.operators)))
    logits = outputs(data, tiny.inputs)
    scale = tiny.engine.ports(data)[1].scale
    assert scale is not None
    lowest, highest = (np.array([0, 255]) - scale.zero_point) * scale.scale
    difference = np.abs(logits - tiny.logits.clip(lowest, highest))
    assert (
        difference.max() < 0.6 * scale.scale
    )  # half a step, and rounding of the weights to half precision


def test_kept_modules_are_not_quantized_dynamically(tiny: Quantized) -> None:
    kept = [row.index for row in tiny.engine.operators if row.module.startswith("stem")]
    data = tiny.engine.quantize("dynamic-int8", kept)
    mapped = tiny.engine.map_operators(data)
    integer = {row.module for row in mapped if row.type == "ConvInteger"}
    assert integer
    assert not any(module.startswith("stem") for module in integer)


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
def test_every_node_has_its_module(tiny: Quantized, precision: str) -> None:
    data, engine = tiny.files[precision], tiny.engine
    nodes = onnx.load_from_string(data).graph.node
    mapped = engine.map_operators(data)
    assert [(row.index, row.type) for row in mapped] == [
        (index, node.op_type) for index, node in enumerate(nodes)
    ]
    assert all(node.name for node in nodes)
    named = [name for row in mapped for name in row.nodes]
    assert sorted(named) == sorted(node.name for node in engine.graph.graph.node)
    owners = {name: row.module for row in mapped for name in row.nodes}
    absorbed = {
        name for row in mapped for name in row.nodes[1:]
    }  # activations that are replaced by the range of their producer
    for row in engine.operators:
        if row.nodes[0] not in absorbed:
            assert owners[row.nodes[0]] == row.module


def test_conversions_belong_to_their_consumer(tiny: Quantized) -> None:
    data = tiny.files["int8"]
    nodes = onnx.load_from_string(data).graph.node
    modules = [row.module for row in tiny.engine.map_operators(data)]
    weights = [
        (index, node)
        for index, node in enumerate(nodes)
        if node.name.endswith(".weight_DequantizeLinear")
    ]
    assert weights
    for index, node in weights:
        assert modules[index] == node.name.removesuffix(".weight_DequantizeLinear")
    (last,) = (i for i, node in enumerate(nodes) if node.output[0] == "logits")
    assert (nodes[last].op_type, modules[last]) == ("QuantizeLinear", "light_head.classifier")


DIGEST = """
import hashlib, json, sys
import onnx
from seaformer.export.quantize.onnx_engine import OnnxEngine
engine = OnnxEngine(onnx.load(sys.argv[1]), (), (0.0, 255.0))
engine.ranges = json.loads(sys.stdin.read())
for precision in ("int8", "dynamic-int8"):
    print(hashlib.sha256(engine.quantize(precision)).hexdigest())
"""


def test_quantization_is_reproducible_in_another_process(
    tiny: Quantized, shapes_export: Path
) -> None:
    file = shapes_export / "seaformer_tiny_shapes_128x128_fp32.onnx"
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(file)],
        input=json.dumps(tiny.engine.ranges),
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [hashlib.sha256(f).hexdigest() for f in tiny.files.values()]
    assert done.stderr == ""


def test_weights_that_are_not_finite_are_named(tiny: Quantized) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(tiny.engine.graph)
    (weight,) = (t for t in damaged.graph.initializer if t.name == "stem.conv.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0, 0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    engine = OnnxEngine(damaged, tiny.engine.operators, BYTES)
    with pytest.raises(SeaformerError, match=r"not finite at '/stem/\S+'"):
        engine.observe(tiny.inputs[:1])


@pytest.mark.parametrize("ending", ["Gemm", "Gemm, transposed", "MatMul"])
def test_a_classifier_is_quantized_per_channel(ending: str) -> None:
    random = np.random.default_rng(1)
    magnitudes = 10.0 ** np.linspace(
        -2, 2, 10
    )  # one step for all channels would round most weights to zero
    classes = random.standard_normal((8, 10)) * magnitudes
    kind, *transposed = ending.split(", ")
    engine = small_engine(
        [
            helper.make_node("Conv", ["image", "kernel"], ["features"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["features"], ["active"]),
            helper.make_node("GlobalAveragePool", ["active"], ["means"]),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node(
                kind, ["flat", "classes"], ["scores"], **({"transB": 1} if transposed else {})
            ),
            helper.make_node("Mul", ["scores", "scales"], ["logits"]),
        ],
        kernel=random.standard_normal((8, 3, 3, 3)),
        classes=classes.T if transposed else classes,
        scales=1 / magnitudes,
    )
    data = engine.quantize("int8")
    assert engine.always_float == frozenset()
    assert stored_in(data)["classes_scale"].shape == (10,)
    integers = stored_in(data)["classes_quantized"]
    assert (np.abs(integers).max(axis=1 if transposed else 0) >= 64).all()


def test_a_clip_that_changes_zero_stays_in_floating_point() -> None:
    engine = small_engine(
        [
            helper.make_node("Conv", ["image", "first"], ["a"]),
            helper.make_node("Clip", ["a", "zero", "high"], ["b"]),
            helper.make_node("Conv", ["b", "second"], ["c"]),
            helper.make_node("Clip", ["c", "low", "high"], ["logits"]),
        ],
        first=np.random.default_rng(2).standard_normal((4, 3, 1, 1)) / 100,
        second=np.random.default_rng(3).standard_normal((4, 4, 1, 1)),
        zero=np.array(0.0),
        low=np.array(2.0),
        high=np.array(6.0),
    )
    assert [engine.operators[index].module for index in engine.always_float] == ["logits"]
    inputs = noise(2)
    single = outputs(engine.graph.SerializeToString(), inputs)
    assert single.min() == 2.0
    assert outputs(engine.quantize("int8"), inputs).min() > 1.9


def test_conversions_without_a_consumer_belong_to_their_producer() -> None:
    engine = small_engine(
        [
            helper.make_node("Conv", ["image", "kernel"], ["features"]),
            helper.make_node("Split", ["features"], ["unused", "used"], axis=1, num_outputs=2),
            helper.make_node("Relu", ["used"], ["logits"]),
        ],
        kernel=np.random.default_rng(0).standard_normal((4, 3, 1, 1)),
    )
    data = engine.quantize("int8")
    mapped = zip(nodes_of(data), engine.map_operators(data), strict=True)
    modules = [row.module for name, row in mapped if name.startswith("unused_")]
    assert modules == ["unused", "unused"]


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(2, 9)),
        elements=st.floats(-1e3, 1e3, width=32),
    )
)
def test_no_pair_of_weights_saturates_16_bits(weights: np.ndarray) -> None:
    steps = unsaturated_steps(weights)
    integers = np.round(weights / steps.reshape(-1, 1, 1, 1)).astype(np.int64)
    assert (steps > 0).all()
    assert np.abs(integers).max() <= 127
    flat = integers.reshape(len(integers), -1)
    pairs = np.pad(flat, ((0, 0), (0, flat.shape[1] % 2))).reshape(len(flat), -1, 2)
    for sign in (1, -1):
        assert 255 * np.maximum(sign * pairs, 0).sum(axis=2).max() <= 32767


def test_weights_below_the_minimum_step_are_rounded_to_zero() -> None:
    weights = np.full((2, 1, 1, 2), 1e-45, np.float32)
    weights[1] = 1.0
    steps = unsaturated_steps(weights)
    assert (np.round(weights / steps.reshape(-1, 1, 1, 1))[0] == 0).all()
    assert 0 < steps[1] < 1
    assert steps[0] == steps[1] * 2**-12
    assert (unsaturated_steps(weights[:1]) == 1).all()


def test_depthwise_weights_use_all_eight_bits() -> None:
    weights = np.random.default_rng(0).standard_normal((16, 3, 3, 1)).astype(np.float32)
    integers = np.round(weights / unsaturated_steps(weights).reshape(-1, 1, 1, 1))
    assert (np.abs(integers).max(axis=(1, 2, 3)) == 127).all()
