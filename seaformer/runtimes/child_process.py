"""A process that handles a file which may crash it, and what the command says if it does.

A damaged or hostile model file can end the process that loads it: runtimes are C++ that trusts its
input, and checking the file beforehand does not find everything. So it is loaded in a process of
its own, with limits of memory and time; the parent gets numbers and text from it and nothing else.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.channel import Array, Channel, MalformedMessageError, Message
from seaformer.runtimes.session import one_line, reason

LIMIT_S = 120.0
"""For each request to a child unless the environment says otherwise: hundreds of times what the
largest of our networks takes."""

LIMIT_VARIABLE = "SEAFORMER_MODEL_TIMEOUT_S"

_END_S = 10.0
_LAST_WORDS = 4096

_SIGNALS: Mapping[int, str] = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGBUS: "bus error",
    signal.SIGABRT: "abort",
    signal.SIGFPE: "arithmetic error",
    signal.SIGILL: "illegal instruction",
    signal.SIGKILL: "killed by the system, as for want of memory",
}


class ChildProcess:
    """A process that runs a module of ours on a file; it ends with this one, however that ends.

    Args:
        module: to run, with its whole name; it calls `child_server.serve`.
        path: of the file, for messages.
        program: what handles the file there, such as "LiteRT", for messages.
    """

    def __init__(self, module: str, path: Path, program: str) -> None:
        self._path, self._program = path, program
        self._limit_s = _limit_s()
        ours, its = socket.socketpair()
        # It reads to the end when this process is gone; nobody writes to it.
        lifeline, held = os.pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            process = subprocess.Popen(
                # -P: files in the current folder are no modules.
                [sys.executable, "-P", "-m", module, str(lifeline)],
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                pass_fds=(lifeline,),
                env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
                start_new_session=True,  # Ctrl-C is for this process, which then ends the child.
            )
        except OSError as error:
            ours.close()
            os.close(held)
            raise SeaformerError(
                f"cannot start a process for '{path}': {error}. End other programs, and try again."
            ) from error
        finally:
            its.close()
            os.close(lifeline)
        self._process = process
        self._channel = Channel(ours)
        self._ended = weakref.finalize(self, _end, process, self._channel, held, self._stderr)

    def call(
        self, doing: str, fields: dict[str, Any], arrays: Sequence[Array] = (), scale: float = 1
    ) -> Message:
        """Send a request and wait for its answer.

        Args:
            doing: what is done with the file, for messages: "loaded", "run".
            fields: of the request, for JSON.
            arrays: of the request.
            scale: how many times the usual time it may take.

        Raises:
            SeaformerError: the file cannot be handled, which includes that the process crashed or
                took too long. It has ended then.
        """
        if not self._ended.alive:
            raise SeaformerError(f"'{self._path}' is closed. Open it again.")
        limit_s = scale * self._limit_s
        try:
            self._channel.send(fields, arrays, limit_s)
            answer, given = self._channel.receive(limit_s)
        except TimeoutError:
            self.close()
            raise SeaformerError(
                f"'{self._path}' was not {doing} by {self._program} within {limit_s:g} s, and was "
                "stopped. If the file is good and this computer slow, allow more: "
                f"{LIMIT_VARIABLE}={4 * self._limit_s:g}."
            ) from None
        except MalformedMessageError as error:
            self.close()
            raise SeaformerError(
                f"'{self._path}' makes {self._program} give what cannot be used while it is "
                f"{doing} ({reason(error)}). Export it again."
            ) from error
        except (EOFError, OSError):
            raise self._crash(doing) from None
        except BaseException:
            self.close()  # Its answer is still to come, and would be taken for that of the next.
            raise
        if "error" in answer:
            kind = UsageError if answer.get("is_usage") is True else SeaformerError
            raise kind(one_line(str(answer["error"])))
        if "failure" in answer:
            raise SeaformerError(
                f"'{self._path}' cannot be {doing} by {self._program}: "
                f"{one_line(str(answer['failure']))}. The file is damaged or made for another "
                "version: export it again."
            )
        return answer, given

    def close(self) -> None:
        """End the process."""
        self._ended()

    def _crash(self, doing: str) -> SeaformerError:
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            status = 0
        words = self._last_words()
        self.close()
        how = f"exit status {status}"
        if status < 0:
            how = _SIGNALS.get(-status) or f"signal {-status}"
        said = f"; it said: {words}" if words else ""
        return SeaformerError(
            f"'{self._path}' crashes {self._program} while it is {doing} ({how}{said}). The file "
            "is damaged or was not made for this version: export it again."
        )

    def _last_words(self) -> str:
        """The last line that the process wrote to stderr."""
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _LAST_WORDS))
        lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        return next((one_line(line) for line in reversed(lines) if line.strip()), "")


def _end(
    process: "subprocess.Popen[bytes]", channel: Channel, lifeline: int, stderr: IO[bytes]
) -> None:
    process.kill()
    process.wait()
    channel.close()
    os.close(lifeline)
    stderr.close()


def _limit_s() -> float:
    text = os.environ.get(LIMIT_VARIABLE)
    try:
        limit_s = LIMIT_S if text is None else float(text)
    except ValueError:
        limit_s = 0.0
    if not 0 < limit_s < 1e6:
        raise UsageError(
            f"{LIMIT_VARIABLE} is '{text}'. Allowed: seconds, above 0 and below 1,000,000."
        )
    return limit_s
