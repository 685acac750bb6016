"""The weights that a file was exported from, as its metadata records them, for `--self-check`.

The record is untrusted data. A name is looked up in the package's tables and nowhere else. A path
is opened only if it is a regular file with the suffix of a checkpoint, and loaded only if its
SHA-256 matches the recorded one. Loading a checkpoint never runs code from it.
"""

from pathlib import Path

from seaformer.artifact.metadata import Weights
from seaformer.errors import SeaformerError, quoted
from seaformer.files import file_sha256
from seaformer.models.loading import PRETRAINED, RANDOM, SUFFIXES
from seaformer.models.misfit import BACKBONE
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.released import RELEASED

NAMES = {RANDOM, PRETRAINED} | {row.name for row in BUILTIN} | {row.name for row in RELEASED}
"""Names of weights from the package's tables."""

ELSEWHERE = ("//", "\\\\")
"""Prefixes of network paths: opening one makes Windows send the user's credentials to a server."""


def recorded_weights(weights: Weights) -> str:
    """Return the weights that a file's metadata records, as a value of --weights.

    Raises:
        SeaformerError: the name is unknown, and there is no such checkpoint at the recorded path.
    """
    prefix = BACKBONE if weights.name.startswith(BACKBONE) else ""
    path = Path(weights.source)
    name = weights.name.removeprefix(prefix)
    if name in NAMES and path.name != name:
        return weights.name
    ask = f"Give their path with --weights {prefix}PATH."
    if name != path.name or path.suffix.lower() not in SUFFIXES:
        raise SeaformerError(
            f"the weights of the export are recorded as {quoted(weights.name)}, from "
            f"{quoted(weights.source)}, which is neither a name known to --weights nor a file with "
            f"the suffix of a checkpoint. {ask}"
        )
    if weights.source.startswith(ELSEWHERE) or not path.is_file():
        raise SeaformerError(
            f"the weights of the export are no longer at {quoted(weights.source)}. {ask}"
        )
    require_same(weights, weights.source, file_sha256(path))
    return f"{prefix}{path.absolute()}"


def require_same(recorded: Weights, source: str, sha256: str | None) -> None:
    """Check that the weights from `source` are the recorded ones.

    Raises:
        SeaformerError: they are not.
    """
    if sha256 != recorded.sha256:
        raise SeaformerError(
            f"the weights {quoted(source)} differ from the exported ones: their SHA-256 is "
            f"{sha256}, but the export recorded {quoted(recorded.sha256)}. Give the right file "
            "with --weights PATH."
        )
