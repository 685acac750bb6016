"""Libraries of networks that the usual environment lacks, see `make test-models`."""

import os
from importlib import import_module
from typing import Any

import pytest

REQUIRED = bool(os.environ.get("SEAFORMER_REQUIRE_MODELS"))


def library(name: str) -> Any:
    """Import a library; skip the tests of the file where it cannot be imported."""
    if REQUIRED:
        return import_module(name)
    try:
        return import_module(name)
    except Exception as error:  # a torchvision for another torch fails in many ways
        pytest.skip(f"{name}: {error}; run make test-models", allow_module_level=True)
