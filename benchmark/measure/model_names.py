"""What stands for a model where a file is expected."""

from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.models.resolve import find_model


def resolve_model(given: Path) -> Path | str:
    """Return the file if there is one, else the name of a network to be exported.

    Raises:
        SeaformerError: it is neither.
    """
    found = find_model(str(given))
    if not isinstance(found, Path):
        return found.name
    if not found.is_file():
        raise SeaformerError(f"there is no model file '{found}'. Check the name.")
    return found
