"""Finding the weights in the dictionaries of a checkpoint, and removing prefixes from their names.

Trainers store weights under many keys, and averaged weights (EMA) next to the last step's weights;
the averaged weights are the ones that are evaluated and published. Wrappers add a prefix to every
name: DistributedDataParallel `module.`, torch.compile `_orig_mod.`, Lightning the attribute.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from seaformer.errors import SeaformerError, quoted
from seaformer.weights.file_key import SEPARATOR
from seaformer.weights.foreign_objects import StandIn

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model")
PLAIN = ("state_dict", "model", "model_state_dict", "net", "network", "student", "weights")
"""Keys under which weights are stored, best first."""

NETWORKS = (*AVERAGED, *PLAIN, "teacher")
"""Names of several networks in one dictionary, for example after distillation, best first."""

_INNER = ("state_dict", "module", "model", "shadow")
"""Keys within one of those, from a stored averaging wrapper."""

_SWAPPED = "message_hub"
"""A key of mmengine's files, which store the averaged weights under `state_dict` and the weights of
the last step under `ema_state_dict`."""

PREFIXES = ("_orig_mod.", "module.", "model.", "net.", "network.", "student.")
"""Prefixes of wrappers, for any number of tensors."""

PARTS = ("backbone.", "segformer.", "stages.", "layers.", "features.")
"""Prefixes of published tensor names, which are never treated as wrapper prefixes."""

MANY = 20
"""With at least this many tensors, any other prefix of nearly all names is a wrapper's too."""

SHARED = 0.9
"""A prefix is a wrapper's if at least this share of the names has it."""

MAX_DEPTH = 32
"""Maximum nesting of dictionaries or modules: a file may contain a cycle."""

AUXILIARY = "auxiliary_head."
"""A head that is only used for training."""


@dataclass(frozen=True)
class StateDict:
    """Weights by name, without prefixes of wrappers.

    Attributes:
        tensors: tensors by name.
        note: remark on where they were found; "" for none.
        outside: names that lacked the prefix of the wrapper, such as tensors of a loss function
            stored with the network.
    """

    tensors: Mapping[str, Tensor]
    note: str
    outside: frozenset[str] = frozenset()


def find_state_dict(
    content: Mapping[Any, Any], path: Path, key: str | None, parts: Sequence[str] = PARTS
) -> StateDict:
    """Find the weights in the content of a checkpoint.

    Args:
        content: content of the file.
        path: path for messages.
        key: key given by the user; None for the best weights.
        parts: prefixes of the network's own tensor names, which are never removed.

    Raises:
        SeaformerError: there are no weights, there is no such key, or it is ambiguous which of
            several weights are meant.
    """
    order = (*PLAIN, *AVERAGED) if _SWAPPED in content else (*AVERAGED, *PLAIN)
    others = (name for name in content if isinstance(name, str) and name not in order)
    found = {name: state for name in (*order, *others) if (state := _weights(content.get(name), 0))}
    if key is not None and key not in found:
        for state in (*found.values(), _bare(content)):
            if key in (networks := _networks(state)):
                return unwrapped(networks[key], parts=parts)
        keys = ", ".join(f"'{name}'" for name in found) or "none"
        raise SeaformerError(f"'{path}' has no weights under '{key}'. Keys with weights: {keys}.")
    if key is None and (_bare(content) or not found):
        return _of_one(_whole(content, path), path, parts)
    chosen = key or next(iter(found))
    alternatives = [f"'{path}{SEPARATOR}{name}'" for name in found if name != chosen]
    note = ""
    if key is None and chosen not in order:
        if alternatives:
            raise SeaformerError(
                f"'{path}' has weights under several keys. Give one of them: "
                f"'{path}{SEPARATOR}{chosen}' or {' or '.join(alternatives)}."
            )
        note = f"The weights are those under '{chosen}'."
    elif key is None and alternatives:
        averaged = ", which are averaged over the training" if chosen in AVERAGED else ""
        note = (
            f"The weights are those under '{chosen}'{averaged}; for others, give "
            f"{' or '.join(alternatives)}."
        )
    return _of_one(found[chosen], path, parts, note)


def _bare(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return the tensors at the top level."""
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _networks(state: Mapping[str, Tensor]) -> dict[str, Mapping[str, Tensor]]:
    """Return several networks with the same tensor names, best first; {} if there are none."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        first, _, rest = name.partition(".")
        groups.setdefault(first, {})[rest] = tensor
    known = {name: groups[name] for name in NETWORKS if name in groups}
    if len(known) < 2 or len({frozenset(group) for group in known.values()}) > 1:
        return {}
    return dict(known)


def _of_one(
    state: Mapping[str, Tensor], path: Path, parts: Sequence[str], note: str = ""
) -> StateDict:
    """Take the best of several networks, or the only one."""
    networks = _networks(state)
    if networks:
        chosen, *others = networks
        state = networks[chosen]
        alternatives = " or ".join(f"'{path}{SEPARATOR}{name}'" for name in others)
        note = (
            f"{note} Using the weights under '{chosen}'; for others, give {alternatives}.".strip()
        )
    return unwrapped(state, note, parts)


def _weights(value: object, depth: int) -> Mapping[str, Tensor] | None:
    """Return a dictionary of only tensors, an inner one, or the weights of a module; else None."""
    if not isinstance(value, dict) or not value or depth > MAX_DEPTH:
        return None
    if _is_module(value):
        return _of_module(value, "", 0)
    if all(isinstance(k, str) and isinstance(tensor, Tensor) for k, tensor in value.items()):
        return value
    inner = (_weights(value[name], depth + 1) for name in _INNER if name in value)
    return next((state for state in inner if state), None)


def _is_module(value: object) -> bool:
    return isinstance(value, StandIn) and {"_parameters", "_buffers", "_modules"} <= value.keys()


def _of_module(module: Any, prefix: str, depth: int) -> dict[str, Tensor]:
    """Return the state_dict() of a torch.nn.Module that was saved as an object."""
    fleeting = module.get("_non_persistent_buffers_set") or ()
    own = {**module["_parameters"], **module["_buffers"]}
    state = {
        f"{prefix}{name}": tensor
        for name, tensor in own.items()
        if isinstance(tensor, Tensor) and name not in fleeting
    }
    for name, inner in module["_modules"].items():
        if _is_module(inner) and depth < MAX_DEPTH:
            state |= _of_module(inner, f"{prefix}{name}.", depth + 1)
    return state


def _whole(content: Mapping[Any, Any], path: Path) -> Mapping[str, Tensor]:
    """Take the whole content of a file as weights."""
    if _is_module(content):
        return _of_module(content, "", 0)
    expected = (
        f"only tensors by name, at the top level or under one of {', '.join((*AVERAGED, *PLAIN))}"
    )
    if isinstance(content, StandIn):
        raise SeaformerError(
            f"'{path}' contains {quoted(content.origin)} rather than {expected}. Save the "
            "state_dict() of the network where it was trained."
        )
    for name in (*AVERAGED, *PLAIN):
        if isinstance(content.get(name), Mapping):
            where, content = f"'{path}', key '{name}',", content[name]
            break
    else:
        where = f"'{path}'"
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise SeaformerError(
                f"{where} contains a {_type_name(tensor):.80} called {quoted(name)} rather than "
                f"{expected}."
            )
    return content


def _type_name(value: object) -> str:
    return value.origin if isinstance(value, StandIn) else type(value).__name__


def unwrapped(
    state: Mapping[str, Tensor], note: str = "", parts: Sequence[str] = PARTS
) -> StateDict:
    """Remove prefixes of wrappers but not `parts`, and heads that are only used for training."""
    tensors, notes = dict(state), [note] if note else []
    outside: frozenset[str] = frozenset()
    while prefix := _wrapper(list(tensors), parts):
        without = {name for name in tensors if not name.startswith(prefix)}
        outside = frozenset(name.removeprefix(prefix) for name in outside) | without
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        if without or prefix != "module.":  # which is usual
            exceptions = f", which {len(without)} did not have" if without else ""
            notes.append(f"'{prefix}' was removed from the names of the weights{exceptions}.")
    is_part = AUXILIARY in parts
    training = [name for name in tensors if name.startswith(AUXILIARY) and not is_part]
    if training and len(training) < len(tensors):
        notes.append(
            f"The {len(training)} tensors of '{AUXILIARY}' are only used in training, so they are "
            "ignored."
        )
        tensors = {name: tensor for name, tensor in tensors.items() if name not in training}
    return StateDict(tensors, " ".join(notes), outside)


def _wrapper(names: Sequence[str], parts: Sequence[str]) -> str | None:
    """Return a wrapper's prefix that nearly all names have; None if there is none."""
    firsts = Counter(f"{first}." for first, dot, _ in (n.partition(".") for n in names) if dot)
    for prefix, wrapped in firsts.most_common():
        is_wrapper = prefix not in parts and (prefix in PREFIXES or len(names) >= MANY)
        bare = {name.removeprefix(prefix) for name in names}
        if is_wrapper and wrapped >= SHARED * len(names) and len(bare) == len(names):
            return prefix
    return None
