"""Files that a vendor's compiler made for one chip: no CPU runs what is in them."""

from pathlib import Path

from seaformer.errors import UsageError

COMPILED = "EPContext"
"""Operator of an .onnx that stands for what was compiled."""

DISPATCH = "DISPATCH_OP"
"""Custom operator of a .tflite that stands for what was compiled."""

_MARKS = {".onnx": COMPILED, ".tflite": DISPATCH}


def is_compiled(path: Path) -> bool:
    """Whether a file of a known suffix has an operator that stands for compiled ones."""
    mark = _MARKS.get(path.suffix.lower())
    return mark is not None and mark.encode() in path.read_bytes()


def refuse_compiled(path: Path) -> None:
    """Refuse a compiled file where the CPU shall run it.

    Raises:
        UsageError: it is one; the message says what runs it.
    """
    if not is_compiled(path):
        return
    if path.suffix.lower() == ".tflite":
        raise UsageError(
            f"'{path}' is compiled for the NPU of a phone, and nothing on a computer runs a "
            "compiled .tflite. Give the .tflite that it was compiled from."
        )
    raise UsageError(
        f"'{path}' is compiled for an NPU, and the CPU cannot run it. seaformer-predict and "
        "seaformer-evaluate run it with --accelerator npu; else give the .onnx that it was "
        "compiled from."
    )
