"""List of all models: variant, task, parameters, multiply-accumulates and available weights."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from seaformer.models.inputs import input_shape
from seaformer.models.registry import REGISTRY
from seaformer.tasks import TASKS
from seaformer.weights.builtin import BUILTIN, BuiltinWeights
from seaformer.weights.released import RELEASED, ReleasedWeights


@dataclass(frozen=True)
class ModelCard:
    """One pair of variant and task.

    Attributes:
        variant: name of the variant.
        task: name of the task.
        input_size: height and width in pixels.
        params: number of trainable parameters.
        macs: multiply-accumulates for one image of `input_size`, see `count_macs`.
        weights: released weights.
        builtin: built-in weights, which are part of the package.
    """

    variant: str
    task: str
    input_size: tuple[int, int]
    params: int
    macs: int
    weights: tuple[ReleasedWeights, ...]
    builtin: tuple[BuiltinWeights, ...]


def list_models() -> list[ModelCard]:
    """Describe every pair of variant and task; every network is built and run to count its MACs."""
    cards = []
    variants = [(network, network.variant) for network in REGISTRY.values() if network.variant]
    for task in TASKS.values():
        for network, variant in variants:
            if task.kind not in network.builders:
                continue
            model = network.build(task.kind, task.num_classes).eval()
            size = task.preprocessing.input_size
            cards.append(
                ModelCard(
                    variant=variant.name,
                    task=task.name,
                    input_size=size,
                    params=sum(p.numel() for p in model.parameters()),
                    macs=count_macs(model, size),
                    weights=tuple(
                        w for w in RELEASED if (w.network, w.task) == (network.name, task.name)
                    ),
                    builtin=tuple(
                        w for w in BUILTIN if (w.network, w.task) == (network.name, task.name)
                    ),
                )
            )
    return cards


def count_macs(model: nn.Module, size: tuple[int, int]) -> int:
    """Count the multiply-accumulates for one image by the convention of the published numbers.

    That is the convention of fvcore: convolutions, linear layers and matrix products, plus two per
    output element of BatchNorm and one per tap and output element of an interpolation. Unlike in
    fvcore, LayerNorm, which only the peer networks use, is not counted.

    Args:
        model: a model in eval mode. It is executed: torch's "meta" device, which would compute only
            the shapes, takes five times as long.
        size: height and width of the input.
    """
    aten = torch.ops.aten
    # FlopCounterMode counts two operations per multiply-accumulate, so these formulas do too.
    per_element = {
        aten.native_batch_norm: 2,
        aten._native_batch_norm_legit_no_training: 2,
        aten.cudnn_batch_norm: 2,
        aten.upsample_bilinear2d: 4,
        aten.upsample_linear1d: 2,
    }

    def writes(macs: int):  # type: ignore[no-untyped-def]
        def flops(*_args, out_val, **_kwargs) -> int:  # type: ignore[no-untyped-def]
            output = out_val[0] if isinstance(out_val, tuple | list) else out_val
            return int(2 * macs * output.numel())

        flops._get_raw = True  # type: ignore[attr-defined]
        return flops

    mapping = {operator: writes(macs) for operator, macs in per_element.items()}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter, torch.no_grad():
        model(torch.zeros(input_shape(model, size)))
    return counter.get_total_flops() // 2
