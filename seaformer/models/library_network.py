"""The row of a network of another library, see `seaformer.models.collections`."""

import re
from functools import partial

from seaformer.models.collections.collection_table import Collection
from seaformer.models.entry import Network


def library_network(collection: Collection, name: str) -> Network:
    """Return the row of a network; the name is checked when the network is built.

    Raises:
        MissingExtraError: the library is not installed.
    """
    collection.require()
    return Network(
        name=f"{collection.prefix}:{name}",
        family=collection.prefix,
        title=f"{name} of {collection.title}",
        paper="",
        stem=re.sub(r"[^A-Za-z0-9.-]+", "_", f"{collection.prefix}_{name}").strip("_.-"),
        fixed=partial(collection.build, name, pretrained=False),
        pretrained=partial(collection.build, name, pretrained=True),
        declares_contract=True,
        auxiliary=collection.auxiliary,
        renamed=collection.renamed,
    )
