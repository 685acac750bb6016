"""The commands in the documents: their options exist, and they run as a reader would run them."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pytest
from adbutils import adb_path
from document_blocks import (
    DOCUMENTS,
    LANGUAGES,
    PROGRAMS,
    blocks_of,
    commands_of,
    parse_options,
)
from exporting import environment
from locations import ROOT

SHELLS = {"sh": ("bash", "-e", "-o", "pipefail", "-c"), "python": (sys.executable, "-c")}

QUICK = {"seaformer-predict", "seaformer-bundle", "--lint"}
"""A command with one of these words takes about a second."""

PHOTO = ROOT / "seaformer/data/photograph.jpg"


def _documents(wanted: str) -> list[object]:
    """Return the documents with blocks whose attribute `wanted` is true, as parameters."""
    return [
        pytest.param(document, id=document.relative_to(ROOT).as_posix())
        for document in DOCUMENTS
        if any(getattr(block, wanted) for block in blocks_of(document))
    ]


def test_programs_match_the_package() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert {name: f"{module}:main" for name, module in PROGRAMS.items()} == scripts


@pytest.mark.parametrize("document", _documents("text"))
def test_blocks_have_a_language_and_commands_only_options_that_exist(document: Path) -> None:
    for block in blocks_of(document):
        assert block.language in LANGUAGES, block.place
        if block.language == "sh":
            for words in commands_of(block):
                try:
                    parse_options(words)
                except Exception as error:
                    pytest.fail(f"{block.place}: {' '.join(words)}: {error}")


def test_a_wrong_option_in_a_document_is_found() -> None:
    with pytest.raises(Exception, match="No such option '--precison'"):
        parse_options(["seaformer-export", "--variant", "tiny", "--precison", "fp16"])
    with pytest.raises(Exception, match="requires an argument"):
        parse_options(["seaformer-benchmark", "model.tflite", "--compare"])
    parse_options(["seaformer-benchmark", "report", "results.json", "-o", "page.html"])


@pytest.mark.parametrize(
    "document", ["docs/evaluation.md", "docs/accelerators.md", "docs/android.md"]
)
def test_quick_commands_run(document: str, shapes_export: Path, tmp_path: Path) -> None:
    """The commands use an existing export; here, a smaller one with the same name."""
    (tmp_path / "build").mkdir()
    for file in shapes_export.glob("*_fp32.*"):
        shutil.copy(file, tmp_path / "build" / file.name.replace("128x128", "256x256"))
    scenes = tmp_path / "my_data/images/val"
    scenes.mkdir(parents=True)
    for name in ("000000.png", "000001.png"):
        shutil.copy(PHOTO, scenes / name)
    blocks = [
        block for block in blocks_of(ROOT / document) if block.is_run and block.language == "sh"
    ]
    commands = [words for block in blocks for words in commands_of(block)]
    quick = [shlex.join(words) for words in commands if set(words) & QUICK]
    assert quick
    done = _run("sh", "\n".join(quick), tmp_path)
    assert done.returncode == 0, f"{quick}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def own_adb_server() -> Iterator[dict[str, str]]:
    """Yield the variable with a port on which commands may start an adb server; stop the server."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    yield {"ANDROID_ADB_SERVER_PORT": str(port)}
    subprocess.run([adb_path(), "-P", str(port), "kill-server"], capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("document", _documents("is_run"))
def test_commands_run(document: Path, tmp_path: Path, own_adb_server: dict[str, str]) -> None:
    (tmp_path / "photo.jpg").write_bytes(PHOTO.read_bytes())
    run = [block for block in blocks_of(document) if block.is_run]
    for language, blocks in groupby(run, attrgetter("language")):
        texts, places = zip(*((block.text, block.place) for block in blocks), strict=True)
        code = "\n".join(texts)  # Python blocks that follow each other share their variables
        done = _run(language, code, tmp_path, **own_adb_server)
        assert done.returncode == 0, f"{places}:\n{code}\n{done.stdout}\n{done.stderr}"


def _run(
    language: str, code: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [*SHELLS[language], code],
        cwd=folder,
        env=environment(PATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
