"""The settings that one file is measured with, for tables of threads and of cores."""

from collections.abc import Sequence

from seaformer.benchmark.devices.cores import Setting, choose_cores, classify
from seaformer.benchmark.devices.device import Core
from seaformer.benchmark.results.table_kinds import THREADS, Kind
from seaformer.errors import UsageError


def settings(
    kind: Kind, device: str, cores: Sequence[Core], chosen: str | None, threads: int
) -> tuple[Setting, ...]:
    """Return the settings of a table on a device; none for a table of files.

    Args:
        kind: the table.
        device: its name, for errors.
        cores: of the device.
        chosen: as given to --cores; None for the fastest.
        threads: as given to --threads.

    Raises:
        UsageError: there is only one setting, so nothing to compare; or the cores are not there.
    """
    if kind.varies == "threads":
        most = len(cores if chosen is None else choose_cores(cores, chosen, 1).cores)
        found = tuple(
            Setting(count, choose_cores(cores, chosen, count)) for count in THREADS if count <= most
        )
        why = "has one core to run on" if chosen is None else f"has one core in --cores {chosen}"
    elif kind.varies == "cores":
        names = [one.name for one in classify(cores)]
        found = tuple(Setting(threads, choose_cores(cores, name, threads)) for name in names)
        why = "has one class of cores, as far as it says their frequencies"
    else:
        return ()
    if len(found) < 2:
        raise UsageError(
            f"--table {kind.name}: {device} {why}, so there is nothing to compare. Choose another "
            "--device, or measure without --table."
        )
    return found
