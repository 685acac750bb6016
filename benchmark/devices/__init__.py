"""Devices that run models: this computer, or a phone over adb."""
