"""From what a user names to a network of the registry or a user's own, once for each command."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from seaformer.errors import UsageError, unknown_name
from seaformer.models.ablation import ablated, checked
from seaformer.models.entry import Network
from seaformer.models.registry import REGISTRY, seaformer
from seaformer.models.seaformer.variants import VARIANTS, Variant, get_variant
from seaformer.models.user_factory import factory_network, is_file_factory
from seaformer.network_names import name_of_variant
from seaformer.weights.file_key import split_key

PREFIXES: Mapping[str, Callable[[str], Network]] = {}
"""What stands before ":" in the name of a network of another collection -> how its row is made."""


def resolve(name: str, *, allow_factory: bool = True) -> Network:
    """Return the network of a name: of the registry, of a collection, or a user's factory.

    A name such as "package.module:factory" or "FILE.py:factory" may mean code of a user's own if
    `allow_factory`. Never for a name that comes out of a file: a file does not decide what code
    runs.

    Raises:
        UsageError: there is no such network; the message lists those there are.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    prefix, _, rest = name.partition(":")
    if prefix in PREFIXES:
        return PREFIXES[prefix](rest)
    if not allow_factory:
        raise unknown_name("model", name, REGISTRY)
    if not prefix or not rest:
        raise UsageError(
            f"{unknown_name('model', name, REGISTRY)} And it is not of the form "
            "package.module:factory or FILE.py:factory, as a model of your own is given. Example: "
            "my_package.networks:make_unet"
        )
    return factory_network(name)


def chosen(model: str | None, variant: str | None) -> Network | None:
    """Return the network that --model and --variant, its short form, ask for; None without both.

    Raises:
        UsageError: there is no such network, or they ask for two.
    """
    if variant is None:
        return None if model is None else resolve(model)
    name = name_of_variant(get_variant(variant).name)
    if model not in (None, name):
        raise UsageError(
            f"--variant {variant} and --model {model} ask for two networks. Give one of the two."
        )
    return REGISTRY[name]


def find_model(text: str) -> Path | Network:
    """Return what a command that takes a file is given: the file, or a network by its name.

    The order is that of file, registry, collection, user's factory.

    Raises:
        UsageError: it is the name of no network, and does not look like a file's.
    """
    path = Path(text)
    has_folder = any(separator in text for separator in (os.sep, "/"))
    file, _ = split_key(path)
    looks_like_a_file = has_folder or (":" not in file.name and bool(file.suffix))
    if is_file_factory(text) and not path.exists():
        return resolve(text)
    if path.is_file() or looks_like_a_file or (path.exists() and text not in REGISTRY):
        return path
    return resolve(text)


def as_network(which: str | Variant | Network) -> Network:
    """Return the network of a name of the registry, a short name of a variant, a variant, or a row.

    Raises:
        UnknownNameError: there is no such network.
    """
    if isinstance(which, Network):
        return which
    if isinstance(which, Variant):
        return seaformer(which)
    if which in VARIANTS:
        return REGISTRY[name_of_variant(which)]
    if which not in REGISTRY:
        raise unknown_name("model", which, [*VARIANTS, *REGISTRY])
    return REGISTRY[which]


def with_ablation(network: Network, ablation: Mapping[str, str]) -> Network:
    """Return the row of a SeaFormer that is changed by an ablation, switch -> value.

    It has the switches that are not the paper's own choice; without any it is the same row.

    Raises:
        UsageError: a switch or a value is unknown, or does not fit the network.
    """
    switches = checked(ablation)
    if not switches:
        return network
    if network.variant is None:
        raise UsageError(
            "--ablation goes with --variant only, or with a --model that is a SeaFormer: it is "
            f"what it changes. '{network.name}' is another network."
        )
    return seaformer(ablated(network.variant, switches), switches)
