"""Commands that need neither export nor benchmark, one thin file each, and their shared code."""
