"""The type of the fixture `once`."""

from collections.abc import Callable
from pathlib import Path

Once = Callable[[str, Callable[[Path], None]], Path]
"""Makes a folder of a name by a function, once for all processes of the test run."""
