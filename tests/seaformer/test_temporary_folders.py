"""Temporary folders of killed processes are removed, those of living processes are kept."""

import subprocess
import sys
from pathlib import Path

from seaformer.temporary_folders import PREFIX, remove_abandoned, temporary_folder

OWNER = """
import sys, time
from pathlib import Path
from seaformer.temporary_folders import temporary_folder
with temporary_folder("test", Path(sys.argv[1])) as folder:
    (folder / "content").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    parent = tmp_path / "parent"
    parent.mkdir()
    (parent / f"{PREFIX}link").symlink_to(outside)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, parent], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    theirs = Path(owner.stdout.readline().strip())
    with temporary_folder("test", parent):
        assert (theirs / "content").exists()
    owner.kill()
    owner.wait()
    assert (theirs / "content").exists()
    remove_abandoned.cache_clear()  # as in another process
    with temporary_folder("test", parent) as ours:
        assert ours.is_dir()
        assert not theirs.exists()
    assert not ours.exists()
    assert outside.is_dir()
