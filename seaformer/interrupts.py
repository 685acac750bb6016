"""Ctrl-C, SIGTERM and SIGHUP: the first of them ends the work, and none disturbs what comes after.

A command that is run in `one_interrupt` raises KeyboardInterrupt at the first of these signals and
ignores all others, so that a key pressed twice does not cut off what saves the work. Within
`deferred` even the first is only noted; a part in it that may be ended is in `heeded`.
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
    """Whether one of the signals has come in this command."""
    return _State.came


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Run a command; what its caller has it ignore, as under nohup, stays ignored.

    After a signal came, all are ignored until the process ends, which is then about to.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread can be interrupted.
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number in SIGNALS if before[number] not in (signal.SIG_IGN, None)]
    _State.came = False
    for number in heard:
        signal.signal(number, _take)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_IGN if _State.came else before[number])


@contextmanager
def deferred() -> Iterator[None]:
    """Do what must not be cut off, and look at `came` afterwards."""
    outer, _State.is_deferred = _State.is_deferred, True
    try:
        yield
    finally:
        _State.is_deferred = outer


@contextmanager
def heeded() -> Iterator[None]:
    """Let a signal raise KeyboardInterrupt within `deferred`, also one that came before."""
    outer, _State.is_deferred = _State.is_deferred, False
    try:
        if _State.came and outer:
            raise KeyboardInterrupt
        yield
    finally:
        _State.is_deferred = outer
