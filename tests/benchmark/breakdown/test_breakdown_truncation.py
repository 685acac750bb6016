"""Truncated models compute the intermediate tensors of the whole model."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.benchmark.breakdown.tree import build_tree
from seaformer.benchmark.breakdown.truncation import MAX_TRUNCATED, Segment, segments
from seaformer.errors import SeaformerError
from seaformer.runtimes import open_session

FILES = ("fp32.tflite", "fp16.tflite", "fp32.onnx", "fp16.onnx")
Values = dict[str, npt.NDArray[Any]]


def open_file(folder: Path, ending: str) -> tuple[Path, Graph]:
    path = next(path for path in folder.glob(f"*{ending}"))
    return path, open_graph(path, open_session(path).metadata)


def divide(graph: Graph) -> tuple[Segment, ...]:
    return segments(graph, build_tree(graph.operators, "network"))


@cache
def image(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(7).uniform(0, 255, shape).astype(np.float32)


def intermediate_values(path: Path, graph: Graph) -> Values:
    """Return every tensor of the whole model, by the keys of its graph."""
    tensor = image(open_session(path).inputs[0].shape)
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        preserving = Interpreter(model_path=str(path), experimental_preserve_all_tensors=True)
        preserving.allocate_tensors()
        preserving.set_tensor(preserving.get_input_details()[0]["index"], tensor)
        preserving.invoke()
        names = {name for one in graph.working() for name in one.outputs}
        return {name: preserving.get_tensor(int(name)) for name in names}
    import onnxruntime

    model = onnx.load(path)
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    outputs = [output.name for output in session.get_outputs()]
    values = session.run(None, {session.get_inputs()[0].name: tensor})
    return dict(zip(outputs, values, strict=True))


@pytest.mark.parametrize(
    "ending",
    [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("fp16")) for name in FILES],
)
def test_truncated_models_give_the_tensors_of_the_whole_model(
    tiny_export: Path, tmp_path: Path, ending: str
) -> None:
    path, graph = open_file(tiny_export, ending)
    expected = intermediate_values(path, graph)
    for number, segment in enumerate(divide(graph)[:-1]):
        truncated = tmp_path / f"{number}{path.suffix}"
        truncated.write_bytes(graph.truncated(segment.outputs))
        with open_session(truncated) as session:
            outputs = session.run([image(session.inputs[0].shape)])
        assert len(outputs) == len(segment.outputs)
        for name, output in zip(segment.outputs, outputs, strict=True):
            # Kernels may be fused differently if a tensor is an output.
            scale = np.abs(expected[name]).max()
            np.testing.assert_allclose(output, expected[name], atol=2e-5 * scale, rtol=0)


@pytest.mark.parametrize("ending", FILES)
def test_segments_contain_every_operator_once_in_a_valid_order(
    tiny_export: Path, ending: str
) -> None:
    _, graph = open_file(tiny_export, ending)
    parts = divide(graph)
    assert 4 <= len(parts) <= MAX_TRUNCATED
    ordered = [one for part in parts for one in part.operators]
    assert sorted(one.index for one in ordered) == [one.index for one in graph.working()]
    computed = {name for one in ordered for name in one.outputs}
    ready: set[str] = set()
    for one in ordered:
        assert computed.intersection(one.inputs) <= ready
        ready.update(one.outputs)


@pytest.mark.parametrize("ending", ["fp32.tflite", "fp32.onnx"])
def test_a_segment_belongs_to_one_row_and_the_parts_of_the_paper_are_separate(
    tiny_export: Path, ending: str
) -> None:
    _, graph = open_file(tiny_export, ending)
    parts = divide(graph)
    for part in parts:
        module = part.path.removesuffix(".(own)")
        assert all(
            one.module == module or one.module.startswith(f"{module}.") for one in part.operators
        )
    first = [part.path.split(".")[0] for part in parts]
    kinds = ["stem", "context_branch", "spatial_branch", "light_head"]
    assert sorted(set(first), key=first.index) == kinds


def test_a_truncated_model_contains_no_unused_weights(tiny_export: Path) -> None:
    for ending in FILES:
        path, graph = open_file(tiny_export, ending)
        stem = next(p for p in reversed(divide(graph)) if p.path.startswith("stem"))
        assert len(graph.truncated(stem.outputs)) < path.stat().st_size / 10


@pytest.mark.slow
def test_a_truncated_quantized_model_has_the_input_of_the_file(
    integer_export: Path, tmp_path: Path
) -> None:
    path, graph = open_file(integer_export, "_int8.tflite")
    parts = divide(graph)
    truncated = tmp_path / "truncated.tflite"
    truncated.write_bytes(graph.truncated(parts[len(parts) // 2].outputs))
    whole, part = open_session(path), open_session(truncated)
    assert part.inputs == whole.inputs
    tensor = np.random.default_rng(3).integers(-128, 127, part.inputs[0].shape, dtype=np.int8)
    values = part.run([tensor])
    assert [value.std() > 0 for value in values] == [True] * len(values)


def test_a_file_without_an_operator_map_is_refused(tiny_export: Path) -> None:
    path, _ = open_file(tiny_export, "fp32.tflite")
    metadata = open_session(path).metadata
    assert metadata is not None
    for bad in (None, metadata.model_copy(update={"operators": ()})):
        with pytest.raises(SeaformerError, match="has no mapping of operators to modules"):
            open_graph(path, bad)
    with pytest.raises(SeaformerError, match="do not match the"):
        open_graph(path, metadata.model_copy(update={"operators": metadata.operators[:-1]}))
