"""What models run on: this computer, or a phone over adb."""
