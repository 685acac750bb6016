"""Starting Python modules in separate processes, and the command line of the current process.

`python -m` and `python -c` look for modules in the working directory first. It may contain
anything: a `random.py`, a package `onnx`, or a checkout of this project, whose folder seaformer/
lacks the packages next to it. Therefore the working directory is kept off the module path.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SAFE_PATH = "PYTHONSAFEPATH"


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs an installed module with arguments, from any directory."""
    return [sys.executable, "-P", "-m", module, *arguments]


def command_line(name: str) -> str:
    """Return the command line of this process, to run it again; `name` is the command's."""
    return shlex.join([name, *sys.argv[1:]])


@contextmanager
def safe_path() -> Iterator[None]:
    """Keep the working directory off the module path of interpreters started within the block.

    This is for interpreters that `multiprocessing` starts on macOS and Windows, where it does not
    fork.
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
