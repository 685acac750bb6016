"""What is exported: one of our models, a peer, or the module that a user's factory makes."""

import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from seaformer.artifact.metadata import Weights
from seaformer.errors import SeaformerError, UsageError, unknown_name
from seaformer.imaging.input_size import takes_features
from seaformer.models.attention.layer import create_layer
from seaformer.models.attention.layers import MODELS, Layer
from seaformer.models.create import create_model_with_record
from seaformer.models.peer import create_peer_with_record
from seaformer.models.peers import PEERS
from seaformer.tasks import Task


@dataclass(frozen=True)
class Source:
    """A model in its training form, and what is known of it.

    Attributes:
        name: what the names of the exported files begin with.
        variant: of SeaFormer; None for another model.
        factory: name of a peer or of an attention layer, or "package.module:factory" of a user's
            model; None for SeaFormer.
        task: gives the preprocessing, and the labels if their number fits; of no meaning for a
            model that takes features.
        weights: where they come from.
        model: float32, eval mode.
        ablation: switches of SeaFormer that are not the paper's own choice.
    """

    name: str
    variant: str | None
    factory: str | None
    task: Task
    weights: Weights
    model: nn.Module
    ablation: Mapping[str, str] = field(default_factory=dict)

    @property
    def params(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def takes_features(self) -> bool:
        """Whether the model takes features of another network, and not a picture."""
        return takes_features(self.model)


def our_model(
    variant: str,
    task: Task,
    weights: str | Path | None,
    ablation: Mapping[str, str] | None = None,
) -> Source:
    """Create a SeaFormer.

    Raises:
        UsageError: a name is unknown.
        SeaformerError: the weights cannot be had, or do not fit.
    """
    ablation = ablation or {}
    model, record = create_model_with_record(variant, task, weights, ablation)
    changes = "".join(f"_{switch}-{value}" for switch, value in ablation.items())
    return Source(
        name=f"seaformer_{variant}{changes.replace(',', '-')}_{task.name}",
        variant=variant,
        factory=None,
        task=task,
        weights=Weights.model_validate(record, from_attributes=True),
        model=model,
        ablation=ablation,
    )


def is_ours(name: str | None) -> bool:
    """Whether `name`, as given to --model, is a peer or an attention layer: no code of a user's."""
    return name in PEERS or name in MODELS


def other_model(name: str, task: Task, weights: str | Path | None) -> Source:
    """Create what --model names: a peer, an attention layer, or what a user's factory returns.

    Raises:
        UsageError: there is no such peer or factory.
        SeaformerError: it fails, or the weights cannot be had or do not fit.
    """
    if name in MODELS:
        return _attention_layer(MODELS[name], task)
    if name not in PEERS:
        return users_model(name, task)
    peer = PEERS[name]
    model, record = create_peer_with_record(peer, task, weights)
    return Source(
        name=f"{peer.family}_{peer.size}_{task.name}",
        variant=None,
        factory=name,
        task=task,
        weights=Weights.model_validate(record, from_attributes=True),
        model=model,
    )


def _attention_layer(layer: Layer, task: Task) -> Source:
    model, record = create_layer(layer)
    return Source(
        name=layer.name.replace("-", "_", 1),
        variant=None,
        factory=layer.name,
        task=task,
        weights=Weights.model_validate(record, from_attributes=True),
        model=model,
    )


def users_model(factory: str, task: Task) -> Source:
    """Call a user's factory, which is looked for in the working directory too.

    Args:
        factory: "package.module:factory"; takes no arguments and returns an nn.Module.
        task: gives the preprocessing.

    Raises:
        UsageError: there is no such factory.
        SeaformerError: it fails, or returns no nn.Module.
    """
    module_name, _, function_name = factory.partition(":")
    if not module_name or not function_name:
        raise UsageError(
            f"{unknown_name('peer', factory, [*PEERS, *MODELS])} And it is not of the form "
            "package.module:factory, as a model of your own is given. Example: "
            "my_package.networks:make_unet"
        )
    with _working_directory_on_path():
        try:
            make = getattr(importlib.import_module(module_name), function_name)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"model '{factory}' cannot be imported: {error}. Run in the folder that has the "
                "module, or install its package."
            ) from error
        except Exception as error:
            raise SeaformerError(
                f"model '{factory}' cannot be imported, as '{module_name}' fails: "
                f"{type(error).__name__}: {error}"
            ) from error
        try:
            model = make()
        except Exception as error:
            raise SeaformerError(
                f"model '{factory}' failed: {type(error).__name__}: {error}. The factory is called "
                "without arguments."
            ) from error
    if not isinstance(model, nn.Module):
        raise SeaformerError(
            f"model '{factory}' returned {type(model).__name__}, an nn.Module is needed"
        )
    return Source(
        name=function_name,
        variant=None,
        factory=factory,
        task=task,
        weights=Weights(name="factory", source=factory, sha256=_hash_of(model), is_random=False),
        model=model.eval().float().requires_grad_(False),
    )


@contextmanager
def _working_directory_on_path() -> Iterator[None]:
    """Look for modules in the working directory first, and afterwards last.

    Not to look there any more would not do: the model may import more when it runs. To look there
    first would let a `json.py` or a package `onnx` in it hide what the export imports later.
    """
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:  # the user's module may change it as well
            sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)


def _hash_of(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
