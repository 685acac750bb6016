"""Reading checkpoints: mmcv, timm, other trainers, PaddlePaddle, and our own .safetensors.

A .pth file is a pickle, and loading a pickle can run any program. The tensors are therefore read by
`seaformer.weights.unpickling`, which only builds tensors and plain containers, and those of a
.pdparams file, also a pickle, by `paddle_file`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
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
from seaformer.weights import paddle_file, unpickling
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.file_key import split_key
from seaformer.weights.state_dicts import PARTS, StateDict, find_state_dict, unwrapped

FORMAT_VERSION = 1
"""Version of the header of our own files, see `seaformer.weights.saving`."""

INTEGERS = ("num_batches_tracked", "_index", "_idxs", "_ids")
"""Endings of the names of integer buffers: counters, and indices of positions."""

METADATA_KEY = "seaformer"
"""The only key of our header; safetensors would write several keys in random order."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of one file.

    Attributes:
        path: path of the file.
        sha256: SHA-256 of the file, in hexadecimal.
        tensors: tensors by their names in the file, without wrapper prefixes; on the CPU;
            floating-point tensors are float32 and finite.
        class_names: class names recorded in the file, by index; None if there are none.
        metadata: the header of one of our own files; empty for all others.
        note: which of several weights were taken, and how their names were changed; "" if there is
            nothing to report.
        outside: names of tensors outside the network, see `state_dicts.StateDict`.
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
        """Name of the network recorded in the file, not validated; None if there is none."""
        return stored_name(self.metadata.get("variant"), self.metadata.get("model"))

    @property
    def task(self) -> Task | None:
        """The task recorded in the file; None if there is none.

        Raises:
            SeaformerError: the recorded task is invalid.
        """
        stored = self.metadata.get("task")
        try:
            return Task.from_json(stored) if stored else None
        except UsageError as error:
            raise SeaformerError(f"'{self.path}' has a damaged header: {error}") from error


def read_checkpoint(path: Path, parts: Sequence[str] = PARTS) -> Checkpoint:
    """Read a checkpoint without running any code in it.

    Formats: checkpoints of mmcv (`state_dict`, class names in `meta`), timm, Lightning and other
    trainers (see `state_dicts`), a bare dictionary of tensors, .safetensors, and .pdparams of
    PaddlePaddle.

    Args:
        path: path of the file; FILE::KEY for the weights under one of its keys.
        parts: prefixes of the network's own tensor names, which are not wrapper prefixes.

    Raises:
        SeaformerError: the file is missing, damaged or not a checkpoint, has values that are not
            finite, or refers to programs. The message names the file.
    """
    path, key = split_key(path)
    if not path.exists():
        raise SeaformerError(f"there is no file '{path}'. Give the path of a checkpoint.")
    if path.is_dir():
        raise SeaformerError(f"'{path}' is a folder. Give the path of the checkpoint in it.")
    if not path.is_file():  # a device, or a pipe, which would block
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
                        f"'{path}' has no weights under '{key}': in a .safetensors file, weights "
                        "are not under a key. Omit '::' and the key."
                    )
                stored, metadata = _read_safetensors(path)
                state = StateDict(stored, "") if metadata else unwrapped(stored, parts=parts)
                class_names = _names(metadata.get("task"), "labels")
            else:
                content = _unpickle(file, path)
                state, metadata = find_state_dict(content, path, key, parts), {}
                class_names = _class_names(content.get("meta"))
    except OSError as error:
        raise SeaformerError(f"cannot read '{path}': {error}.") from error
    _check_size(state.tensors, path)
    tensors = _checked(state.tensors, path)
    return Checkpoint(path, digest, tensors, class_names, metadata, state.note, state.outside)


def _unpickle(file: BinaryIO, path: Path) -> dict[Any, Any]:
    if path.suffix == paddle_file.SUFFIX:
        return paddle_file.load(file, path)
    try:
        content = unpickling.load(file, path, with_stand_ins=True)
    except SeaformerError:
        raise
    # A damaged or hostile pickle can raise any exception.
    except Exception as error:
        refused = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
        if refused:
            raise SeaformerError(
                f"'{path}' refers to '{refused[1]}', which runs programs and does not belong "
                "in a checkpoint. Nothing was run. Do not load the file by other means either: get "
                "the checkpoint again from where it was published."
            ) from error
        if "TorchScript" in str(error):
            raise SeaformerError(
                f"'{path}' is a TorchScript archive, which is a program. If you trust it, save its "
                f"weights only: torch.save(torch.jit.load({str(path)!r}).state_dict(), 'w.pth')."
            ) from error
        raise SeaformerError(
            f"'{path}' is damaged, incomplete or not a PyTorch checkpoint "
            f"({type(error).__name__}: {_last_line(error)}). Download or copy it again."
        ) from error
    if not isinstance(content, dict):
        raise SeaformerError(
            f"'{path}' contains a {type(content).__name__} rather than a dictionary of weights. "
            "Save model.state_dict()."
        )
    return content


def _last_line(error: Exception) -> str:
    """Return the cause without torch's paragraphs of advice."""
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
            f"'{path}' has format version {quoted(version)}, but this version of seaformer reads "
            f"{FORMAT_VERSION}. Update seaformer, or save the weights again with this version."
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
    """Refuse a file whose tensors have more values than it has bytes, before they are copied."""
    numbers = sum(tensor.numel() for tensor in tensors.values())
    if numbers > path.stat().st_size:
        raise SeaformerError(
            f"'{path}' claims to contain {numbers} numbers but has {path.stat().st_size} bytes. "
            "Download or copy it again."
        )


def _checked(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Convert floating-point tensors to float32; refuse other types, NaN and infinity."""
    if not tensors:
        raise SeaformerError(f"'{path}' contains no tensors. Give a checkpoint with weights.")
    refused = [name for name, tensor in tensors.items() if not _is_plain(name, tensor)]
    if refused:
        first = tensors[refused[0]]
        raise SeaformerError(
            f"'{path}' has {listed(refused, 'tensor')} of a type that weights cannot have; the "
            f"first is {first.dtype}, {first.layout}, on {first.device}. Allowed: dense "
            "floating-point tensors."
        )
    widened = {
        name: tensor.detach().float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    broken = [name for name, tensor in widened.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise SeaformerError(
            f"'{path}' has NaN or infinity in {listed(broken, 'tensor')}. Either the training "
            "diverged, or the file is damaged. Give another checkpoint."
        )
    return widened


def _is_plain(name: str, tensor: Tensor) -> bool:
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.is_floating_point() or name.endswith(INTEGERS)


def listed(names: Iterable[str], noun: str) -> str:
    """Format the number of names and the first 8 of them: "2 tensors (a, b)"."""
    names = list(names)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{len(names)} {noun}{'s' if len(names) != 1 else ''} ({shown})"


def described_by(weights: str | Path | None) -> tuple[str | None, Task | None]:
    """Return the network name and the task recorded in a value of `--weights`, as far as possible.

    Built-in weights and our own .safetensors files record both, so that a command needs no
    further options; all others record neither.

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
