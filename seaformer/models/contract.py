"""The contract of a network: how images enter it, what its classes are, what its output means.

Of a network of ours the task says it. Of a user's own the user does, or the network itself by the
attributes `TASK` and `OUTPUT`, see docs/own_networks.md; the output's meaning is else found from
its type, shape and values. What nobody says is not made up.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.models.entry import Network
from seaformer.models.inputs import input_shape, takes_features
from seaformer.tasks.normalization import Normalization, for_channels
from seaformer.tasks.output_finding import find_meaning, probe_inputs
from seaformer.tasks.output_meaning import FEATURES, LOGITS, OutputMeaning
from seaformer.tasks.statement import MEANINGS, Statement
from seaformer.tasks.task import Preprocessing, Task
from seaformer.tasks.task_file import described, own_task, read_task

TASK, OUTPUT = "seaformer_task", "seaformer_output"
"""Attributes of a user's network: what --task and --output-meaning would say."""

NEUTRAL = Normalization((127.5,), (63.75,))
"""Where no normalisation is said, what the network is run on to verify it: -2..2."""


@dataclass(frozen=True)
class Contract:
    """What a network takes and gives.

    Attributes:
        task: the classes, and how an image becomes the input; the neutral normalisation where it is
            not known. Of no meaning for a network that takes features.
        meaning: of the output.
        knows_normalization: whether anybody said how images become the input.
        names_classes: whether anybody said what the classes are.
        note: what was found and not said, in a sentence; may be empty.
        output: shape and dtype of the output of a user's own network, which was run; else None.
    """

    task: Task
    meaning: OutputMeaning = LOGITS
    knows_normalization: bool = True
    names_classes: bool = True
    note: str = ""
    output: tuple[tuple[int, ...], str] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; none of features."""
        return self.task.labels if self.meaning.has_classes else ()


def contract_of(
    network: Network,
    model: nn.Module,
    task: Task,
    statement: Statement,
    size: tuple[int, int] | None = None,
) -> Contract:
    """Return the contract of a network.

    Args:
        network: its row.
        model: the network, float32, in eval mode.
        task: that a network of ours was built for.
        statement: what a user says of it.
        size: height and width to run a user's own network at; None for those of its task.

    Raises:
        UsageError: what is said does not fit the network.
        SeaformerError: a user's own network does not run.
    """
    if network.has_own_weights:
        return _own(model, statement, size)
    if takes_features(model):
        return Contract(task, FEATURES)
    if statement.meaning not in (None, "logits"):
        raise UsageError(
            f"--output-meaning {statement.meaning} is for networks of your own: "
            f"'{network.name}' gives logits. Leave it out."
        )
    return Contract(task)


def _own(model: nn.Module, statement: Statement, size: tuple[int, int] | None) -> Contract:
    said = statement.over(_declared(model))
    if takes_features(model):
        return Contract(own_task(["none"]), FEATURES, knows_normalization=False)
    task = _for_image(said, input_shape(model, (1, 1))[1])
    size = size or task.preprocessing.input_size
    outputs, watch = _probe(model, task.preprocessing, size)
    meaning, note = find_meaning(outputs, said.meaning, size, watch.ends_in_unit)
    contract = Contract(
        task=replace(task, kind="classification" if outputs[0].ndim <= 2 else "segmentation"),
        meaning=meaning,
        knows_normalization=said.normalization is not None,
        names_classes=said.names_classes,
        note=note,
        output=(outputs[0].shape, str(outputs[0].dtype)),
    )
    if not meaning.has_classes:
        return contract
    labels = _labels(contract, _count(outputs[0], meaning, watch, said), said)
    palette = contract.task.palette
    if palette is None or len(palette) != len(labels):
        palette = None
    return replace(contract, task=replace(contract.task, labels=labels, palette=palette))


def _declared(model: nn.Module) -> Statement:
    """Read what a network says of itself.

    Raises:
        UsageError: an attribute breaks a rule.
    """
    task, meaning = getattr(model, TASK, None), getattr(model, OUTPUT, None)
    try:
        said = Statement() if task is None else _read(task)
    except UsageError as error:
        raise UsageError(f"the attribute {TASK} of the network: {error}") from error
    if meaning is not None:
        look_up(MEANINGS, f"value of the attribute {OUTPUT} of the network", str(meaning))
        said = replace(said, meaning=meaning)
    return said


def _read(task: object) -> Statement:
    return read_task(task) if isinstance(task, str) else described(task, "own")


def _for_image(said: Statement, channels: int) -> Task:
    """Return the task for an image of so many channels, with unnamed classes where none are."""
    task = own_task(["class 0"]) if said.task is None else said.task
    task = for_channels(task, channels)
    if task.preprocessing.channels != channels:
        raise UsageError(
            f"the task's images have color_order {task.preprocessing.color_order}, and the network "
            f"takes {channels} channels. Give another color_order in the task's preprocessing."
        )
    said = replace(said, task=task, normalization=said.normalization or NEUTRAL)
    return said.applied_to(task)


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
    """Notes what a network ends with.

    Attributes:
        decided_between: of how many values the last arg-max took one; None without an arg-max.
        ends_in_unit: whether nothing but rearranging follows the last sigmoid or softmax.
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
    """Run a network on noise, fine and coarse, and on white."""
    outputs, watch = [], _EndWatch()
    with watch:
        for values in probe_inputs(rule, size):
            given = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
            try:
                output = model(given)
            except Exception as error:  # a user's model can fail in any way
                raise SeaformerError(
                    f"the model does not run on an input of {list(given.shape)}: "
                    f"{type(error).__name__}: {error}. If that is not the shape that it takes, "
                    "give --input-size, or its number of channels by the attribute input_channels."
                ) from error
            outputs.append(only_tensor(output).numpy())
    return outputs, watch


def only_tensor(output: object) -> torch.Tensor:
    """Return the one tensor that a network gives for a batch of one.

    Raises:
        SeaformerError: it gives something else.
    """
    if not isinstance(output, torch.Tensor):
        raise SeaformerError(
            f"the model returns {type(output).__name__}, an export needs one tensor. "
            "Wrap the model so that its forward returns the logits only."
        )
    return output


def _count(
    output: np.ndarray, meaning: OutputMeaning, watch: _EndWatch, said: Statement
) -> int | None:
    """Return the number of classes; None if only what is said tells it."""
    if meaning.gives_scores:
        return 2 if meaning.content == "binary" else output.shape[1]
    if output.dtype == np.bool_:
        return 2
    if watch.decided_between is None and not said.names_classes:
        raise UsageError(
            "the network gives class ids, and nothing says how many classes there are. Name them "
            "with --labels."
        )
    return watch.decided_between


def _labels(contract: Contract, count: int | None, said: Statement) -> tuple[str, ...]:
    if not said.names_classes:
        return tuple(f"class {index}" for index in range(count or 0))
    labels = contract.meaning.labels(contract.task.labels)
    if count not in (None, len(labels)):
        raise UsageError(
            f"{len(labels)} classes are named, and the network has {count}. Give as many --labels, "
            "or the --task that it was trained for."
        )
    return labels
