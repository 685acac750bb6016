"""Measure all tables of docs/measurements.md on this computer, one after the other.

    PYTHONPATH=tests/support python -m bench.measurements [--document FILE]

The computer has to be idle. It takes about an hour on two cores. The document is written only at
the end, so that all its tables come from one run. If a part fails, `--first PART` continues with it
after the mend, on the draft that the earlier parts have written.
"""

import argparse
import datetime
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from bench.machine import machine_name, write_section

OUTPUT = Path("build/bench")
TINY = OUTPUT / "breakdown/seaformer_tiny_ade20k_512x512_fp32"
"""Written by `bench.breakdown`."""

PARTS = (
    ("export",),
    ("breakdown",),
    ("integer_latency",),
    ("networks",),
    ("benchmark", f"{TINY}.tflite", f"{TINY}.onnx"),
    ("upsample_argmax", "--network", f"{TINY}.tflite", "--json", f"{OUTPUT}/upsample_argmax.json"),
    ("predicted_classes",),
)
"""Modules of this package and their arguments, in order; each writes its section."""

LIBRARIES = ("torch", "tensorflow", "ai-edge-litert", "onnx", "onnxruntime", "onnx2tf")


def main() -> None:
    """Run every part, and update the document if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--document", type=Path, default=Path("docs/measurements.md"), help="file to update"
    )
    names = [name for name, *_ in PARTS]
    parser.add_argument("--first", choices=names, help="continue an interrupted run with this part")
    arguments = parser.parse_args()
    document, first = arguments.document, arguments.first
    draft = OUTPUT / document.name
    if first is None:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(document, draft)
        write_section(draft, "conditions", conditions())
    skipped = names.index(first) if first else 0
    for number, (part, *options) in enumerate(PARTS[skipped:], skipped + 1):
        start = perf_counter()
        command = [sys.executable, "-m", f"bench.{part}", *options, "--document", draft]
        subprocess.run(command, check=True)
        print(f"{number} of {len(PARTS)}: {part}, {perf_counter() - start:.0f} s", file=sys.stderr)
    shutil.copyfile(draft, document)
    print(f"written: {document}")


def conditions() -> str:
    """Describe the machine, the date and the versions of the libraries."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"**{machine_name()}**, {today}. {libraries}. Not a phone."


if __name__ == "__main__":
    main()
