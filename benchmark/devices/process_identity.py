"""Unique identity of a process of this computer, whose number may be reused."""

import os
import re
from pathlib import Path

_UNKNOWN = "unknown"
_STATE, _START = 0, 19
"""Index in /proc/PID/stat after the name of the program, which may contain blanks."""


def own_identity() -> str:
    """Return the identity of this process: boot, PID namespace, PID and start time, or "unknown".

    Systems without /proc have no identities.
    """
    try:
        return " ".join((_place(), str(os.getpid()), _stat(os.getpid())[_START]))
    except (OSError, IndexError):
        return _UNKNOWN


def has_ended(identity: str) -> bool:
    """Whether an identity belongs to an ended process of this computer; False if unknown."""
    words = identity.split()
    try:
        boot, namespace, pid, start = words
        if f"{boot} {namespace}" != _place() or not re.fullmatch("[0-9]{1,10}", pid):
            return False
    except (OSError, ValueError):
        return False
    try:
        stat = _stat(int(pid))
        return stat[_START] != start or stat[_STATE] == "Z"
    except FileNotFoundError:
        return True
    except (OSError, IndexError):
        return False


def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').stat().st_ino}"


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
