"""The child process that compiles an .onnx: the compiler may crash, hang or print anything."""

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
"""Log severity: only the verbose log gives the reason why a node is left on the CPU."""


def answer(request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
    """Serve one request; see `child_server.serve`."""
    match request:
        case {"method": "compile", "path": path, "chip": chip, "target": target}:
            return _compile(Path(path), CHIPS[chip], Path(target))
    raise ValueError(f"unknown request {request}")


def _compile(path: Path, chip: Chip, target: Path) -> Message:
    """Compile a file to `target`, in an empty folder; return the contents of .onnx and binary."""
    let_files_grow()
    settings = session_options(threads=1)
    settings.add_session_config_entry("ep.context_enable", "1")
    settings.add_session_config_entry("ep.context_embed_mode", "0")
    settings.add_session_config_entry("ep.context_file_path", str(target))
    _load(path, chip, settings)
    if not target.exists():  # the provider supports no node
        return {"partitions": 0, "left": []}, [np.zeros(0, np.uint8)] * 2
    nodes = onnx.load(target, load_external_data=False).graph.node
    left = [node for node in nodes if node.op_type != COMPILED]
    reasons_by_name = _reasons(path, chip, target.with_suffix(".log")) if left else {}
    described = [
        {
            "type": node.op_type,
            "name": node.name,
            "reason": reasons_by_name.get(node.name, NO_REASON),
        }
        for node in left
    ]
    files = (target, target.with_name(str(binary_name(target.name))))
    return {"partitions": len(nodes) - len(left), "left": described}, [
        np.frombuffer(file.read_bytes(), np.uint8) for file in files
    ]


def _load(path: Path, chip: Chip, settings: onnxruntime.SessionOptions) -> None:
    try:
        load_on_npu(str(path), settings, chip)
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise SeaformerError(
            f"Qualcomm's compiler fails on '{path.name}' for {chip.title}: {reason(error)}. Try "
            "another --precision, or another chip."
        ) from error


def _reasons(path: Path, chip: Chip, log: Path) -> dict[str, str]:
    """Load the file again with a verbose log; return name of a node -> why it is refused."""
    settings = session_options(threads=1)
    settings.log_severity_level = EVERYTHING
    original_stderr = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            _load(path, chip, settings)
        finally:
            os.dup2(original_stderr, 2)
            os.close(original_stderr)
    return reasons(log.read_text(errors="replace"))


if __name__ == "__main__":
    serve(answer)
