"""The compiled runners: bundled with the package, or compiled at first use from a clone."""

from pathlib import Path

from seaformer.benchmark.runner.build import (
    FINGERPRINT,
    HERE,
    NAME,
    TARGETS,
    build,
    fingerprint,
)
from seaformer.compiled_from_c import require_compiled
from seaformer.errors import look_up


def runner_for(target: str) -> Path:
    """Return the runner for "android-arm64", "linux-arm64" or "linux-x86_64".

    Raises:
        SeaformerError: it does not exist and cannot be compiled.
    """
    look_up(TARGETS, "target of the runner", target)
    runner = HERE / "bin" / target / NAME
    return require_compiled(
        runner,
        FINGERPRINT,
        fingerprint,
        lambda: build(target, runner),
        title=f"the runner for {target}",
    )
