"""Titles of a network's modules: read from its classes and stored in every exported file.

A class defines them by attributes. All are optional, and a user's network usually has none:

    paper_title      title of the module; in a list of modules, its number from 1 is appended
    paper_section    section of the paper; submodules inherit it
    paper_own_title  title of what the module computes outside its submodules
    paper_parts      names of submodules -> their titles, for submodules of generic classes

Rewrites replace some classes in the deployment form, so the training form is consulted as well.
"""

from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from seaformer.artifact.metadata import Module
from seaformer.export.quantize.module_patterns import enclosing

Form = Mapping[str, nn.Module]
"""Path -> module."""


def titles_of(deployed: nn.Module, trained: nn.Module, paths: Iterable[str]) -> dict[str, Module]:
    """Return the titles of the modules at some paths of the deployment form, and of their parents.

    They are in the order of the network. Attributes missing in the deployment form are read from
    the training form.
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


def title_of_group(name: str, titles: Mapping[str, Module]) -> str:
    """Return the title of a group of operators from the titles of its module and its parents.

    `stem.stage1.0@*`, the operators of a module outside any submodule, is "residual of STEM, stage
    1, MobileNetV2 block 1".
    """
    path, _, own = name.partition("@")
    whole = ", ".join(titles[around].title for around in enclosing(path))
    if not own:
        return whole
    return f"{titles[path].own_title or 'operators outside any submodule'} of {whole}"


def _title(forms: Sequence[Form], path: str, around: str, name: str) -> str:
    parts = _attribute(forms, around, "paper_parts")
    if isinstance(parts, Mapping) and name in parts:
        return str(parts[name])
    title = _text(forms, path, "paper_title")
    if title is None:
        return Module.untitled(path).title
    return f"{title} {int(name) + 1}" if name.isdecimal() else title


def _text(forms: Sequence[Form], path: str, attribute: str) -> str | None:
    value = _attribute(forms, path, attribute)
    return value if isinstance(value, str) else None


def _attribute(forms: Sequence[Form], path: str, attribute: str) -> object:
    """An attribute of a module, from the first form that defines it; else None."""
    values = (getattr(form.get(path), attribute, None) for form in forms)
    return next((value for value in values if value is not None), None)
