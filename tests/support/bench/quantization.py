"""Measure the accuracy of quantized files, a table of docs/quantization.md.

    PYTHONPATH=tests/support python -m bench.quantization [--document FILE] [--json FILE]

The trained weights of the procedural scenes, on 500 scenes not used for calibration.
`bench.integer_latency` measures the latency.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.machine import machine_name, write_section
from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import FORMATS, PRECISIONS
from seaformer.quantization.methods import METHODS
from seaformer.runtimes import open_model

EXPORT = Path(sys.executable).with_name("seaformer-export")
QUANTIZED = [row for row in PRECISIONS.values() if row.is_quantized]


def main() -> None:
    """Export, collect the metadata, print the tables, and write the requested files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=Path("build/bench/quantization.json"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "schema_version": 1,
            "machine": machine_name(),
            "accuracy": accuracy(Path(folder)),
        }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    text = tables(results)
    print(text)
    if arguments.document:
        write_section(arguments.document, "quantization", text)


def accuracy(folder: Path) -> list[dict[str, Any]]:
    """Export every precision with its default range method, and int8 with every method."""
    rows = []
    for format in FORMATS.values():
        for precision in QUANTIZED:
            if format.name not in precision.formats:
                continue
            methods = METHODS if precision.name == "int8" else [precision.range_method]
            for method in methods:
                arguments = ["--weights", "shapes", "--accept-loss"]
                if method is not None:
                    arguments += ["--calibration-method", method]
                (file,) = export(folder, format.name, [precision.name], arguments)
                rows.append(describe(file))
    return rows


def export(folder: Path, format: str, precisions: list[str], arguments: list[str]) -> list[Path]:
    """Run the command and return the files that it wrote; the folder is emptied first."""
    options = [part for name in precisions for part in ("--precision", name)]
    command = [str(EXPORT), "--format", format, *options, *arguments, "--output", str(folder)]
    for old in folder.iterdir():
        old.unlink()
    print("+", *command[1:], file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob(f"*{FORMATS[format].suffix}"))


def describe(file: Path) -> dict[str, Any]:
    """Return the size of a file and the quantization in its metadata."""
    with open_model(file) as session:
        metadata = session.metadata
    assert isinstance(metadata, Metadata)
    assert metadata.quantization is not None
    return {
        "format": metadata.format,
        "precision": metadata.precision,
        "megabytes": file.stat().st_size / 1e6,
        **metadata.quantization.model_dump(mode="json"),
    }


def tables(results: dict[str, Any]) -> str:
    """Format the section of docs/quantization.md."""
    lines = [
        "Accuracy with the built-in trained weights, 256x256. The difference in mIoU is in "
        "points, with its 95 % interval; the default method of choosing ranges is in bold.",
    ]
    by_scenes: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in results["accuracy"]:
        one = row["accuracy"]
        by_scenes.setdefault((one["pictures"], one["reference_score"]), []).append(row)
    for (scenes, fp32), rows in by_scenes.items():
        lines += ["", f"On {scenes}, where fp32 reaches {fp32:.2f} mIoU:", ""]
        lines += accuracy_table(rows)
    return "\n".join(lines)


def accuracy_table(rows: list[dict[str, Any]]) -> list[str]:
    """Format the table of files that were measured on the same scenes."""
    lines = [
        "| file | ranges | mIoU relative to fp32 | SQNR | agreement | MB |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        one = row["accuracy"]
        low, high = one["interval_points"]
        default = PRECISIONS[row["precision"]].range_method == row["method"]
        method = row["method"] or "-"
        lines.append(
            f"| `{FORMATS[row['format']].suffix}` {row['precision']} | "
            f"{f'**{method}**' if default and row['method'] else method} | "
            f"{one['difference_points']:+.2f} ({low:+.2f} to {high:+.2f}) | "
            f"{one['sqnr_db']:.1f} dB | {100 * one['argmax_agreement']:.2f} % | "
            f"{row['megabytes']:.2f} |"
        )
    return lines


if __name__ == "__main__":
    main()
