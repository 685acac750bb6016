"""How a model is run: what a benchmark has once, or several times to compare them."""

from dataclasses import dataclass

from seaformer.benchmark.devices.cores import CoreChoice


@dataclass(frozen=True)
class Setting:
    """How a model is run.

    Attributes:
        threads: of one inference.
        cores: that all threads are bound to.
    """

    threads: int
    cores: CoreChoice
