"""The heat map of a network's last attention layer: where on the photograph it answers most.

The layer's output is averaged over its channels, scaled so that the least is 0 and the largest 255,
and resized to the photograph. Such a map shows the place of a response and not its meaning: the
average mixes channels that stand for different things.

A checkpoint's layer is asked while it runs. An exported file says in its metadata which of its
operators belong to which module, so there the output of the layer's last operator is read.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError
from seaformer.files import atomic_write
from seaformer.runtimes import Session, find_runtime

ATTENTION = "attention"
"""What a module is called, in any network of ours, whose output can be drawn."""

INFERNO = "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4"
"""Colours from dark to light, to be interpolated: equal steps look equal, to the colour-blind and
in print too. Source: Smith and van der Walt, matplotlib's "inferno", CC0."""

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "Cast")
"""Types of operators that only change how numbers are stored."""

Array = npt.NDArray[np.float32]


def last_attention(path: Path, session: Session, x: Array) -> Array:
    """Run a model and return what its last attention layer gives.

    Args:
        path: the model's file.
        session: the open model.
        x: its input, as `Session.run` takes it.

    Returns:
        float32 [C, h, w].

    Raises:
        SeaformerError: the model has no attention layer, or the file does not say where it is.
    """
    output = _SOURCES[find_runtime(path).title](path, session, x)
    if output.ndim != 4 or output.shape[0] != 1:
        raise SeaformerError(
            f"the last attention layer of '{path}' gives a tensor of shape {list(output.shape)}, "
            "which is no map of the picture."
        )
    return output[0]


def heat(features: Array, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Average over the channels, scale to 0..255 and resize bilinearly.

    Args:
        features: float32 [C, h, w].
        size: height and width of the result.

    Returns:
        uint8 [height, width]; all 0 if the average is the same everywhere.

    Raises:
        SeaformerError: a value is not finite.
    """
    from PIL import Image

    mean = features.mean(axis=0, dtype=np.float64)
    if not np.isfinite(mean).all():
        raise SeaformerError(
            "the last attention layer gives values that are not finite. The weights are damaged, "
            "or the precision is too low for them: export with fp32."
        )
    span = mean.max() - mean.min()
    scaled = (mean - mean.min()) * (255 / span if span else 0.0)
    grid = Image.fromarray(scaled.astype(np.float32))
    resized = grid.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized).round().clip(0, 255).astype(np.uint8)


def save_heatmap(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write a .png that shows the values in colour and holds them as its palette's indices.

    Args:
        path: the file, which is replaced.
        values: uint8 [H, W].
    """
    from PIL import Image

    anchors = np.array([list(bytes.fromhex(color)) for color in INFERNO.split()])
    places = np.linspace(0, 255, len(anchors))
    channels = [np.interp(np.arange(256), places, channel) for channel in anchors.T]
    picture = Image.fromarray(values)
    picture.putpalette(np.stack(channels, axis=1).round().astype(np.uint8).tobytes())
    with atomic_write(path) as temporary:
        picture.save(temporary)


def _from_checkpoint(path: Path, session: Session, x: Array) -> Array:
    from seaformer.runtimes.pytorch import PyTorchSession

    assert isinstance(session, PyTorchSession)  # what opens files of these suffixes
    network = session.network
    found = _last(name for name, _ in network.named_modules() if _is_attention(name))
    if found is None:
        raise _no_attention(path)
    outputs = []
    hook = network.get_submodule(found).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output.numpy())
    )
    try:
        session.run(x)
    finally:
        hook.remove()
    last: Array = outputs[-1]
    return last


def _from_onnx(path: Path, session: Session, x: Array) -> Array:
    import onnx
    import onnxruntime

    model = onnx.load(path)
    name = model.graph.node[_last_operator(path, session)["index"]].output[0]
    model.graph.output.add(name=name)
    taken = model.graph.input[0]
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    runtime = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(taken.type.tensor_type.elem_type)
    given = session.integer_input.from_real(x) if session.integer_input else x.astype(dtype)
    (output,) = runtime.run([name], {taken.name: given})
    return np.asarray(output, dtype=np.float32)


def _from_tflite(path: Path, session: Session, x: Array) -> Array:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from seaformer.runtimes.integers import IntegerTensor

    graph = schema.Model.GetRootAs(path.read_bytes()).Subgraphs(0)
    tensor = int(graph.Operators(_last_operator(path, session)["index"]).Outputs(0))
    # A delegate computes its operators as one and does not show what is between them.
    interpreter = Interpreter(
        model_path=str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    taken = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(taken["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(
        taken["index"], session.integer_input.from_real(x) if session.integer_input else x
    )
    interpreter.invoke()
    output = interpreter.get_tensor(tensor)
    scale, zero_point = next(
        one["quantization"] for one in interpreter.get_tensor_details() if one["index"] == tensor
    )
    if scale:
        output = IntegerTensor(output.dtype, scale, zero_point).to_real(output)
    # The converter has channels last throughout.
    return np.asarray(output, dtype=np.float32).transpose(0, 3, 1, 2)


_SOURCES: Mapping[str, Callable[[Path, Session, Array], Array]] = MappingProxyType(
    {"PyTorch": _from_checkpoint, "ONNX Runtime": _from_onnx, "LiteRT": _from_tflite}
)


def _last_operator(path: Path, session: Session) -> dict[str, Any]:
    """The operator of an export that computes what its last attention layer gives."""
    operators = [
        one
        for one in (session.metadata or {}).get("operators", ())
        if ATTENTION in one["module"].split(".") and one["type"] not in _CONVERSIONS
    ]
    if not operators:
        raise _no_attention(path)
    last: dict[str, Any] = max(operators, key=lambda one: one["index"])
    return last


def _is_attention(module: str) -> bool:
    return module.split(".")[-1] == ATTENTION


def _last(names: Iterable[str]) -> str | None:
    return next(reversed(list(names)), None)


def _no_attention(path: Path) -> SeaformerError:
    return SeaformerError(
        f"'{path}' names no attention layer, so there is no heat map. It needs a checkpoint, or a "
        "file of seaformer-export, of a network with attention."
    )
