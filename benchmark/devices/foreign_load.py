"""How busy programs other than a benchmark keep this computer while it measures."""

import os
import time
from typing import NamedTuple

import psutil

IDLE = ("idle", "iowait")
COUNTED_TWICE = ("guest", "guest_nice")
"""Virtual machines' time, which is in `user` and `nice` too."""


class Usage(NamedTuple):
    """What processors have done up to a moment."""

    at_s: float  # the moment, on a clock that does not jump
    busy_s: float  # that all processors together were busy, or taken away by a hypervisor
    own_s: float  # of those, this process's and those of its children that have ended

    @classmethod
    def now(cls) -> "Usage":
        """Ask the system; its counters move in steps of 10 ms."""
        every = psutil.cpu_times()._asdict()
        own = os.times()
        return cls(
            at_s=time.monotonic(),
            busy_s=sum(value for name, value in every.items() if name not in IDLE + COUNTED_TWICE),
            own_s=own.user + own.system + own.children_user + own.children_system,
        )


def foreign_load(before: Usage, after: Usage) -> float | None:
    """Return how many processors other programs kept busy; None if it was too short to tell."""
    elapsed_s = after.at_s - before.at_s
    if elapsed_s < 0.1:
        return None
    foreign_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return max(0.0, foreign_s / elapsed_s)
