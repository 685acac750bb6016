"""Names and shapes of tensors, and renaming by rules."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

Replacement = str | Callable[[re.Match[str]], str]


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def substitute(name: str, rules: Sequence[tuple[str, Replacement]]) -> str:
    """Apply rewriting rules, each a pattern and its replacement, in order."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def rename(
    keys: Iterable[str], rename_one: Callable[[str], str], prefixes: tuple[str, ...]
) -> dict[str, str]:
    """Map each key of a state_dict to a new name, which has to begin with one of the prefixes.

    Raises:
        KeyError: no rule matches a key, or two keys get the same name; a bug, not a user's error.
    """
    names = {key: rename_one(key) for key in keys}
    for key, name in names.items():
        if not name.startswith(prefixes):
            raise KeyError(f"no rule of the key map translates '{key}'")
    if len(set(names.values())) != len(names):
        raise KeyError("two keys have the same official name")
    return names
