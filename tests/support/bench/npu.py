"""Compile files for every Snapdragon, and run them on the emulator.

    PYTHONPATH=tests/support python -m bench.npu [--document FILE] [--json FILE] [--only WORD]

Needs the extra npu. On two cores it takes more than an hour.
"""

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.accelerators import format_accuracy, worst
from bench.export_rows import main
from seaformer.artifact.chips import CHIPS
from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.models.seaformer.variants import VARIANTS

EXPORT = Path(sys.executable).with_name("seaformer-export")
FLOAT = ",".join(chip.name for chip in CHIPS.values() if chip.has_float)
EVERY = ",".join(CHIPS)
ONE, INTEGER_ONLY = "SM8650", "SM8350"
BOTH = "--format onnx --format tflite"
NOISE = "--calibration random --calibration-samples 8"

COMMANDS = (
    f"{BOTH} --weights shapes --soc {FLOAT}",
    f"{BOTH} --weights shapes --precision fp16 --soc {ONE}",
    f"{BOTH} --weights shapes --head classes --soc {ONE}",
    f"{BOTH} --weights shapes --head mask --soc {ONE}",
    f"{BOTH} --weights shapes --precision int8 --soc {EVERY}",
    f"--format onnx --weights shapes --precision int16x8 --soc {EVERY}",
    f"{BOTH} --variant tiny --soc {FLOAT}",
    *(f"{BOTH} --variant {v} --precision fp16 --soc {ONE}" for v in VARIANTS),
    *(
        f"{BOTH} --variant {v} --precision int8 {NOISE} --soc {INTEGER_ONLY},{ONE}"
        for v in VARIANTS
    ),
    *(
        f"--format onnx --variant {v} --precision int16x8 {NOISE} --soc {INTEGER_ONLY},{ONE}"
        for v in VARIANTS
    ),
    f"{BOTH} --variant tiny --task cityscapes --precision fp16 --soc {ONE}",
    f"{BOTH} --variant tiny --task cityscapes --precision int8 {NOISE} --soc {INTEGER_ONLY},{ONE}",
    f"{BOTH} --model topformer-tiny --soc {ONE}",
    f"{BOTH} --model lraspp-mobilenetv3-large --soc {ONE}",
    f"{BOTH} --model segformer-b0 --soc {ONE}",
)


def measure(command: str) -> list[dict[str, Any]]:
    """Export and compile the files of one command; return a row for each."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [EXPORT, *shlex.split(command), "--accelerator", "cpu,npu", "--output", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        files = [
            Metadata.model_validate_json(path.read_text())
            for path in sorted(Path(folder).glob("*.json"))
        ]
        if not files:
            return [{"command": command, "error": done.stderr.strip().splitlines()[-1]}]
    return [row_of(command, one) for one in files if one.compilation is not None]


def short(command: str) -> str:
    """Return a command without the options that have their own column."""
    text = re.sub(r"--(format|precision|soc|calibration|calibration-samples) \S+", "", command)
    return " ".join(text.split())


def row_of(command: str, metadata: Metadata) -> dict[str, Any]:
    """Return the row of a compiled file, from its metadata."""
    compilation, (parity,) = metadata.compilation, metadata.accelerators
    assert compilation is not None
    return {
        "command": short(command),
        "precision": metadata.precision,
        "format": metadata.format,
        "chip": compilation.chip,
        "status": parity.status,
        "partitions": compilation.partitions,
        "left": len(compilation.left),
        "reached": worst(parity.comparisons),
        "on_cpu": worst(metadata.parity.comparisons[: len(parity.comparisons)]),
        "compiler": compilation.compiler,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Format the results as Markdown."""
    compilers = sorted({row["compiler"] for row in rows if "compiler" in row})
    lines = [
        f"Against PyTorch in float64, the lowest of all inputs ({'; '.join(compilers)}). Weights "
        "of `--variant` are random, and files quantized from them are calibrated with noise: such "
        "files are for latency, and those rows only show that the NPU matches the CPU:",
        "",
        "| `seaformer-export` | precision | chip | `.onnx`: partitions, operators on the CPU | on "
        "the emulator | `.tflite`: partitions, operators on the CPU; never run |",
        "|---|---|---|---|---|---|",
    ]
    files = {_key(row): row for row in rows if "error" not in row}
    for command, precision, chip, _ in (key for key in files if key[-1] == "onnx"):
        onnx = files[command, precision, chip, "onnx"]
        tflite = files.get((command, precision, chip, "tflite"))
        is_verified = onnx["status"] == "verified"
        reached = format_accuracy(onnx["reached"]) if is_verified else onnx["status"]
        if PRECISIONS[precision].is_quantized:
            reached += f"; CPU: {format_accuracy(onnx['on_cpu'])}"
        of_tflite = f"{tflite['partitions']}, {tflite['left']}" if tflite else "-"
        lines.append(
            f"| `{command}` | {precision} | {chip} | {onnx['partitions']}, {onnx['left']} | "
            f"{reached} | {of_tflite} |"
        )
    lines += [f"| `{row['command']}` | {row['error']} | | | | |" for row in rows if "error" in row]
    return "\n".join(lines)


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["command"], row["precision"], row["chip"], row["format"]


if __name__ == "__main__":
    main(__doc__.splitlines()[0], "npu", COMMANDS, measure, table)
