"""Libraries of networks that the usual environment lacks, see `make test-models`."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from exporting import environment
from PIL import Image

from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.models.contract import Contract, contract_of
from seaformer.models.create import create
from seaformer.models.resolve import resolve
from seaformer.tasks import DEFAULT_TASK, get_task
from seaformer.tasks.statement import NOTHING

REQUIRED = bool(os.environ.get("SEAFORMER_REQUIRE_MODELS"))


def library(name: str) -> Any:
    """Import a library; skip the tests of the file where it cannot be imported."""
    if REQUIRED:
        return import_module(name)
    try:
        return import_module(name)
    except Exception as error:  # a torchvision for another torch fails in many ways
        pytest.skip(f"{name}: {error}; run make test-models", allow_module_level=True)


def run(module: str, *arguments: object, cwd: Path) -> str:
    """Run a command, which has to succeed; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"seaformer.{module}", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def created(
    name: str, weights: Path | None = None, size: tuple[int, int] | None = None
) -> tuple[torch.nn.Module, Contract]:
    """Create a network of a library, and return it with its contract for this input size."""
    network, task = resolve(name), get_task(DEFAULT_TASK)
    model, _ = create(network, task, weights)
    return model, contract_of(network, model, task, NOTHING, size)


def assert_classifies_alike(
    ours: torch.nn.Module, contract: Contract, theirs: torch.nn.Module, transform: Any
) -> None:
    """Check the preprocessing of a photo against the library's `transform`, and the outputs."""
    photo, rule = read_image(sample_photograph()), contract.task.preprocessing
    expected = transform(Image.fromarray(photo))
    prepared = torch.from_numpy(normalize(prepare(photo, rule), rule).transpose(2, 0, 1))
    assert prepared.shape == expected.shape
    # Crops may differ by a pixel, so the images are compared at an eighth of the resolution.
    pooled, expected_pooled = (torch.nn.functional.avg_pool2d(x, 8) for x in (prepared, expected))
    assert (pooled - expected_pooled).abs().mean() < 0.1
    with torch.no_grad():
        torch.testing.assert_close(ours(expected[None]), theirs(expected[None]))
