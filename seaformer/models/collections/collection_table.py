"""The table of collections: libraries of networks, each with a prefix in --model.

Help, errors, documents and tests are derived from it. A collection has a row here and a module next
to this one with two functions:

    names()                 -> the names after the prefix that the library itself defines
    build(name, pretrained) -> the network, see `Collection.build`

Both import the library, so they are called only when a network is built.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from seaformer.errors import SeaformerError
from seaformer.extras import MissingExtraError
from seaformer.models.collections.library_errors import (
    check_torchvision,
    first_line,
    unknown_network,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

EXTRA = "models"


@dataclass(frozen=True)
class Collection:
    """A library of networks.

    Attributes:
        prefix: prefix of its names in --model, before ":"; also the import name of the library.
        title: display name of the library.
        example: a name after the prefix.
        auxiliary: prefixes of tensors in its checkpoints that only training uses.
        renames: whether checkpoints have other names of tensors; its module then has a function
            `renamed`, from the network and the tensors of a checkpoint to the same tensors by the
            names of the network.
    """

    prefix: str
    title: str
    example: str
    auxiliary: tuple[str, ...] = ()
    renames: bool = False

    def require(self) -> None:
        """Raise MissingExtraError if the library is not installed; nothing is imported."""
        if find_spec(self.prefix) is None:
            raise MissingExtraError(EXTRA, self.prefix)

    def check(self, name: str) -> None:
        """Raise UnknownNameError for a name that the library itself does not define."""
        names = self._networks().names()
        if name not in names:
            raise unknown_network(self.prefix, name, names)

    def build(self, name: str, pretrained: bool) -> "nn.Module":
        """Build a network, which declares its task by its attributes.

        Args:
            name: without the prefix.
            pretrained: whether the library downloads its weights, or initializes them.

        Raises:
            UsageError: the library has no network of this name, or none that can be exported.
            SeaformerError: something cannot be downloaded.
        """
        networks = self._networks()
        # Its lines about each attempt to connect add nothing to the error.
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        try:
            network: nn.Module = networks.build(name, pretrained)
        except SeaformerError:
            raise
        except Exception as error:  # a library or a download can fail in any way
            if not pretrained:
                raise SeaformerError(
                    f"'{self.prefix}:{name}' cannot be built: {type(error).__name__}: "
                    f"{first_line(error)}."
                ) from error
            raise SeaformerError(
                f"the weights of '{self.prefix}:{name}' cannot be downloaded: "
                f"{first_line(error)}. Give a file with them: --weights FILE, with the tensors "
                f"named as in {self.title}."
            ) from error
        return network

    def renamed(
        self, network: "nn.Module", tensors: "Mapping[str, Tensor]"
    ) -> "Mapping[str, Tensor]":
        """Return the tensors of a checkpoint by the names of the network."""
        found: Mapping[str, Tensor] = tensors
        if self.renames:
            found = self._networks().renamed(network, tensors)
        return found

    def _networks(self) -> Any:
        """Import the library and the module of this package for it."""
        self.require()
        check_torchvision()
        return import_module(f"seaformer.models.collections.{self.prefix}_networks")


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
                renames=True,
            ),
        )
    }
)
"""Prefix -> collection."""
