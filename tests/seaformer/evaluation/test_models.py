"""Opening models for an evaluation: what a network declares overrides the data set."""

from dataclasses import replace

from torch import nn

from seaformer.evaluation.models import Candidate, Options, open_candidate
from seaformer.evaluation.protocols import OFFICIAL
from seaformer.models.entry import Network
from seaformer.tasks import TASKS, Task
from seaformer.tasks.normalization import Normalization
from seaformer.tasks.statement import Statement

IMAGENET = TASKS["imagenet"]


def opened(task: Task, **declared: object) -> Candidate:
    """Open a network that declares these attributes for an evaluation on a data set of `task`."""

    def build() -> nn.Module:
        pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        model = nn.Sequential(nn.Conv2d(3, task.num_classes, 1, stride=8), *pooled).eval()
        for name, value in declared.items():
            setattr(model, name, value)
        return model

    network = Network(
        name="own.py:make",
        family="",
        title="",
        paper="",
        fixed=build,
        has_own_weights=True,
        declares_contract=True,
    )
    rule = task.preprocessing
    statement = Statement(normalization=Normalization(rule.mean, rule.std))
    return open_candidate(network, task, Options(OFFICIAL, statement=statement))


def test_a_declared_task_has_precedence_over_the_data_set() -> None:
    labels = tuple(label.split()[-1] for label in IMAGENET.labels)
    assert len(set(labels)) < len(labels)  # allowed with ids, as in the names of timm
    rule = replace(IMAGENET.preprocessing, input_size=(64, 64), crop_fraction=64 / 70)
    task = replace(IMAGENET, labels=labels, preprocessing=rule)
    candidate = opened(IMAGENET, seaformer_task=task.to_json(), seaformer_output="logits")
    assert candidate.interface.labels == labels
    assert candidate.protocol.description == "short side 70, center crop 64 x 64"


def test_a_network_without_class_names_gets_them_from_the_data_set() -> None:
    labels = ("sky", "sea", "land")
    candidate = opened(replace(IMAGENET, labels=labels, ids=None), seaformer_output="logits")
    assert candidate.interface.labels == labels
