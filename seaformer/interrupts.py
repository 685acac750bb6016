"""Ctrl-C, SIGTERM and SIGHUP: the first one interrupts a command, later ones are ignored.

Within `one_interrupt` the first of these signals raises KeyboardInterrupt. The others are ignored,
so that pressing Ctrl-C again does not interrupt saving and cleaning up. Within `deferred` the first
one is only recorded, except in a nested `heeded`.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    came = False
    is_deferred = False


def _take(_number: int, _frame: FrameType | None) -> None:
    if _State.came:
        return
    _State.came = True
    if not _State.is_deferred:
        raise KeyboardInterrupt


def came() -> bool:
    """Whether the command has received one of the signals."""
    return _State.came


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Run a command. Signals that are already ignored, as under nohup, stay ignored.

    After the first signal, all of them are ignored until the process ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can be interrupted
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handled = [number for number in SIGNALS if before[number] not in (signal.SIG_IGN, None)]
    _State.came = False
    for number in handled:
        signal.signal(number, _take)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_IGN if _State.came else before[number])


@contextmanager
def deferred() -> Iterator[None]:
    """Run a block that must not be interrupted; check `came` afterwards."""
    outer, _State.is_deferred = _State.is_deferred, True
    try:
        yield
    finally:
        _State.is_deferred = outer


@contextmanager
def heeded() -> Iterator[None]:
    """Allow KeyboardInterrupt within `deferred`; raise it at once if a signal was recorded."""
    outer, _State.is_deferred = _State.is_deferred, False
    try:
        if _State.came and outer:
            raise KeyboardInterrupt
        yield
    finally:
        _State.is_deferred = outer
