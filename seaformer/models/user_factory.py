"""A user's own network, returned by a factory function without arguments.

It is named "package.module:factory" or "FILE.py:factory". Attributes of the function that describe
the network are copied to the network, see `seaformer.models.contract`.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from seaformer.errors import SeaformerError, UsageError
from seaformer.models.entry import Network
from seaformer.network_names import factory_parts

if TYPE_CHECKING:
    from torch import nn

DECLARED = "seaformer_"
"""Prefix of the attributes by which a factory or a network describes the network."""


def factory_network(name: str) -> Network:
    """Return the row of a user's network; its module is imported when the network is built."""
    return Network(
        name=name,
        family="",
        title=name,
        paper="",
        fixed=lambda: _call(name),
        has_own_weights=True,
        declares_contract=True,
    )


def _call(name: str) -> "nn.Module":
    """Call a factory; its module may also be in the working directory.

    Raises:
        UsageError: there is no such factory.
        SeaformerError: it fails, or does not return an nn.Module.
    """
    from torch import nn

    module_name, function_name = factory_parts(name)
    with _working_directory_on_path():
        try:
            make = getattr(_import(module_name), function_name)
        except FileNotFoundError as error:
            raise UsageError(
                f"model '{name}' cannot be imported: file '{error.filename}' does not exist. Check "
                "its name."
            ) from error
        except (ImportError, AttributeError) as error:
            where = "Run the command in the folder of the module, or install its package."
            if not is_file_factory(name):
                where += f" '{module_name}:' is not the prefix of a collection."
            raise UsageError(f"model '{name}' cannot be imported: {error}. {where}") from error
        except Exception as error:
            raise SeaformerError(
                f"model '{name}' cannot be imported because '{module_name}' fails: "
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
            f"model '{name}' returned {type(model).__name__}. Return an nn.Module."
        )
    for declared in filter(lambda attribute: attribute.startswith(DECLARED), dir(make)):
        if not hasattr(model, declared):
            setattr(model, declared, getattr(make, declared))
    return model


def is_file_factory(name: str) -> bool:
    """Whether a name is of the form "FILE.py:factory"."""
    file, function = factory_parts(name)
    return file.endswith(".py") and bool(function)


def _import(module: str) -> ModuleType:
    """Import a module by its name or the path of its file."""
    if not module.endswith(".py"):
        return importlib.import_module(module)
    path = Path(module).resolve()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"'{module}' is not a Python file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, loaded)  # dataclasses and pickle look there
    spec.loader.exec_module(loaded)
    return loaded


@contextmanager
def _working_directory_on_path() -> Iterator[None]:
    """Put the working directory first on the module search path, and afterwards last.

    It is not removed, because the model may import more modules when it runs. It does not stay
    first, because a `json.py` or a package `onnx` in it would then shadow what the export imports.
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
