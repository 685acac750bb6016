"""The weights that a file was exported from, as its metadata records them, for `--self-check`.

The record is data. A name is looked up in our tables and nowhere else. A path is opened only where
a regular file with the suffix of a checkpoint is, which is read only if its SHA-256 is the recorded
one; reading a checkpoint runs nothing that is in it.
"""

from pathlib import Path

from seaformer.artifact.metadata import Weights
from seaformer.errors import SeaformerError, quoted
from seaformer.files import file_sha256
from seaformer.models.loading import RANDOM, SUFFIXES
from seaformer.models.misfit import BACKBONE
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.released import RELEASED

NAMES = {RANDOM} | {row.name for row in BUILTIN} | {row.name for row in RELEASED}
"""Of weights that are looked up in tables of ours."""

ELSEWHERE = ("//", "\\\\")
"""How a path begins that Windows asks another computer for, with the user's password."""


def recorded_weights(weights: Weights) -> str:
    """Return the weights that a file's metadata records, as they would be given to --weights now.

    Raises:
        SeaformerError: they are neither of a known name nor a checkpoint that is where it was.
    """
    prefix = BACKBONE if weights.name.startswith(BACKBONE) else ""
    path = Path(weights.source)
    name = weights.name.removeprefix(prefix)
    if name in NAMES and path.name != name:
        return weights.name
    ask = f"Say where they are with --weights {prefix}PATH."
    if name != path.name or path.suffix.lower() not in SUFFIXES:
        raise SeaformerError(
            f"the weights of the export are called {quoted(weights.name)}, from "
            f"{quoted(weights.source)}, which is neither a name of --weights nor a checkpoint by "
            f"its suffix. {ask}"
        )
    if weights.source.startswith(ELSEWHERE) or not path.is_file():
        raise SeaformerError(
            f"the weights of the export are not a file at {quoted(weights.source)} any more. {ask}"
        )
    require_same(weights, weights.source, file_sha256(path))
    return f"{prefix}{path.absolute()}"


def require_same(recorded: Weights, source: str, sha256: str | None) -> None:
    """Check that weights from `source` are those that an export recorded.

    Raises:
        SeaformerError: they are not.
    """
    if sha256 != recorded.sha256:
        raise SeaformerError(
            f"the weights {quoted(source)} are not those of the export: their SHA-256 is {sha256}, "
            f"the export's {quoted(recorded.sha256)}. Give the right ones with --weights PATH."
        )
