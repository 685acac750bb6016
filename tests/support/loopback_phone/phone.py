"""A phone: its file tree, its processes, its cable."""

import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from loopback_phone import android_facts, userland
from loopback_phone.adb_server import AdbServer
from loopback_phone.cable import Cable
from loopback_phone.waiting import wait_until

HERE = Path(__file__).parent
FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"  # those of Android 10
NAMESPACES = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")


@dataclass(frozen=True)
class Build:
    """What a phone is made like.

    Attributes:
        abi: what it says its processor is.
        storage_mb: size of the file system on /data, in megabytes.
        executes: whether programs may run from /data.
        authorizes: whether it lets this computer in.
        has_shell_v2: whether its adb tells exit statuses, as since Android 7.
    """

    abi: str = "arm64-v8a"
    storage_mb: int = 256
    executes: bool = True
    authorizes: bool = True
    has_shell_v2: bool = True


class LoopbackPhone:
    """A phone that is switched on.

    Attributes:
        cable: between it and the adb server.
        adb_server: the one that it is connected with.
        serial: as `adb devices` shows it.
    """

    def __init__(self, adb_server: AdbServer, build: Build) -> None:
        """Switch it on and plug it in.

        Raises:
            userland.CannotRunError: it cannot be on this computer.
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
        # Its standard input keeps it on: should this process be killed, it ends as well.
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
        """Let the adb server know of it, and wait until the server has a state for it."""
        self.adb_server.adb("connect", self.serial)
        wait_until(
            lambda: self.adb_server.states().get(self.serial, "offline") != "offline",
            f"{self.serial} is more than offline",
        )

    def unplug(self) -> None:
        """Pull the cable out. As with USB, the server does not know the phone any more at once."""
        self.cable.freeze()
        self.adb_server.adb("disconnect", self.serial)
        self.cable.pull_out()

    def plug_in(self) -> None:
        self.cable.plug_in()
        self.connect()

    # ---- what it says

    def set_heat(self, status: int = 0, skin_c: float = 31.0) -> None:
        self._state("thermalservice", android_facts.thermal_service(status, skin_c))

    def set_battery(
        self, percent: int = 80, temperature_c: float = 29.0, is_charging: bool = True
    ) -> None:
        self._state("battery", android_facts.battery(percent, temperature_c, is_charging))

    def set_power(self, saves: bool = False, wakefulness: str = "Awake") -> None:
        self._state("low_power", f"{int(saves)}\n")
        self._state("power", android_facts.power(wakefulness))

    def let_services_hang(self) -> None:
        """Let `dumpsys` answer nothing any more."""
        self._state("hangs", "")

    def set_property(self, name: str, value: str) -> None:
        """Choose what `getprop` says of a name."""
        self._properties[name] = value
        text = "".join(f"{name}={value}\n" for name, value in self._properties.items())
        self._state("properties", text)

    def set_online_cores(self, cores: str) -> None:
        """Choose the cores that are online, as "0-6"."""
        (self._root / "sys/devices/system/cpu/online").write_text(f"{cores}\n")

    def add_fastrpc(self) -> None:
        """Let it have a device file of FastRPC, which leads nowhere."""
        (self._root / "dev" / "fastrpc-cdsp").touch()

    def _state(self, name: str, text: str) -> None:
        (self._root / "state" / name).write_text(text)

    # ---- what is in it

    @property
    def storage(self) -> Path:
        """Its /data/local/tmp, as a path of this computer."""
        root = f"/proc/{self._init.pid}/root"
        return Path(f"{root}{self._root}/data/local/tmp")

    def left_files(self) -> list[Path]:
        """Return all that is in /data/local/tmp."""
        return sorted(path.relative_to(self.storage) for path in self.storage.rglob("*"))

    def programs(self) -> list[psutil.Process]:
        """Return what runs on the phone, beside the phone itself."""
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
        """Return the process with a word in its command line that ends like this."""
        for process in self.programs():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if any(word.endswith(name) for word in words):
                return process
        return None

    def wait_for(self, name: str, limit_s: float = 60) -> psutil.Process:
        """Return the program that is called like this, as soon as it runs."""
        found = None

        def runs() -> bool:
            nonlocal found
            found = self.program_called(name)
            return found is not None

        wait_until(runs, f"{name} runs on the phone", limit_s)
        assert found is not None
        return found

    def log(self) -> str:
        """Return what the phone itself wrote to its standard error."""
        return (self._root / "log").read_text(errors="replace")

    def switch_off(self) -> None:
        """End everything on it, and forget it."""
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
