"""The names and shapes of a network's tensors, and renaming them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

Replacement = str | Callable[[re.Match[str]], str]


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def substitute(name: str, rules: Sequence[tuple[str, Replacement]]) -> str:
    """Apply rewriting rules, each a pattern and its replacement, one after the other."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def rename(
    keys: Iterable[str], rename_one: Callable[[str], str], prefixes: tuple[str, ...]
) -> dict[str, str]:
    """Map each key of a state_dict to another name, which has to begin with one of the prefixes.

    Raises:
        KeyError: a key that no rule translates, or two that fall together. A bug here, not a
            user's error.
    """
    names = {key: rename_one(key) for key in keys}
    for key, name in names.items():
        if not name.startswith(prefixes):
            raise KeyError(f"no rule of the key map translates '{key}'")
    if len(set(names.values())) != len(names):
        raise KeyError("two keys have the same official name")
    return names
