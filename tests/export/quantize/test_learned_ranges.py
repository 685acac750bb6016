"""Files with the ranges of a checkpoint, compared with the fake-quantized network in PyTorch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from exporting import Done, assert_one_line, read_metadata, run_export
from once import Once
from onnx import numpy_helper
from torch import nn

from seaformer.artifact.embedding import content_of
from seaformer.artifact.metadata import MappedOperator, Scale
from seaformer.artifact.precisions import PRECISIONS
from seaformer.datasets.shapes import ShapesDataset
from seaformer.evaluation.metrics import sqnr_db
from seaformer.export.convert import tflite_file
from seaformer.imaging.prediction import prepare_input
from seaformer.imaging.preprocessing import prepare
from seaformer.models.create import create_model
from seaformer.quantization.preparation import (
    MEMBER,
    calibrate,
    fake_quantize,
    learned_ranges,
    range_tensors,
    ranges_in,
    set_ranges,
    stored_ranges,
)
from seaformer.runtimes import open_model, open_session
from seaformer.runtimes.tflite_flatbuffer import operator_types, parse
from seaformer.tasks import get_task
from seaformer.training.validation import prepared
from seaformer.weights.saving import save_weights

SHAPES = get_task("shapes")
SIDE = 128
AT_SIZE = replace(SHAPES, preprocessing=replace(SHAPES.preprocessing, input_size=(SIDE, SIDE)))
STEM = f"seaformer_tiny_shapes_{SIDE}x{SIDE}"
FILES = ["int8.tflite", "int8.onnx", "int4-weights.tflite"]


def write_checkpoint(path: Path, precision: str, **changes: object) -> nn.Module:
    """Write the built-in weights with ranges that no calibration would choose."""
    model = create_model("tiny", "shapes", "shapes")
    fake_quantize(model, PRECISIONS[precision], SHAPES.preprocessing)
    scenes = ShapesDataset("train", (SIDE, SIDE))
    calibrate(model, [prepared([scenes[i][0] for i in range(8)], AT_SIZE)], "min-max")
    generator = np.random.default_rng(0)
    for one in ranges_in(model).values():
        factor = generator.uniform(0.9, 1.1)
        one.set(Scale(scale=one.scale.scale * factor, zero_point=one.scale.zero_point))
    save_weights(
        model,
        path,
        network="seaformer-tiny",
        task_json=SHAPES.to_json(),
        extra=stored_ranges(model, precision) | changes,
        without=range_tensors(model),
    )
    return model


@pytest.fixture(scope="session")
def learned_export(once: Once) -> Path:
    """Files with learned ranges, next to their checkpoints."""

    def fill(folder: Path) -> None:
        for precision, formats in (("int8", "onnx tflite"), ("int4-weights", "tflite")):
            write_checkpoint(folder / f"{precision}.safetensors", precision)
            chosen = [part for name in formats.split() for part in ("--format", name)]
            done = run_export(
                "--weights", f"{precision}.safetensors", "--precision", precision, *chosen,
                "--input-size", str(SIDE), "--accept-loss", "--output", ".", cwd=folder,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "learned ranges" in done.stdout
            assert "calibrate" not in done.stdout

    return once("learned", fill)


@dataclass(frozen=True)
class Exported:
    """An exported file, and the network in PyTorch with the same rounding."""

    file: Path
    network: nn.Module

    @property
    def is_tflite(self) -> bool:
        return self.file.suffix == ".tflite"


@pytest.fixture(params=FILES)
def exported(request: pytest.FixtureRequest, learned_export: Path) -> Exported:
    precision, _, format = request.param.partition(".")
    weights = learned_export / f"{precision}.safetensors"
    network = create_model("tiny", "shapes", weights)
    fake_quantize(network, PRECISIONS[precision], SHAPES.preprocessing, format)
    learned = learned_ranges(weights)
    assert learned is not None
    set_ranges(network, learned)
    return Exported(learned_export / f"{STEM}_{request.param}", network)


@cache
def scenes() -> tuple[np.ndarray, ...]:
    drawn = ShapesDataset("val", (SIDE, SIDE))
    return tuple(drawn[index][0] for index in range(8))


def outputs(file: Path) -> np.ndarray:
    with open_model(file) as session:
        rows = [
            session.run(prepare_input(image, session, session.metadata))[0] for image in scenes()
        ]
    found = np.stack(rows)
    return found.transpose(0, 3, 1, 2) if file.suffix == ".tflite" else found


@torch.no_grad()
def logits(network: nn.Module) -> np.ndarray:
    found: np.ndarray = network(prepared(scenes(), AT_SIZE)).numpy()
    return found


def test_the_file_computes_what_the_network_was_trained_with(exported: Exported) -> None:
    found, expected = outputs(exported.file), logits(exported.network)
    single = logits(create_model("tiny", "shapes", "shapes"))
    close, loss = sqnr_db(expected, found), sqnr_db(single, found)
    assert close > loss + 2
    agreement = (found.argmax(1) == expected.argmax(1)).mean()
    assert agreement > (found.argmax(1) == single.argmax(1)).mean()


def test_the_metadata_records_learned_ranges(exported: Exported) -> None:
    quantization = read_metadata(exported.file).quantization
    assert quantization is not None
    assert quantization.is_learned
    assert quantization.calibration is None
    assert quantization.method is None
    assert quantization.accuracy is not None


def scales_of(file: Path, operators: list[MappedOperator]) -> Iterator[tuple[str, Scale]]:
    """Yield the module and the output's scale of each convolution in a file."""
    data = content_of(file)
    if file.suffix == ".tflite":
        graph = parse(data).subgraphs[0]
        for operator, row in zip(tflite_file.operators(data), operators, strict=True):
            stored = graph.tensors[operator.outputs[0]].quantization
            if "CONV_2D" in row.type and stored is not None:
                scale = Scale(scale=float(stored.scale[0]), zero_point=int(stored.zeroPoint[0]))
                yield row.module, scale
        return
    model = onnx.load_from_string(data).graph
    stored = {t.name: numpy_helper.to_array(t) for t in model.initializer}
    conversions = {n.input[0]: n for n in model.node if n.op_type == "QuantizeLinear"}
    for node, row in zip(model.node, operators, strict=True):
        if row.type == "Conv" and node.output[0] in conversions:
            step, zero = (stored[name] for name in conversions[node.output[0]].input[1:])
            yield row.module, Scale(scale=float(step), zero_point=int(zero) - 128)


def test_the_learned_ranges_are_in_the_file(exported: Exported) -> None:
    learned = {
        (name.partition("/")[0], one.scale.scale, one.scale.zero_point)
        for name, one in ranges_in(exported.network).items()
    }
    operators = list(read_metadata(exported.file).operators)
    found = dict(scales_of(exported.file, operators))
    assert len(found) > 60
    for module, scale in found.items():
        near = [
            step
            for owner, step, zero_point in learned
            if f"{module}.".startswith(f"{owner}.") and zero_point == scale.zero_point
        ]
        assert any(step == pytest.approx(scale.scale, rel=1e-4) for step in near), module


def test_single_layers_give_the_same_integers(learned_export: Path) -> None:
    """The layers of a block are compared: two 1x1 convolutions, a depthwise one, and the sum.

    The input of every layer comes from the file, so that errors do not add up.
    """
    file = learned_export / f"{STEM}_int8.tflite"
    network = create_model("tiny", "shapes", learned_export / "int8.safetensors")
    fake_quantize(network, PRECISIONS["int8"], SHAPES.preprocessing)
    learned = learned_ranges(learned_export / "int8.safetensors")
    assert learned is not None
    set_ranges(network, learned)
    block = network.stem.stage2[1]  # type: ignore[index, union-attr]
    path = "stem.stage2.1"
    assert block.has_residual
    data = content_of(file)
    rows = {
        (row.module, row.type): operator
        for row, operator in zip(
            read_metadata(file).operators, tflite_file.operators(data), strict=True
        )
    }
    expand, depthwise, reduce, total = (
        rows[key]
        for key in (
            (f"{path}.expand", "CONV_2D"),
            (f"{path}.depthwise", "DEPTHWISE_CONV_2D"),
            (f"{path}.reduce", "CONV_2D"),
            (path, "ADD"),
        )
    )
    keys = [str(expand.inputs[0]), *(str(o.outputs[0]) for o in (expand, depthwise, reduce, total))]
    image = prepare(scenes()[0], SHAPES.preprocessing, (SIDE, SIDE))
    with open_session(file) as session:
        given = session.inputs[0].encode(image[None])
        tensors = [
            torch.from_numpy(np.ascontiguousarray(t.transpose(0, 3, 1, 2)))
            for t in session.fetch(keys, [given])
        ]
    taken, *expected = tensors
    with torch.no_grad():
        wide = block._convolve("expand", taken, block.expand, block.act)
        deep = block._convolve("depthwise", expected[0], block.depthwise, block.act)
        narrow = block._convolve("reduce", expected[1], block.reduce)
        whole = block._round("sum", taken + expected[2])
    for name, found, right in zip(
        ("expand", "depthwise", "reduce", "sum"), (wide, deep, narrow, whole), expected, strict=True
    ):
        steps = ((found - right) / block.ranges[name].scale.scale).abs()
        assert float(steps.max()) < 1.5, name
        assert float((steps < 0.5).float().mean()) > 0.98, name


def test_four_bit_weights_are_stored_in_four_bits(learned_export: Path) -> None:
    parsed = parse(content_of(learned_export / f"{STEM}_int4-weights.tflite"))
    graph = parsed.subgraphs[0]
    types = {
        name: {
            graph.tensors[operator.inputs[1]].type
            for kind, operator in zip(operator_types(parsed), graph.operators, strict=True)
            if kind == name
        }
        for name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    }
    assert types == {
        "CONV_2D": {schema.TensorType.INT4},
        "DEPTHWISE_CONV_2D": {schema.TensorType.INT8},
    }
    size = {
        name: (learned_export / f"{STEM}_{name}.tflite").stat().st_size
        for name in ("int4-weights", "int8")
    }
    assert size["int4-weights"] < 0.75 * size["int8"]


def export(*arguments: str | Path, folder: Path) -> Done:
    """Export a small file with ranges from few images."""
    sizes = ("--input-size", "64", "--calibration-samples", "8", "--accept-loss")
    return run_export(*arguments, *sizes, "--output", ".", cwd=folder)


def test_images_are_used_if_a_method_is_given(learned_export: Path, tmp_path: Path) -> None:
    options = ("--format", "onnx", "--precision", "int8", "--calibration-method", "average")
    done = export("--weights", learned_export / "int8.safetensors", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    quantization = read_metadata(next(tmp_path.glob("*.onnx"))).quantization
    assert quantization is not None
    assert not quantization.is_learned
    assert quantization.method == "average"


def test_ranges_for_another_precision_are_not_used(learned_export: Path, tmp_path: Path) -> None:
    options = ("--format", "onnx", "--precision", "w8a8")
    done = export("--weights", learned_export / "int8.safetensors", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert "trained for int8, so the ranges of w8a8 are chosen from images" in text


@pytest.mark.parametrize(
    ("damage", "options", "status", "message"),
    [
        ("ranges", [], 1, "damaged ranges"),
        ("missing", [], 1, "has no range for"),
        ("", ["--sensitivity"], 2, "--sensitivity needs statistics of images"),
        ("", ["--mixed-precision", "auto"], 2, "--mixed-precision needs statistics of images"),
        ("", ["--format", "onnx", "--precision", "int4-weights"], 2, "no precision int4-weights"),
    ],
)
def test_errors_are_one_line(
    damage: str, options: list[str], status: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    model = write_checkpoint(path, "int8")
    if damage:
        stored = stored_ranges(model, "int8")[MEMBER]
        name = next(iter(stored["ranges"]))
        if damage == "missing":
            del stored["ranges"][name]
        else:
            stored["ranges"][name] = {"scale": -1.0, "zero_point": 0}
        write_checkpoint(path, "int8", **{MEMBER: stored})
    arguments = ["--weights", path, "--precision", "int8", "--input-size", "64", *options]
    assert_one_line(run_export(*arguments, "--output", "out", cwd=tmp_path), status, message)
    assert not list((tmp_path / "out").glob("*.tflite"))
