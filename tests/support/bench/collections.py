"""Export networks of other libraries by the real command, and list what was verified where.

    PYTHONPATH=tests/support python -m bench.collections [--document FILE] [--only WORD]

Needs the extras models and npu. With --only, the rows of all other networks stay in the document.
A network takes about a minute on two idle cores.
"""

import argparse
import datetime
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.accelerators import worst
from bench.machine import machine_name, read_section, write_section
from seaformer.artifact.metadata import AcceleratorParity, Comparison, Metadata
from seaformer.models.collections.collection_table import COLLECTIONS
from seaformer.runtimes.child_process import LIMIT_VARIABLE

EXPORT = Path(sys.executable).with_name("seaformer-export")
TIMEOUT_S = 3600
MODEL_TIMEOUT_S = 600
"""Time limit of one inference: the software driver of the GPU takes minutes for a ResNet."""
CHIP = "SM8650"
"""Snapdragon whose NPU the files are compiled for and emulated."""

SMALL, SMALLEST = "256x256", "128x128"
"""Input sizes of segmentation networks, to save time: all sizes have the same operators. The
software driver of the GPU takes more than ten minutes for a ResNet-50 at the larger one."""

NETWORKS = {
    "timm:mobilevit_xxs": None,
    "timm:mobilevitv2_050": None,
    "timm:efficientformer_l1": None,
    "timm:efficientformerv2_s0": None,
    "timm:edgenext_xx_small": None,
    "timm:mobilenetv3_small_100": None,
    "timm:mobilenetv4_conv_small": None,
    "timm:mobilenetv4_hybrid_medium": None,
    "timm:repvit_m0_9": None,
    "timm:fastvit_t8": None,
    "timm:efficientvit_b0": None,
    "timm:efficientvit_m0": None,
    "timm:swin_tiny_patch4_window7_224": None,
    "timm:efficientnet_b0": None,
    "timm:rexnet_100": None,
    "timm:coat_lite_tiny": None,
    "timm:deit_tiny_patch16_224": None,
    "torchvision:mobilenet_v2": None,
    "torchvision:mobilenet_v3_small": None,
    "torchvision:mobilenet_v3_large": None,
    "torchvision:lraspp_mobilenet_v3_large": SMALL,
    "torchvision:deeplabv3_mobilenet_v3_large": SMALL,
    "torchvision:deeplabv3_resnet50": SMALLEST,
    "torchvision:fcn_resnet50": SMALLEST,
    "torchvision:shufflenet_v2_x1_0": None,
    "transformers:nvidia/segformer-b0-finetuned-ade-512-512": SMALL,
    "transformers:nvidia/segformer-b1-finetuned-ade-512-512": SMALL,
    "transformers:apple/deeplabv3-mobilevit-xx-small": SMALL,
    "transformers:apple/deeplabv3-mobilevit-small": SMALL,
}
"""Name of --model -> input size; None for the size in the library's configuration."""


@dataclass(frozen=True)
class Column:
    """A format on an accelerator, None for the CPU; `options` export and verify it."""

    title: str
    options: tuple[str, ...]
    accelerator: str | None = None


COLUMNS = (
    Column(".onnx, CPU", ("--format", "onnx", "--accelerator", "cpu")),
    Column(".tflite, CPU", ("--format", "tflite")),
    Column(".tflite, GPU", ("--format", "tflite"), "gpu"),
    Column(
        ".onnx, NPU", ("--format", "onnx", "--accelerator", "npu", "--soc", CHIP), accelerator="npu"
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What one export wrote: the metadata of its files, or the error."""

    files: tuple[Metadata, ...]
    error: str


def export(name: str, size: str | None, options: Sequence[str]) -> Outcome:
    """Export one network with random weights; an error is only its last line."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = [] if size is None else ["--input-size", size]
        command: list[str | Path] = [EXPORT, "--model", name, *sizes, *options, "--output", folder]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_S,
                env=os.environ | {LIMIT_VARIABLE: str(MODEL_TIMEOUT_S)},
            )
        except subprocess.TimeoutExpired:
            return Outcome((), f"took more than {TIMEOUT_S} s")
        described = tuple(
            Metadata.model_validate_json(path.read_text())
            for path in sorted(Path(folder).glob("*.json"))
        )
        lines = done.stderr.strip().splitlines() or ["no output"]
        return Outcome(described, lines[-1].removeprefix("error: "))


def cell(column: Column, outcome: Outcome) -> tuple[str, str]:
    """Return the text of a cell, and the reason why the file is not verified there or ""."""
    if not outcome.files:
        reason, _, _ = outcome.error.partition(". Nothing was written")
        return "refused", re.sub(r"^'[^']*' on \w+ \w+: failed: ", "", reason)
    if column.accelerator is None:
        return _db(outcome.files[0].parity.comparisons), ""
    found = [
        parity
        for one in outcome.files
        for parity in one.accelerators
        if parity.name == column.accelerator
    ]
    return _on_accelerator(found[0]) if found else ("not run", "")


def _db(comparisons: tuple[Comparison, ...]) -> str:
    sqnr = worst(comparisons)[0]
    return "-" if sqnr is None else f"{sqnr:.0f} dB"


def _on_accelerator(parity: AcceleratorParity) -> tuple[str, str]:
    if parity.status == "verified":
        emulated = f"half precision itself reaches {_db(parity.half_comparisons)}, emulated"
        is_of_half = parity.chip is not None and bool(parity.half_comparisons)
        return _db(parity.comparisons), emulated if is_of_half else ""
    return parity.status, parity.reason or ""


def row(name: str, size: str | None) -> list[str]:
    """Return the line of the table for a network, and a line for each reason."""
    outcomes = {
        options: export(name, size, options)
        for options in dict.fromkeys(column.options for column in COLUMNS)
    }
    described = next((one for outcome in outcomes.values() for one in outcome.files), None)
    facts = ["-", "-", "-"]
    if described is not None:
        height, width = described.input.size
        facts = [
            f"{height}x{width}",
            f"{described.params / 1e6:.1f} M",
            f"{described.macs / 1e9:.2f} G",
        ]
    cells, reasons = [], []
    for column in COLUMNS:
        text, reason = cell(column, outcomes[column.options])
        cells.append(text)
        if reason:
            reasons.append(f"- `{name}`, {column.title}: {_one_line(reason)}")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    line = f"| `{name}` | {' | '.join([*facts, *cells, today])} |"
    return [line, *dict.fromkeys(reasons)]


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "/").replace("<", "&lt;")


def table(prefix: str, lines: Sequence[str]) -> str:
    """Return the section of a collection; `lines` come from `row`, in any order."""
    titles = ["model", "input", "params", "MACs", *(column.title for column in COLUMNS), "date"]
    order = list(NETWORKS)

    def place(line: str) -> int:
        name = line.split("`")[1]
        return order.index(name) if name in order else len(order)

    lines = sorted(lines, key=place)
    return "\n".join(
        [
            f"{prefix} {version(prefix)}, torch {version('torch')}; {machine_name()}.",
            "",
            f"| {' | '.join(titles)} |",
            f"|{'---|' * len(titles)}",
            *(line for line in lines if line.startswith("|")),
            "",
            *(line for line in lines if line.startswith("-")),
        ]
    )


def kept(document: Path, prefix: str, without: Sequence[str]) -> list[str]:
    """Return the lines of a section in a document, except the lines of some networks."""
    section = read_section(document, prefix)
    lines = [line for line in section.splitlines() if line.startswith(("| `", "- `"))]
    return [line for line in lines if line.split("`")[1] not in without]


def main() -> None:
    """Measure, print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--document", type=Path, help="file whose sections to fill in")
    parser.add_argument("--only", default="", help="only networks whose name contains this")
    arguments = parser.parse_args()
    chosen = {name: size for name, size in NETWORKS.items() if arguments.only in name}
    for name, size in chosen.items():
        lines = row(name, size)
        prefix = name.partition(":")[0]
        print(*lines, sep="\n", flush=True)
        if arguments.document:  # after each network: a run takes hours, and may be interrupted
            others = kept(arguments.document, prefix, [name])
            write_section(arguments.document, prefix, table(prefix, [*others, *lines]))
    assert {name.partition(":")[0] for name in NETWORKS} == set(COLLECTIONS)


if __name__ == "__main__":
    main()
