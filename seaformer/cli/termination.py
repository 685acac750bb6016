"""Termination signals: TERM and HUP are handled like Ctrl-C.

Supervisors, container runtimes and `timeout` send TERM; a terminal that is closed sends HUP. By
default, either kills a Python process at once, which leaves temporary folders, files on the phone
and running programs behind.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TERMINATION = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt in the main thread on each Ctrl-C, and on the first TERM or HUP.

    A further TERM or HUP has no effect while the command cleans up: both the shell and the kernel
    send a HUP when a terminal is closed. A signal that is already ignored, as under `nohup`, stays
    ignored. Outside the main thread, where Python handles no signals, this does nothing.
    """
    owner, received = os.getpid(), False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal received
        if number != signal.SIGINT and os.getpid() != owner:  # a data loader's worker, a fork
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif number == signal.SIGINT or not received:
            received = True
            raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in _TERMINATION}
    handled = {
        number: handler
        for number, handler in before.items()
        if handler in (signal.SIG_DFL, signal.default_int_handler)
    }
    for number in handled:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handled.items():
            # The process is about to exit; another signal would only change its exit status.
            is_over = received or signal.getsignal(number) is signal.SIG_IGN
            signal.signal(number, signal.SIG_IGN if is_over else handler)
