"""Writes the folder of a bundle without losing files of the user."""

import json
from pathlib import Path

from seaformer.errors import SeaformerError, UsageError
from seaformer.files import read_limited
from seaformer.json_text import JsonError, parse_json
from seaformer.names import ALLOWED, is_plain

MANIFEST = "seaformer-library.json"
"""File in an Android library module that lists the files written by seaformer-bundle."""

WEB_MANIFEST = "seaformer-web.json"
"""The same in a page for browsers."""

MANIFEST_LIMIT = 2**20
"""Maximum size in bytes; a typical manifest has a few thousand."""

GRADLE_OUTPUT = "build"


def require_writable(folder: Path, force: bool) -> None:
    """Check that a module may be written to `folder`; replacing an earlier one needs `force`.

    Raises:
        UsageError: it may not; the message gives the reason.
        SeaformerError: the manifest of the earlier module is damaged.
    """
    name = folder.resolve().name
    if not is_plain(name) or "$" in name:
        raise UsageError(
            f"--library is '{folder}', whose last part becomes the name of a Gradle module. "
            f"Allowed: {ALLOWED}, and without '$'."
        )
    require_replaceable(folder, force, MANIFEST)


def require_replaceable(folder: Path, force: bool, manifest: str) -> None:
    """Check that a folder may be written; replacing one with a manifest needs `force`.

    Raises:
        UsageError: it may not; the message gives the reason.
        SeaformerError: its manifest is damaged.
    """
    if not folder.resolve().parent.is_dir():
        raise UsageError(
            f"cannot write '{folder}': the folder '{folder.parent}' does not exist. Create it."
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"cannot write '{folder}': it is not a folder. Give another name.")
    if not any(folder.iterdir()):
        return
    written = _written_before(folder, manifest)
    if written is None:
        raise UsageError(
            f"'{folder}' is not empty and was not written by seaformer-bundle, so it is not "
            "overwritten, even with --force. Give the name of a new folder."
        )
    if not force:
        raise UsageError(f"'{folder}' exists. Give another name, or --force to replace it.")
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        is_folder = path.is_dir() and not path.is_symlink()
        if inside.parts[0] == GRADLE_OUTPUT or is_folder or inside.as_posix() in written:
            continue
        raise UsageError(
            f"'{path}' was not written by seaformer-bundle, and would be lost. Move it elsewhere."
        )


def write_manifest(folder: Path, manifest: str = MANIFEST) -> list[str]:
    """Write the manifest of a new folder, and return the files that it lists."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted(path.as_posix() for path in (*paths, Path(manifest)))
    text = json.dumps({"files": names}, indent=1) + "\n"
    (folder / manifest).write_text(text, encoding="utf-8")
    return names


def replace_folder(new: Path, target: Path, old: Path) -> None:
    """Rename `new` to `target`, and an existing target to `old`; roll back if that fails."""
    if not target.exists():
        new.rename(target)
        return
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise


def _written_before(folder: Path, manifest: str) -> set[str] | None:
    """Return the files in the manifest of a folder; None if it has no manifest."""
    path = folder / manifest
    if not path.is_file():
        return None
    try:
        files = parse_json(read_limited(path, MANIFEST_LIMIT))["files"]
        if not isinstance(files, list):
            raise TypeError
        return {str(name) for name in files}
    except (JsonError, KeyError, TypeError) as error:
        raise SeaformerError(
            f"'{path}' is damaged, so it is unknown which files in '{folder}' were written by "
            "seaformer-bundle. Give the name of a new folder."
        ) from error
