"""A phone: its file tree, its processes, its cable."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from loopback_phone import android_facts, userland
from loopback_phone.adb_server import AdbServer
from loopback_phone.cable import Cable
from loopback_phone.waiting import wait_until

HERE = Path(__file__).parent
FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"  # as on Android 10
NAMESPACES = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")


@dataclass(frozen=True)
class Build:
    """The configuration of a phone.

    Attributes:
        abi: ABI that it reports.
        storage_mb: size of the file system on /data, in megabytes.
        executes: whether programs may run from /data.
        authorizes: whether it authorizes this computer.
        has_shell_v2: whether its adb reports exit statuses, as since Android 7.
    """

    abi: str = "arm64-v8a"
    storage_mb: int = 256
    executes: bool = True
    authorizes: bool = True
    has_shell_v2: bool = True


class LoopbackPhone:
    """A phone that is switched on.

    Attributes:
        cable: the cable between it and the adb server.
        adb_server: the adb server to which it is connected.
        serial: its serial in `adb devices`.
    """

    def __init__(self, adb_server: AdbServer, build: Build) -> None:
        """Switch it on and plug it in.

        Raises:
            userland.CannotRunError: this computer cannot run it.
        """
        self.adb_server = adb_server
        shared = userland.folder()
        self._folder = tempfile.TemporaryDirectory(prefix="loopback_phone_")
        self._root = Path(self._folder.name)
        _lay_out(self._root)
        self._properties = android_facts.properties(build.abi)
        self.set_property("ro.product.cpu.abi", build.abi)
        self.set_heat()
        self.set_battery()
        self.set_power()
        storage = f"size={build.storage_mb}m" + ("" if build.executes else ",noexec")
        adbd = [sys.executable, str(HERE / "adbd.py"), "--root", str(self._root)]
        adbd += ["--model", "Loopback_865", "--authorizes", str(int(build.authorizes))]
        adbd += ["--features", FEATURES if build.has_shell_v2 else "cmd"]
        boot = [str(HERE / "boot.sh"), str(self._root), str(shared), storage, *adbd]
        # It runs while its standard input is open, so it ends if this process is killed.
        self._log = (self._root / "log").open("w+b")
        self._process = subprocess.Popen(
            ["unshare", *NAMESPACES, *boot],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline()
        if not port:
            reason = self.log().strip().splitlines() or ["no reason given"]
            self.switch_off()
            raise userland.CannotRunError(f"the phone does not start: {reason[-1]}")
        self._init = psutil.Process(self._process.pid).children()[0]
        self.cable = Cable(int(port))
        self.serial = f"127.0.0.1:{self.cable.port}"
        self.connect()

    # ---- cable

    def connect(self) -> None:
        """Connect it to the adb server, and wait until the server has a state for it."""
        self.adb_server.adb("connect", self.serial)
        wait_until(
            lambda: self.adb_server.states().get(self.serial, "offline") != "offline",
            f"{self.serial} is not offline",
        )

    def unplug(self) -> None:
        """Pull the cable out. As with USB, the server forgets the phone at once."""
        self.cable.freeze()
        self.adb_server.adb("disconnect", self.serial)
        self.cable.pull_out()

    def plug_in(self) -> None:
        self.cable.plug_in()
        self.connect()

    # ---- reported state

    def set_heat(self, status: int = 0, skin_c: float = 31.0) -> None:
        self._state("thermalservice", android_facts.thermal_service(status, skin_c))

    def set_battery(
        self,
        percent: int = 80,
        temperature_c: float = 29.0,
        is_charging: bool = True,
        charge_uah: int = 3_204_000,
    ) -> None:
        text = android_facts.battery(percent, temperature_c, is_charging, charge_uah)
        self._state("battery", text)

    def set_battery_current(self, ua: int) -> None:
        """Let the battery's service report a current, as newer Androids do."""
        self._state("battery_current", f"{ua}\n")

    def set_power_stats(self, rails_uws: Mapping[str, int]) -> None:
        """Let a service report the energy of power rails."""
        self._state("power_stats", android_facts.power_stats(rails_uws))

    def set_power(self, saves: bool = False, wakefulness: str = "Awake") -> None:
        self._state("low_power", f"{int(saves)}\n")
        self._state("power", android_facts.power(wakefulness))

    def let_services_hang(self) -> None:
        """Make `dumpsys` hang."""
        self._state("hangs", "")

    def set_property(self, name: str, value: str) -> None:
        """Set a property for `getprop`."""
        self._properties[name] = value
        text = "".join(f"{name}={value}\n" for name, value in self._properties.items())
        self._state("properties", text)

    def set_online_cores(self, cores: str) -> None:
        """Set the online cores, such as "0-6"."""
        (self._root / "sys/devices/system/cpu/online").write_text(f"{cores}\n")

    def add_fastrpc(self) -> None:
        """Add a device file of FastRPC without function."""
        (self._root / "dev" / "fastrpc-cdsp").touch()

    def _state(self, name: str, text: str) -> None:
        # Replaced as a whole: a file that is truncated first can be read while it is empty.
        draft = self._root / "tmp" / name
        draft.write_text(text)
        draft.replace(self._root / "state" / name)

    # ---- files and processes

    @property
    def root(self) -> Path:
        """Its file tree, without /data."""
        return self._root

    @property
    def storage(self) -> Path:
        """Its /data/local/tmp, as a path on this computer."""
        root = f"/proc/{self._init.pid}/root"
        return Path(f"{root}{self._root}/data/local/tmp")

    def left_files(self) -> list[Path]:
        """Return the content of /data/local/tmp."""
        return sorted(path.relative_to(self.storage) for path in self.storage.rglob("*"))

    def programs(self) -> list[psutil.Process]:
        """Return the processes on the phone, except the phone's own processes."""
        found = []
        for process in self._init.children(recursive=True):
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if command and str(HERE / "adbd.py") not in command:
                found.append(process)
        return found

    def program_called(self, name: str) -> psutil.Process | None:
        """Return the process whose command line has a word with this ending."""
        for process in self.programs():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if any(word.endswith(name) for word in words):
                return process
        return None

    def wait_for(self, name: str, limit_s: float = 60) -> psutil.Process:
        """Wait for a program of this name, and return its process."""
        found = None

        def runs() -> bool:
            nonlocal found
            found = self.program_called(name)
            return found is not None

        wait_until(runs, f"{name} runs on the phone", limit_s)
        assert found is not None
        return found

    def log(self) -> str:
        """Return the standard error of the phone itself."""
        return (self._root / "log").read_text(errors="replace")

    def switch_off(self) -> None:
        """End all its processes, and disconnect it."""
        if hasattr(self, "cable"):
            self.unplug()
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        self._log.close()
        self._folder.cleanup()


def _lay_out(root: Path) -> None:
    for name in ("system", "lib", "data", "proc", "dev", "etc", "state", "tmp"):
        (root / name).mkdir()
    for name in ("null", "zero", "random", "urandom"):
        (root / "dev" / name).touch()
    (root / "bin").symlink_to("system/bin")
    (root / "etc/ld.so.preload").write_text("/lib/cores.so\n")
    (root / "etc/passwd").write_text("shell:x:0:0::/:/system/bin/sh\n")
    (root / "etc/group").write_text("shell:x:0:\n")
    android_facts.write_processor(root)
    android_facts.write_memory(root)
