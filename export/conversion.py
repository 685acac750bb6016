"""Running the ONNX to TFLite conversion in its own process, with its chatter in a log file."""

import json
import subprocess
import tempfile
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.interpreter import module_command


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
        folder: to work in; must be new to each call.
        input_name: for the signature.
        output_name: for the signature.
        search_layouts: whether onnx2tf may try layouts out, see `onnx2tf_worker`.

    Raises:
        SeaformerError: onnx2tf or TensorFlow failed; the message names the log file, which is kept.
    """
    folder.mkdir()
    tflite_file = folder / "model.tflite"
    request = folder / "request.json"
    request.write_text(
        json.dumps(
            {
                "onnx": str(onnx_file),
                "tflite": str(tflite_file),
                "input_name": input_name,
                "output_name": output_name,
                "search_layouts": search_layouts,
            }
        )
    )
    with tempfile.NamedTemporaryFile(
        "w+", prefix="seaformer-export-", suffix=".log", delete=False
    ) as log:
        log_file = Path(log.name)
        keep_log = False
        try:
            worker = subprocess.run(
                module_command("seaformer.export.onnx2tf_worker", str(request)),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            keep_log = worker.returncode != 0
        finally:
            if not keep_log:
                log_file.unlink()
    if keep_log:
        last = next((x for x in reversed(log_file.read_text().splitlines()) if x.strip()), "")
        raise SeaformerError(
            f"the conversion to TFLite failed (exit status {worker.returncode}): {last.strip()} "
            f"What onnx2tf and TensorFlow printed is in {log_file}."
        )
    return tflite_file.read_bytes()
