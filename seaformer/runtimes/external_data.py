"""Model files that have weights, or what was compiled, in other files, whose names stand in them.

Both formats can. Such a name is data: it does not decide which file of this computer is read. Of an
.onnx, files beside it or in folders below are; of a .tflite none, as the tools that we know write
none.
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
    """Check where an .onnx file has its weights and what was compiled.

    Of one that is damaged, nothing is said.

    Raises:
        SeaformerError: in a file that is not beside it, or in none.
    """
    for tensor, location, advice in _parts(path):
        _check_location(path, tensor, location, advice)


def require_one_file(path: Path, binary: Path | None = None) -> None:
    """Refuse a model that is more than one file, of which one alone would go to a device.

    `binary` is what was compiled, if it goes to the device as well.

    Raises:
        SeaformerError: an .onnx has weights, or what was compiled, in another file.
    """
    for _, location, advice in _parts(path) if path.suffix.lower() == ".onnx" else ():
        if binary is not None and location == binary.name:
            continue
        raise SeaformerError(
            f"'{path}' has a part of it in another file, {quoted(location)}, and a device gets one "
            f"file. {advice}"
        )


def _parts(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what an .onnx has in other files: tensor or operator, file, and what to do instead."""
    data = path.read_bytes()
    if not any(name.encode() in data for name in (_LOCATION, _BINARY)):
        return  # without which nothing is elsewhere: most files end here
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's DecodeError has no public home; the runtime says what is wrong
        return
    for tensor in _tensors(model):
        for entry in tensor.external_data:
            if entry.key == _LOCATION:
                yield tensor.name, entry.value, _ADVICE
    for node in model.graph.node:
        has = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == COMPILED and _BINARY in has:
            embedded = "embed_mode" not in has or has["embed_mode"].i == 1  # as ONNX Runtime has it
            if not embedded:
                yield COMPILED, has[_BINARY].s.decode(errors="replace"), _COMPILE_AGAIN


def check_tflite(path: Path) -> None:
    """Check that a .tflite file, which LiteRT has opened and verified, has its weights itself.

    Raises:
        SeaformerError: it has not.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes())
    if model.ExternalBufferGroupsLength():
        name = model.ExternalBufferGroups(0).Name()
        raise SeaformerError(
            f"'{path}' has weights in another file, {quoted(name)}. Allowed: none outside of it. "
            "Convert the model to one file."
        )


def _check_location(path: Path, tensor: str, location: str, advice: str) -> None:
    where = f"the place of the external data {quoted(tensor)} of '{path}', {quoted(location)},"
    place = path.parent
    for part in location.split("/"):
        place = path_in(place, part, f"a part of {where}", advice)
    if not place.is_file():
        raise SeaformerError(f"{where} is no file. Copy it there, beside the model. Or: {advice}")


def _tensors(message: Any) -> "Iterator[TensorProto]":
    """Yield every tensor in a message of ONNX: in nodes, subgraphs and functions too."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if isinstance(value, Sequence) else (value,):
                if part.DESCRIPTOR.name == "TensorProto":
                    yield part
                else:
                    yield from _tensors(part)
