"""What a network of a library declares about itself, from the configuration of its library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from seaformer.tasks import TASKS, Evaluation, Kind, Preprocessing, Task
from seaformer.tasks.statement import IGNORED, LABEL_NOTE, OUTPUT, TASK
from seaformer.tasks.task import unnamed_labels
from seaformer.tasks.task_file import slug


@dataclass(frozen=True)
class Classes:
    """The classes of a network.

    Attributes:
        labels: class names, in order; None if the library does not name them.
        count: number of classes.
        data_set: name of the data set that they are from; part of file names.
        ids: the class ids of the data set; None if it has none.
    """

    labels: tuple[str, ...] | None
    count: int
    data_set: str
    ids: tuple[str, ...] | None = None


def declare(
    model: nn.Module,
    kind: Kind,
    classes: Classes,
    preprocessing: Preprocessing,
    source: str,
    *,
    evaluation: Evaluation | None = None,
    knows_normalization: bool = True,
) -> nn.Module:
    """Set the attributes by which `seaformer.models.contract` knows a network; return the network.

    A built-in task contributes its name and colors if it has the same classes.

    Args:
        model: the network, which returns logits.
        kind: "segmentation" or "classification".
        classes: its classes.
        preprocessing: preprocessing of its input.
        source: the library, its version and the configuration that all of this is from.
        evaluation: preprocessing of the library's own evaluation; None if it has none.
        knows_normalization: whether mean and deviation of `preprocessing` are known.
    """
    task = _task(kind, classes, preprocessing, source)
    model.input_channels = preprocessing.channels  # type: ignore[assignment]
    declared = replace(task, evaluation=evaluation or task.evaluation).to_json()
    if not knows_normalization:  # the short form, see docs/own_networks.md
        del declared["schema_version"], declared["num_classes"]
        declared["preprocessing"] = {"input_size": preprocessing.input_size}
    setattr(model, TASK, declared)
    setattr(model, OUTPUT, "logits")
    return model


def _task(kind: Kind, classes: Classes, preprocessing: Preprocessing, source: str) -> Task:
    labels = classes.labels or unnamed_labels(classes.count)
    for task in TASKS.values():
        if task.kind == kind and _are_same(task, labels, classes.ids):
            return replace(task, labels=labels, preprocessing=preprocessing, source=source)
    return Task(
        name=slug(classes.data_set),
        title=classes.data_set,
        kind=kind,
        source=source,
        labels=labels,
        palette=None,
        ignore_index=IGNORED if len(labels) <= IGNORED else None,
        label_offset=0,
        label_note=LABEL_NOTE,
        preprocessing=preprocessing,
        ids=classes.ids,
    )


def _are_same(task: Task, labels: Sequence[str], ids: Sequence[str] | None) -> bool:
    if ids is not None:
        return task.ids == ids
    return [label.lower() for label in task.labels] == [label.lower() for label in labels]


def normalized(
    mean: Sequence[float],
    std: Sequence[float],
    size: Sequence[int],
    *,
    interpolation: str,
    short_side: int | None,
    color_order: str = "RGB",
    scale: float = 255,
) -> Preprocessing:
    """Return a preprocessing from a mean and a deviation of values of 0..255 divided by `scale`.

    `short_side` is what the shorter side of an image is resized to before the center crop of
    `size`, height and width; None to stretch the image. Of the filters that we do not have, those
    sharper than bilinear become bicubic.
    """
    return Preprocessing(
        color_order=color_order,
        mean=tuple(round(scale * value, 6) for value in mean),
        std=tuple(round(scale * value, 6) for value in std),
        interpolation="bicubic" if interpolation in ("bicubic", "lanczos") else "bilinear",
        resize="stretch" if short_side is None else "center-crop",
        input_size=(int(size[0]), int(size[1])),
        pad_value=0.0,
        crop_fraction=None if short_side is None else min(1.0, min(size) / short_side),
    )


def returning(model: nn.Module, pick: Callable[[Any], Any]) -> nn.Module:
    """Let the forward of a network return `pick` of what it returns.

    The network is given its own class instead of a wrapper around it, so that its modules and
    tensors keep the library's names.
    """
    base = type(model)

    def forward(self: nn.Module, x: Any) -> Any:
        return pick(base.forward(self, x))

    model.__class__ = type(base.__name__, (base,), {"forward": forward})
    return model
