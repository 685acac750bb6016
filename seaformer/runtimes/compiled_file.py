"""Files compiled for one chip by a vendor's compiler, which no CPU can run."""

from pathlib import Path

from seaformer.artifact.embedding import PROPERTY, content_of, content_sha256, tflite_text
from seaformer.artifact.metadata import Compilation, parse_metadata
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import file_sha256
from seaformer.names import path_in

COMPILED = "EPContext"
"""Operator in an .onnx that stands for a compiled graph."""

DISPATCH = "DISPATCH_OP"
"""Custom operator in a .tflite that stands for a compiled graph."""

_MARKS = {".onnx": COMPILED, ".tflite": DISPATCH}


def is_compiled(path: Path) -> bool:
    """Whether a file with a known suffix contains a compiled graph."""
    mark = _MARKS.get(path.suffix.lower())
    return mark is not None and mark.encode() in path.read_bytes()


def refuse_compiled(path: Path) -> None:
    """Refuse to run a compiled file on the CPU.

    Raises:
        UsageError: the file is compiled; the message states what can run it.
    """
    if not is_compiled(path):
        return
    if path.suffix.lower() == ".tflite":
        raise UsageError(
            f"'{path}' is compiled for the NPU of a phone, and a computer cannot run a compiled "
            ".tflite. Give the .tflite that it was compiled from."
        )
    raise UsageError(
        f"'{path}' is compiled for an NPU, and the CPU cannot run it. seaformer-predict and "
        "seaformer-evaluate run it with --accelerator npu. Or give the .onnx that it was compiled "
        "from."
    )


def read_compilation(path: Path) -> Compilation | None:
    """Read the record of the compilation; None if the file is not ours."""
    text = tflite_text(path) if path.suffix.lower() == ".tflite" else _onnx_text(path)
    return None if text is None else parse_metadata(text, f"'{path}'").compilation


def require_compilation(path: Path) -> Compilation:
    """Read the record of the compilation of a compiled file.

    Raises:
        SeaformerError: it has none.
    """
    compilation = read_compilation(path)
    if compilation is None:
        raise SeaformerError(
            f"'{path}' is compiled but does not state for which chip. Compile the model with "
            "seaformer-export --accelerator npu --soc CHIP."
        )
    return compilation


def require_binary(path: Path, compilation: Compilation) -> Path | None:
    """Return the file with the compiled graph next to a compiled model; None if it is embedded.

    Raises:
        SeaformerError: the file is missing or different.
    """
    if compilation.binary is None:
        return None
    name, where = compilation.binary.name, f"compilation.binary.name in '{path}'"
    binary = path_in(path.parent, name, where)
    if not binary.is_file():
        raise SeaformerError(
            f"'{path}' needs '{binary}', which is missing. Copy it next to the model."
        )
    if file_sha256(binary) != compilation.binary.sha256:
        raise SeaformerError(
            f"'{binary}' does not belong to '{path}': its SHA-256 differs. Copy both files again, "
            "or compile the model again."
        )
    return binary


def find_source(path: Path, compilation: Compilation) -> Path | None:
    """Return the file that a model was compiled from, if it is next to it under its own name."""
    stem = path.stem.removesuffix(f"_{compilation.chip}")
    source = path.with_name(f"{stem}{path.suffix}")
    if source == path or not source.is_file():
        return None
    digest = content_sha256(content_of(source), source.name)
    return source if digest == compilation.source_sha256 else None


def _onnx_text(path: Path) -> str | None:
    import onnx

    try:
        properties = onnx.load(path, load_external_data=False).metadata_props
    except Exception:  # protobuf's DecodeError is not public; ONNX Runtime reports the error
        return None
    return next((one.value for one in properties if one.key == PROPERTY), None)
