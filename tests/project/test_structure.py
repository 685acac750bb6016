"""The structure of the code: no import cycles between files or folders, and unique file names.

The modules of a folder are those directly in it, without its subfolders. Every import counts, even
inside functions and for type checkers only.
"""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import long_tests
import pytest
from locations import ROOT, TESTS

PACKAGES = {
    "seaformer": ROOT / "seaformer",
    "seaformer.export": ROOT / "export",
    "seaformer.benchmark": ROOT / "benchmark",
}
MAX_FILES_OF_A_NAME = 2

PUBLIC_API = "seaformer"
"""Imports the public names on access, from all layers; no other module imports it."""

WITHOUT_TORCH = (
    "seaformer.artifact",
    "seaformer.runtimes",
    "seaformer.imaging",
    "seaformer.evaluation",
    "seaformer.statistics",
    "seaformer.reporting",
    "seaformer.benchmark",
    "seaformer.api",
)
"""Packages that are imported where neither torch nor TensorFlow is installed."""

NEEDS_TORCH = {"seaformer.runtimes.pytorch"}
"""Modules of these packages that need torch or TensorFlow."""

Graph = Mapping[str, set[str]]


def _modules() -> dict[str, Path]:
    """Return import name -> file."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def _imported(source: str, modules: Iterable[str]) -> Iterator[str]:
    """Yield those of the modules that a source imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A name imported from a package can be one of its modules.
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in inner]
        else:
            continue
        yield from (name for name in names if name in modules)


def _module_graph() -> Graph:
    return {name: set(_imported(path.read_text(), MODULES)) for name, path in MODULES.items()}


def _folder_graph() -> Graph:
    def folder(name: str) -> str:
        return name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]

    graph: dict[str, set[str]] = defaultdict(set)
    for name, imported in _module_graph().items():
        if name != PUBLIC_API:
            graph[folder(name)] |= {folder(other) for other in imported} - {folder(name)}
    return graph


def _cycles(graph: Graph) -> list[set[str]]:
    """Return the sets of nodes that reach each other."""
    reached = {node: _reachable(graph, node) for node in graph}
    found: list[set[str]] = []
    for node in graph:
        if node in reached[node] and not any(node in cycle for cycle in found):
            found.append({other for other in reached[node] if node in reached.get(other, ())})
    return found


def _reachable(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached


def test_modules_have_no_import_cycles() -> None:
    assert _cycles(_module_graph()) == []


def test_folders_have_no_import_cycles() -> None:
    assert _cycles(_folder_graph()) == []


def test_nothing_imports_the_public_api() -> None:
    assert [name for name, imported in _module_graph().items() if PUBLIC_API in imported] == []


def test_file_names_are_unique_enough() -> None:
    names = Counter(path.name for path in MODULES.values() if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > MAX_FILES_OF_A_NAME] == []


def test_modules_that_run_no_pytorch_network_are_imported_without_torch() -> None:
    packages = tuple(f"{package}." for package in WITHOUT_TORCH)
    names = [name for name in MODULES if f"{name}.".startswith(packages)]
    program = """
import importlib, sys
sys.modules["torch"] = sys.modules["tensorflow"] = None
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name)
        print(name, error, file=sys.stderr)
"""
    command = [sys.executable, "-c", program, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == NEEDS_TORCH, done.stderr
    assert set(WITHOUT_TORCH) <= set(names)


@pytest.mark.parametrize(
    "source",
    [
        "import a.b",
        "from a.b import f",
        "from a import b",
        "def f():\n    from a.b import g",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a.b",
    ],
)
def test_every_import_counts(source: str) -> None:
    assert list(_imported(source, ("a", "a.b"))) == ["a.b"]


def test_cycles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert _cycles(graph) == [{"b", "c"}]
    assert _cycles({"a": {"a"}}) == [{"a"}]


def test_long_tests_exist() -> None:
    """A renamed test is removed from the list by `make long-tests`."""
    found = {
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in TESTS.rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert not long_tests.listed() - found
