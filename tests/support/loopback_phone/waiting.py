"""Waiting for a condition, as the only way to wait."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, limit_s: float = 30) -> None:
    """Ask until something is the case.

    Raises:
        TimeoutError: it was not within the limit; the message says `what` was waited for.
    """
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit_s} s in vain until {what}")
        time.sleep(0.01)
