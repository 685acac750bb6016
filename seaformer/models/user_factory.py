"""A user's own network, "package.module:factory": a function without arguments that returns one."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seaformer.errors import SeaformerError, UsageError
from seaformer.models.entry import Network

if TYPE_CHECKING:
    from torch import nn


def factory_network(name: str) -> Network:
    """Return the row of a user's network, whose module is imported when it is built."""
    return Network(
        name=name, family="", title=name, paper="", fixed=lambda: _call(name), has_own_weights=True
    )


def _call(name: str) -> "nn.Module":
    """Call a factory, which is looked for in the working directory too.

    Raises:
        UsageError: there is no such factory.
        SeaformerError: it fails, or returns no nn.Module.
    """
    from torch import nn

    module_name, _, function_name = name.partition(":")
    with _working_directory_on_path():
        try:
            make = getattr(importlib.import_module(module_name), function_name)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"model '{name}' cannot be imported: {error}. Run in the folder that has the "
                f"module, or install its package. '{module_name}:' is not the prefix of a "
                "collection."
            ) from error
        except Exception as error:
            raise SeaformerError(
                f"model '{name}' cannot be imported, as '{module_name}' fails: "
                f"{type(error).__name__}: {error}"
            ) from error
        try:
            model = make()
        except Exception as error:
            raise SeaformerError(
                f"model '{name}' failed: {type(error).__name__}: {error}. The factory is called "
                "without arguments."
            ) from error
    if not isinstance(model, nn.Module):
        raise SeaformerError(
            f"model '{name}' returned {type(model).__name__}, an nn.Module is needed"
        )
    return model


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
