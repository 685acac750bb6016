"""Checking that files form a table, and sorting them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType
from typing import Any

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.candidates.candidate import UNKNOWN_PRECISION, Candidate
from seaformer.benchmark.results.table_kinds import Kind
from seaformer.errors import UsageError


def arrange(kind: Kind, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Check that models form a table, and sort them, which determines their ids.

    Raises:
        UsageError: they do not differ in exactly the property that the table varies.
    """
    if kind.has_settings:
        return tuple(candidates)
    for name in (kind.varies, *kind.alike):
        for one in candidates:
            if TRAITS[name](one) is None:
                raise UsageError(
                    f"--table {kind.name}: '{one.path}' has no metadata about its {name}. Export "
                    "it with seaformer-export, or measure without --table."
                )
    for name in kind.alike:
        for one, other in combinations(candidates, 2):
            ours, theirs = TRAITS[name](one), TRAITS[name](other)
            if ours != theirs:
                raise UsageError(
                    f"--table {kind.name}: '{one.path}' has {name} {_words(ours)}, but "
                    f"'{other.path}' {_words(theirs)}. Give files with the same "
                    f"{' and '.join(kind.alike)}, or measure without --table."
                )
    for one, other in combinations(candidates, 2):
        if TRAITS[kind.varies](one) == TRAITS[kind.varies](other):
            raise UsageError(
                f"--table {kind.name}: '{one.path}' and '{other.path}' have the same "
                f"{kind.varies}, {_words(TRAITS[kind.varies](one))}. Omit one of them."
            )
    if kind.varies == "precision" and not any(one.precision == "fp32" for one in candidates):
        raise UsageError(
            f"--table {kind.name}: the fp32 file, to which others are compared, is missing. Add it."
        )
    ordered = sorted(candidates, key=_place)
    return tuple(replace(one, id=f"m{number}") for number, one in enumerate(ordered))


def _place(one: Candidate) -> tuple[int, int, int]:
    """Sort key: order of the registry of precisions, then input size, then network size.

    Only the property that the table varies differs, so only that one matters.
    """
    size = one.input.size or (0, 0)
    order = [*PRECISIONS, one.precision]
    return order.index(one.precision), size[0] * size[1], one.facts.macs or 0


def _precision(one: Candidate) -> str | None:
    return None if one.precision == UNKNOWN_PRECISION else one.precision


TRAITS: Mapping[str, Callable[[Candidate], Any]] = MappingProxyType(
    {
        "network": lambda one: one.facts.name,
        "task": lambda one: one.facts.task,
        "precision": _precision,
        "input size": lambda one: one.input.size,
        "head": lambda one: one.facts.head,
    }
)
"""Properties in which files of a table differ or agree; None if the metadata lacks it."""


def _words(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
