"""Patterns of modules and operators, as given to --keep-float.

light_head                  a module with its submodules
context_branch.*.ffn        shell wildcards; a star matches dots too
stem.stage1.0@*             operators of a module outside any submodule
stem.conv@2                 one operator, by its index in the file
type:MUL                    every operator of a type
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from seaformer.artifact.metadata import MappedOperator
from seaformer.errors import UnknownNameError

TYPE = "type:"


def match(patterns: Iterable[str], operators: Sequence[MappedOperator]) -> frozenset[int]:
    """Return the indices of the operators that match the patterns.

    Args:
        patterns: see the module docstring.
        operators: operators of the single-precision file.

    Raises:
        UnknownNameError: a pattern matches none; the message suggests similar names.
    """
    names = {operator.index: tuple(_names(operator)) for operator in operators}
    kept: set[int] = set()
    for pattern in patterns:
        found = {
            index for index, known in names.items() if any(fnmatchcase(n, pattern) for n in known)
        }
        if not found:
            raise _unknown(pattern, {name for known in names.values() for name in known})
        kept |= found
    return frozenset(kept)


def require_modules(patterns: Iterable[str], modules: Iterable[str]) -> None:
    """Check the patterns of modules early, before there is a file, to catch misspelled names.

    Patterns of single operators are left to `match`.

    Args:
        patterns: see the module docstring.
        modules: paths in the deployment form.

    Raises:
        UnknownNameError: a pattern matches none; the message suggests similar names.
    """
    known = {path for path in modules if path}
    for pattern in patterns:
        of_operators = "@" in pattern or pattern.startswith(TYPE)
        if not of_operators and not any(fnmatchcase(path, pattern) for path in known):
            raise _unknown(pattern, known)


def enclosing(module: str) -> list[str]:
    """The paths of a module and its parents, outermost first; empty for the model itself."""
    parts = module.split(".") if module else []
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _names(operator: MappedOperator) -> Iterator[str]:
    yield from enclosing(operator.module)
    yield f"{operator.module}@{operator.index}"
    yield f"{TYPE}{operator.type}"


def _unknown(pattern: str, names: set[str]) -> UnknownNameError:
    modules = sorted(name for name in names if "@" not in name)
    near = get_close_matches(pattern, modules, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    outermost = ", ".join(name for name in modules if "." not in name)
    return UnknownNameError(
        f"no module or operator of the model matches '{pattern}'.{hint} Allowed: the path of a "
        f"module or a wildcard; top-level modules: {outermost}."
    )
