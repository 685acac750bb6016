"""The child process that compiles an .onnx: the compiler may crash, hang or print what it likes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from seaformer.artifact.chips import CHIPS, Chip
from seaformer.errors import SeaformerError
from seaformer.export.npu.compiled import NO_REASON
from seaformer.export.npu.compiled_names import binary_name
from seaformer.export.npu.qnn_log import reasons
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import let_files_grow, serve
from seaformer.runtimes.compiled_file import COMPILED
from seaformer.runtimes.onnx_runtime import session_options
from seaformer.runtimes.qnn_emulator import load_on_npu
from seaformer.runtimes.session import reason

EVERYTHING = 0
"""Severity of the log: why a node is left to the CPU is said nowhere else."""


def answer(request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
    """Serve one request; see `child_server.serve`."""
    match request:
        case {"method": "compile", "path": path, "chip": chip, "target": target}:
            return _compile(Path(path), CHIPS[chip], Path(target))
    raise ValueError(f"unknown request {request}")


def _compile(path: Path, chip: Chip, target: Path) -> Message:
    """Compile a file to one of that name, in a folder that is empty, and return both its files."""
    let_files_grow()
    settings = session_options(threads=1)
    settings.add_session_config_entry("ep.context_enable", "1")
    settings.add_session_config_entry("ep.context_embed_mode", "0")
    settings.add_session_config_entry("ep.context_file_path", str(target))
    _load(path, chip, settings)
    if not target.exists():  # the provider took nothing
        return {"partitions": 0, "left": []}, [np.zeros(0, np.uint8)] * 2
    nodes = onnx.load(target, load_external_data=False).graph.node
    left = [node for node in nodes if node.op_type != COMPILED]
    said = _reasons(path, chip, target.with_suffix(".log")) if left else {}
    described = [
        {"type": node.op_type, "name": node.name, "reason": said.get(node.name, NO_REASON)}
        for node in left
    ]
    files = (target, target.with_name(str(binary_name(target.name))))
    return {"partitions": len(nodes) - len(left), "left": described}, [
        np.frombuffer(file.read_bytes(), np.uint8) for file in files
    ]


def _load(path: Path, chip: Chip, settings: onnxruntime.SessionOptions) -> None:
    try:
        load_on_npu(str(path), settings, chip)
    except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
        raise SeaformerError(
            f"Qualcomm's compiler fails on '{path.name}' for {chip.title}: {reason(error)}. Try "
            "another --precision, or another chip."
        ) from error


def _reasons(path: Path, chip: Chip, log: Path) -> dict[str, str]:
    """Load the file again with everything in the log; return name of a node -> why it is left."""
    settings = session_options(threads=1)
    settings.log_severity_level = EVERYTHING
    kept = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            _load(path, chip, settings)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    return reasons(log.read_text(errors="replace"))


if __name__ == "__main__":
    serve(answer)
