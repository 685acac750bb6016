"""The older results of `--compare`: of one benchmark, or of several devices."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.benchmark.devices.device import DeviceFacts
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.collection import is_of_several
from seaformer.benchmark.results.schema import FILE_NAME, read_results
from seaformer.errors import SeaformerError


def read_baselines(path: Path) -> tuple[Source, ...]:
    """Read results from a file, from its folder, or from the subfolders for several devices.

    Raises:
        SeaformerError: there are none, they cannot be read, or two of them are of one device.
    """
    if not is_of_several(path):
        return (Source(str(path), read_results(path)),)
    files = sorted(path.glob(f"*/{FILE_NAME}"))
    if not files:
        raise SeaformerError(
            f"there is no {FILE_NAME} in the folder '{path}', nor in its subfolders. Give a folder "
            "of seaformer-benchmark."
        )
    found = tuple(Source(str(file), read_results(file)) for file in files)
    devices = [one.results.device.identity for one in found]
    for place, device in enumerate(devices):
        if device in devices[:place]:
            raise SeaformerError(
                f"'{path}' has several results of the device {device}: "
                f"'{found[devices.index(device)].file}' and '{found[place].file}'. Give the one to "
                "compare with."
            )
    return found


def baseline_of(device: DeviceFacts, baselines: Sequence[Source]) -> Source | None:
    """Return the older results of a device; a single benchmark is returned for any device."""
    if len(baselines) == 1:
        return baselines[0]
    return next((one for one in baselines if one.results.device.is_same(device)), None)
