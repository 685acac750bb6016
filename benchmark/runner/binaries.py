"""The compiled runners: bundled with the package, or compiled at first use from a clone."""

from pathlib import Path

from seaformer.benchmark.runner.build import (
    FINGERPRINT,
    HERE,
    NAME,
    TARGETS,
    BuildError,
    build,
    fingerprint,
)
from seaformer.console import Console
from seaformer.errors import SeaformerError, look_up


def runner_for(target: str) -> Path:
    """Return the runner for "android-arm64", "linux-arm64" or "linux-x86_64".

    Raises:
        SeaformerError: it does not exist and cannot be compiled.
    """
    look_up(TARGETS, "target of the runner", target)
    runner = HERE / "bin" / target / NAME
    try:
        note = runner.with_name(FINGERPRINT)
        is_there = runner.is_file() and note.is_file()
        if not is_there or note.read_text().strip() != fingerprint():
            Console(stderr=True, soft_wrap=True).print(f"compiling the runner for {target}")
            build(target, runner)
    except BuildError as error:
        raise SeaformerError(str(error)) from error
    except OSError as error:
        raise SeaformerError(f"cannot write the runner to '{runner.parent}': {error}.") from error
    return runner
