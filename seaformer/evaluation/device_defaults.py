"""Defaults of an evaluation on a device."""

DEVICE_BATCH = 16
"""Images per transfer: few enough that a disconnected cable loses little work."""

DEVICE_THREADS = 4
"""Phones have at least four fast cores."""
