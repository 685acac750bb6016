"""Checkpoints that are refused, in one line that names the file."""

from pathlib import Path

import pytest

from seaformer.errors import SeaformerError
from seaformer.weights.checkpoint import read_checkpoint


def refused(path: Path) -> str:
    """Read, expect an error, and return its text: one line that names the file."""
    with pytest.raises(SeaformerError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert f"'{path}'" in message
    assert "\n" not in message
    assert len(message) < 600
    return message
