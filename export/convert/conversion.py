"""Running the ONNX to TFLite conversion in a separate process, with its output in a log file."""

import json
import os
import re
import tempfile
from pathlib import Path

from seaformer import processes
from seaformer.errors import SeaformerError
from seaformer.export.convert.onnx2tf_worker import FAILURE, Failure
from seaformer.export.convert.refusals import OperatorError
from seaformer.interpreter import module_command

COLORS = re.compile(r"\x1b\[[\d;]*m")
"""ANSI colors, which onnx2tf prints even to files."""


def to_tflite(
    onnx_file: Path,
    folder: Path,
    input_name: str,
    output_name: str,
    *,
    search_layouts: bool = False,
) -> bytes:
    """Convert an ONNX file to a TFLite flatbuffer in single precision.

    Args:
        onnx_file: single precision, static shapes.
        folder: working folder, which must not exist yet.
        input_name: name of the signature's input.
        output_name: name of the signature's output.
        search_layouts: whether onnx2tf may search for layouts, see `onnx2tf_worker`.

    Raises:
        OperatorError: onnx2tf or TensorFlow failed at an operator; the message gives the reason.
        SeaformerError: another failure; the message names the log file, which is kept.
    """
    folder.mkdir()
    tflite_file = folder / "model.tflite"
    request = {
        "onnx": str(onnx_file),
        "tflite": str(tflite_file),
        "input_name": input_name,
        "output_name": output_name,
        "search_layouts": search_layouts,
    }
    done = processes.run(
        module_command("seaformer.export.convert.onnx2tf_worker", json.dumps(request)),
        time_limit_s=None,  # the duration depends on the network
        merge=True,
        environment=os.environ | {"TMPDIR": str(folder)},  # temporary files are removed with it
    )
    if done.status != 0:
        if (failure := folder / FAILURE).exists():
            found = Failure(**json.loads(failure.read_text()))
            raise OperatorError(found.operator, found.node, found.reason, found.is_missing)
        with tempfile.NamedTemporaryFile(
            prefix="seaformer-export-", suffix=".log", delete=False
        ) as log:
            log.write(done.stdout)
        lines = COLORS.sub("", done.stdout.decode("utf-8", "replace")).splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        raise SeaformerError(
            f"the conversion to TFLite failed (exit status {done.status}): {last} "
            f"The output of onnx2tf and TensorFlow is in {log.name}."
        )
    return tflite_file.read_bytes()
