"""Where the time of a model goes: every millisecond has a module, and what has none is shown."""
