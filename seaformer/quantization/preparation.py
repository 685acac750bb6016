"""A network with fake quantization: preparing it, choosing its ranges, and storing them.

The learned ranges are stored in the header of a checkpoint, by the names of their tensors. The
weights are those of the training form, so the checkpoint can be used like any other.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from seaformer.artifact.metadata import Scale
from seaformer.artifact.precisions import Precision
from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.convolution import HardSigmoid
from seaformer.models.seaformer.network import SeaFormer
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.quantization.fake_quantization import (
    FAKE_QUANTIZED,
    FakeQuantized,
    FakeQuantizedFusionBlock,
)
from seaformer.quantization.ranges import choose, collect
from seaformer.quantization.rounding import Range, Rounding
from seaformer.quantization.tensors import SEPARATOR, integer_tensors, tensors_of
from seaformer.tasks import Preprocessing
from seaformer.weights.checkpoint import read_checkpoint

MEMBER = "quantization"
"""Member of the header's `extra` that contains the ranges."""

_TRAINED_FORMAT = "tflite"
"""Training rounds as files of this format do: they round everything that the other format rounds,
and more."""


class LearnedRanges(BaseModel):
    """The ranges of a network trained with fake quantization, from a checkpoint.

    Attributes:
        precision: name of the precision that it was trained for.
        ranges: name of each tensor, see `integer_tensors` -> its scale and zero point.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    precision: str
    ranges: dict[str, Scale]


def require_supported(model: nn.Module, name: str) -> None:
    """Refuse a network that cannot be trained with fake quantization.

    Raises:
        UsageError: it is not a SeaFormer for segmentation, or an ablation without gates.
    """
    gates = [
        m for m in model.modules() if isinstance(m, SqueezeEnhancedAxialAttention | FusionBlock)
    ]
    is_paper = all(
        isinstance(m.gate, HardSigmoid) and m.is_product and not _has_own_input(m) for m in gates
    )
    if type(model) is not SeaFormer or not is_paper:
        raise UsageError(
            f"model '{name}' cannot be trained with --quantization. Allowed: a SeaFormer for "
            "segmentation. Omit --quantization, and quantize with images: seaformer-export "
            "--calibration."
        )


def _has_own_input(module: nn.Module) -> bool:
    """Whether the detail kernel of an attention reads the layer's input (an ablation)."""
    detail = getattr(module, "detail", None)
    return detail is not None and detail.input is not None


def fake_quantize(
    model: nn.Module,
    precision: Precision,
    preprocessing: Preprocessing,
    format: str = _TRAINED_FORMAT,
) -> None:
    """Make a SeaFormer round its tensors as the exported files do, in place.

    The names of its parameters do not change; every module gets `ranges`, which have to be set by
    `calibrate`, `set_ranges` or `load_state_dict`.

    Args:
        model: see `require_supported`.
        precision: a precision with integer activations of eight bits.
        preprocessing: normalization of its input.
        format: name of the format whose files it matches.
    """
    assert isinstance(model, SeaFormer)
    rounding = Rounding(precision, format, preprocessing)
    for module in list(model.modules()):
        kind = FAKE_QUANTIZED.get(type(module))
        if kind is not None:
            module.__class__ = kind  # the same parameters and submodules
            assert isinstance(module, FakeQuantized)
            module.rounding = rounding
            module.ranges = nn.ModuleDict(
                {row.name: Range() for row in tensors_of(module) if format in row.formats}
            )
    *_, last = model.spatial_branch.fusion_blocks
    assert isinstance(last, FakeQuantizedFusionBlock)
    last.following = (model.light_head.fuse,)


def ranges_in(model: nn.Module) -> dict[str, Range]:
    """Return the ranges of a network by the names of their tensors; none without quantization."""
    return {
        f"{path}{SEPARATOR}{name}": one
        for path, module in model.named_modules()
        if isinstance(module, FakeQuantized)
        for name, one in module.ranges.items()
        if isinstance(one, Range)
    }


@torch.no_grad()
def calibrate(model: nn.Module, images: Iterable[Tensor], method: str) -> int:
    """Choose the first ranges of a prepared network from images, as the export does.

    Args:
        model: a network after `fake_quantize`.
        images: batches of normalized images, float32 [N, 3, H, W].
        method: a name in `seaformer.quantization.methods.METHODS`.

    Returns:
        The number of ranges.

    Raises:
        SeaformerError: an activation is not finite.
    """
    ranges = ranges_in(model)
    was_training = model.training
    model.eval()

    def observed() -> Iterator[Mapping[str, np.ndarray]]:
        for batch in images:
            values: dict[str, np.ndarray] = {}
            for name, one in ranges.items():
                # If a tensor is rounded twice, only its first values count, as in the export.
                one.observer = partial(values.setdefault, name)
            model(batch)
            yield values

    chosen = choose(collect(observed()), method)
    for name, one in ranges.items():
        one.observer = None
        one.cover(*chosen[name])
    model.train(was_training)
    return len(ranges)


def set_ranges(model: nn.Module, learned: LearnedRanges) -> None:
    """Set the ranges of a network after `fake_quantize` to learned ones.

    Raises:
        SeaformerError: a range is missing.
    """
    require_complete(model, learned)
    for name, one in ranges_in(model).items():
        one.set(learned.ranges[name])


def require_complete(model: nn.Module, learned: LearnedRanges) -> None:
    """Check that there is a range for every tensor of a network.

    Raises:
        SeaformerError: a range is missing.
    """
    missing = [name for name in integer_tensors(model) if name not in learned.ranges]
    if missing:
        raise SeaformerError(
            f"the checkpoint has no range for {len(missing)} tensors of the network, for example "
            f"{quoted(missing[0])}: it is damaged, or from another version of seaformer. Train "
            "again with --quantization, or choose the ranges with --calibration-method."
        )


def stored_ranges(model: nn.Module, precision: str) -> dict[str, Any]:
    """Return the ranges of a network as the member of a checkpoint's header; {} without any."""
    ranges = ranges_in(model)
    if not ranges:
        return {}
    learned = LearnedRanges(
        precision=precision, ranges={name: one.scale for name, one in ranges.items()}
    )
    return {MEMBER: learned.model_dump(mode="json")}


def range_tensors(model: nn.Module) -> frozenset[str]:
    """Return the names of the tensors in the state_dict that are not part of the network."""
    ranges = [path for path, module in model.named_modules() if isinstance(module, Range)]
    return frozenset(f"{path}.{name}" for path in ranges for name in ("log_step", "zero_point"))


def learned_ranges(weights: str | Path | None) -> LearnedRanges | None:
    """Return the learned ranges of the checkpoint that a value of `--weights` names, if it has any.

    Raises:
        SeaformerError: the file cannot be read, or its ranges are damaged.
    """
    named = str(weights)
    if weights is None or not named.endswith(".safetensors") or named.startswith("backbone:"):
        return None
    checkpoint = read_checkpoint(Path(weights).expanduser())
    extra = checkpoint.metadata.get("extra")
    stored = extra.get(MEMBER) if isinstance(extra, dict) else None
    if stored is None:
        return None
    try:
        return LearnedRanges.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SeaformerError(
            f"'{checkpoint.path}' has damaged ranges: {quoted(place)}: {first['msg']}. Copy it "
            "again, or train it again with --quantization."
        ) from error
