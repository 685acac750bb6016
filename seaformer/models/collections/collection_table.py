"""The table of collections: libraries of networks, each with a prefix in --model.

Help, errors, documents and tests are derived from it. A collection has a row here and a module next
to this one with two functions:

    names()                -> list of the names that it accepts after the prefix
    build(name, pretrained) -> the network, a `LibraryNetwork`

Both import the library, so they are called only when a network is built.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from seaformer.extras import MissingExtraError

if TYPE_CHECKING:
    from torch import nn

EXTRA = "models"


@dataclass(frozen=True)
class Collection:
    """A library of networks.

    Attributes:
        prefix: of its names in --model, before ":"; also the import name of the library.
        title: name of the library for people.
        example: a name after the prefix.
        auxiliary: prefixes of tensors in its checkpoints that only training uses.
    """

    prefix: str
    title: str
    example: str
    auxiliary: tuple[str, ...] = ()

    @property
    def module(self) -> Any:
        """The module of this package for the collection."""
        return import_module(f"seaformer.models.collections.{self.prefix}_networks")

    def require(self) -> None:
        """Raise MissingExtraError if the library is not installed; nothing is imported."""
        if find_spec(self.prefix) is None:
            raise MissingExtraError(EXTRA, self.prefix)

    def build(self, name: str, pretrained: bool) -> "nn.Module":
        """Build a network, which declares its task by its attributes.

        Args:
            name: without the prefix.
            pretrained: whether the library downloads its weights, or initialises them.

        Raises:
            UsageError: the library has no network of this name, or none that can be exported.
            SeaformerError: something cannot be downloaded.
        """
        network: nn.Module = self.module.build(name, pretrained)
        return network


COLLECTIONS: Mapping[str, Collection] = MappingProxyType(
    {
        row.prefix: row
        for row in (
            Collection("timm", "timm", "mobilevit_s"),
            Collection(
                "torchvision",
                "torchvision",
                "deeplabv3_mobilenet_v3_large",
                auxiliary=("aux_classifier.", "aux1.", "aux2.", "AuxLogits."),
            ),
            Collection(
                "transformers",
                "Hugging Face transformers",
                "nvidia/segformer-b0-finetuned-ade-512-512",
            ),
        )
    }
)
"""Prefix -> collection."""
