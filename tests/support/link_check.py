"""Checks that all references of a dex file are defined, in the file or in the framework.

A missing one would be an error at run time on a phone. The framework has API level 31: methods
that are newer than the app's minimum Android version are not detected. Fields of Java's own classes
are unknown, so they are not checked.
"""

from dataclasses import dataclass
from pathlib import Path

from dex import DefinedClass, Dex

OBJECT = "Ljava/lang/Object;"
WITHOUT_FIELDS = ("Ljava/", "Ljavax/", "Lorg/")


@dataclass(frozen=True)
class LinkReport:
    """The result of a link check.

    Attributes:
        checked: number of references that were looked up.
        unresolved: references to missing members of known classes.
        unknown_classes: classes that were not found.
    """

    checked: int
    unresolved: tuple[str, ...]
    unknown_classes: tuple[str, ...]


def check_links(dex: Path, members: Path) -> LinkReport:
    """Look up every method and field referenced by a dex file.

    Args:
        dex: the file.
        members: list of the framework's members, written by FrameworkStub.java.
    """
    file = Dex(dex)
    known = read_members(members) | file.classes
    unresolved, unknown, checked = [], set(), 0
    for reference in file.references:
        if reference.owner.startswith("["):
            continue  # methods of arrays, such as clone, are built in
        if reference.is_field and reference.owner.startswith(WITHOUT_FIELDS):
            continue
        checked += 1
        if reference.owner not in known:
            unknown.add(reference.owner)
        elif not _has(known, reference.owner, reference.member, unknown):
            unresolved.append(str(reference))
    return LinkReport(checked, tuple(unresolved), tuple(sorted(unknown)))


def read_members(path: Path) -> dict[str, DefinedClass]:
    """Read the framework's classes."""
    classes: dict[str, DefinedClass] = {}
    name, members = "", set[str]()
    parents: tuple[str, ...] = ()
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "class":
            if name:
                classes[name] = DefinedClass(parents, frozenset(members))
            name, *above = rest.split(" ")
            parents, members = tuple(above), set()
        else:
            members.add(rest)
    classes[name] = DefinedClass(parents, frozenset(members))
    return classes


def _has(known: dict[str, DefinedClass], name: str, member: str, unknown: set[str]) -> bool:
    """Whether a class has a member, its own or an inherited one."""
    found = known.get(name)
    if found is None:
        unknown.add(name)
        return True  # unknown; the class itself is reported
    if member in found.members or member in known[OBJECT].members:
        return True
    if "(" not in member and name != OBJECT and name.startswith(WITHOUT_FIELDS):
        return True
    return any(_has(known, parent, member, unknown) for parent in found.parents)
