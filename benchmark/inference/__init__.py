"""Exported files run on a device for their outputs, not for their times."""
