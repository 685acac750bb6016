"""The lock of a phone: one benchmark at a time, even from different hosts.

Every process that uses a phone has its own folder below `FOLDER`, with the name of its owner and a
heartbeat, written every `BEAT_S`: the phone's uptime in seconds, so that clocks of hosts do not
matter. A process reserves a phone by first creating its folder and then looking for others. If two
processes do so at the same time, at least one sees the other, and a process that sees another one
removes its own folder, so two never hold the phone.

A folder whose heartbeat is older than `EXPIRY_S` belongs to a process that was killed or
disconnected. The next process removes it, and kills programs that still run in it. If the owner was
a process on the same host and has ended, it does so without waiting for the expiry. An owner that
is still alive, for example after its host was suspended, finds its folder removed and stops.
"""

import getpass
import os
import platform
import re
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from shlex import quote
from typing import NamedTuple

from seaformer.benchmark.devices import errors
from seaformer.benchmark.devices.process_identity import has_ended, own_identity
from seaformer.benchmark.devices.transport import Transport, refusal
from seaformer.errors import SeaformerError, quoted
from seaformer.processes import Done

FOLDER = "/data/local/tmp/seaformer"
"""Folder for all files. Programs can be run from /data/local/tmp, but not from /sdcard."""

KEPT = "kept-"
"""Prefix of folders with the files of --keep, which have no owner."""

_NAME = re.compile(r"run-[0-9a-f]+")

BEAT_S = 10.0
EXPIRY_S = 60
"""Long enough for several heartbeats to fail while the connection is lost."""

STEP_LIMIT_S = 30.0

BEAT_LIMIT_S = 6.0
"""Time limit for a heartbeat in progress when the reservation ends."""

_GONE = 3
"""Exit status of `_BEAT` if the folder was removed."""

_NOW = """\
read now rest </proc/uptime
now=${now%.*}
case $now in '' | *[!0-9]*) now=$(date +%s) ;; esac
"""
"""The phone's uptime, or the time of day if the uptime cannot be read."""

_BEAT = """\
if [ -f {mine}/owner ]; then echo $now >{mine}/beat; else (exit {gone}); fi"""

_TAKE = """(
mkdir -p {mine}/files || mkdir -p {mine}/files || exit
printf '%s\\n%s\\n' {identity} {owner} >{mine}/owner && echo $now >{mine}/beat || exit
held=
for one in {folder}/*/; do
  one=${{one%/}}
  case ${{one##*/}} in {name} | {kept}*) continue ;; esac
  [ -w "$one" ] || continue
  beat=
  [ -f "$one/beat" ] && read beat <"$one/beat"
  case $beat in
    '' | *[!0-9]*) echo $now >"$one/beat"; beat=$now ;;
  esac
  age=$((now - beat))
  case ${{one##*/}} in {ended}) age={expiry} ;; esac
  if [ $age -gt -{expiry} ] && [ $age -lt {expiry} ]; then
    held=yes identity= owner=
    [ -f "$one/owner" ] && {{ read -r identity; read -r owner; }} <"$one/owner"
    printf '%s\\t%s\\t%s\\n' "${{one##*/}}" "$identity" "$owner"
    continue
  fi
  for process in /proc/[0-9]*; do
    case $(readlink $process/cwd 2>/dev/null) in "$one"/*) kill -9 ${{process#/proc/}} ;; esac
  done
  mv "$one" {folder}/.gone-{name}-${{one##*/}}
done
[ -z "$held" ] || mv {mine} {folder}/.gone-{name}
rm -rf {folder}/.gone-*
:
)"""
"""Creates the folder, removes folders that have expired or whose owners have `ended`, and prints
name, identity of the owner and owner of each other folder.

A folder without a heartbeat is being created, or is from an earlier version: it gets a heartbeat,
and expires unless its owner writes another one. A heartbeat written while this runs may be slightly
later than `now`; a much later one is from before a restart of the phone. Folders are renamed before
they are removed, because a partly removed folder would look like a new one.
"""

_RELEASE = """\
mv {mine} {folder}/.gone-{name} 2>/dev/null
rm -rf {folder}/.gone-*
rmdir {folder} 2>/dev/null
:"""


class Reservation:
    """Exclusive use of a phone until `end` is called.

    Attributes:
        folder: folder for files.
    """

    def __init__(self, transport: Transport, cleanup_transport: Transport) -> None:
        """Reserve a phone.

        Args:
            transport: transport to the phone.
            cleanup_transport: transport that is usable after `transport` was canceled.

        Raises:
            InUse: another process holds it; the error names its owner.
            DeviceError: the folder cannot be created.
        """
        self.serial = transport.serial
        name = f"run-{secrets.token_hex(8)}"
        self._transport, self._cleanup_transport = transport, cleanup_transport
        self._names = {"name": name, "mine": f"{FOLDER}/{name}", "folder": FOLDER}
        self.folder = f"{FOLDER}/{name}/files"
        try:
            ended = self._take()
            while ended:
                ended = self._take(ended)
        except BaseException:
            with suppress(SeaformerError):
                self._release()
            raise
        self._ends = threading.Event()
        self._beating = threading.Thread(target=self._beat_until_end, daemon=True)
        self._beating.start()

    def require(self) -> None:
        """Raise TakenOver if the reservation has expired and the folder was removed."""
        if self._beat(self._transport).status == _GONE:
            raise errors.TakenOver(
                f"The phone {self.serial} was taken over by another process: this one had no "
                f"heartbeat for {EXPIRY_S} s."
            )

    def end(self) -> None:
        """Release the phone, and remove the files."""
        self._ends.set()
        self._beating.join(BEAT_LIMIT_S)
        self._release()

    def _take(self, ended: Sequence[str] = ()) -> list[str]:
        """Create the folder, and remove those whose owners have ended.

        Returns:
            Names of other folders whose owners have ended; if there are any, nothing was created.

        Raises:
            InUse: there are other folders.
        """
        owner = f"{_user()}@{platform.node()}, process {os.getpid()}"
        script = _NOW + _TAKE.format(
            **self._names,
            identity=quote(own_identity()),
            owner=quote(owner.replace("\n", " ")),
            ended=" | ".join(ended) or "''",
            expiry=EXPIRY_S,
            kept=KEPT,
        )
        done = self._transport.shell(script, STEP_LIMIT_S, what="reserving it")
        if done.status:
            reason = done.stderr.decode("utf-8", "replace").strip() or f"status {done.status}"
            raise refusal(self.serial, self.folder, reason)
        answer = done.stdout.decode("utf-8", "replace")
        others = [_Other(*[*line.split("\t", 2), "", ""][:3]) for line in answer.splitlines()]
        found = [one.name for one in others if one.has_ended]
        if len(found) < len(others):
            owner = next(one.owner for one in others if one.name not in found)
            raise errors.InUse(
                f"The phone {self.serial} is in use by {quoted(owner or 'unknown')}."
            )
        return found

    def _beat(self, transport: Transport) -> Done:
        return transport.shell(_NOW + _BEAT.format(**self._names, gone=_GONE), BEAT_LIMIT_S)

    def _beat_until_end(self) -> None:
        while not self._ends.wait(BEAT_S):
            with suppress(SeaformerError):  # The next heartbeat may succeed.
                self._beat(self._cleanup_transport)

    def _release(self) -> None:
        self._cleanup_transport.shell(_RELEASE.format(**self._names), STEP_LIMIT_S)


class _Other(NamedTuple):
    """A folder of another process."""

    name: str
    identity: str
    owner: str

    @property
    def has_ended(self) -> bool:
        return bool(_NAME.fullmatch(self.name)) and has_ended(self.identity)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return str(os.getuid())
