"""The type of the fixture `once`."""

from collections.abc import Callable
from pathlib import Path

Once = Callable[[str, Callable[[Path], None]], Path]
"""Creates a named folder with a function, once for all processes of the test run."""
