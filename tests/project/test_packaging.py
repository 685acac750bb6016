"""The package that users install: its folders, its data, and its imports."""

import ast
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from exporting import Done, environment, names, write_hiding_modules, write_networks
from installs import VERSIONS, Install, find_python
from locations import ROOT
from once import Once

from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.build import FINGERPRINT, NAME, TARGETS, fingerprint
from seaformer.bundling import jni_library

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {
    "seaformer": ROOT / "seaformer",
    "seaformer.export": ROOT / "export",
    "seaformer.benchmark": ROOT / "benchmark",
}
DATA = (
    "seaformer/data/photograph.jpg",
    "seaformer/tasks/ade20k.json",
    "seaformer/data/weights/shapes_tiny.safetensors",
    "seaformer/data/weights/shapes_tiny_retinanet_narrow.safetensors",
    "seaformer/imaging/upsampling/argmax.c",
    "seaformer/imaging/upsampling/argmax.h",
    "seaformer/py.typed",
)
PAGES = {
    f"{package.replace('.', '/')}/{path.relative_to(folder).as_posix()}"
    for package, folder in FOLDERS.items()
    for path in folder.rglob("*")
    if path.suffix in (".html", ".css", ".js")
}
APP_SOURCES = ROOT / "android_demo"
LIBRARY_SOURCES = "seaformer.bundling.sources"
"""Files of the app that are packaged as data, for `seaformer-bundle --library`."""
MASKS = {
    f"seaformer/bundling/bin/{abi}/{file}"
    for abi in jni_library.ABIS
    for file in (jni_library.NAME, jni_library.FINGERPRINT)
}
RUNNERS = {
    f"seaformer/benchmark/runner/bin/{target}/{file}"
    for target in TARGETS
    for file in (NAME, FINGERPRINT)
}


def _modules() -> Iterator[tuple[str, Path]]:
    """Return every module by its import name."""
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


def test_the_list_of_packages_matches_the_folders() -> None:
    found = {name for name, path in _modules() if path.name == "__init__.py"}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(found | {LIBRARY_SOURCES})


@pytest.mark.parametrize(("name", "path"), list(_modules()))
def test_imports_respect_the_layers(name: str, path: Path) -> None:
    forbidden = ("seaformer.export", "seaformer.benchmark", "seaformer.api")
    if name.startswith("seaformer.api"):
        forbidden = ()
    elif name == "seaformer":  # the names of the API, which are imported on access
        forbidden = forbidden[:2]
    elif name == "seaformer.cli.evaluate":  # --device, inside the function that opens a device
        forbidden = ("seaformer.export", "seaformer.api")
    forbidden = tuple(package for package in forbidden if not name.startswith(package))
    assert not [i for i in _imports(path) if i.startswith(forbidden)]


@pytest.fixture(scope="session")
def distributions(once: Once) -> Path:
    """Return the folder of the wheel and the sdist, built from a copy of the sources."""
    return once("distributions", _build)


def _build(folder: Path) -> None:
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    copy = folder / "project"
    for file in files:
        if (ROOT / file).is_file():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            (copy / file).write_bytes((ROOT / file).read_bytes())
    build = [sys.executable, "-m", "build", "--outdir", str(folder), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_distributions_contain_the_data(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    (sdist,) = distributions.glob("*.tar.gz")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert set(DATA) | PAGES <= in_wheel
    assert set(DATA) <= in_sdist
    # Binaries for users of the wheel; their sources for other computers.
    assert {name for name in in_wheel if "/runner/bin/" in name} == RUNNERS
    assert "seaformer/benchmark/runner/src/bionic/crt.c" in in_wheel
    assert "seaformer/benchmark/results/imagenet.csv" in in_wheel
    assert "benchmark/runner/src/probe.tflite" in in_sdist
    assert "benchmark/results/imagenet.csv" in in_sdist
    assert not [name for name in in_sdist if "/runner/bin/" in name]
    with zipfile.ZipFile(wheel) as archive:
        for target in TARGETS:
            (runner,) = (name for name in RUNNERS if name.endswith(f"{target}/{NAME}"))
            assert archive.getinfo(runner).external_attr >> 16 & 0o111, "not executable"
            assert archive.read(runner) == runner_for(target).read_bytes()
            note = archive.read(runner.replace(NAME, FINGERPRINT)).decode()
            assert note.strip() == fingerprint(), "would be compiled again"
    assert {name for name in in_wheel if "/bundling/bin/" in name} == MASKS
    with zipfile.ZipFile(wheel) as archive:
        for note in (name for name in MASKS if name.endswith(jni_library.FINGERPRINT)):
            assert archive.read(note).decode().strip() == jni_library.fingerprint()
    packaged = {name for name in in_wheel if name.startswith("seaformer/bundling/sources/")}
    kotlin = [
        *(APP_SOURCES / "core/src/main").rglob("*.kt"),
        *(APP_SOURCES / "library").rglob("*.kt"),
        *(APP_SOURCES / "app").rglob("*Segmenter.kt"),
    ]
    assert {name for name in packaged if name.endswith(".kt")} == {
        f"seaformer/bundling/sources/{path.relative_to(APP_SOURCES).as_posix()}" for path in kotlin
    }
    assert "seaformer/export/pipeline.py" in in_wheel
    assert "export/pipeline.py" in in_sdist
    assert not [name for name in in_wheel if name.startswith(("export/", "tests/"))]
    assert not [name for name in in_wheel if "smoke_build" in name or "android_demo" in name]
    sources = {path.relative_to(ROOT).as_posix() for path in APP_SOURCES.rglob("*.kt")}
    assert sources | {"android_demo/gradlew", "android_demo/smoke_build/__main__.py"} <= in_sdist


# ---- Installed as a user would: without a link to the sources, and without make


@pytest.fixture(scope="session")
def installed(once: Once, distributions: Path) -> Path:
    """Return the folder of the commands in a virtual environment with the wheel."""
    return once("installed", lambda folder: _install(folder, distributions)) / "bin"


def _install(folder: Path, distributions: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    (wheel,) = distributions.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, wheel], check=True)
    # Requirements are imported from the environment of the tests. Its folder is only added to the
    # search path, so its .pth files, which would make the sources importable, have no effect.
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout
    shared = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    Path(own.strip(), "dependencies.pth").write_text("".join(f"{path}\n" for path in shared))


@pytest.mark.slow
@pytest.mark.tools  # pip fetches what the package needs
@pytest.mark.parametrize("version", VERSIONS[1:])  # the first one runs all other tests
def test_a_plain_install_of_each_python_uses_exported_files(
    version: str, distributions: Path, shapes_export: Path, tmp_path: Path
) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    (wheel,), (model,) = distributions.glob("*.whl"), shapes_export.glob("*.tflite")
    Install(python, tmp_path / "plain", str(wheel)).check_use(model)


def test_the_tested_python_versions_match_the_package() -> None:
    stated = [line.rpartition(" :: ")[2] for line in PROJECT["project"]["classifiers"]]
    assert [line for line in stated if line.startswith("3.")] == list(VERSIONS)
    lowest, above = PROJECT["project"]["requires-python"].split(",")
    minor = int(VERSIONS[-1].partition(".")[2])
    assert (lowest, above) == (f">={VERSIONS[0]}", f"<3.{minor + 1}")


def _run_installed(
    installed: Path, name: str, *arguments: str | Path, cwd: Path, **extra: str
) -> Done:
    return subprocess.run(
        [installed / name, *arguments],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def hiding(tmp_path: Path) -> Path:
    """Return a folder with modules that shadow others if it is on the path."""
    folder = tmp_path / "hiding"
    folder.mkdir()
    write_hiding_modules(folder)
    return folder


EXPORT = "--input-size 64 --format tflite --format onnx"
EXPORTED = ("onnx", "onnx.json", "tflite", "tflite.json")


@pytest.mark.slow
def test_an_installed_export_works_in_the_checkout(installed: Path, tmp_path: Path) -> None:
    arguments = (*f"--variant tiny {EXPORT} --output".split(), tmp_path / "out")
    home = tmp_path / "home"
    home.mkdir()
    done = _run_installed(installed, "seaformer-export", *arguments, cwd=ROOT, HOME=str(home))
    assert done.returncode == 0, done.stderr
    stem = "seaformer_tiny_ade20k_64x64_fp32"
    assert names(tmp_path / "out") == [f"{stem}.{suffix}" for suffix in EXPORTED]
    assert not list(home.rglob("deviceid"))


@pytest.mark.slow
def test_an_installed_export_imports_only_the_users_factory_from_the_working_directory(
    installed: Path, hiding: Path
) -> None:
    write_networks(hiding)
    model = f"--model my_networks:make_network --task cityscapes {EXPORT} --output out"
    done = _run_installed(installed, "seaformer-export", *model.split(), cwd=hiding)
    assert done.returncode == 0, done.stderr
    stem = "make_network_64x64_fp32"
    assert names(hiding / "out") == [f"{stem}.{suffix}" for suffix in EXPORTED]


def test_installed_commands_start_each_other_in_any_folder(
    installed: Path, hiding: Path, tmp_path: Path
) -> None:
    """The benchmark exports and evaluates models with the other commands."""
    script = tmp_path / "start.py"
    script.write_text(
        "import seaformer\n"
        "from seaformer.own_commands import MODULES, run_command\n"
        "for name in MODULES:\n"
        '    run_command(name, ["--help"], print)\n'
        "print(seaformer.__file__)\n"
    )
    for folder in (ROOT, hiding, tmp_path):
        done = _run_installed(installed, "python", script, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).is_relative_to(installed.parent)


@pytest.mark.parametrize("command", sorted(PROJECT["project"]["scripts"]))
def test_installed_commands_run_in_any_folder(command: str, installed: Path, hiding: Path) -> None:
    for folder in (ROOT, hiding):
        done = _run_installed(installed, command, "--help", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Usage: {command}")


# ---- Cost of imports


@pytest.mark.parametrize("command", sorted(PROJECT["project"]["scripts"]))
def test_help_has_no_slow_imports(command: str) -> None:
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
