"""Runs the real export command, and provides user-defined networks for it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from seaformer.artifact.metadata import Metadata
from seaformer.runtimes import open_session

Done = subprocess.CompletedProcess[str]

EXPORT = Path(sys.executable).with_name("seaformer-export")

NETWORKS = '''
"""Networks of a user: a small one, and faulty ones."""

import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.act = nn.ReLU()

    def forward(self, x):
        return x + self.conv(self.act(x))


class Network(nn.Module):
    """Logits of 19 classes, as in the task "cityscapes", at a quarter of the input size."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16)
        )
        self.blocks = nn.Sequential(Residual(16), nn.Conv2d(16, 32, 3, 2, 1), Residual(32))
        self.act = nn.Hardswish()
        self.head = nn.Conv2d(32, 19, 1)

    def forward(self, image):
        x = self.act(self.blocks(self.features(image)))
        return self.head(self.act(x))


def make_network(kind=Network):
    torch.manual_seed(0)
    model = kind()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    with torch.no_grad():  # so that few pixels are ambiguous, as in a trained network
        model.head.weight.mul_(4 * 0.8 ** torch.arange(19.0).reshape(-1, 1, 1, 1))
    return model


def with_helper():
    import late_helper

    return make_network()


def with_a_large_weight():
    model = make_network()
    with torch.no_grad():
        model.blocks[1].weight[0, 0, 0, 0] = 70000.0
    return model


class Counting(Network):
    """A different function at every call, which no file can reproduce."""

    calls = 0

    def forward(self, image):
        self.calls += 1
        return super().forward(image) * self.calls


class Pair(Network):
    def forward(self, image):
        return super().forward(image), image


class Picky(Network):
    def forward(self, image):
        assert image.shape[3] % 48 == 0, "the width must be a multiple of 48"
        return super().forward(image)


class Diverged(Network):
    def forward(self, image):
        return super().forward(image) / 0.0


class Amplifying(Network):
    """Small differences between large values, dominated by rounding errors."""

    def __init__(self):
        super().__init__()
        self.pairs = nn.Conv2d(32, 38, 1, bias=False)
        self.difference = nn.Conv2d(38, 19, 1, bias=False)

    def forward(self, image):
        x = self.act(self.blocks(self.features(image)))
        return self.difference(self.pairs(self.act(x)))


def amplifying(factor=30.0):
    model = make_network(Amplifying)
    with torch.no_grad():
        half = model.head.weight / 2
        large = torch.randn(19, 32, 1, 1) * factor
        model.pairs.weight.copy_(torch.cat([large + half, large - half]))
        signs = torch.cat([torch.eye(19), -torch.eye(19)], 1)
        model.difference.weight.copy_(signs[..., None, None])
    return model


class Branching(Network):
    limit = 1.5

    def forward(self, image):
        x = super().forward(image)
        if image.mean() > self.limit:
            x = -x
        return x if torch.tensor(image.shape[2]) > 8 else 2 * x


def branching():
    return make_network(Branching)


def rarely_branching():
    model = branching()
    model.limit = 1e6
    return model


def uneven():
    model = make_network()
    with torch.no_grad():  # ten output channels are a hundred times larger than the other nine
        scale = torch.cat([torch.full((10,), 100.0), torch.ones(9)])
        model.head.weight.copy_(torch.randn(model.head.weight.shape) * scale.view(-1, 1, 1, 1))
        model.head.bias.zero_()
    return model


def hopeless():
    return amplifying(1e6)


def counting():
    return make_network(Counting)


def pair():
    return make_network(Pair)


def picky():
    return make_network(Picky)


def diverged():
    return make_network(Diverged)


def failing():
    raise RuntimeError("no such file: weights.bin")


def text():
    return "a network"
'''
"""Source of the module `my_networks`, written by `write_networks`."""


def write_networks(folder: Path) -> None:
    """Write the module `my_networks` and its lazily imported module to a folder."""
    (folder / "my_networks.py").write_text(NETWORKS)
    (folder / "late_helper.py").write_text("")
    (folder / "broken_module.py").write_text("undefined_name\n")


HIDING_MODULES = ("json", "pip", "profile", "random", "signal", "torch")
HIDING_PACKAGES = ("numpy", "onnx", "onnxruntime", "seaformer", "tensorflow")


def write_hiding_modules(folder: Path) -> None:
    """Write modules to a folder that shadow others, and exit when imported."""
    files = [folder / f"{name}.py" for name in HIDING_MODULES]
    files += [folder / name / "__init__.py" for name in HIDING_PACKAGES]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'raise SystemExit("{file.relative_to(folder)} was imported")\n')


def environment(**extra: str) -> dict[str, str]:
    """Return the environment for a command: with `extra`, and without `SEAFORMER_TRACEBACK`."""
    return {k: v for k, v in os.environ.items() if k != "SEAFORMER_TRACEBACK"} | extra


def run_export(*arguments: str | Path, cwd: Path, **extra: str) -> Done:
    """Run seaformer-export in a folder; `extra` is added to the environment."""
    return subprocess.run(
        [EXPORT, *map(str, arguments)],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_line(done: Done, status: int, message: str) -> None:
    """Check the exit status, and that stderr is one error line that matches `message`."""
    assert done.returncode == status, done.stderr
    assert re.fullmatch(r"error: [^\n]+\n", done.stderr), done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stdout


def names(folder: Path) -> list[str]:
    """Return the names of all files below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def read_metadata(file: Path) -> Metadata:
    """Read the description inside an exported file, or next to it."""
    with open_session(file, isolated=False) as session:
        metadata = session.metadata
    assert isinstance(metadata, Metadata)
    return metadata
