"""The ranges that a checkpoint learned in training, for the activations of a file."""

from collections.abc import Mapping

from torch import nn

from seaformer.export.quantize.engine import Engine
from seaformer.quantization.preparation import LearnedRanges
from seaformer.quantization.rounding import HIGHEST, LOWEST
from seaformer.quantization.tensors import COMPUTING, integer_tensors

Range = tuple[float, float]


def ranges_of(learned: LearnedRanges, model: nn.Module, engine: Engine) -> Mapping[str, Range]:
    """Return the ranges of all activations of a file that learned ranges determine, by name.

    An operator with its own range is found by its module and its position in that module, see
    `seaformer.quantization.tensors`; the result of any other operator has the range of its input.

    Args:
        learned: the ranges of the checkpoint, see `require_complete`.
        model: the network in its training form.
        engine: the quantizer of the file.
    """
    computing: dict[str, list[int]] = {}
    for operator in engine.operators:
        if operator.type in COMPUTING:
            computing.setdefault(operator.module, []).append(operator.index)
    own: dict[int, Range] = {}
    for name, (path, row) in integer_tensors(model).items():
        scale = learned.ranges[name]
        module = ".".join(filter(None, (path, row.module)))
        index = computing[module][row.position]
        own[index] = (
            (LOWEST - scale.zero_point) * scale.scale,
            (HIGHEST - scale.zero_point) * scale.scale,
        )
    found: dict[str, Range] = {}
    for name, index in sorted(engine.producers.items(), key=lambda item: item[1]):
        inherited = [found[taken] for taken in engine.consumed[index] if taken in found]
        if index in own:
            found[name] = own[index]
        elif inherited:
            found[name] = inherited[0]
    return found
