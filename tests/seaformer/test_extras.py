"""Commands in a plain install: the error names the extra to install.

The modules of extras are hidden in a separate process.
"""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from exporting import environment
from locations import ROOT
from packaging.requirements import Requirement

from seaformer.extras import EXTRAS, MissingExtraError, missing_extra, require

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

WITHOUT_EXTRAS = """
import contextlib, importlib, io, json, sys
from seaformer.extras import EXTRAS

sys.modules |= {module: None for extra in EXTRAS.values() for module in extra.modules}
ends = []
for module, *arguments in json.loads(sys.argv[1]):
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
        try:
            importlib.import_module(module).main(arguments)
        except SystemExit as end:
            ends.append((end.code, stderr.getvalue()))
print(json.dumps(ends))
"""

NEEDING = {
    "torch": (
        "seaformer.cli.predict --model weights.safetensors",
        "seaformer.cli.predict --model seaformer-tiny",
        "seaformer.cli.evaluate weights.pth --data data",
        "seaformer.cli.evaluate topformer-tiny --data data",
        "seaformer.export.cli --list",
    ),
    "export": (
        "seaformer.export.cli --weights shapes",
        "seaformer.export.cli --model my_networks:make_network",
        "seaformer.benchmark.cli seaformer-tiny --device host --output benchmark",
    ),
    "video": ("seaformer.cli.predict clip.mp4 --model weights.pth",),
    "train": ("seaformer.cli.train --variant tiny --data shapes --output run",),
}
"""Extra -> command lines that need it."""


def _distributions(extra: str) -> set[str]:
    """Return the names of the distributions of an extra, including nested extras."""
    found = set()
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        inner = [_distributions(name) for name in requirement.extras]
        found |= set().union(*inner) if requirement.name == "seaformer" else {requirement.name}
    return found


def _in_table(extra: str) -> set[str]:
    """Return the names of the distributions of the modules in the table."""
    homes = packages_distributions()
    return {
        homes.get(module, [module])[0].lower().replace("_", "-") for module in EXTRAS[extra].modules
    }


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_table_matches_the_package(extra: str) -> None:
    assert _in_table(extra) == _distributions(extra)


def test_all_has_every_extra_except_models_and_a_plain_install_has_none() -> None:
    # A torchvision pins torch to one version.
    general = EXTRAS.keys() - {"models"}
    plain = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert _distributions("all") == set().union(*map(_distributions, general))
    assert not plain & _distributions("all")


def test_commands_name_the_missing_extra(tmp_path: Path) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        (tmp_path / name).touch()
    lines = [(extra, line) for extra, lines in NEEDING.items() for line in lines]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, json.dumps([line.split() for _, line in lines])],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    for (extra, line), (status, stderr) in zip(lines, json.loads(done.stdout), strict=True):
        *_, error = stderr.splitlines()
        assert (status, stderr.count("error")) == (2, 1), (line, stderr)
        assert error.startswith("error: "), line
        assert f"is not installed. Run: pip install 'seaformer[{extra}]'" in error, (line, stderr)


def test_the_api_raises_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import seaformer

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "seaformer.models.create", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'seaformer\[torch\]'") as caught:
        _ = seaformer.create_model
    assert caught.value.extra == "torch"


def test_an_installed_extra_is_not_reported() -> None:
    require("export")
    assert missing_extra(ModuleNotFoundError("no 'torch.nowhere'", name="torch.nowhere")) is None
    assert missing_extra(ModuleNotFoundError("no 'elsewhere'", name="elsewhere")) is None
