"""Errors of devices: one class for each cause, with advice."""

# ruff: noqa: N818 (the names describe the cause; all are errors)

from typing import ClassVar

from seaformer.errors import SeaformerError, UsageError


class DeviceError(SeaformerError):
    """A request to a device failed.

    Attributes:
        problem: what happened, in a sentence.
        advice: what to do next, the same for all errors of a class.
    """

    advice: ClassVar[str] = ""

    def __init__(self, problem: str) -> None:
        """Combine the problem with the advice of the class."""
        super().__init__(f"{problem} {self.advice}".strip())
        self.problem = problem


class NoAdb(DeviceError):
    """adb is missing on this computer, or does not start."""

    advice = (
        "Install it (Debian: apt install adb; others: Android platform-tools), or measure on this "
        "computer with --device host."
    )


class ServerLost(DeviceError):
    """The adb server on this computer ended, or was restarted, during a request."""

    advice = (
        "Another program restarts it, such as an IDE with another version of adb: close that "
        "program and run again."
    )


class NoServer(DeviceError):
    """An adb server on another computer, or given by --adb-server, cannot be reached."""

    advice = (
        "Start it on the computer that its phones are attached to, with 'adb start-server', and "
        "check the address and the tunnel to it."
    )


class SeveralServers(DeviceError, UsageError):
    """Phones of several adb servers have the given serial number."""

    advice = "Give only the --adb-server that the phone is attached to."


class NoSuchDevice(DeviceError, UsageError):
    """No attached phone has the given serial number."""

    advice = "Run 'seaformer-benchmark devices', or measure on this computer with --device host."


class SeveralDevices(DeviceError, UsageError):
    """Several phones are attached and none was chosen."""

    advice = "Choose one with --device SERIAL, or all with --device all."


class NoUniqueSerial(DeviceError, UsageError):
    """A phone cannot be selected by its serial number."""

    advice = (
        "Attach no other phone and connect this one over the network: 'adb tcpip 5555', unplug it, "
        "and 'adb connect ADDRESS:5555' with its address."
    )


class OldAndroid(DeviceError):
    """The phone's adb lacks version 2 of the shell protocol, which reports exit statuses."""

    advice = "Use a phone with Android 7 or later."


class Unauthorized(DeviceError):
    """The phone has not allowed this computer to use it."""

    advice = "Unlock it and accept 'Allow USB debugging', or reconnect it if it does not ask."


class Offline(DeviceError):
    """The phone is listed by adb, but does not respond."""

    advice = "Reconnect it, or run 'adb reconnect offline'; a booting phone needs a minute."


class NoPermission(DeviceError):
    """This computer does not permit access to the phone's USB port."""

    advice = (
        "Add a udev rule for it (Debian: apt install android-sdk-platform-tools-common), reconnect "
        "it, and run 'adb kill-server'."
    )


class NotReady(DeviceError):
    """The phone runs recovery, bootloader or sideload mode instead of Android."""

    advice = "Start Android on it, for example with 'adb reboot', and run again."


class WrongProcessor(DeviceError):
    """There is no runner for the device's processor."""

    advice = "Use a phone with ABI arm64-v8a, or measure on this computer with --device host."


class InUse(DeviceError):
    """Another process uses the phone."""

    advice = (
        "Wait for it to end; the lock of a process that was killed or disconnected expires within "
        "a minute."
    )


class TakenOver(DeviceError):
    """The lock of the phone expired, and another process has it."""

    advice = "Prevent this computer from suspending, check the connection, and run again."


class Unplugged(DeviceError):
    """The phone is no longer connected: unplugged, rebooted, or unreachable."""

    advice = "Check cable and port, check that 'adb devices' lists it, and run again."


class CutOff(DeviceError):
    """The output of a program ended prematurely, although the phone is connected."""

    advice = "Run again; if it fails again, look for the cause with 'adb logcat'."


class TimedOut(DeviceError):
    """A device reached a time limit; its programs were killed."""

    advice = "If it hangs, restart it; if it is slow, request fewer runs or a smaller input."


class TooMuchOutput(DeviceError):
    """A device, or a program on it, sent more than the limit; the rest was not read."""

    advice = "Run 'seaformer-benchmark doctor', and try another phone if it fails again."


class Canceled(DeviceError):
    """Another thread called `Device.cancel`."""

    advice = "Its programs were killed."


class DiskFull(DeviceError):
    """The device has no space for the files."""

    advice = "Free some space on it (see 'adb shell df /data'), and run again."


class FileRefused(DeviceError):
    """A file cannot be written to the device, or read from it."""

    advice = "Run 'seaformer-benchmark doctor', which checks the folder step by step."


class ExecRefused(DeviceError):
    """The device refuses to run a program from its folder."""

    advice = (
        "The folder may be mounted noexec, or the vendor forbids it: run 'seaformer-benchmark "
        "doctor', and try another phone if that fails too."
    )


class ProgramKilled(DeviceError):
    """The device killed a program, for lack of memory or another reason."""

    advice = "Close other apps, or use a smaller model or input."


class TooHot(DeviceError):
    """A device did not cool down in time."""

    advice = (
        "Put it in a cool place without its cover and without a fast charger, or raise "
        "--cool-below."
    )


class UnsupportedHost(DeviceError):
    """This computer cannot be measured."""

    advice = "Attach a phone, or use a computer with Linux on x86-64 or arm64."
