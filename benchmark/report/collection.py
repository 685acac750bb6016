"""Finding the results of many benchmarks in files and folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.results.schema import FILE_NAME, UNFINISHED_NAME, read_results
from seaformer.errors import SeaformerError


@dataclass(frozen=True)
class Collection:
    """Results, at least one, and why other files were not used, in sentences."""

    sources: tuple[Source, ...]
    skipped: tuple[str, ...]


def is_of_several(path: Path) -> bool:
    """Whether a path is a folder of several benchmarks, without results of its own."""
    return path.is_dir() and _own(path) is None


def _own(folder: Path) -> Path | None:
    both = (folder / FILE_NAME, folder / UNFINISHED_NAME)
    return next((one for one in both if one.is_file()), None)


def collect(paths: Sequence[Path]) -> Collection:
    """Read given files, and all `FILE_NAME` in given folders and their subfolders.

    A file in a folder that is not of this schema is skipped; a given one is an error.

    Raises:
        SeaformerError: a given file cannot be read, or there are no results.
    """
    sources: list[Source] = []
    skipped: list[str] = []
    seen: set[Path] = set()
    measured: dict[tuple[float, str, str], str] = {}
    for path, is_given in _files(paths):
        real = path.resolve()
        if real in seen:
            continue
        seen.add(real)
        try:
            results = read_results(path)
        except SeaformerError as error:
            if is_given:
                raise
            skipped.append(str(error))
            continue
        key = (results.created_at.timestamp(), results.device.identity, results.command)
        first = measured.setdefault(key, str(path))
        if first == str(path):
            sources.append(Source(str(path), results))
        else:
            skipped.append(f"'{path}' is a copy of '{first}'.")
    if not sources:
        where = ", ".join(f"'{path}'" for path in paths)
        raise SeaformerError(
            f"there is no {FILE_NAME} of a benchmark in {where}. Give results of "
            f"seaformer-benchmark, or a folder with them. {' '.join(skipped)}".rstrip()
        )
    return Collection(tuple(sources), tuple(skipped))


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield every file, and whether it was given itself."""
    for path in paths:
        if is_of_several(path):
            yield from ((file, False) for file in sorted(path.rglob(FILE_NAME)) if file.is_file())
        else:
            yield _own(path) or path, True
