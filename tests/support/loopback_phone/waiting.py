"""Waiting for conditions; all tests use this module to wait."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, limit_s: float = 30) -> None:
    """Poll a condition until it holds.

    Raises:
        TimeoutError: it did not hold within the limit; the message has `what`.
    """
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit_s} s in vain until {what}")
        time.sleep(0.01)
