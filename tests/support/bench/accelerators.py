"""Export every network and precision, and compare the outputs of each accelerator.

    PYTHONPATH=tests/support python -m bench.accelerators [--document FILE] [--json FILE] [--only W]

Needs a Vulkan driver (apt-get install chromium) and OpenVINO. On two cores it takes about an hour.
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.export_rows import main
from seaformer.artifact.metadata import FEATURES, Comparison, Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.export.heads import HEADS
from seaformer.models.registry import LAYERS, REGISTRY
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.runtimes import open_model
from seaformer.tasks import TASKS

EXPORT = Path(sys.executable).with_name("seaformer-export")
SCENES = "--weights shapes"
HEADING = (
    "Exported files compared with PyTorch in float64, the lowest of all inputs; OpenVINO compared "
    "with LiteRT's CPU. Weights of `--variant` are random, and files quantized from them are "
    "calibrated with noise, so those rows only show that the GPU matches the CPU:"
)
INTEGERS = "--calibration random --calibration-samples 8"


def commands() -> list[str]:
    """Return the arguments of each call of seaformer-export."""
    own = [row for row in PRECISIONS.values() if not row.for_npu]
    precisions = " ".join(f"--precision {row.name}" for row in own)
    rows = [f"{SCENES} {precisions}"]
    rows += [f"{SCENES} --head {head}" for head in HEADS if head != "logits"]
    rows += [f"{SCENES} --input-size {size}" for size in ("500x333", "480", "256x512", "64")]
    rows += [f"--variant {variant} {precisions} {INTEGERS}" for variant in VARIANTS]
    rows += [f"--variant tiny --task {task}" for task in TASKS if task not in ("shapes", "ade20k")]
    layers = [f"attention-{name}" for name in LAYERS]
    peers = [name for name in REGISTRY if name not in layers and not name.startswith("seaformer")]
    rows += [f"--model {name}" for name in peers]
    rows += [f"--model {name} --input-size 32" for name in layers]
    return rows


def measure(command: str) -> list[dict[str, Any]]:
    """Export the files of one command; return a row for each."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [EXPORT, *shlex.split(command), "--output", folder, "--accept-loss"],
            capture_output=True,
            text=True,
            check=False,
        )
        files = sorted(Path(folder).glob("*.tflite"))
        if not files:
            last = done.stderr.strip().splitlines()[-1]
            return [{"command": command, "precision": "fp32", "error": last}]
        return [{"command": command, **row_of(file)} for file in files]


def row_of(file: Path) -> dict[str, Any]:
    """Return the accuracy in a file's metadata, and OpenVINO's accuracy relative to the CPU."""
    metadata = Metadata.model_validate_json(file.with_name(f"{file.name}.json").read_text())
    (gpu,) = metadata.accelerators
    return {
        "precision": metadata.precision,
        "cpu": worst(metadata.parity.comparisons),
        "gpu": worst(gpu.comparisons),
        "gpu_status": gpu.status,
        "gpu_reason": gpu.reason,
        "half": worst(gpu.half_comparisons),
        "openvino": in_openvino(file, metadata),
    }


def worst(comparisons: tuple[Comparison, ...]) -> list[float | None]:
    """Return the lowest SQNR in dB and the lowest agreement in percent."""
    sqnr = [row.sqnr_db for row in comparisons if row.sqnr_db is not None]
    shares = [row.argmax_agreement for row in comparisons if row.argmax_agreement is not None]
    return [min(sqnr, default=None), 100 * min(shares) if shares else None]


def in_openvino(file: Path, metadata: Metadata) -> float | None:
    """Return the SQNR relative to the CPU in dB, for fp32 files with logits or features."""
    if metadata.precision != "fp32" or metadata.head != "logits":
        return None
    outputs = []
    for accelerator in ("cpu", "openvino"):
        channels = metadata.input.shape[-1]
        with open_model(file, channels=channels, accelerator=accelerator) as session:
            generator, shape = np.random.default_rng(0), metadata.input.shape
            x = 255 * generator.random(shape)
            if metadata.kind == FEATURES:
                x = generator.standard_normal(shape)
            outputs.append(session.run(x.astype(np.float32)).astype(np.float64))
    expected, output = outputs
    error = ((output - expected) ** 2).sum()
    return float(10 * np.log10((expected**2).sum() / error)) if error else None


def table(rows: list[dict[str, Any]]) -> str:
    """Format the results as Markdown."""
    lines = [
        "| `seaformer-export` | precision | CPU | GPU | GPU in fp16, emulated | OpenVINO |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        command = row["command"].partition(" --precision")[0]
        cells = [f"`{command}`", row["precision"]]
        if "error" in row:
            lines.append(f"| {' | '.join(cells)} | {row['error']} | | | |")
            continue
        gpu = format_accuracy(row["gpu"]) if row["gpu_status"] == "verified" else row["gpu_status"]
        openvino = "-" if row["openvino"] is None else f"{row['openvino']:.1f} dB"
        cells += [format_accuracy(row["cpu"]), gpu, format_accuracy(row["half"]), openvino]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def format_accuracy(accuracy: list[float | None]) -> str:
    """Format an SQNR and an agreement, such as "51.3 dB, 99.87 %"."""
    sqnr, agreement = accuracy
    parts = [] if sqnr is None else [f"{sqnr:.1f} dB"]
    return ", ".join(parts + ([] if agreement is None else [f"{agreement:.2f} %"])) or "-"


if __name__ == "__main__":
    main(
        __doc__.splitlines()[0],
        "accelerators",
        commands(),
        measure,
        lambda rows: f"{HEADING}\n\n{table(rows)}",
    )
