"""What can go wrong with a device: one class for each cause, which says what to do next."""

# ruff: noqa: N818 (the names say what happened, and are all errors)

from typing import ClassVar

from seaformer.errors import SeaformerError, UsageError


class DeviceError(SeaformerError):
    """A device cannot do what it was asked for.

    Attributes:
        problem: what happened, in a sentence.
        advice: what to do next; the same for all errors of a class.
    """

    advice: ClassVar[str] = ""

    def __init__(self, problem: str) -> None:
        """Make the message from what happened and the advice of the class."""
        super().__init__(f"{problem} {self.advice}".strip())
        self.problem = problem


class NoAdb(DeviceError):
    """There is no adb on this computer, or it does not start."""

    advice = (
        "Install it (Debian: apt install adb; others: Android platform-tools), or measure on this "
        "computer with --device host."
    )


class ServerLost(DeviceError):
    """The adb server on this computer ended, or was restarted, during a request."""

    advice = (
        "Another program restarts it, such as an IDE with an adb of another version: close that "
        "and run again."
    )


class NoSuchDevice(DeviceError, UsageError):
    """No attached phone has the serial number that was asked for."""

    advice = "Run 'seaformer-benchmark devices', or measure on this computer with --device host."


class SeveralDevices(DeviceError, UsageError):
    """Several phones are attached and none was chosen."""

    advice = "Choose one with --device SERIAL, or take --device all."


class NoUniqueSerial(DeviceError, UsageError):
    """A phone cannot be selected by its serial number."""

    advice = (
        "Attach it alone and connect it over the network: 'adb tcpip 5555', unplug it, and "
        "'adb connect ADDRESS:5555' with its address."
    )


class OldAndroid(DeviceError):
    """The phone's adb lacks version 2 of the shell protocol, which has exit statuses."""

    advice = "Take a phone with Android 7 or later."


class Unauthorized(DeviceError):
    """The phone has not allowed this computer to use it."""

    advice = "Unlock it and accept 'Allow USB debugging', or plug it in again if it does not ask."


class Offline(DeviceError):
    """The phone is known to adb, and does not answer."""

    advice = "Plug it in again, or run 'adb reconnect offline'; a phone that boots needs a minute."


class NoPermission(DeviceError):
    """This computer does not let us open the phone's USB port."""

    advice = (
        "Add a udev rule for it (Debian: apt install android-sdk-platform-tools-common), plug it "
        "in again, and run 'adb kill-server'."
    )


class NotReady(DeviceError):
    """The phone is in another state than Android's ordinary one: recovery, bootloader, sideload."""

    advice = "Start Android on it, as with 'adb reboot', and run again."


class WrongProcessor(DeviceError):
    """There is no runner for the device's processor."""

    advice = "Take a phone whose ABI is arm64-v8a, or measure on this computer with --device host."


class InUse(DeviceError):
    """Another process uses the phone."""

    advice = (
        "Wait for it to end; the lock of a process that was killed or disconnected expires within "
        "a minute."
    )


class TakenOver(DeviceError):
    """The lock of the phone expired, and another process has it."""

    advice = "Keep this computer from suspending, check the connection, and run again."


class Unplugged(DeviceError):
    """The phone went away: unplugged, rebooted, or out of reach."""

    advice = "Check cable and port, see that it is listed by 'adb devices', and run again."


class CutOff(DeviceError):
    """A program's output broke off, though the phone is there."""

    advice = "Run again; if it comes back, look for the cause with 'adb logcat'."


class TimedOut(DeviceError):
    """A device took longer than it was given; what ran on it was ended."""

    advice = "If it hangs, restart it; if it is only slow, ask for fewer runs or a smaller input."


class TooMuchOutput(DeviceError):
    """A device, or a program on it, says more than it can have to say; it was not read further."""

    advice = "Run 'seaformer-benchmark doctor', and try another phone if it comes back."


class Cancelled(DeviceError):
    """Another thread asked to stop (`Device.cancel`)."""

    advice = "What ran on it was ended."


class DiskFull(DeviceError):
    """The device has no room for the files."""

    advice = "Free some space on it (see 'adb shell df /data'), and run again."


class FileRefused(DeviceError):
    """A file cannot be written to the device, or read from it."""

    advice = "Run 'seaformer-benchmark doctor', which checks the folder step by step."


class ExecRefused(DeviceError):
    """The device does not run a program from the folder it was put into."""

    advice = (
        "The folder may be mounted noexec, or its owner forbids it: run 'seaformer-benchmark "
        "doctor', and try another phone if it fails there too."
    )


class ProgramKilled(DeviceError):
    """The device ended a program, for want of memory or otherwise."""

    advice = "Close other apps, or take a smaller model or input."


class TooHot(DeviceError):
    """A device did not cool down in time."""

    advice = (
        "Let it lie in a cool place without its cover and without a fast charger, or allow more "
        "with --cool-below."
    )


class UnsupportedHost(DeviceError):
    """This computer cannot be measured."""

    advice = "Attach a phone, or take a computer with Linux on x86-64 or arm64."
