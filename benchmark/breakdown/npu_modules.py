"""Attribution of the events of an NPU's profile to modules of the network.

Qualcomm's compiler names operators after the nodes of the .onnx, but it splits and fuses nodes,
duplicates conversions and inserts operators. The rules:

1. An event belongs to the node with its name, without the suffixes that the compiler
   (`:OpId_27 (cycles)`) and ONNX Runtime (`_token_12`, `_2` for a copy) add.
2. An event with the name of a tensor and a suffix (`..._convertConvert`, `..._q`) converts that
   tensor and belongs to the node that computes it. So does a conversion between numbers.
3. A name that consists of a type and a number (`Transpose_token_763`) is an inserted operator. Its
   node is unknown, so each type has a separate row, as have the input, the output and all other
   events.

The cost of a convolution can be attributed to the activation after it, with which the NPU fuses it.
Therefore only sums over blocks are meaningful: modules without submodules count for their parent.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from seaformer.artifact.metadata import Metadata, Module
from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.benchmark.breakdown.qnn_profile import NodeCycles, QnnProfile, read_qnn_profile
from seaformer.benchmark.breakdown.tree import build_tree
from seaformer.benchmark.results.npu_breakdown import NpuBreakdown, NpuRow, NpuRowKind
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes import open_session
from seaformer.runtimes.compiled_file import is_compiled

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "Cast")
TRANSFERS = ("Input", "Output")
UNKNOWN = "not named after a node"
LEAST_KNOWN = 0.5
"""Smallest share of the named events that have to match nodes of the file."""

_PLACE = re.compile(r"[: ]OpId_\d+ \(cycles\)$")
_NUMBER = re.compile(r"(_token_\d+)?(_\d+)*$")
_INSERTED = re.compile(r"([A-Za-z]+)_token_\d+(_\w+)?$")


def break_down_file(model: Path, profile: Path) -> NpuBreakdown:
    """Sum the cycles of every module of a file from seaformer-export.

    Raises:
        UsageError: the file is compiled, or not an .onnx.
        SeaformerError: a file is missing or damaged, or the profile is from another model.
    """
    if model.suffix.lower() != ".onnx":
        raise UsageError(f"MODEL is '{model}'. Allowed: the .onnx that was profiled.")
    if not model.is_file():
        raise SeaformerError(f"there is no model file '{model}'. Check the name.")
    if is_compiled(model):
        raise UsageError(
            f"'{model}' is compiled, so its operators are not visible. Give the .onnx that it was "
            "compiled from."
        )
    read = read_qnn_profile(profile)
    with open_session(model) as session:
        metadata = session.metadata
    metadata = metadata if isinstance(metadata, Metadata) else None
    graph = open_graph(model, metadata)
    return break_down(graph, read, model, profile, {} if metadata is None else metadata.modules)


def break_down(
    graph: Graph,
    profile: QnnProfile,
    model: Path,
    profile_path: Path,
    modules: Mapping[str, Module],
) -> NpuBreakdown:
    """Sum the cycles of every module.

    Args:
        graph: graph of the .onnx.
        profile: profile of the NPU that ran it.
        model: the file.
        profile_path: the file of the profile.
        modules: path -> title of the modules of the network.

    Raises:
        SeaformerError: the profile is from another model.
    """
    blocks = _blocks(operator.module for operator in graph.operators)
    find = _Finder(graph)
    by_operator: dict[int, list[NodeCycles]] = defaultdict(list)
    beside: dict[tuple[NpuRowKind, str], list[NodeCycles]] = defaultdict(list)
    for event in (event for partition in profile.partitions for event in partition):
        name = _PLACE.sub("", event.name)
        operator = find(name)
        inserted = _INSERTED.fullmatch(name)
        if operator is not None:
            by_operator[operator.index].append(event)
        elif name in TRANSFERS:
            beside["transfer", name].append(event)
        elif inserted is not None:
            beside["inserted", inserted[1]].append(event)
        else:
            beside["unknown", UNKNOWN].append(event)
    unknown = tuple(event.name for event in beside.get(("unknown", UNKNOWN), ()))
    known = sum(map(len, by_operator.values()))
    if known < LEAST_KNOWN * (known + len(unknown)) or not known:
        raise SeaformerError(
            f"'{profile_path}' is not a profile of '{model}': of {known + len(unknown)} named "
            f"events, {known} match nodes of the file. Give the .onnx that was profiled, or the "
            "file that it was compiled from."
        )
    tree = build_tree(
        [replace(one, module=blocks[one.module]) for one in graph.operators], model.stem, modules
    )
    total = sum(event.cycles for partition in profile.partitions for event in partition)
    rows = []
    for node, depth, parent in tree.walk():
        events = [event for index in node.operators for event in by_operator[index]]
        kind: NpuRowKind = "own" if node.is_own else "module"
        if not depth:
            kind = "network"
            events = [event for partition in profile.partitions for event in partition]
        rows.append(_row(node.path, parent, depth, node.title, kind, events, total))
    rows += [
        _row(f"({kind}: {name})", "", 1, f"{kind}: {name}", kind, events, total)
        for (kind, name), events in sorted(beside.items())
    ]
    return NpuBreakdown(
        model=model.name,
        profile=profile_path.name,
        runs=profile.runs,
        partitions=len(profile.partitions),
        rows=tuple(row for row in rows if row.events),
        unknown=unknown,
    )


def _row(
    path: str,
    parent: str | None,
    depth: int,
    title: str,
    kind: NpuRowKind,
    events: list[NodeCycles],
    total: float,
) -> NpuRow:
    cycles = sum(event.cycles for event in events)
    return NpuRow(
        path=path,
        parent=parent,
        depth=depth,
        title=title,
        kind=kind,
        events=len(events),
        cycles=cycles,
        share=cycles / total if total else 0.0,
    )


def _blocks(modules: Iterable[str]) -> dict[str, str]:
    """Path of each module -> its own path if it has submodules or no parent, else its parent's."""
    paths = set(modules)
    around = {path.rpartition(".")[0] for path in paths}
    return {
        path: path if path in around or "." not in path else path.rpartition(".")[0]
        for path in paths
    }


class _Finder:
    """Resolves the name of an event to an operator of the file."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._producers = {
            name: operator for operator in graph.operators for name in operator.outputs
        }

    def __call__(self, name: str) -> Operator | None:
        """Return the operator; None if no operator matches."""
        found = self._nodes.get(name) or self._nodes.get(_NUMBER.sub("", name))
        found = found or next(
            (self._producers[start] for start in _starts(name) if start in self._producers), None
        )
        while found is not None and found.type in CONVERSIONS:
            before = [self._producers[name] for name in found.inputs if name in self._producers]
            if not before:
                break
            found = before[0]
        return found


def _starts(name: str) -> Iterator[str]:
    """The name, and its prefixes that end before an underscore, longest first."""
    while name:
        yield name
        name = name.rpartition("_")[0]
