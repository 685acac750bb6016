"""The commands that need neither export nor benchmark, one thin file each, and what all share."""
