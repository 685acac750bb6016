"""How an evaluation runs on a device unless it is told otherwise."""

DEVICE_BATCH = 16
"""Images that are sent at once: few enough that little is lost with the cable."""

DEVICE_THREADS = 4
"""Phones have four fast cores or more."""
