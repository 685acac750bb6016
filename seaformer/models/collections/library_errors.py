"""The errors of libraries of networks: unknown names, and a torchvision that does not load."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import requires, version
from importlib.util import find_spec

from seaformer.errors import UnknownNameError, UsageError

SHOWN = 5


def unknown_network(
    prefix: str, name: str, names: Iterable[str], why: str = ""
) -> UnknownNameError:
    """Build the error for `name`, which a library does not have; it lists similar names."""
    known = sorted(names)
    near = [other for other in known if name and name.lower() in other.lower()]
    near += get_close_matches(name.lower(), known, n=SHOWN, cutoff=0.4)
    close = ", ".join(f"{prefix}:{other}" for other in list(dict.fromkeys(near))[:SHOWN])
    advice = f"Close matches: {close}." if close else f"For example: {prefix}:{known[0]}."
    return UnknownNameError(
        f"unknown model '{prefix}:{name}': {why or f'{prefix} has no network of this name'}. "
        f"{advice}"
    )


def check_torchvision() -> None:
    """Check that torchvision, if it is installed, loads: timm and transformers import it, too.

    Raises:
        UsageError: it does not load; the message names the version of torch that it requires.
    """
    if find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except Exception as error:  # built for another torch, it fails in many ways
        installed = version("torchvision").partition("+")[0]
        wanted = next(
            (one for one in requires("torchvision") or () if one.startswith("torch==")), "torch"
        )
        raise UsageError(
            f"torchvision {version('torchvision')} cannot be loaded with torch "
            f"{version('torch')}: {first_line(error)}. Run: pip install '{wanted}' "
            f"'torchvision=={installed}', both from the same index, since a CPU build of one does "
            "not load with a CUDA build of the other."
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message without its full stop, or its type."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". :") if lines else type(error).__name__
