"""Running exported files on a device for their outputs, not for their latency."""
