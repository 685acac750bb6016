"""Having a phone to oneself: one benchmark at a time, whichever computers they are started from.

Who uses a phone has a folder of its own below `FOLDER`, which says who that is and holds a sign of
life, renewed every `BEAT_S`: the phone's own uptime in seconds, so that clocks of computers do not
matter. To reserve a phone is to make such a folder first, and to look for others then. Of two that
do so at the same time at least one sees the other, and whoever sees another one gives up: it never
happens that both have the phone.

A folder whose sign of life is older than `EXPIRY_S` is of somebody who was killed or cut off, and
is removed with all that still runs in it. Should its owner be alive after all, as after a computer
was suspended, it finds its folder gone and stops.
"""

import getpass
import os
import platform
import secrets
import threading
from contextlib import suppress
from shlex import quote

from seaformer.benchmark.devices import errors
from seaformer.benchmark.devices.transport import Transport, refusal
from seaformer.errors import SeaformerError, quoted
from seaformer.processes import Done

FOLDER = "/data/local/tmp/seaformer"
"""Where all files are. From /data/local/tmp programs may be run, from /sdcard not."""

KEPT = "kept-"
"""Begins the names of folders with files that are left for another time; nobody's."""

BEAT_S = 10.0
EXPIRY_S = 60
"""Several signs of life may be lost while a connection is."""

STEP_LIMIT_S = 30.0

LAST_BEAT_LIMIT_S = 6.0
"""How long a sign of life under way is waited for at the end."""

_GONE = 3
"""Exit status of `_BEAT` when the folder is not there any more."""

_BEAT = """\
read now rest </proc/uptime
if [ -f {mine}/owner ]; then echo ${{now%.*}} >{mine}/beat; else (exit {gone}); fi"""

_TAKE = """(
read now rest </proc/uptime
now=${{now%.*}}
mkdir -p {mine}/files || mkdir -p {mine}/files || exit
printf '%s\\n' {owner} >{mine}/owner && echo $now >{mine}/beat || exit
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
  if [ $age -ge 0 ] && [ $age -lt {expiry} ]; then
    held=yes owner=
    [ -f "$one/owner" ] && read -r owner <"$one/owner"
    printf '%s %s\\n' $age "$owner"
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
"""Makes the folder, removes those of the dead, and prints a line for each of the living.

A folder without a sign of life is being made, or was left by an earlier version: it gets one, and
expires if that stays the only one. Uptime that has gone back says that the phone was restarted. A
folder is removed by renaming it first: half of one could be taken for one that is being made.
"""

_GIVE_BACK = """\
mv {mine} {folder}/.gone-{name} 2>/dev/null
rm -rf {folder}/.gone-*
rmdir {folder} 2>/dev/null
:"""


class Reservation:
    """A phone that is ours until `end` is called.

    Attributes:
        folder: for our files.
    """

    def __init__(self, way: Transport, way_to_clean: Transport) -> None:
        """Reserve a phone.

        Args:
            way: to the phone.
            way_to_clean: the same, which works after the one above was cancelled.

        Raises:
            InUse: somebody else has it; the error says who.
            DeviceError: the phone does not let us.
        """
        self.serial = way.serial
        name = f"run-{secrets.token_hex(8)}"
        self._way, self._way_to_clean = way, way_to_clean
        self._names = {"name": name, "mine": f"{FOLDER}/{name}", "folder": FOLDER}
        self.folder = f"{FOLDER}/{name}/files"
        try:
            self._take()
        except BaseException:
            with suppress(SeaformerError):
                self._give_back()
            raise
        self._ends = threading.Event()
        self._beating = threading.Thread(target=self._beat_until_end, daemon=True)
        self._beating.start()

    def require(self) -> None:
        """Raise TakenOver if the phone is not ours any more."""
        if self._beat(self._way).status == _GONE:
            raise errors.TakenOver(
                f"The phone {self.serial} was taken over by somebody else: from this computer it "
                f"had no sign of life for {EXPIRY_S} s."
            )

    def end(self) -> None:
        """Give the phone back, and remove our files."""
        self._ends.set()
        self._beating.join(LAST_BEAT_LIMIT_S)
        self._give_back()

    def _take(self) -> None:
        owner = f"{_user()}@{platform.node()}, process {os.getpid()}"
        script = _TAKE.format(
            **self._names, owner=quote(owner.replace("\n", " ")), expiry=EXPIRY_S, kept=KEPT
        )
        done = self._way.shell(script, STEP_LIMIT_S, what="reserving it")
        if done.status:
            reason = done.stderr.decode("utf-8", "replace").strip() or f"status {done.status}"
            raise refusal(self.serial, self.folder, reason)
        others = done.stdout.decode("utf-8", "replace").splitlines()
        if others:
            age, _, owner = others[0].partition(" ")
            raise errors.InUse(
                f"The phone {self.serial} is in use by {quoted(owner) if owner else 'somebody'}, "
                f"whose last sign of life was {age} s ago."
            )

    def _beat(self, way: Transport) -> Done:
        return way.shell(_BEAT.format(**self._names, gone=_GONE), LAST_BEAT_LIMIT_S)

    def _beat_until_end(self) -> None:
        while not self._ends.wait(BEAT_S):
            with suppress(SeaformerError):  # The next one may get through.
                self._beat(self._way_to_clean)

    def _give_back(self) -> None:
        self._way_to_clean.shell(_GIVE_BACK.format(**self._names), STEP_LIMIT_S)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return str(os.getuid())
