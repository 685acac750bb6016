"""Model files that refer to other files for weights or compiled graphs.

Both formats allow this. The name in the file is untrusted: it must not make us read arbitrary files
of the host. For an .onnx, files in its folder and subfolders are allowed; for a .tflite none are,
because no known tool writes them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seaformer.errors import SeaformerError, quoted
from seaformer.names import path_in
from seaformer.runtimes.compiled_file import COMPILED

if TYPE_CHECKING:
    from onnx import TensorProto

_LOCATION = "location"
_BINARY = "ep_cache_context"
_COMPILE_AGAIN = "Compile the model again."
_ADVICE = "Save the model as one file: onnx.save(onnx.load(path), new_path)."


def check_onnx(path: Path) -> None:
    """Check the external files of an .onnx, with weights or compiled graphs.

    A damaged file passes this check.

    Raises:
        SeaformerError: an external file is missing or outside the folder of the model.
    """
    for tensor, location, advice in _references(path):
        _check_location(path, tensor, location, advice)


def require_one_file(path: Path, binary: Path | None = None) -> None:
    """Refuse a model that consists of several files, because only one is copied to a device.

    `binary` is the compiled graph, if it is copied to the device as well.

    Raises:
        SeaformerError: an .onnx has weights or a compiled graph in another file.
    """
    for _, location, advice in _references(path) if path.suffix.lower() == ".onnx" else ():
        if binary is not None and location == binary.name:
            continue
        raise SeaformerError(
            f"'{path}' stores data in another file, {quoted(location)}, but only one file is "
            f"copied to a device. {advice}"
        )


def _references(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the external data of an .onnx: tensor or operator, file, and what to do instead."""
    data = path.read_bytes()
    if not any(name.encode() in data for name in (_LOCATION, _BINARY)):
        return  # no external data, as in most files
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's DecodeError is not public; the runtime reports the error
        return
    for tensor in _tensors(model):
        for entry in tensor.external_data:
            if entry.key == _LOCATION:
                yield tensor.name, entry.value, _ADVICE
    for node in model.graph.node:
        has = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == COMPILED and _BINARY in has:
            embedded = "embed_mode" not in has or has["embed_mode"].i == 1  # as in ONNX Runtime
            if not embedded:
                yield COMPILED, has[_BINARY].s.decode(errors="replace"), _COMPILE_AGAIN


def check_tflite(path: Path) -> None:
    """Check that a .tflite file, which LiteRT has opened and verified, has no external weights.

    Raises:
        SeaformerError: it has external weights.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes())
    if model.ExternalBufferGroupsLength():
        name = model.ExternalBufferGroups(0).Name()
        raise SeaformerError(
            f"'{path}' has weights in another file, {quoted(name)}, which is not allowed. Convert "
            "the model to one file."
        )


def _check_location(path: Path, tensor: str, location: str, advice: str) -> None:
    where = f"the location of the external data {quoted(tensor)} of '{path}', {quoted(location)},"
    target = path.parent
    for name in location.split("/"):
        target = path_in(target, name, f"a component of {where}", advice)
    if not target.is_file():
        raise SeaformerError(
            f"{where} is not a file. Copy it there, next to the model. Or: {advice}"
        )


def _tensors(message: Any) -> "Iterator[TensorProto]":
    """Yield every tensor in an ONNX message, including nodes, subgraphs and functions."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for member in value if isinstance(value, Sequence) else (value,):
                if member.DESCRIPTOR.name == "TensorProto":
                    yield member
                else:
                    yield from _tensors(member)
