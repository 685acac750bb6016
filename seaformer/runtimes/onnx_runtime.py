"""Running .onnx files with ONNX Runtime."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime

from seaformer.artifact.embedding import PROPERTY
from seaformer.artifact.metadata import Scale
from seaformer.errors import SeaformerError
from seaformer.runtimes.compiled_file import refuse_compiled
from seaformer.runtimes.external_data import check_onnx
from seaformer.runtimes.session import Array, Session, Tensor, reason

if TYPE_CHECKING:
    from onnx import GraphProto

_NAMED_ALIKE = (
    *("float16", "int8", "uint8", "int16", "uint16"),
    *("int32", "uint32", "int64", "uint64", "bool"),
)
DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"} | {
    f"tensor({name})": name for name in _NAMED_ALIKE
}
"""ONNX Runtime's type names -> NumPy's dtype names."""

INTEGERS = ("int8", "uint8", "int16", "uint16")
"""Input and output types of quantized files."""

ERRORS_ONLY = 3


class OnnxSession(Session):
    """An .onnx file in ONNX Runtime on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.runtime = f"ONNX Runtime {version('onnxruntime')}"
        self._threads = threads
        self._observer: onnxruntime.InferenceSession | None = None
        check_onnx(path)
        try:
            model = self._load(str(path))
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            raise SeaformerError(
                f"ONNX Runtime cannot open '{path}': {reason(error)}. The file is damaged or made "
                "for another version: export it again."
            ) from error
        self._model: onnxruntime.InferenceSession | None = model
        self.metadata_text = model.get_modelmeta().custom_metadata_map.get(PROPERTY) or None
        self.inputs = tuple(self._tensor(one, "takes an input") for one in model.get_inputs())
        self.outputs = tuple(self._tensor(one, "returns an output") for one in model.get_outputs())
        if any(tensor.dtype in INTEGERS for tensor in (*self.inputs, *self.outputs)):
            # ONNX Runtime does not expose the graph, so the file is parsed a second time.
            scales = integer_scales(self._graph().graph)
            self.inputs, self.outputs = (
                tuple(replace(tensor, integers=scales.get(tensor.name)) for tensor in tensors)
                for tensors in (self.inputs, self.outputs)
            )

    def resize(self, shape: Sequence[int]) -> None:
        """Do nothing: ONNX Runtime adapts to the shape of each input."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        return self._run(self._open_model(), None, inputs)

    def computed_by(self, operator: int) -> str:
        """Return the name of the first tensor that a node computes."""
        nodes = self._graph().graph.node
        if 0 <= operator < len(nodes) and nodes[operator].output:
            return str(nodes[operator].output[0])
        raise self.no_operator(operator, len(nodes))

    def fetch(self, keys: Sequence[str], inputs: Sequence[Array]) -> list[Array]:
        """Run once with all tensors as outputs; return those with these names."""
        self._open_model()
        if self._observer is None:
            import onnx

            graph = self._graph()
            known = {output.name for output in graph.graph.output}
            names = dict.fromkeys(name for node in graph.graph.node for name in node.output if name)
            graph.graph.output.extend(
                onnx.ValueInfoProto(name=name) for name in names if name not in known
            )
            try:
                self._observer = self._load(graph.SerializeToString(), optimized=False)
            except Exception as error:  # ONNX Runtime's exceptions have no common base class
                raise self.cannot_run(error) from error
        return self._run(self._observer, keys, inputs)

    def close(self) -> None:
        """Free the memory of the model."""
        self._model = self._observer = None

    def _load(self, model: str | bytes, optimized: bool = True) -> onnxruntime.InferenceSession:
        return load(model, session_options(self._threads, optimized))

    def _graph(self) -> Any:
        import onnx

        try:
            return onnx.load(self.path)
        except Exception as error:  # protobuf's DecodeError is not public
            raise SeaformerError(
                f"'{self.path}' is not an ONNX model: {reason(error)}. Export it again."
            ) from error

    def _open_model(self) -> onnxruntime.InferenceSession:
        if self._model is None:
            raise self.closed()
        return self._model

    def _run(
        self,
        model: onnxruntime.InferenceSession,
        names: Sequence[str] | None,
        inputs: Sequence[Array],
    ) -> list[Array]:
        feeds = {tensor.name: x for tensor, x in zip(self.inputs, inputs, strict=True)}
        try:
            outputs: list[Array] = model.run(names, feeds)
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            raise self.cannot_run(error) from error
        return outputs

    def _tensor(self, node: Any, does: str) -> Tensor:
        if node.type not in DTYPES:
            raise SeaformerError(
                f"'{self.path}' {does} of type {node.type}. Allowed: {', '.join(DTYPES)}."
            )
        # A side of any size has a name or is None.
        sides = (side if isinstance(side, int) and side >= 0 else None for side in node.shape)
        return Tensor(node.name, DTYPES[node.type], tuple(sides))


def open_session(path: Path, threads: int) -> OnnxSession:
    """Load the file to run on the CPU; see `seaformer.runtimes.open_session`.

    Raises:
        UsageError: it is compiled for an NPU.
        SeaformerError: it is damaged.
    """
    refuse_compiled(path)
    return OnnxSession(path, threads)


def load(
    model: str | bytes,
    settings: onnxruntime.SessionOptions,
    providers: Sequence[str] | None = ("CPUExecutionProvider",),
) -> onnxruntime.InferenceSession:
    """Load a file from its path or its content; providers are None if `settings` has them."""
    return onnxruntime.InferenceSession(model, settings, providers=providers)


def session_options(threads: int, optimized: bool = True) -> onnxruntime.SessionOptions:
    """Return the options of a session: threads, optimizations, and only errors in the log."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = ERRORS_ONLY
    if not optimized:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return settings


def integer_scales(graph: "GraphProto") -> dict[str, Scale]:
    """Return the tensors quantized with a single scale, from the nodes that convert them."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    found: dict[str, Scale] = {}
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        values = [numpy_helper.to_array(stored[name]) for name in node.input[1:] if name in stored]
        if len(values) == len(node.input) - 1 and all(value.size == 1 for value in values):
            scale, zero_point = (*(value.item() for value in values), 0)[:2]  # 0 is the default
            name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
            found[name] = Scale(scale=scale, zero_point=zero_point)
    return found
