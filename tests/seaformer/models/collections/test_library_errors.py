"""Errors for libraries that are missing, or that do not load."""

import sys
from pathlib import Path

import pytest

from seaformer.errors import UsageError
from seaformer.extras import MissingExtraError
from seaformer.models.collections.collection_table import COLLECTIONS, Collection
from seaformer.models.collections.library_errors import check_torchvision
from seaformer.models.library_network import library_network


def test_a_torchvision_for_another_torch_is_an_error_naming_the_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    (tmp_path / "torchvision-0.1.2.dist-info").mkdir()
    (tmp_path / "torchvision-0.1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.1.2\nRequires-Dist: torch==1.2.3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(
        UsageError,
        match=r"torchvision::nms does not exist. Run: pip install 'torch==1.2.3' "
        r"'torchvision==0.1.2', both from the same index",
    ):
        check_torchvision()


def test_a_missing_library_is_named_with_its_extra() -> None:
    missing = Collection("no_such_library", "a library", "net")
    with pytest.raises(MissingExtraError, match="no_such_library"):
        library_network(missing, "net")


@pytest.mark.parametrize("prefix", COLLECTIONS)
def test_a_file_stem_is_a_plain_name(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Collection, "require", lambda _: None)
    for name in (COLLECTIONS[prefix].example, "./a folder/../b", "/absolute/net:1"):
        stem = library_network(COLLECTIONS[prefix], name).stem
        assert stem.startswith(f"{prefix}_")
        assert not set(stem) & set("/\\: ")
