"""A child process that handles a file which may crash it, and the error if it does.

A damaged or hostile model file can crash the process that loads it: the runtimes are C++ code that
trusts its input, and verifying the file beforehand does not catch every such file. It is therefore
loaded in a child process with limits on memory and time, from which the parent accepts only numbers
and text.
"""

import os
import re
import socket
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from seaformer.errors import SeaformerError, UsageError
from seaformer.interpreter import module_command
from seaformer.processes import ending_in_words
from seaformer.runtimes.channel import Array, Channel, MalformedMessageError, Message
from seaformer.runtimes.session import one_line, reason

LIMIT_S = 120.0
"""Default time limit of each request, which the environment variable below overrides: hundreds of
times what the largest of our networks needs."""

LIMIT_VARIABLE = "SEAFORMER_MODEL_TIMEOUT_S"

MAX_ERROR = 4000
"""Maximum length of an error message of the child, which contains the path of the file."""

DAMAGED = "The file is damaged or was not made for this version: export it again."

_CHATTER = re.compile(r"(INFO|WARNING|VERBOSE|I\d{4}|W\d{4})\b|\s*@ +0x|\*{3} |[└├│]")
"""Start of lines in a library's log or stack trace that are not errors."""

_END_S = 10.0
_STDERR_END_BYTES = 4096


class CrashError(SeaformerError):
    """The file crashed the child process."""


class TimeLimitError(SeaformerError):
    """The child process exceeded the time limit."""


class ChildProcess:
    """A child process that runs one of our modules on a file; it never outlives this process.

    Args:
        module: full name of the module to run, which calls `child_server.serve`.
        path: path of the file, for error messages.
        program: program that handles the file, such as "LiteRT", for error messages.
        environment: additional environment variables.
        advice: what to do about a file that crashes it.
    """

    def __init__(
        self,
        module: str,
        path: Path,
        program: str,
        environment: Mapping[str, str] | None = None,
        advice: str = DAMAGED,
    ) -> None:
        self._path, self._program, self._advice = path, program, advice
        self._limit_s = time_limit_s()
        ours, its = socket.socketpair()
        # Nothing is ever written to this pipe: it is closed when this process is gone.
        lifeline, held = os.pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            process = subprocess.Popen(
                module_command(module, str(lifeline)),
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                env={**os.environ, **(environment or {})},
                pass_fds=(lifeline,),
                start_new_session=True,  # Ctrl-C goes only to this process, which ends the child
            )
        except OSError as error:
            ours.close()
            os.close(held)
            raise SeaformerError(
                f"cannot start a process for '{path}': {error}. Close other programs, and try "
                "again."
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
        """Send a request, with JSON-serializable fields, and wait for its answer.

        `doing` is the participle for error messages: "loaded", "run". `scale` is a factor on the
        time limit.

        Raises:
            SeaformerError: the file cannot be handled. If the process crashed or exceeded the time
                limit, it has ended.
        """
        if not self._ended.alive:
            raise SeaformerError(f"'{self._path}' is closed. Open it again.")
        limit_s = scale * self._limit_s
        try:
            self._channel.send(fields, arrays, limit_s)
            answer, given = self._channel.receive(limit_s)
        except TimeoutError:
            self.close()
            raise TimeLimitError(
                f"'{self._path}' was not {doing} by {self._program} within {limit_s:g} s, and was "
                "stopped. If the file is valid and this computer is slow, allow more time: "
                f"{LIMIT_VARIABLE}={4 * self._limit_s:g}."
            ) from None
        except MalformedMessageError as error:
            self.close()
            raise self.malformed(f"{doing} ({reason(error)})") from error
        except (EOFError, OSError):
            raise self._crash(doing) from None
        except BaseException:
            self.close()  # its pending answer would be mistaken for the next request's
            raise
        if "error" in answer:
            kind = UsageError if answer.get("is_usage") is True else SeaformerError
            raise kind(one_line(str(answer["error"]), MAX_ERROR))
        if "failure" in answer:
            raise SeaformerError(
                f"'{self._path}' cannot be {doing} by {self._program}: "
                f"{one_line(str(answer['failure']))}. The file is damaged or made for another "
                "version: export it again."
            )
        return answer, given

    def malformed(self, doing: str) -> SeaformerError:
        """Return the error for a malformed answer."""
        return SeaformerError(
            f"'{self._path}' makes {self._program} return malformed data while it is {doing}. "
            "Export it again."
        )

    def close(self) -> None:
        """End the process."""
        self._ended()

    def _crash(self, doing: str) -> CrashError:
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            status = 0
        last_line = self._last_line()
        self.close()
        how = ending_in_words(status) + (f": {last_line}" if last_line else "")
        return CrashError(
            f"'{self._path}' crashes {self._program} while it is {doing} ({how}). {self._advice}"
        )

    def _last_line(self) -> str:
        """Return the last relevant line that the child wrote to stderr."""
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _STDERR_END_BYTES))
        lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        relevant = (one_line(line) for line in reversed(lines) if not _CHATTER.match(line))
        return next(filter(None, relevant), "")


def _end(
    process: "subprocess.Popen[bytes]", channel: Channel, lifeline: int, stderr: IO[bytes]
) -> None:
    process.kill()
    process.wait()
    channel.close()
    os.close(lifeline)
    stderr.close()


def time_limit_s() -> float:
    """Return the time limit of a request, in seconds, which the environment may override.

    Raises:
        UsageError: the environment variable is not a valid number.
    """
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
