"""The package that users install: its folders, its data, what it imports, and when."""

import ast
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.build import FINGERPRINT, NAME, TARGETS, fingerprint

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {
    "seaformer": ROOT / "seaformer",
    "seaformer.export": ROOT / "export",
    "seaformer.benchmark": ROOT / "benchmark",
}
DATA = (
    "seaformer/data/photograph.jpg",
    "seaformer/data/tasks/ade20k.json",
    "seaformer/data/weights/shapes_tiny.safetensors",
    "seaformer/upsampling/argmax.c",
    "seaformer/upsampling/argmax.h",
    "seaformer/py.typed",
)
PAGES = {
    f"{package.replace('.', '/')}/{path.relative_to(folder).as_posix()}"
    for package, folder in FOLDERS.items()
    for path in folder.rglob("*")
    if path.suffix in (".html", ".css")
}
RUNNERS = {
    f"seaformer/benchmark/runner/bin/{target}/{file}"
    for target in TARGETS
    for file in (NAME, FINGERPRINT)
}


def _modules() -> Iterator[tuple[str, Path]]:
    """Every module by its import name."""
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join((package, *parts)).removesuffix(".__init__"), path


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_the_list_of_packages_is_that_of_the_folders() -> None:
    found = {name for name, path in _modules() if path.name == "__init__.py"}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(found)


@pytest.mark.parametrize(("name", "path"), list(_modules()))
def test_imports_go_one_way(name: str, path: Path) -> None:
    upper = ("seaformer.export", "seaformer.benchmark")
    forbidden = tuple(package for package in upper if not name.startswith(package))
    assert not [i for i in _imports(path) if i.startswith(forbidden)]


def test_the_distributions_carry_the_data(tmp_path: Path) -> None:
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    copy = tmp_path / "project"
    for file in files:
        if (ROOT / file).is_file():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            (copy / file).write_bytes((ROOT / file).read_bytes())
    build = [sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert set(DATA) | PAGES <= in_wheel
    assert set(DATA) <= in_sdist
    # Compiled for who installs the wheel; their sources for who has another computer.
    assert {name for name in in_wheel if "/runner/bin/" in name} == RUNNERS
    assert "seaformer/benchmark/runner/src/bionic/crt.c" in in_wheel
    assert "benchmark/runner/src/probe.tflite" in in_sdist
    assert not [name for name in in_sdist if "/runner/bin/" in name]
    with zipfile.ZipFile(wheel) as archive:
        for target in TARGETS:
            (runner,) = (name for name in RUNNERS if name.endswith(f"{target}/{NAME}"))
            assert archive.getinfo(runner).external_attr >> 16 & 0o111, "not executable"
            assert archive.read(runner) == runner_for(target).read_bytes()
            note = archive.read(runner.replace(NAME, FINGERPRINT)).decode()
            assert note.strip() == fingerprint(), "would be compiled again"
    assert "seaformer/export/pipeline.py" in in_wheel
    assert "export/pipeline.py" in in_sdist
    assert not [name for name in in_wheel if name.startswith(("export/", "tests/"))]


@pytest.mark.parametrize("command", sorted(PROJECT["project"]["scripts"]))
def test_help_waits_for_no_heavy_import(command: str) -> None:
    module, _, function = PROJECT["project"]["scripts"][command].partition(":")
    code = f"""
import sys
from {module} import {function}
try:
    {function}(["--help"])
except SystemExit as end:
    assert end.code in (0, None), end.code
heavy = {{"torch", "tensorflow", "onnx", "onnxruntime", "numpy", "PIL", "rich", "pydantic"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage:")
    assert done.stderr.strip() == "[]"
