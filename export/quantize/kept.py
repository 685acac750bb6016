"""Which operators does --keep-float mean?

light_head                  a module, and what stands in it
context_branch.*.ffn        shell wildcards; a star matches dots too
stem.stage1.0@*             the module's own operators, without what stands in it
stem.conv@2                 one operator, by its place in the file
type:MUL                    every operator of a type
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from seaformer.artifact.metadata import MappedOperator
from seaformer.errors import UnknownNameError

TYPE = "type:"


def match(patterns: Iterable[str], operators: Sequence[MappedOperator]) -> frozenset[int]:
    """Return the indices of the operators that the patterns mean.

    Args:
        patterns: as above.
        operators: of the single-precision file.

    Raises:
        UnknownNameError: a pattern means none; the message has the nearest names.
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
    """Find what is misspelt before there is a file: patterns of modules, by the modules alone.

    Patterns of single operators are left to `match`.

    Args:
        patterns: as above.
        modules: paths in the deployment form.

    Raises:
        UnknownNameError: a pattern means none; the message has the nearest names.
    """
    known = {path for path in modules if path}
    for pattern in patterns:
        of_operators = "@" in pattern or pattern.startswith(TYPE)
        if not of_operators and not any(fnmatchcase(path, pattern) for path in known):
            raise _unknown(pattern, known)


def enclosing(module: str) -> list[str]:
    """The path of a module and of those that it stands in, outermost first; none for the model."""
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
        f"no module or operator of the model is '{pattern}'.{hint} Valid: a module's path, its "
        f"beginning or a wildcard, of {outermost}."
    )
