"""The contract of a network: preprocessing of its input, its classes, the meaning of its output.

For networks of the registry, the task defines it. For a user's own network, the user states it, or
the network declares it by the attributes `TASK` and `OUTPUT`, see docs/own_networks.md. If the
meaning of the output is not stated, it is detected from dtype, shape and values. Everything else
that is not stated stays unknown.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.models.entry import Network
from seaformer.models.inputs import input_shape, takes_features
from seaformer.tasks.normalization import Normalization, for_channels
from seaformer.tasks.output_finding import find_meaning, probe_inputs
from seaformer.tasks.output_meaning import BOXES, FEATURES, LOGITS, OutputMeaning
from seaformer.tasks.statement import MEANINGS, NOTHING, OUTPUT, TASK, Statement
from seaformer.tasks.task import Preprocessing, Task, unnamed_labels
from seaformer.tasks.task_file import described, own_task, read_task

NEUTRAL = Normalization((127.5,), (63.75,))
"""Normalization for verifying a network whose normalization is not stated: inputs of -2..2."""


@dataclass(frozen=True)
class Contract:
    """Input and output of a network.

    Attributes:
        task: classes and preprocessing; `NEUTRAL` if the normalization is unknown. Ignored for a
            network that takes features.
        meaning: meaning of the output.
        knows_normalization: whether the normalization was stated.
        names_classes: whether the class names were stated.
        note: sentence about what was detected rather than stated; may be empty.
        output: measured output shape and dtype of a user's own network; None for other networks.
    """

    task: Task
    meaning: OutputMeaning = LOGITS
    knows_normalization: bool = True
    names_classes: bool = True
    note: str = ""
    output: tuple[tuple[int, ...], str] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; empty for features."""
        return self.task.labels if self.meaning.has_labels else ()


def contract_of(
    network: Network,
    model: nn.Module,
    task: Task,
    statement: Statement,
    size: tuple[int, int] | None = None,
    otherwise: Statement = NOTHING,
) -> Contract:
    """Return the contract of a network.

    Args:
        network: its row in the registry or a collection, or the row of a user's own network.
        model: the network, float32, in eval mode.
        task: task that a network of the registry was built for.
        statement: what the user states about the network.
        size: height and width at which to run a user's own network; None for its task's size.
        otherwise: used for everything that neither the user nor the network states.

    Raises:
        UsageError: the statement does not fit the network.
        SeaformerError: a user's own network does not run.
    """
    if network.declares_contract:
        return _own(model, statement.over(_declared(model)).over(otherwise), size)
    if takes_features(model):
        return Contract(task, FEATURES)
    meaning = BOXES if task.kind == "detection" else LOGITS
    if statement.meaning not in (None, meaning.content):
        raise UsageError(
            f"--output-meaning {statement.meaning} is only for your own networks; "
            f"'{network.name}' returns {meaning}. Omit it."
        )
    return Contract(task, meaning)


def detection_output(
    model: nn.Module, contract: Contract, size: tuple[int, int]
) -> DetectionOutput | None:
    """Describe the output of a detection network for an input of this height and width.

    None for any other network.
    """
    if contract.meaning != BOXES:
        return None
    described: DetectionOutput = model.detection_output(size)  # type: ignore[operator]
    return described


def _own(model: nn.Module, statement: Statement, size: tuple[int, int] | None) -> Contract:
    if takes_features(model):
        return Contract(own_task(["none"]), FEATURES, knows_normalization=False)
    task = _for_image(statement, input_shape(model, (1, 1))[1])
    size = size or task.preprocessing.input_size
    outputs, watch = _probe(model, task.preprocessing, size)
    meaning, note = find_meaning(outputs, statement.meaning, size, watch.ends_in_unit)
    contract = Contract(
        task=replace(task, kind="classification" if outputs[0].ndim <= 2 else "segmentation"),
        meaning=meaning,
        knows_normalization=statement.normalization is not None,
        names_classes=statement.names_classes,
        note=note,
        output=(outputs[0].shape, str(outputs[0].dtype)),
    )
    if not meaning.has_classes:
        return contract
    labels = _labels(contract, _count(outputs[0], meaning, watch, statement), statement)
    palette = contract.task.palette
    if palette is None or len(palette) != len(labels):
        palette = None
    return replace(contract, task=replace(contract.task, labels=labels, palette=palette))


def _declared(model: nn.Module) -> Statement:
    """Read what a network declares by its attributes.

    Raises:
        UsageError: an attribute is invalid.
    """
    task, meaning = getattr(model, TASK, None), getattr(model, OUTPUT, None)
    try:
        declared = Statement() if task is None else _read(task)
    except UsageError as error:
        raise UsageError(f"the attribute {TASK} of the network: {error}") from error
    if meaning is not None:
        look_up(MEANINGS, f"value of the attribute {OUTPUT} of the network", str(meaning))
        declared = replace(declared, meaning=meaning)
    return declared


def _read(task: object) -> Statement:
    return read_task(task) if isinstance(task, str) else described(task, "own")


def _for_image(statement: Statement, channels: int) -> Task:
    """Return the task for an image with this number of channels; classes may stay unnamed."""
    task = own_task(["class 0"]) if statement.task is None else statement.task
    task = for_channels(task, channels)
    if task.preprocessing.channels != channels:
        raise UsageError(
            f"the task has color_order {task.preprocessing.color_order}, but the network takes "
            f"{channels} channels. Give another color_order in the task's preprocessing."
        )
    statement = replace(statement, task=task, normalization=statement.normalization or NEUTRAL)
    return statement.applied_to(task)


_DECIDING = ("argmax", "max")
_UNIT = ("sigmoid", "softmax", "hardsigmoid")
_REARRANGING = (
    "getitem",
    "contiguous",
    "flatten",
    "interpolate",
    "permute",
    "reshape",
    "squeeze",
    "transpose",
    "unsqueeze",
    "upsample",
    "view",
)


class _EndWatch(TorchFunctionMode):
    """Records the last operations of a network.

    Attributes:
        decided_between: number of values that the last arg-max chose from; None without an arg-max.
        ends_in_unit: whether only rearranging operations follow the last sigmoid or softmax.
    """

    decided_between: int | None = None
    ends_in_unit = False

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "").strip("_")
        if name in _DECIDING:
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if isinstance(dim, int):
                self.decided_between = args[0].shape[dim]
        result = function(*args, **kwargs)
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            is_rearranged = name.startswith(_REARRANGING)
            self.ends_in_unit = name in _UNIT or (self.ends_in_unit and is_rearranged)
        return result


@torch.no_grad()
def _probe(
    model: nn.Module, rule: Preprocessing, size: tuple[int, int]
) -> tuple[list[np.ndarray], _EndWatch]:
    """Run a network on fine noise, coarse noise and a white image."""
    outputs, watch = [], _EndWatch()
    with watch:
        for values in probe_inputs(rule, size):
            x = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
            try:
                output = model(x)
            except Exception as error:  # a user's model can fail in any way
                raise SeaformerError(
                    f"the model does not run on an input of {list(x.shape)}: "
                    f"{type(error).__name__}: {error}. If it needs another input shape, give "
                    "--input-size, or set its attribute input_channels."
                ) from error
            outputs.append(only_tensor(output).numpy())
    return outputs, watch


def only_tensor(output: object) -> torch.Tensor:
    """Return the output of a network, which has to be a single tensor.

    Raises:
        SeaformerError: the output is something else.
    """
    if not isinstance(output, torch.Tensor):
        raise SeaformerError(
            f"the model returns {type(output).__name__}, but an export needs one tensor. "
            "Wrap the model so that its forward returns only the logits."
        )
    return output


def _count(
    output: np.ndarray, meaning: OutputMeaning, watch: _EndWatch, statement: Statement
) -> int | None:
    """Return the number of classes; None if only the statement determines it."""
    if meaning.gives_scores:
        return 2 if meaning.content == "binary" else output.shape[1]
    if output.dtype == np.bool_:
        return 2
    if watch.decided_between is None and not statement.names_classes:
        raise UsageError(
            "the network returns class indices, so the number of classes is unknown. Name the "
            "classes with --labels."
        )
    return watch.decided_between


def _labels(contract: Contract, count: int | None, statement: Statement) -> tuple[str, ...]:
    if not statement.names_classes:
        return unnamed_labels(count or 0)
    labels = contract.meaning.labels(contract.task.labels)
    if count not in (None, len(labels)):
        raise UsageError(
            f"{len(labels)} classes are named, but the network has {count}. Give {count} --labels, "
            "or the --task that the network was trained for."
        )
    return labels
