"""Events of a profile are attributed to operators, or the profile is refused."""

import csv
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import SAMPLES
from onnx import TensorProto, helper
from profile_events import Chain, event

from seaformer.artifact.metadata import MappedOperator
from seaformer.benchmark.breakdown.alignment import (
    AlignmentError,
    align_litert,
    match,
    partition_order,
)
from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.breakdown.kernels import ACTIVATION, KERNELS, begins_with
from seaformer.benchmark.breakdown.onnx_graph import OnnxGraph
from seaformer.benchmark.breakdown.onnx_profile import align_onnx
from seaformer.benchmark.breakdown.profile import read_profile
from seaformer.benchmark.runner.record import ProfileEvent

SAMPLE = SAMPLES / "litert23_events_arm64_qemu.csv"
RECORDED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D",
    "MEAN",
    "RESHAPE",
    "FULLY_CONNECTED",
    "SOFTMAX",
)
"""Operators of the recorded model."""


def recorded(run: int = 0) -> list[ProfileEvent]:
    kinds = {"8": "delegate", "1": "other"}
    with SAMPLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["run"] == str(run)]
    recorded_rows = [row for row in rows if row["event_type"] in kinds]
    return [
        event(
            place,
            row["tag"],
            kinds[row["event_type"]],
            start_us=int(row["start_us"]),
            elapsed_us=int(row["elapsed_us"]),
            node=int(row["index"]),
        )
        for place, row in enumerate(recorded_rows)
    ]


def test_kernels_of_a_recorded_arm_profile_are_attributed_to_operators() -> None:
    events = recorded()
    shares = align_litert(Chain(RECORDED), events)
    assert [(share.operator, events[share.event].elapsed_us) for share in shares] == [
        (0, 3569),
        (1, 2031),
        (2, 5247),
        (3, 127),
        (4, 0),
        (5, 13),
        (6, 10),
    ]


@pytest.mark.parametrize("missing", range(len(RECORDED)))
def test_a_profile_of_another_file_is_refused(missing: int) -> None:
    types = [kind for place, kind in enumerate(RECORDED) if place != missing]
    if RECORDED[missing] == "RESHAPE":
        types.insert(missing, "SOFTMAX")
    with pytest.raises(AlignmentError):
        align_litert(Chain(types), recorded())


@pytest.mark.parametrize("missing_kernel", [0, 3, 6])
def test_a_profile_that_lacks_a_kernel_is_refused(missing_kernel: int) -> None:
    events = recorded()
    kernels = [one for one in events if one.kind == "delegate"]
    events.remove(kernels[missing_kernel])
    with pytest.raises(AlignmentError):
        align_litert(Chain(RECORDED), events)


def test_an_operator_without_a_known_kernel_is_refused_by_name() -> None:
    with pytest.raises(AlignmentError, match="WHERE"):
        match(Chain(["ADD", "WHERE"]).operators, ["Add (ND)", "Where (ND)"])


def test_only_a_square_can_be_fused_into_the_mean_after_it() -> None:
    square = Operator(0, "MUL", "s", "", ("x", "x"), ("s",), 0)
    product = Operator(0, "MUL", "s", "", ("x", "y"), ("s",), 0)
    mean = Operator(1, "MEAN", "m", "", ("s",), ("m",), 0)
    fused = ["Mean Squared (ND) Reduce2"]
    assert match([square, mean], fused) == [range(0), range(1)]
    assert match([square, mean], ["Multiply (ND)", "Mean (ND)"]) == [range(1), range(1, 2)]
    with pytest.raises(AlignmentError, match="operator 0"):
        match([product, mean], fused)


def test_an_operator_outside_the_delegate_has_to_match_its_index() -> None:
    graph = Chain(["ADD", "ARG_MAX"])
    good = [event(0, "Add (ND)"), event(1, "ARG_MAX", "operator", node=1)]
    assert [share.operator for share in align_litert(graph, good)] == [0, 1]
    with pytest.raises(AlignmentError, match="ARG_MAX at 0"):
        align_litert(graph, [good[0], event(1, "ARG_MAX", "operator", node=0)])


def test_a_graph_with_a_cycle_is_refused() -> None:
    graph = Chain(["ADD", "MUL"])
    first, second = graph.operators
    graph.operators = (replace(first, inputs=(*first.inputs, *second.outputs)), second)
    with pytest.raises(AlignmentError, match="operator 0 depends on its own output"):
        partition_order(graph, set())


def test_a_partition_runs_every_operator_that_is_ready() -> None:
    graph = Chain(["ADD", "ARG_MAX", "MUL"])
    # 3 reads only the input, so it is in the first partition, before the operator outside.
    side = Operator(3, "SUB", "side", "", ("t0",), ("t9",), 0)
    graph.operators = (*graph.operators, side)
    assert [one.index for one in partition_order(graph, {1})] == [0, 3, 1, 2]
    shares = align_litert(
        graph,
        [
            event(0, "Add (ND)"),
            event(1, "Subtract (ND)"),
            event(2, "ARG_MAX", "operator", node=1),
            event(3, "Multiply (ND)"),
        ],
    )
    assert [share.operator for share in shares] == [0, 3, 1, 2]


def test_events_that_differ_between_runs_are_refused() -> None:
    first = recorded()
    second = [
        ProfileEvent(**{**vars(one), "run": 1, "tag": one.tag + "x" * (one.node == 3)})
        for one in first
    ]
    with pytest.raises(AlignmentError, match="same kernels in every run"):
        read_profile(Chain(RECORDED), [[*first, *second]])


ALONE = sorted(name for name, known in KERNELS.items() if known.least and not known.before)


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[str], list[bool], list[list[str]]]:
    """Draw operator types, whether they have activations, and the kernels of each."""
    types = draw(st.lists(st.sampled_from(sorted(KERNELS)), min_size=1, max_size=30))
    activations = draw(st.lists(st.booleans(), min_size=len(types), max_size=len(types)))
    kernels = []
    for kind, has in zip(types, activations, strict=True):
        known = KERNELS[kind]
        count = draw(st.integers(known.least, 1))
        names = [f"{draw(st.sampled_from(known.names))} (NC, F32)" for _ in range(count)]
        if count and known.before and draw(st.booleans()):
            names.insert(0, f"{draw(st.sampled_from(known.before))} (NC)")
        if count and has and draw(st.booleans()):
            names.append(f"{ACTIVATION} (NC)")
        kernels.append(names)
    return types, activations, kernels


@settings(deadline=None)
@given(programs())
def test_every_kernel_is_attributed_to_an_operator_that_can_run_it(
    program: tuple[list[str], list[bool], list[list[str]]],
) -> None:
    types, activations, kernels = program
    names = [name for of_one in kernels for name in of_one]
    taken = match(Chain(types, activations).operators, names)
    assert [place for places in taken for place in places] == list(range(len(names)))
    for kind, has, places in zip(types, activations, taken, strict=True):
        known = KERNELS[kind]
        can = known.names + known.before + ((ACTIVATION,) if has else ())
        assert all(begins_with(names[place], can) for place in places)
        assert len(places) >= known.least


@settings(deadline=None)
@given(st.lists(st.sampled_from(ALONE), min_size=1, max_size=30), st.data())
def test_an_extra_or_missing_kernel_is_detected_if_none_is_optional(
    types: list[str], data: st.DataObject
) -> None:
    operators = Chain(types).operators
    names = [KERNELS[kind].names[0] for kind in types]
    assert match(operators, names) == [range(i, i + 1) for i in range(len(types))]
    place = data.draw(st.integers(0, len(types) - 1))
    with pytest.raises(AlignmentError):
        match(operators, names[:place] + names[place + 1 :])
    with pytest.raises(AlignmentError):
        match(operators, [*names, names[place]])


@pytest.fixture
def convolutions(tmp_path: Path) -> OnnxGraph:
    """x -> conv a -> relu -> conv b -> add(conv a's) -> softmax."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="/a/Conv"),
        helper.make_node("Relu", ["a"], ["r"], name="/a/Relu"),
        helper.make_node("Conv", ["r", "w"], ["b"], name="/b/Conv"),
        helper.make_node("Add", ["b", "r"], ["s"], name="/Add"),
        helper.make_node("Softmax", ["s"], ["y"], name="/Softmax"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 5, 5])],
        [helper.make_tensor("w", TensorProto.FLOAT, [2, 2, 1, 1], [1.0] * 4)],
    )
    path = tmp_path / "g.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    modules = ["a", "a.act", "b", "", ""]
    rows = [
        MappedOperator(index=index, type=node.op_type, module=module, nodes=())
        for index, (node, module) in enumerate(zip(nodes, modules, strict=True))
    ]
    return OnnxGraph(path, rows)


def owners(graph: OnnxGraph, *events: tuple[str, str]) -> list[tuple[int, int, float]]:
    owned = [event(i, tag, "operator", op=op) for i, (tag, op) in enumerate(events)]
    return [(share.event, share.operator, share.share) for share in align_onnx(graph, owned)]


def test_an_activation_belongs_to_the_module_of_its_producer(convolutions: OnnxGraph) -> None:
    assert [one.module for one in convolutions.operators] == ["a", "a", "b", "", ""]


def test_nodes_with_their_original_names_keep_their_times(convolutions: OnnxGraph) -> None:
    names = ("/a/Conv", "/a/Relu", "/b/Conv", "/Add", "/Softmax")
    events = [(name, name.rpartition("/")[2]) for name in names]
    assert owners(convolutions, *events) == [(i, i, 1.0) for i in range(5)]


def test_a_fused_node_named_after_its_last_tensor_is_its_convolution(
    convolutions: OnnxGraph,
) -> None:
    events = [("r_nchwc", "Conv"), ("s_nchwc", "Conv"), ("/Softmax", "Softmax")]
    assert owners(convolutions, *events) == [(0, 0, 1.0), (1, 2, 1.0), (2, 4, 1.0)]


def test_convolutions_in_one_kernel_share_its_time_by_their_macs(convolutions: OnnxGraph) -> None:
    events = [("s_nchwc", "Conv"), ("/Softmax", "Softmax")]
    assert sorted(owners(convolutions, *events)) == [(0, 0, 0.5), (0, 2, 0.5), (1, 4, 1.0)]


@pytest.mark.parametrize(
    "added", ["/MatMulScaleFusion/", "/MatmulTransposeFusion/", "/GatherSliceToSplitFusion"]
)
def test_name_suffixes_of_fusions_are_ignored(added: str, convolutions: OnnxGraph) -> None:
    events = [("/a/Conv", "Conv"), (f"/b/Conv{added}", "FusedConv"), ("/Softmax", "Softmax")]
    assert owners(convolutions, *events) == [(0, 0, 1.0), (1, 2, 1.0), (2, 4, 1.0)]


def test_inserted_nodes_are_attributed_to_their_neighbors(convolutions: OnnxGraph) -> None:
    events = [
        ("ReorderInput", "ReorderInput"),
        ("/a/Conv_token_3", "QLinearConv"),
        ("Transpose_token_7", "Transpose"),
        ("s_nchwc", "Conv"),
        ("ReorderOutput_token_9", "ReorderOutput"),
        ("/Softmax", "Softmax"),
    ]
    assert [owner for _, owner, _ in owners(convolutions, *events)] == [0, 0, 2, 2, 2, 4]


def test_a_profile_without_a_convolution_of_the_file_is_refused(convolutions: OnnxGraph) -> None:
    with pytest.raises(AlignmentError, match="2 \\(Conv, b\\)"):
        owners(convolutions, ("/a/Conv", "FusedConv"), ("/Add", "Add"), ("/Softmax", "Softmax"))


def test_a_node_that_is_not_in_the_file_is_refused(convolutions: OnnxGraph) -> None:
    with pytest.raises(AlignmentError, match="'/c/Conv' \\(Conv\\)"):
        owners(convolutions, ("/a/Conv", "Conv"), ("/c/Conv", "Conv"))
