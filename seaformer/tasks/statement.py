"""What a user says of a network: its classes, how images enter it, and what its output means.

It is said by options, by a file, or by the network itself. What is not said stays None, so that
nobody's normalisation or labels are taken for those of another network without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from seaformer.errors import UsageError
from seaformer.tasks.normalization import Normalization
from seaformer.tasks.task import Task

IGNORED = 255
LABEL_NOTE = "Masks store the place of a class in the list, from 0, and 255 to ignore."

Palette = tuple[tuple[int, int, int], ...]


MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "logits": "a value of any size for each class, the largest wins; with one channel binary, "
        "class 1 above 0",
        "probabilities": "the same in 0..1, as after a softmax or sigmoid; with one channel "
        "binary, class 1 above 0.5",
        "binary": "one channel; whether its threshold is 0 or 0.5 is found from the values",
        "classes": "class ids",
        "features": "numbers that are no classes, such as tokens",
    }
)
"""What a user can say of an output -> what it is."""


@dataclass(frozen=True)
class Statement:
    """What is said.

    Attributes:
        task: the classes, with a normalisation that was only said if `normalization` is there too.
        labels: class names, in place of the task's.
        palette: red, green and blue of each class, 0..255, in place of the task's.
        normalization: how pixels become numbers.
        meaning: of the output, one of `MEANINGS`.
    """

    task: Task | None = None
    labels: tuple[str, ...] | None = None
    palette: Palette | None = None
    normalization: Normalization | None = None
    meaning: str | None = None

    @property
    def names_classes(self) -> bool:
        """Whether it says what the classes are."""
        return self.task is not None or self.labels is not None

    def without_task(self) -> "Statement":
        """Return what it says besides a task: its normalisation only if it is not the task's."""
        said = self.normalization
        if self.task is not None:
            rule = self.task.preprocessing
            said = None if said == Normalization(rule.mean, rule.std) else said
        return Statement(normalization=said, meaning=self.meaning)

    def over(self, other: "Statement") -> "Statement":
        """Return this one, with what it leaves open as another one says it."""
        merged = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }
        if self.names_classes:
            other = replace(other, labels=None, palette=None)
        return replace(other, **merged)

    def applied_to(self, usual: Task) -> Task:
        """Return the task that is said, which is as `usual` in what is not.

        Raises:
            UsageError: labels and palette do not go together, or the normalisation does not fit.
        """
        task = usual if self.task is None else self.task
        if self.labels is not None and self.labels != task.labels:
            task = _relabelled(task, self.labels)
        if self.palette is not None:
            if len(self.palette) != task.num_classes:
                raise UsageError(
                    f"the palette has {len(self.palette)} colours. Allowed: {task.num_classes}, "
                    "one for each class."
                )
            task = replace(task, palette=self.palette)
        if self.normalization is not None:
            preprocessing = self.normalization.on(task.preprocessing)
            task = replace(task, preprocessing=preprocessing)
        return task


def _relabelled(task: Task, labels: tuple[str, ...]) -> Task:
    """Give a task other names; other classes if there are more or fewer, which masks store as such.

    Raises:
        UsageError: a name is empty, or there twice.
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
