"""The plan of a distillation: the options of the command, checked, with the teacher loaded."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from seaformer.errors import UsageError
from seaformer.models.entry import Network
from seaformer.tasks import Task
from seaformer.training.checkpoints import Origin
from seaformer.training.distillation import Distillation
from seaformer.training.teacher import Teacher, classifier_layer, load_teacher

SIZE_MULTIPLE = 32
"""The sides of a student's image are multiples of this, so that its grids cover the image."""


@dataclass(frozen=True)
class DistillationPlan:
    """A teacher, and how its student is trained.

    Attributes:
        name: the value of --teacher.
        teacher: the teacher.
        teacher_size: height and width of its images, those of the training crops.
        student_size: height and width of the student's images.
        classifier: name of the student's classifier.
    """

    name: str
    teacher: Teacher
    teacher_size: tuple[int, int]
    student_size: tuple[int, int]
    classifier: str

    def __str__(self) -> str:
        sizes = (self.teacher_size, self.student_size)
        larger, own = (f"{height}x{width}" for height, width in sizes)
        return f"teacher {self.name}: {self.teacher.title} at {larger}; student at {own}"

    def origin(self, origin: Origin) -> Origin:
        """Add the options of the distillation to those of a run."""
        return replace(
            origin,
            teacher=self.name,
            teacher_sha256=self.teacher.sha256,
            student_size=self.student_size,
        )

    def task(self, task: Task) -> Task:
        """Return the task of the student, whose input on a device has the student's size."""
        return task_at_size(task, self.student_size)

    def student(self, network: nn.Module) -> Distillation:
        """Return the student with this network; its upsampler is initialized by torch."""
        return Distillation(network, self.student_size, self.classifier, self.teacher)


def plan_distillation(
    teacher: str,
    student_size: tuple[int, int],
    network: Network,
    task: Task,
    crop: tuple[int, int],
    device: torch.device,
) -> DistillationPlan:
    """Check the options of a distillation, and load the teacher.

    Args:
        teacher: as for `load_teacher`.
        student_size: height and width of the student's images.
        network: the student's row in the registry.
        task: the task of the data.
        crop: height and width of the training crops, which the teacher sees.
        device: where the teacher runs.

    Raises:
        UsageError: the task is not segmentation, the size does not fit the crops, a network has
            several classifiers, or the teacher is for other classes.
        SeaformerError: the teacher's weights cannot be downloaded or read.
    """
    if not task.is_segmentation:
        raise UsageError(
            f"--teacher is {teacher}, but task {task.name} is {task.kind}. Allowed: a task for "
            "segmentation. Omit --teacher and --student-size."
        )
    _check_sizes(student_size, crop)
    classifier = classifier_layer(network, task.kind)
    loaded = load_teacher(teacher, network, task, device)
    return DistillationPlan(teacher, loaded, crop, student_size, classifier)


def task_at_size(task: Task, size: tuple[int, int]) -> Task:
    """Return the task of a network whose input has this height and width on a device."""
    return replace(task, preprocessing=replace(task.preprocessing, input_size=size))


def _check_sizes(student: tuple[int, int], teacher: tuple[int, int]) -> None:
    given, largest = (f"{height}x{width}" for height, width in (student, teacher))
    if any(side % SIZE_MULTIPLE for side in student):
        raise UsageError(
            f"--student-size is {given}. Allowed: multiples of {SIZE_MULTIPLE} up to {largest}, "
            "the size of the training crops."
        )
    if student[0] > teacher[0] or student[1] > teacher[1]:
        raise UsageError(
            f"--student-size is {given}, but the teacher sees training crops of {largest}. "
            "Allowed: at most their size. Give a smaller size, or a larger --crop."
        )
    if student[0] * teacher[1] != student[1] * teacher[0]:
        raise UsageError(
            f"--student-size is {given}, but the training crops are {largest}. Allowed: the same "
            "aspect ratio. Give another size, or another --crop."
        )
