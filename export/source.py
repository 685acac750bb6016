"""The source of an export: a network with its weights, in its training form."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from seaformer.artifact.metadata import Weights
from seaformer.models.contract import Contract, contract_of
from seaformer.models.create import create
from seaformer.models.entry import Network
from seaformer.models.inputs import takes_features
from seaformer.network_names import variant_of
from seaformer.quantization.preparation import LearnedRanges, learned_ranges
from seaformer.tasks import Task
from seaformer.tasks.statement import NOTHING, Statement


@dataclass(frozen=True)
class Source:
    """A model in its training form, in float32 and eval mode, with its contract.

    Attributes:
        network: the network named by --model or --variant.
        contract: description of its input and output.
        weights: name and origin of the weights.
        model: the module itself.
        learned: ranges that its checkpoint records, see `seaformer-train --quantization`; None
            without any.
    """

    network: Network
    contract: Contract
    weights: Weights
    model: nn.Module
    learned: LearnedRanges | None = None

    @property
    def task(self) -> Task:
        """Classes and preprocessing; meaningless for a model that takes features."""
        return self.contract.task

    @property
    def name(self) -> str:
        """First part of the names of the exported files."""
        return self.network.file_stem(self.task)

    @property
    def variant(self) -> str | None:
        """Variant of SeaFormer; None for another network."""
        return variant_of(self.network.name)

    @property
    def factory(self) -> str | None:
        """Value of --model; None for SeaFormer."""
        return self.network.name if self.variant is None else None

    @property
    def ablation(self) -> Mapping[str, str]:
        """Switches of SeaFormer that differ from the paper's choice."""
        return self.network.ablation

    @property
    def params(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def takes_features(self) -> bool:
        """Whether the model takes features of another network instead of an image."""
        return takes_features(self.model)


def create_source(
    network: Network,
    task: Task,
    weights: str | None,
    statement: Statement = NOTHING,
    size: tuple[int, int] | None = None,
) -> Source:
    """Create a network with its weights; the arguments are as in `contract_of`.

    Raises:
        UsageError: the network does not support the task, or there are no weights of this name.
        SeaformerError: the weights are not available or do not fit, or a user's factory fails.
    """
    model, record = create(network, task, weights)
    contract = contract_of(network, model, task, statement, size)
    described = Weights.model_validate(record, from_attributes=True)
    return Source(network, contract, described, model, learned_ranges(weights))
