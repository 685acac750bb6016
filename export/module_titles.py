"""What the modules of a network are called: read from its classes, stored in every file of it.

A class says it by attributes, which all may be missing, as in a user's network:

    paper_title      of the module; in a list of modules, its number from 1 follows
    paper_section    of the paper; what is inside it is of the same section
    paper_own_title  of what it computes outside of its parts
    paper_parts      names of its parts -> their titles, for parts that are of a common class

The deployment form has modules of other classes at the same paths, so the training form is asked
too.
"""

from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from seaformer.artifact.metadata import Module
from seaformer.export.quantize.kept import enclosing

Form = Mapping[str, nn.Module]
"""Path -> module."""


def titles_of(deployed: nn.Module, trained: nn.Module, paths: Iterable[str]) -> dict[str, Module]:
    """Name the modules at paths in the deployment form, and those around them.

    They are in the order of the network. What the classes of the deployment form do not say, those
    of the training form do.
    """
    wanted = {around for path in paths for around in enclosing(path)}
    forms = [dict(form.named_modules()) for form in (deployed, trained)]
    found = {"": Module(title="", section=_text(forms, "", "paper_section"))}
    for path in forms[0]:
        if path in wanted:
            around, _, name = path.rpartition(".")
            found[path] = Module(
                title=_title(forms, path, around, name),
                section=_text(forms, path, "paper_section") or found[around].section,
                own_title=_text(forms, path, "paper_own_title"),
            )
    del found[""]
    return found


def _title(forms: Sequence[Form], path: str, around: str, name: str) -> str:
    parts = _asked(forms, around, "paper_parts")
    if isinstance(parts, Mapping) and name in parts:
        return str(parts[name])
    title = _text(forms, path, "paper_title")
    if title is None:
        return Module.untitled(path).title
    return f"{title} {int(name) + 1}" if name.isdigit() else title


def _text(forms: Sequence[Form], path: str, attribute: str) -> str | None:
    value = _asked(forms, path, attribute)
    return value if isinstance(value, str) else None


def _asked(forms: Sequence[Form], path: str, attribute: str) -> object:
    """What a module says, in the first form that has it and where it says it; else None."""
    values = (getattr(form.get(path), attribute, None) for form in forms)
    return next((value for value in values if value is not None), None)
