"""The error for a name that a library does not have."""

from collections.abc import Sequence
from difflib import get_close_matches

from seaformer.errors import UnknownNameError

SHOWN = 5


def unknown_network(prefix: str, name: str, names: Sequence[str]) -> UnknownNameError:
    """Build the error for `name`, which is not among those of a library; it lists close ones."""
    near = [other for other in names if name and name.lower() in other.lower()]
    near += get_close_matches(name.lower(), names, n=SHOWN, cutoff=0.5)
    close = ", ".join(f"{prefix}:{other}" for other in dict.fromkeys(near[:SHOWN]))
    advice = f"Close matches: {close}." if close else f"For example: {prefix}:{names[0]}."
    return UnknownNameError(
        f"unknown model '{prefix}:{name}': {prefix} has no network of this name. {advice}"
    )
