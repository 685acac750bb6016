"""Selecting cores of a processor: classes, masks and --cores.

The speed of the cores of a phone differs by a factor of two and more, so a latency is meaningless
without them. They are classified by their highest frequency, which every phone reports. A
Snapdragon 865 has four cores of 1.8 GHz (little), three of 2.4 GHz (big) and one of 2.8 GHz
(prime).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seaformer.benchmark.devices.device import Core
from seaformer.benchmark.devices.parsers import parse_core_list
from seaformer.errors import UsageError

ALL = "all"


@dataclass(frozen=True)
class CoreClass:
    """Cores of a class in ascending order, and their distinct highest frequencies, fastest first.

    The name is "prime", "big" or "little"; "all" if the cores are alike, or do not report it.
    """

    name: str
    cores: tuple[int, ...]
    max_khz: tuple[int, ...]

    def __str__(self) -> str:
        """Describe the cores, such as "big (4-6, 2.42 GHz)"."""
        speeds = "/".join(f"{khz / 1e6:.2f}" for khz in self.max_khz)
        return f"{self.name} ({core_list(self.cores)}{f', {speeds} GHz' if speeds else ''})"


@dataclass(frozen=True)
class CoreChoice:
    """The cores that a benchmark runs on, in ascending order.

    The name lists their classes, such as "prime" or "prime+big", or is the mask.
    """

    name: str
    cores: tuple[int, ...]

    @property
    def mask(self) -> str:
        """Bare hexadecimal, as Android's `taskset` takes it: "80" is core 7."""
        return f"{sum(1 << core for core in self.cores):x}"


@dataclass(frozen=True)
class Setting:
    """The number of threads of one inference, and the cores that all threads are bound to.

    A benchmark has one setting, or several to compare.
    """

    threads: int
    cores: CoreChoice


def classify(cores: Sequence[Core]) -> tuple[CoreClass, ...]:
    """Sort cores into classes, fastest first.

    Of three or more frequencies, the highest is prime, the lowest little, and all between are big;
    of two, the higher is big. Cores of unknown frequency are in no class if others are known.
    """
    speeds = sorted({core.max_khz for core in cores if core.max_khz is not None}, reverse=True)
    if len(speeds) < 2:
        return (CoreClass(ALL, tuple(sorted(core.index for core in cores)), tuple(speeds)),)
    groups = {"prime": speeds[:1], "big": speeds[1:-1], "little": speeds[-1:]}
    if len(speeds) == 2:
        groups = {"big": speeds[:1], "little": speeds[1:]}
    return tuple(
        CoreClass(
            name, tuple(sorted(one.index for one in cores if one.max_khz in group)), tuple(group)
        )
        for name, group in groups.items()
    )


def choose_cores(cores: Sequence[Core], text: str | None, threads: int) -> CoreChoice:
    """Select the cores of a device to run on.

    `text` is the value of --cores. Without it, the fastest classes are selected, as few as have
    `threads` cores: with one thread, this is the protocol of the SeaFormer paper, only the prime
    core.

    Raises:
        UsageError: the device has no such cores, or fewer than threads.
    """
    choice = _fastest(cores, threads) if text is None else _asked(cores, text)
    if threads > len(choice.cores):
        raise UsageError(
            f"{threads} threads do not fit on {len(choice.cores)} core(s) "
            f"({choice.name}: {core_list(choice.cores)}). Use fewer threads or more cores; "
            f"{_what_there_is(cores)}"
        )
    return choice


def choose_beside(
    cores: Sequence[Core], text: str | None, threads: int, load_threads: int
) -> tuple[CoreChoice, CoreChoice]:
    """Select separate cores: to run on, as `choose_cores` does, and for a load beside that.

    The load gets the fastest classes of the other cores. Without `text`, if too few are left, as on
    computers whose cores are alike, the models get only as many cores as they have threads.

    Raises:
        UsageError: as `choose_cores`, or no cores are left for the load.
    """
    choice = choose_cores(cores, text, threads)
    if text is None and len(cores) - len(choice.cores) < load_threads:
        choice = _masked(choice.cores[:threads])
    others = [core for core in cores if core.index not in choice.cores]
    if len(others) < load_threads:
        raise UsageError(
            f"--beside needs {load_threads} core(s) besides those of the models "
            f"({core_list(choice.cores)}), but {len(others)} are left. Use fewer --threads or "
            f"--cores; {_what_there_is(cores)}"
        )
    return choice, _fastest(others, load_threads)


def core_list(cores: Iterable[int]) -> str:
    """Format numbers of cores compactly: (0, 1, 2, 7) is "0-2,7"."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _fastest(cores: Sequence[Core], threads: int) -> CoreChoice:
    names: list[str] = []
    chosen: tuple[int, ...] = ()
    for one in classify(cores):
        names.append(one.name)
        chosen += one.cores
        if len(chosen) >= threads:
            break
    return CoreChoice("+".join(names), tuple(sorted(chosen)))


def _asked(cores: Sequence[Core], text: str) -> CoreChoice:
    name = text.strip().lower()
    if name == ALL:
        return CoreChoice(ALL, tuple(sorted(core.index for core in cores)))
    for one in classify(cores):
        if one.name == name:
            return CoreChoice(one.name, one.cores)
    if re.fullmatch(r"(?:0x)?[0-9a-f]{1,64}", name):
        mask = int(name, 16)
        chosen = {bit for bit in range(mask.bit_length()) if mask >> bit & 1}
    elif (listed := parse_core_list(name)) is not None:
        chosen = set(listed)
    else:
        raise UsageError(
            f"--cores is '{text}', but {_what_there_is(cores)} Allowed: prime, big, little, all, a "
            "hexadecimal mask (80 is core 7), or a list (4-6,7; 7-7 is core 7)."
        )
    missing = chosen - {core.index for core in cores}
    if missing or not chosen:
        what = f"core {core_list(missing)}, which does not exist" if missing else "no core"
        raise UsageError(f"--cores '{text}' selects {what}: {_what_there_is(cores)}")
    return _masked(chosen)


def _masked(cores: Iterable[int]) -> CoreChoice:
    choice = CoreChoice("", tuple(sorted(cores)))
    return CoreChoice(f"mask {choice.mask}", choice.cores)


def _what_there_is(cores: Sequence[Core]) -> str:
    classes = ", ".join(str(one) for one in classify(cores))
    return f"the device has {classes}."
