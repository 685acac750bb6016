"""Reading checkpoints: mmcv segmentation, timm classification, and our own .safetensors.

A .pth file is a pickle, and a pickle can run any program when it is loaded. So the tensors are read
by `seaformer.weights.unpickling`, which builds tensors and plain containers and runs nothing else.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import torch
from torch import Tensor

from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.json_text import JsonError, parse_object
from seaformer.network_names import stored_name
from seaformer.tasks import Task, get_task
from seaformer.weights import unpickling
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.file_key import split_key
from seaformer.weights.state_dicts import StateDict, find_state_dict, unwrapped

FORMAT_VERSION = 1
"""Version of the header of our own files, which `seaformer.weights.saving` writes."""

METADATA_KEY = "seaformer"
"""The one key of our header. With more, safetensors would write them in an order of chance."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of one file.

    Attributes:
        path: the file.
        sha256: of the file, in hexadecimal.
        tensors: by name as in the file, without `module.`; on the CPU, floating ones as float32,
            without NaN and infinity.
        class_names: the classes that the file says it was trained for, by index; None if it says
            nothing.
        metadata: the header of one of our own files; empty for all others.
        note: which of several weights were taken, and what was changed in their names; "" for
            nothing that a user would not expect.
        outside: names of tensors beside the network, see `state_dicts.StateDict`.
    """

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]
    class_names: tuple[str, ...] | None
    metadata: Mapping[str, Any]
    note: str = ""
    outside: frozenset[str] = frozenset()

    @property
    def network(self) -> str | None:
        """Name of the network that the file says it is for, as data; None if it says nothing."""
        return stored_name(self.metadata.get("variant"), self.metadata.get("model"))

    @property
    def task(self) -> Task | None:
        """The task that the file says it is for; None if it says nothing.

        Raises:
            SeaformerError: what it says breaks a rule.
        """
        stored = self.metadata.get("task")
        try:
            return Task.from_json(stored) if stored else None
        except UsageError as error:
            raise SeaformerError(f"'{self.path}' has a damaged header: {error}") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint without running any code that is in it.

    Formats: an mmcv checkpoint (`state_dict`, class names in `meta`), one of timm, Lightning or
    another trainer (see `state_dicts`), a bare dictionary of tensors, and .safetensors.

    Args:
        path: of the file; FILE::KEY for the weights under a key of it.

    Raises:
        SeaformerError: the file is missing, damaged, not a checkpoint, has values that are not
            finite, or asks for more than tensors and plain containers. The message names the file.
    """
    path, key = split_key(path)
    if not path.exists():
        raise SeaformerError(f"there is no file '{path}'. Give the path of a checkpoint.")
    if path.is_dir():
        raise SeaformerError(f"'{path}' is a folder. Give the path of the checkpoint in it.")
    if not path.is_file():  # a pipe, which would be waited for, or a device
        raise SeaformerError(f"'{path}' is not a regular file. Give the path of a checkpoint.")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if not file.tell():
                raise SeaformerError(f"'{path}' is empty. Download or copy it again.")
            file.seek(0)
            if path.suffix == ".safetensors":
                if key is not None:
                    raise SeaformerError(
                        f"'{path}' has no weights under '{key}': a .safetensors file has no keys "
                        "of weights. Leave '::' and the key out."
                    )
                stored, metadata = _read_safetensors(path)
                state = StateDict(stored, "") if metadata else unwrapped(stored)
                class_names = _names(metadata.get("task"), "labels")
            else:
                content = _unpickle(file, path)
                state, metadata = find_state_dict(content, path, key), {}
                class_names = _class_names(content.get("meta"))
    except OSError as error:
        raise SeaformerError(f"cannot read '{path}': {error}.") from error
    _check_size(state.tensors, path)
    tensors = _checked(state.tensors, path)
    return Checkpoint(path, digest, tensors, class_names, metadata, state.note, state.outside)


def _unpickle(file: BinaryIO, path: Path) -> dict[Any, Any]:
    try:
        content = unpickling.load(file, path, with_stand_ins=True)
    except SeaformerError:
        raise
    # A damaged or hostile pickle can make the reader fail in any way.
    except Exception as error:
        refused = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
        if refused:
            raise SeaformerError(
                f"'{path}' asks for '{refused[1]}', which runs programs and is in no honest "
                "checkpoint. Nothing of it was run. Do not load it by other means either: get the "
                "checkpoint again from where it was published."
            ) from error
        if "TorchScript" in str(error):
            raise SeaformerError(
                f"'{path}' is a TorchScript archive, which is a program. If you trust it, save its "
                f"weights alone: torch.save(torch.jit.load({str(path)!r}).state_dict(), 'w.pth')."
            ) from error
        raise SeaformerError(
            f"'{path}' is damaged, incomplete or not a PyTorch checkpoint "
            f"({type(error).__name__}: {_last_line(error)}). Download or copy it again."
        ) from error
    if not isinstance(content, dict):
        raise SeaformerError(
            f"'{path}' holds a {type(content).__name__} rather than a dictionary of weights. Save "
            "model.state_dict()."
        )
    return content


def _last_line(error: Exception) -> str:
    """Drop the paragraphs of advice that torch puts around the cause."""
    lines = [line for line in str(error).splitlines() if line and "documentation of" not in line]
    return lines[-1].strip() if lines else "no details"


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            names = opened.keys()
            tensors = {name: opened.get_tensor(name) for name in names}
            header = opened.metadata() or {}
    except safetensors.SafetensorError as error:
        raise SeaformerError(
            f"'{path}' is damaged, incomplete or not a safetensors file ({error}). Download or "
            "copy it again."
        ) from error
    return tensors, _own_metadata(header, path)


def _own_metadata(header: Mapping[str, str], path: Path) -> dict[str, Any]:
    if METADATA_KEY not in header:
        return {}
    try:
        metadata = parse_object(header[METADATA_KEY])
        for member in ("variant", "model"):
            if not isinstance(metadata.get(member), str | None):
                raise JsonError(f"{member} is {quoted(metadata[member])}. Allowed: a name")
        if "format_version" not in metadata:
            raise JsonError("it has no 'format_version'")
    except JsonError as error:
        raise SeaformerError(
            f"'{path}' has a damaged header: {error}. Download or copy it again."
        ) from error
    version = metadata.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise SeaformerError(
            f"'{path}' has format version {quoted(version)}; this seaformer reads "
            f"{FORMAT_VERSION}. Update seaformer, or save the weights again with this one."
        )
    return metadata


def _class_names(meta: object) -> tuple[str, ...] | None:
    """Find the names of the classes in the `meta` of mmcv 1.x or of mmengine."""
    data_set = meta.get("dataset_meta") if isinstance(meta, dict) else None
    places = ((meta, "CLASSES"), (data_set, "classes"), (data_set, "CLASSES"))
    return next((names for place in places if (names := _names(*place))), None)


def _names(holder: object, key: str) -> tuple[str, ...] | None:
    names = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def _check_size(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that repeat what the file stores once, before each gets memory of its own."""
    numbers = sum(tensor.numel() for tensor in tensors.values())
    if numbers > path.stat().st_size:
        raise SeaformerError(
            f"'{path}' claims {numbers} numbers and has {path.stat().st_size} bytes. Download or "
            "copy it again."
        )


def _checked(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Widen floating tensors to float32; refuse other kinds, NaN and infinity."""
    if not tensors:
        raise SeaformerError(f"'{path}' holds no tensors. Give a checkpoint with weights.")
    odd = [name for name, tensor in tensors.items() if not _is_plain(name, tensor)]
    if odd:
        kind = tensors[odd[0]]
        raise SeaformerError(
            f"'{path}' has {listed(odd, 'tensor')} of a kind that weights cannot have, the first "
            f"{kind.dtype}, {kind.layout}, on {kind.device}. Allowed: dense floating-point tensors."
        )
    widened = {
        name: tensor.detach().float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    broken = [name for name, tensor in widened.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise SeaformerError(
            f"'{path}' has NaN or infinity in {listed(broken, 'tensor')}. The training diverged or "
            "the file is damaged: give another checkpoint."
        )
    return widened


def _is_plain(name: str, tensor: Tensor) -> bool:
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.is_floating_point() or name.endswith("num_batches_tracked")


def listed(names: Iterable[str], noun: str) -> str:
    """Say how many names there are and give the first 8: "2 tensors (a, b)"."""
    names = list(names)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{len(names)} {noun}{'s' if len(names) != 1 else ''} ({shown})"


def described_by(weights: str | Path | None) -> tuple[str | None, Task | None]:
    """Return the name of the network and the task that weights are for, as far as they say it.

    Of what is given to `--weights`, those that come with the package and our own .safetensors files
    say both, so that a command needs no further flags; others say nothing.

    Raises:
        SeaformerError: it is a .safetensors file that cannot be read.
    """
    for builtin in BUILTIN:
        if weights == builtin.name:
            return builtin.network, get_task(builtin.task)
    named = str(weights)
    if weights is None or not named.endswith(".safetensors") or named.startswith("backbone:"):
        return None, None
    checkpoint = read_checkpoint(Path(weights).expanduser())
    return checkpoint.network, checkpoint.task
