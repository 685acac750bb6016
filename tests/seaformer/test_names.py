"""Names from untrusted data: which can be part of a path, and which are refused."""

import re
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seaformer.errors import SeaformerError
from seaformer.names import MAX_BYTES, path_in, plain_name

GOOD = [
    "seaformer_tiny_ade20k_512x512_fp32.tflite",
    "model (1).onnx",
    ".hidden",
    "a-b",
    "a..b",
    "modèle.onnx",
    "모델.tflite",
    "console.txt",
    "COM10",
    "nulls",
    "x" * MAX_BYTES,
]

BAD = [
    *("", ".", "..", "...", " ", "a ", " a", "a.", "-", "-rf", "--force"),
    *("/", "/etc/passwd", "a/b", "../a", "a/..", "./a", "//server/share"),
    *("\\", "..\\a", "a\\b", "\\\\server\\share", "C:", "C:a", "C:\\a", "a:stream"),
    *("CON", "con", "nul", "NUL.txt", "aux.onnx", "COM1", "com9.tar.gz", "LPT1 .txt", "CONIN$"),
    *("a\0b", "\0", "a\nb", "a\rb", "a\tb", "a\x1b[31mb", "a\x7f", "a\x85", "\u202egpj.exe"),
    *("a?b", "a*", 'a"b', "a<b", "a>b", "a|b", "\ud800"),
    *("x" * (MAX_BYTES + 1), "ü" * 128),
]


@pytest.mark.parametrize("name", GOOD)
def test_plain_names_are_unchanged(name: str, tmp_path: Path) -> None:
    assert plain_name(name, "the name") == name
    path_in(tmp_path, name, "the name").write_text("content")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", [*BAD, None, 7, ["a"], {"a": "b"}, b"a", True])
def test_other_names_are_refused_in_one_printable_line(name: object, tmp_path: Path) -> None:
    for take in (plain_name, lambda *arguments: path_in(tmp_path, *arguments)):
        with pytest.raises(SeaformerError) as caught:
            take(name, "file.name in 'm.json'", "Export the model again.")
        message = str(caught.value)
        assert re.match(r"file\.name in 'm\.json' is .+\. Allowed: .+\. Export the model again\.$",
                        message)  # fmt: skip
        assert repr(name)[:60] in message
        assert message.isprintable()
        assert len(message) < 800
    assert not list(tmp_path.iterdir())


PIECES = st.sampled_from([*BAD, *GOOD, "/", "\\", ":", ".", "..", " ", "-", "NUL", "\0", "\n"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=4).map("".join)))
@example("..")
@example("C:evil")
def test_accepted_names_are_inside_the_folder_on_every_system(name: str) -> None:
    try:
        plain_name(name, "the name")
    except SeaformerError:
        return
    for kind, root in ((PurePosixPath, "/folder"), (PureWindowsPath, "C:\\folder")):
        joined = kind(root) / name
        assert joined.parent == kind(root)
        assert joined.name == name
    assert not PureWindowsPath(name).is_reserved()
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert name.isprintable()
    assert name.strip(" ") == name.rstrip(".") == name  # otherwise Windows opens another file
    assert not name.startswith("-")


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}[A-Za-z0-9_]", fullmatch=True))
def test_ordinary_names_are_accepted(name: str) -> None:
    if not PureWindowsPath(name).is_reserved():
        assert plain_name(name, "the name") == name


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "file").symlink_to(outside / "file")  # which may be missing
    (folder / "up").symlink_to("..")
    (folder / "twice").symlink_to("file")
    (folder / "away").symlink_to(outside)
    for name in ("file", "up", "twice", "away"):
        with pytest.raises(
            SeaformerError, match=rf"{name}', named by the name, is a link to .*Rem"
        ):
            path_in(folder, name, "the name")


def test_a_link_inside_the_folder_is_accepted(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "file").touch()
    (real / "link").symlink_to("file")
    linked = tmp_path / "linked"  # the user's own name for the folder does not matter
    linked.symlink_to(real)
    assert path_in(linked, "link", "the name") == linked / "link"
    shutil.rmtree(real)
    assert path_in(linked, "new", "the name") == linked / "new"
