"""The interface of a file: from its metadata, and from what the user states."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import Interface, Output
from seaformer.errors import UsageError
from seaformer.runtimes.image_session import ImageSession
from seaformer.tasks import Kind, Task
from seaformer.tasks.normalization import PIXELS, Normalization, for_channels
from seaformer.tasks.output_finding import find_meaning, probe_inputs
from seaformer.tasks.output_meaning import OutputMeaning
from seaformer.tasks.statement import Statement
from seaformer.tasks.task_file import OWN, own_task

_ALMOST = 0.02
"""Relative tolerance between the range of an integer input and the range of pixels."""


def stated_interface(
    session: ImageSession, statement: Statement, usual: Task | None = None
) -> tuple[Interface, str]:
    """Return the interface of a file, and sentences about what was assumed or detected, or "".

    Args:
        session: session of the file.
        statement: what the user states about the file.
        usual: the task of the data that the file is run on; None if there is none.

    Raises:
        UsageError: the statement does not fit the file, or is insufficient.
        SeaformerError: the file does not run.
    """
    if session.metadata is None:
        return _foreign(session, statement, usual)
    return _own(session.metadata, statement, session), ""


def _own(interface: Interface, statement: Statement, session: ImageSession) -> Interface:
    path, task = session.session.path, statement.task
    if statement.meaning is not None and not interface.meaning.is_stated_by(statement.meaning):
        raise UsageError(
            f"--output-meaning {statement.meaning} does not fit '{path}': according to its "
            f"metadata, its output is {interface.meaning}. Omit the option."
        )
    labels, palette = statement.labels, statement.palette
    if task is not None and task.name != interface.task:
        if interface.task != OWN:
            raise UsageError(
                f"--task {task.name} does not fit '{path}', which is {interface.task}. Omit the "
                "option."
            )
        labels, palette = labels or task.labels, palette or task.palette
    labels = None if labels is None else interface.meaning.labels(labels)
    normalization = statement.normalization
    if normalization is not None and interface.takes_image:
        spread = normalization.of(interface.input.channels)
        return interface.restated(labels, palette, (spread.mean, spread.std))
    return interface.restated(labels, palette)


def _foreign(
    session: ImageSession, statement: Statement, usual: Task | None
) -> tuple[Interface, str]:
    path = session.session.path
    notes = []
    task, normalization = statement.task or usual, statement.without_task().normalization
    if normalization is None:
        normalization, note = _normalization(session, task)
        notes.append(note)
    base = for_channels(task or own_task(["class 0"]), session.channels)
    described = replace(statement, task=base, normalization=normalization).applied_to(base)
    outputs = [
        _run(session, values)
        for values in probe_inputs(described.preprocessing, session.input_shape)
    ]
    meaning, found = find_meaning(outputs, statement.meaning, session.input_shape)
    notes.append(found)
    if statement.names_classes or usual is not None:
        described = _named(described, meaning.labels(described.labels))
        if statement.task is not None or statement.labels is None:
            notes.append(f"Its classes are assumed to be the classes of task {described.name}.")
    elif meaning.has_classes:
        count = _count(meaning, outputs[0], path)
        described = _named(described, tuple(f"class {place}" for place in range(count)))
        notes.append("Its classes have no names; give them with --labels.")
    kind: Kind = "classification" if outputs[0].ndim <= 2 else "segmentation"
    interface = Interface.from_task(
        replace(described, kind=kind),
        session.layout,
        session.input_shape,
        output=Output.assumed(meaning, session.session.outputs[0].shape, str(outputs[0].dtype)),
    )
    return interface, " ".join(filter(None, notes))


def _normalization(session: ImageSession, task: Task | None) -> tuple[Normalization, str]:
    """Determine the normalization of a file if it is not stated."""
    path, source = session.session.path, session.session.inputs[0]
    if task is not None:
        rule = task.preprocessing
        return Normalization(rule.mean, rule.std), (
            f"assumed, because the file does not record it: {rule.color_order} values of 0..255 "
            f"minus mean {rule.mean}, divided by std {rule.std}."
        )
    if source.dtype in ("uint8", "int8"):
        limits = np.iinfo(source.dtype)
        low, high = (
            float(source.decode(np.array(end, source.dtype))) for end in (limits.min, limits.max)
        )
        for name, ends in (("0..255", PIXELS), ("0..1", (0.0, 1.0)), ("-1..1", (-1.0, 1.0))):
            slack = _ALMOST * (ends[1] - ends[0])
            if abs(low - ends[0]) <= slack and abs(high - ends[1]) <= slack:
                found = Normalization.stated(ends, None, None)
                assert found is not None  # because a range is given
                return found, f"Its input range is assumed to be {name}, the range of its integers."
    raise UsageError(
        f"'{path}' has no metadata, so its preprocessing is unknown. Give --task, or --input-range "
        "(such as 0..255, 0..1 or -1..1), with --mean and --std if needed."
    )


def _run(session: ImageSession, values: npt.NDArray[np.float32]) -> npt.NDArray[np.generic]:
    """Run a file on [height, width, channels]; return its output with channels first."""
    x = values if session.layout == "NHWC" else values.transpose(2, 0, 1)
    output = session.run(np.ascontiguousarray(x[None]))
    is_last = session.layout == "NHWC" and output.ndim == 4
    return np.moveaxis(output, -1, 1) if is_last else output


def _named(task: Task, labels: tuple[str, ...]) -> Task:
    """Return a task with these class names, and with its palette if their number is the same."""
    palette = task.palette if len(labels) == task.num_classes else None
    return replace(task, labels=labels, palette=palette)


def _count(meaning: OutputMeaning, output: npt.NDArray[np.generic], path: object) -> int:
    if meaning.gives_ids:
        raise UsageError(
            f"'{path}' returns class indices, so the number of classes is unknown. Name the "
            "classes with --labels."
        )
    return 2 if meaning.content == "binary" else output.shape[1]
