"""Starting Python modules in processes of their own.

`python -m` and `python -c` look for modules in the working directory first. A user may have
anything there: a `random.py`, a package `onnx`, or a checkout of this project, whose folder
seaformer/ lacks the packages that stand beside it. What is installed has to be found all the same.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SAFE_PATH = "PYTHONSAFEPATH"


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs an installed module with arguments, wherever it is run."""
    return [sys.executable, "-P", "-m", module, *arguments]


@contextmanager
def safe_path() -> Iterator[None]:
    """Keep the working directory off the path of interpreters that are started meanwhile.

    For those that `multiprocessing` starts, where it does not fork: on macOS and Windows.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
