"""What a user states about a network: classes, preprocessing and meaning of the output.

It is stated by options, by a file, or by attributes of the network. What is not stated stays None:
no normalization or labels are assumed silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from seaformer.errors import UsageError
from seaformer.tasks.normalization import Normalization
from seaformer.tasks.task import Task, unnamed_labels

IGNORED = 255
LABEL_NOTE = "Masks store the index of a class in the list, from 0, and 255 to ignore."

TASK, OUTPUT = "seaformer_task", "seaformer_output"
"""Attributes of a network that declares them, equivalent to --task and --output-meaning."""

Palette = tuple[tuple[int, int, int], ...]


MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "logits": "one unbounded value per class, the largest wins; with one channel binary, "
        "class 1 above 0",
        "probabilities": "one value of 0..1 per class, as after a softmax or sigmoid; with one "
        "channel binary, class 1 above 0.5",
        "binary": "one channel; whether its threshold is 0 or 0.5 is detected from the values",
        "classes": "class indices",
        "features": "values that are not classes, such as tokens",
    }
)
"""Value of --output-meaning -> its description."""


@dataclass(frozen=True)
class Statement:
    """The user's statement about a network; None for anything not stated.

    Attributes:
        task: the classes; its normalization counts as stated only if `normalization` is set too.
        labels: class names that replace the task's.
        palette: red, green and blue of each class, 0..255, that replace the task's.
        normalization: normalization of pixels.
        meaning: meaning of the output, one of `MEANINGS`.
    """

    task: Task | None = None
    labels: tuple[str, ...] | None = None
    palette: Palette | None = None
    normalization: Normalization | None = None
    meaning: str | None = None

    @property
    def names_classes(self) -> bool:
        """Whether the classes are stated; a task may leave them unnamed."""
        if self.labels is None and self.task is not None:
            return self.task.labels != unnamed_labels(self.task.num_classes)
        return self.labels is not None

    def without_task(self) -> "Statement":
        """Return what is stated besides the task, without a normalization equal to the task's."""
        normalization = self.normalization
        if self.task is not None:
            rule = self.task.preprocessing
            normalization = (
                None if normalization == Normalization(rule.mean, rule.std) else normalization
            )
        return Statement(normalization=normalization, meaning=self.meaning)

    def over(self, other: "Statement") -> "Statement":
        """Return this statement, with `other` for anything that it does not state."""
        merged = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }
        if self.names_classes:
            other = replace(other, labels=None, palette=None)
        return replace(other, **merged)

    def applied_to(self, usual: Task) -> Task:
        """Return the stated task; `usual` supplies what is not stated.

        Raises:
            UsageError: labels and palette do not fit each other, or the normalization does not fit.
        """
        task = usual if self.task is None else self.task
        if self.labels is not None and self.labels != task.labels:
            task = _relabeled(task, self.labels)
        if self.palette is not None:
            if len(self.palette) != task.num_classes:
                raise UsageError(
                    f"the palette has {len(self.palette)} colors. Allowed: {task.num_classes}, "
                    "one per class."
                )
            task = replace(task, palette=self.palette)
        if self.normalization is not None:
            preprocessing = self.normalization.on(task.preprocessing)
            task = replace(task, preprocessing=preprocessing)
        return task


def _relabeled(task: Task, labels: tuple[str, ...]) -> Task:
    """Replace the class names of a task.

    If their number changes, these are different classes, and masks store their indices.

    Raises:
        UsageError: a name is empty or occurs twice.
    """
    renamed = replace(
        task, name="own", title="own classes", source="a task of a user's own", labels=labels
    )
    if len(labels) != task.num_classes:
        renamed = replace(
            renamed,
            palette=None,
            ignore_index=IGNORED if len(labels) <= IGNORED else None,
            label_offset=0,
            label_note=LABEL_NOTE,
        )
    return Task.from_json(replace(renamed, ids=None).to_json())


NOTHING = Statement()
