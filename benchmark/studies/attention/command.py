"""`seaformer-benchmark attention` from its checked options to its files."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.benchmark.devices.selection import select_one
from seaformer.benchmark.request import Request, check_output
from seaformer.benchmark.studies.attention.attention_page import write_attention_page
from seaformer.benchmark.studies.attention.run import measure_attention
from seaformer.benchmark.studies.attention.schema import (
    CSV_NAME,
    FILE_NAME,
    PAGE_NAME,
    AttentionResults,
)
from seaformer.benchmark.studies.attention.table import print_attention, to_csv
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.files import atomic_write
from seaformer.models.entry import Network


def compare_layers(layers: Sequence[Network], sides: Sequence[int], request: Request) -> None:
    """Measure, show, and write what was found.

    Args:
        layers: to compare.
        sides: of the feature map.
        request: of a benchmark without paths.

    Raises:
        UsageError: a file exists and may not be overwritten, or several devices are meant.
        SeaformerError: nothing was measured, or not all of it.
        KeyboardInterrupt: Ctrl-C; what was measured until then is written.
    """
    folder = request.output
    check_output(folder, request.force, (FILE_NAME, CSV_NAME, PAGE_NAME))
    selection = select_one(request.device, "attention layers")
    console = Console()
    if selection.note:
        console.print(selection.note)
    results = measure_attention(layers, sides, request, selection.devices[0], Console(stderr=True))
    _write(folder, results)
    print_attention(console, results)
    console.print()
    console.print(f"results: {folder / FILE_NAME} and {CSV_NAME}", soft_wrap=True)
    console.print(f"page: {folder / PAGE_NAME}", soft_wrap=True)
    if results.interrupted:
        raise KeyboardInterrupt
    if wrong := [
        f"{layer.kind} at {point.side}"
        for layer in results.layers
        for point in layer.points
        if point.wrong_output
    ]:
        raise SeaformerError(
            f"the output is wrong, so its time is not believed: {', '.join(wrong)}. See the parity "
            "in the results of the side."
        )
    if problems := [side.problem for side in results.sides if side.problem is not None]:
        raise SeaformerError(f"{' '.join(problems)} What was measured until then is kept.")


def _write(folder: Path, results: AttentionResults) -> None:
    with atomic_write(folder / CSV_NAME) as draft:
        draft.write_text(to_csv(results), encoding="utf-8")
    with atomic_write(folder / FILE_NAME) as draft:
        draft.write_text(results.text(), encoding="utf-8")
    write_attention_page(folder / PAGE_NAME, results)
