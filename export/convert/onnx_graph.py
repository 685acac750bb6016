"""PyTorch to an ONNX graph whose node names carry the module path.

The TorchScript exporter is used instead of the dynamo exporter: it names every node after its
modules (`/context_branch/stage4/blocks.0/attention/qkv/Conv`), which the latency breakdown relies
on, and takes a tenth of the time for a graph with the same nodes. `make bench` measures both.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from seaformer.export.convert.graph_nodes import replace_nodes
from seaformer.export.convert.half_precision import MIN_ELEMENTS, to_half
from seaformer.export.convert.input_dependence import (
    is_of_library,
    place_behind_equivalents,
    place_of,
)
from seaformer.export.convert.joined_projections import split_projections
from seaformer.export.convert.refusals import tracing_error
from seaformer.export.convert.simplification import simplified
from seaformer.export.equivalents import Equivalents
from seaformer.models.inputs import input_shape, takes_features

OPSET = 18
"""The lowest opset with `Split(num_outputs)`, see `_unlist_equal_splits`. Runtimes have supported
it for years: ONNX Runtime since 1.14."""

MIN_SHARED = 256
"""Minimum number of values of a constant for sharing it."""

INPUT_NAME = "image"
FEATURES_NAME = "features"
"""Input name of a network that does not take an image, see `seaformer.imaging.input_size`."""


def to_onnx(
    model: nn.Module,
    size: tuple[int, int],
    output_name: str,
    shape_check: Callable[[str], object] | None = None,
) -> onnx.ModelProto:
    """Trace a model into a checked ONNX graph with static shapes.

    Args:
        model: float32, in eval mode; it takes [1, 3, height, width], or the number of channels in
            its attribute `input_channels`, and returns one tensor.
        size: height and width.
        output_name: name of the graph's output.
        shape_check: called with each place where the tracer made a constant of a Python value that
            was computed from a tensor. Constants from shapes are valid for this size; for
            constants from the input see `input_dependence`.

    Raises:
        SeaformerError: the model cannot be traced.
    """
    example = torch.zeros(input_shape(model, size))
    buffer = io.BytesIO()

    def note(_: object, category: type[Warning], file: str, line: int, *__: object) -> None:
        file, line = place_behind_equivalents(file, line)
        if category is torch.jit.TracerWarning and not is_of_library(file) and shape_check:
            shape_check(place_of(file, line))

    try:
        with silence(note), _composed_attention(), _eager_branches(), Equivalents():
            torch.onnx.export(
                model,
                (example,),
                buffer,  # type: ignore[arg-type]  # the stub covers the dynamo exporter only
                dynamo=False,
                opset_version=OPSET,
                input_names=[FEATURES_NAME if takes_features(model) else INPUT_NAME],
                output_names=[output_name],
            )
    except MemoryError:
        raise
    except Exception as error:  # a user's model can raise anything
        raise tracing_error(error, model) from error
    with silence():
        graph = simplified(onnx.load_from_string(buffer.getvalue()))
    _unlist_equal_splits(graph)
    _share_equal_constants(graph)
    graph = onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True)
    if split_projections(graph):
        graph = onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True)
    graph.producer_name = "seaformer"
    onnx.checker.check_model(graph, full_check=True)
    return graph


def with_half_weights(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Copy the graph with its weights stored in half precision, see `half_precision`.

    The scales of a quantized graph and subtracted constants do not count as weights.

    Raises:
        SeaformerError: a weight is too large for half precision.
    """
    half = onnx.ModelProto()
    half.CopyFrom(graph)
    casts = []
    converting = [n for n in half.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    excluded = {name for node in converting for name in node.input[1:]}
    excluded |= {name for node in half.graph.node if node.op_type == "Sub" for name in node.input}
    for tensor in half.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or tensor.name in excluded or values.size < MIN_ELEMENTS:
            continue
        name, stored = tensor.name, f"{tensor.name}.half"
        tensor.CopyFrom(numpy_helper.from_array(to_half(values, name), stored))
        cast = onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT)
        cast.name = f"/{name.replace('.', '/')}/Cast"
        casts.append(cast)
    replace_nodes(half, [*casts, *half.graph.node])
    onnx.checker.check_model(half, full_check=True)
    return half


def _unlist_equal_splits(graph: onnx.ModelProto) -> None:
    """Write a `Split` into equal parts with `num_outputs` instead of a list of sizes.

    onnx2tf converts a list of sizes to one STRIDED_SLICE per part, but `num_outputs` to a single
    SPLIT.
    """
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type != "Split" or len(node.input) < 2 or node.input[1] not in constants:
            continue
        sizes = numpy_helper.to_array(constants[node.input[1]])
        if len(set(sizes.tolist())) == 1:
            del node.input[1:]
            node.attribute.append(onnx.helper.make_attribute("num_outputs", len(node.output)))
    used = {name for node in graph.graph.node for name in node.input}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)


def _share_equal_constants(graph: onnx.ModelProto) -> None:
    """Store equal large constants once, such as masks shared by the layers of a stage.

    TensorFlow's converter does the same automatically.
    """
    first: dict[tuple[object, ...], str] = {}
    renamed: dict[str, str] = {}
    kept = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size >= MIN_SHARED:
            key = (values.dtype, values.shape, values.tobytes())
            renamed[tensor.name] = first.setdefault(key, tensor.name)
        if renamed.get(tensor.name, tensor.name) == tensor.name:
            kept.append(tensor)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)


@contextlib.contextmanager
def _composed_attention() -> Iterator[None]:
    """Make torch's Transformer layers call their submodules.

    Without gradients they run as a single torch operator, which ONNX does not have.
    """
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


@contextlib.contextmanager
def _eager_branches() -> Iterator[None]:
    """Make `torch.jit.is_tracing()` return False, so that networks branch as in eager mode.

    Their branches for the tracer compute with shapes as tensors; here, shapes are integers, see
    `seaformer.export.equivalents.static_shapes`.
    """
    is_tracing = torch.jit.is_tracing
    torch.jit.is_tracing = lambda: False
    try:
        yield
    finally:
        torch.jit.is_tracing = is_tracing


def _nothing(*_: object) -> None:
    pass


@contextlib.contextmanager
def silence(show_warning: Callable[..., None] = _nothing) -> Iterator[None]:
    """Suppress the terminal output of the tracer, the simplifier and the quantizer.

    Args:
        show_warning: called with the warnings, like `warnings.showwarning`.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    print_graph = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = _nothing  # it prints the whole graph when an export fails
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            warnings.showwarning = show_warning
            yield
    finally:
        logging.disable(level)
        torch._C._jit_onnx_log = print_graph
