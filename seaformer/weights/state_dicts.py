"""Which of a checkpoint's dictionaries holds the weights, and what stands before their names.

Trainers store weights under many keys, and averaged ones (EMA) beside those of the last step; the
averaged ones are those that are evaluated and published. Wrappers put their own name before every
name: DistributedDataParallel `module.`, torch.compile `_orig_mod.`, Lightning the attribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from seaformer.errors import SeaformerError

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model")
PLAIN = ("state_dict", "model", "model_state_dict", "net", "network", "student", "weights")
"""Keys that weights are stored under, best first."""

_INNER = ("state_dict", "module", "model", "shadow")
"""Keys within one of those, as a wrapper that averages is stored."""

_SWAPPED = "message_hub"
"""A key of mmengine's files, which hold the averaged weights under `state_dict` and those of the
last step under `ema_state_dict`."""

PREFIXES = ("_orig_mod.", "module.", "model.", "net.", "network.", "student.")
SHARED = 0.9
"""A prefix belongs to a wrapper if at least this share of the names begins with it."""

AUXILIARY = "auxiliary_head."
"""A head for training alone."""

SEPARATOR = "::"
"""Between a file and the key of the weights to take."""


@dataclass(frozen=True)
class StateDict:
    """Weights by name, and what a user should know of where they come from; "" for nothing."""

    tensors: Mapping[str, Tensor]
    note: str


def split_key(path: Path) -> tuple[Path, str | None]:
    """Split FILE::KEY; the key is None without one."""
    if SEPARATOR not in path.name or path.exists():
        return path, None
    name, _, key = path.name.rpartition(SEPARATOR)
    return path.with_name(name), key


def find_state_dict(content: Mapping[Any, Any], path: Path, key: str | None) -> StateDict:
    """Find the weights in what a checkpoint holds.

    Args:
        content: of the file.
        path: for messages.
        key: where they are, as the user says it; None for the best there are.

    Raises:
        SeaformerError: nothing of it is weights alone, or there is no such key.
    """
    found = {name: state for name in (*AVERAGED, *PLAIN) if (state := _weights(content.get(name)))}
    if key is not None and key not in found:
        held = ", ".join(f"'{name}'" for name in found) or "nothing under a key of its own"
        raise SeaformerError(f"'{path}' has no weights under '{key}'. It has {held}.")
    order = (*PLAIN, *AVERAGED) if _SWAPPED in content else (*AVERAGED, *PLAIN)
    taken = key or next((name for name in order if name in found), None)
    if taken is None:
        misplaced = next((name for name in order if name in content), None)
        where = f"'{path}', key '{misplaced}'," if misplaced else f"'{path}'"
        return _unwrapped(_require_tensors(content.get(misplaced, content), where), "")
    others = [name for name in found if name != taken]
    note = ""
    if others and key is None:
        alternatives = " or ".join(f"'{path.name}{SEPARATOR}{name}'" for name in others)
        averaged = ", which are averaged over the training" if taken in AVERAGED else ""
        note = f"The weights are those under '{taken}'{averaged}; for others give {alternatives}."
    return _unwrapped(found[taken], note)


def _weights(value: object) -> dict[str, Tensor] | None:
    """A dictionary of tensors alone, or the one within it; None if it is none."""
    if not isinstance(value, dict) or not value:
        return None
    if all(isinstance(k, str) and isinstance(tensor, Tensor) for k, tensor in value.items()):
        return value
    inner = (_weights(value[name]) for name in _INNER if name in value)
    return next((state for state in inner if state), None)


def _require_tensors(state: object, where: str) -> dict[str, Tensor]:
    expected = (
        f"nothing but tensors by name, alone or under one of {', '.join((*AVERAGED, *PLAIN))}"
    )
    if not isinstance(state, dict):
        raise SeaformerError(f"{where} holds a {type(state).__name__} rather than {expected}.")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise SeaformerError(
                f"{where} holds a {type(tensor).__name__} called {name!r} rather than {expected}."
            )
    return state


def _unwrapped(state: Mapping[str, Tensor], note: str) -> StateDict:
    """Take the names of wrappers off, and the heads for training alone."""
    tensors, notes = dict(state), [note] if note else []
    while prefix := _wrapper(list(tensors)):
        without = sum(not name.startswith(prefix) for name in tensors)
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        if without or prefix != "module.":  # which is usual
            exceptions = f", which {without} did not have" if without else ""
            notes.append(f"'{prefix}' was taken off the names of the weights{exceptions}.")
    training = [name for name in tensors if name.startswith(AUXILIARY)]
    if training and len(training) < len(tensors):
        notes.append(
            f"The {len(training)} tensors of '{AUXILIARY}' are for training, and left out."
        )
        tensors = {name: tensor for name, tensor in tensors.items() if name not in training}
    return StateDict(tensors, " ".join(notes))


def _wrapper(names: Sequence[str]) -> str | None:
    """The prefix that nearly all names have in common, and that makes no two of them the same."""
    for prefix in PREFIXES:
        wrapped = sum(name.startswith(prefix) for name in names)
        bare = {name.removeprefix(prefix) for name in names}
        if wrapped and wrapped >= SHARED * len(names) and len(bare) == len(names):
            return prefix
    return None
