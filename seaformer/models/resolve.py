"""Resolving the name of a network, once per command: registry, collection or a user's factory."""

import os
from collections.abc import Mapping
from pathlib import Path

from seaformer.errors import UnknownNameError, UsageError, look_up, unknown_name
from seaformer.files import path_exists
from seaformer.models.ablation import ablated, checked
from seaformer.models.collections.collection_table import COLLECTIONS
from seaformer.models.entry import Network
from seaformer.models.library_network import library_network
from seaformer.models.registry import ATTENTIONS, REGISTRY, seaformer
from seaformer.models.seaformer.variants import VARIANTS, Variant, get_variant
from seaformer.models.user_factory import factory_network, is_file_factory
from seaformer.network_names import name_of_variant
from seaformer.weights.file_key import split_key


def resolve(name: str, *, allow_factory: bool = True) -> Network:
    """Return the network of this name: of the registry, of a collection, or from a user's factory.

    With `allow_factory`, "package.module:factory" or "FILE.py:factory" names the user's own code,
    and a name of a collection may be a folder or a place on the Hugging Face Hub. Do not set it for
    a name read from a file: a file must not decide what code runs, or what is downloaded.

    Raises:
        UsageError: there is no such network; the message lists the known ones.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    prefix, _, rest = name.partition(":")
    if prefix in COLLECTIONS:
        if not allow_factory:
            COLLECTIONS[prefix].check(rest)
        return library_network(COLLECTIONS[prefix], rest)
    if not allow_factory:
        raise unknown_name("model", name, REGISTRY)
    if not prefix or not rest:
        raise UsageError(
            f"{unknown_name('model', name, REGISTRY)} Your own model is given as "
            "package.module:factory or FILE.py:factory, for example my_package.networks:make_unet; "
            "a network of another library as "
            f"{' or '.join(f'{prefix}:NAME' for prefix in COLLECTIONS)}."
        )
    return factory_network(name)


def recorded_network(name: str | None) -> Network | None:
    """Return the network of a name read from a file; None if only the user can name it.

    Raises:
        UsageError: it is of a library that is not installed.
    """
    try:
        return None if name is None else resolve(name, allow_factory=False)
    except UnknownNameError:
        return None


def chosen(model: str | None, variant: str | None, attention: str | None = None) -> Network | None:
    """Return the network that --model or --variant names, with --attention; None without both.

    Raises:
        UsageError: there is no such network, or the options name different networks.
    """
    if variant is None:
        return with_attention(None if model is None else resolve(model), attention)
    name = name_of_variant(get_variant(variant).name)
    if model not in (None, name):
        raise UsageError(
            f"--variant {variant} and --model {model} name different networks. Give only one."
        )
    return with_attention(REGISTRY[name], attention)


def with_attention(network: Network | None, attention: str | None) -> Network | None:
    """Return the row of a network with the attention of --attention; without it, `network`.

    Raises:
        UsageError: there is no such layer, or the network has no attention to replace.
    """
    if attention is None or (network is not None and network.attention == attention):
        return network
    if network is None or network.name not in ATTENTIONS:
        other = "" if network is None else f"; '{network.name}' is another network"
        raise UsageError(f"--attention needs --model {' or '.join(ATTENTIONS)}{other}.")
    return look_up(ATTENTIONS[network.name], "attention", attention)


def find_model(text: str) -> Path | Network:
    """Return the file or the network that an argument names.

    Order of the search: file, registry, collection, user's factory.

    Raises:
        UsageError: it is not the name of a network, and does not look like a file name.
    """
    path = Path(text)
    if text.partition(":")[0] in COLLECTIONS and not path.exists():
        return resolve(text)
    has_folder = any(separator in text for separator in (os.sep, "/"))
    file, _ = split_key(path)
    looks_like_a_file = has_folder or (":" not in file.name and bool(file.suffix))
    if is_file_factory(text) and not path_exists(path):
        return resolve(text)
    if looks_like_a_file or (path_exists(path) and (path.is_file() or text not in REGISTRY)):
        return path
    return resolve(text)


def as_network(which: str | Variant | Network) -> Network:
    """Return the network for a name in the registry, the name of a variant, a variant, or a row.

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
    """Return the row of a SeaFormer with an ablation, switch -> value, applied.

    The row records the values that differ from the paper's defaults; without any, it is `network`.

    Raises:
        UsageError: a switch or a value is unknown, or does not fit the network.
    """
    switches = checked(ablation)
    if not switches:
        return network
    if network.variant is None:
        raise UsageError(
            "--ablation needs --variant, or a --model that is a SeaFormer; "
            f"'{network.name}' is another network."
        )
    return seaformer(ablated(network.variant, switches), switches)
