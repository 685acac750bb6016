"""Writing weights as our own .safetensors files."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from seaformer.errors import SeaformerError, UsageError
from seaformer.files import atomic_write
from seaformer.network_names import members
from seaformer.weights.checkpoint import FORMAT_VERSION, METADATA_KEY, listed

SUFFIX = ".safetensors"


def save_weights(
    model: nn.Module,
    path: Path,
    *,
    network: str,
    task_json: Mapping[str, Any],
    half: bool = False,
    extra: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> None:
    """Write the state_dict of `model`; `read_checkpoint` and `load_weights` read it.

    The file is written atomically. Equal weights give identical files.

    Args:
        model: a network of `seaformer.models`.
        path: ends with .safetensors; an existing file is replaced.
        network: name of `model`, such as "seaformer-tiny".
        task_json: its task, from `Task.to_json`.
        half: store float16, which halves the size and keeps three significant digits.
        extra: any other JSON data, such as the score.
        without: names of tensors that are not stored.

    Raises:
        UsageError: the path does not end with .safetensors.
        SeaformerError: a value is NaN, infinite or too large for float16.
        OSError: the file cannot be written.
    """
    if path.suffix != SUFFIX:
        raise UsageError(
            f"weights cannot be saved as '{path}'. Allowed: a path ending in {SUFFIX}."
        )
    tensors = {
        name: _stored(tensor, half)
        for name, tensor in model.state_dict().items()
        if name not in without
    }
    broken = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    if broken:
        kind = "float16" if half else "float32"
        raise SeaformerError(
            f"weights cannot be saved as {kind}: {listed(broken, 'tensor')} would contain NaN or "
            f"infinity.{' Save them without half.' if half else ''}"
        )
    metadata = {
        "format_version": FORMAT_VERSION,
        **members(network),
        "task": dict(task_json),
        "extra": dict(extra or {}),
    }
    header = {METADATA_KEY: json.dumps(metadata, ensure_ascii=False)}
    with atomic_write(path) as draft:
        draft.write_bytes(safetensors.torch.save(tensors, header))


def _stored(tensor: Tensor, half: bool) -> Tensor:
    if half and tensor.is_floating_point():
        tensor = tensor.to(torch.float16)
    return tensor.detach().cpu().contiguous()
