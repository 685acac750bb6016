"""The notebook in docs/ runs from top to bottom, and is stored without its outputs."""

import re
from pathlib import Path

import nbformat
from locations import ROOT
from nbclient import NotebookClient

from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.runner.binaries import runner_for

NOTEBOOK = ROOT / "docs/tour.ipynb"


def test_the_notebook_runs(tmp_path: Path) -> None:
    runner_for(Host().target)  # compiled here if it is missing, as that is reported
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]
    resources = {"metadata": {"path": str(tmp_path)}}
    # A kernel on a busy computer sends what is printed in several parts.
    options = {"timeout": 600, "kernel_name": "python3", "coalesce_streams": True}
    NotebookClient(notebook, resources=resources, **options).execute()
    outputs = [output for cell in cells for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds, "overlay and plots, and tables"
    # Only the cells themselves print.
    shown = [output for output in outputs if output.output_type in ("stream", "display_data")]
    printed = [output.get("text") or output.data["text/plain"] for output in shown]
    figure = "<Figure size"
    expected = [r"[\d.]+% of the pixels", figure, r"[\d.]+ ms on ", figure, figure]
    assert len(printed) == len(expected), printed
    assert all(map(re.match, expected, printed)), printed
    assert len(list(tmp_path.glob("build/*.tflite"))) == 1
