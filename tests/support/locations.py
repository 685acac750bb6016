"""Where the tests find the repository and their own files."""

from pathlib import Path

SUPPORT = Path(__file__).parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
"""Outputs of the official model's code."""
SAMPLES = TESTS / "samples"
"""Real outputs of devices and profilers, and files of earlier versions."""
