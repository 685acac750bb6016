"""Files appear completely or not at all, and are not overwritten without force."""

import os
from pathlib import Path

import pytest

from seaformer.errors import UsageError
from seaformer.files import atomic_write, created_folder, refuse_existing


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    with atomic_write(path) as temporary:
        assert temporary.parent.parent == tmp_path
        assert temporary.name == path.name
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError, MemoryError])
def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"old")

    def write() -> None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"ha")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_respects_the_umask(tmp_path: Path) -> None:
    plain, written = tmp_path / "plain", tmp_path / "written"
    plain.touch()
    with atomic_write(written) as temporary:
        temporary.write_bytes(b"x")
    assert written.stat().st_mode == plain.stat().st_mode


def test_a_link_is_preserved(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with atomic_write(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_an_existing_file_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    refuse_existing(path, force=False)
    path.touch()
    with pytest.raises(UsageError, match=r"mask\.png' exists.*--force"):
        refuse_existing(path, force=False)
    refuse_existing(path, force=True)


def test_only_files_in_existing_folders_are_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder"):
        refuse_existing(tmp_path, force=True)
    with pytest.raises(UsageError, match="not a regular file"):
        refuse_existing(Path(os.devnull), force=True)
    with pytest.raises(UsageError, match="no folder"):
        refuse_existing(tmp_path / "absent" / "mask.png", force=True)


def fail_in(folder: Path, *names: str) -> None:
    """Raise in a new folder, after writing files with these names."""
    with created_folder(folder):
        for name in names:
            (folder / name).touch()
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("existing", "names", "left"),
    [
        ((), (), []),
        (("a",), (), ["a"]),
        (("a", "a/b"), (), ["a", "a/b"]),
        ((), ("kept",), ["a", "a/b", "a/b/kept"]),
    ],
)
def test_a_failure_removes_only_new_and_empty_folders(
    tmp_path: Path, existing: tuple[str, ...], names: tuple[str, ...], left: list[str]
) -> None:
    for name in existing:
        (tmp_path / name).mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail_in(tmp_path / "a" / "b", *names)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == left


def test_a_folder_remains_after_success(tmp_path: Path) -> None:
    with created_folder(tmp_path / "a" / "b"):
        pass
    assert (tmp_path / "a" / "b").is_dir()
