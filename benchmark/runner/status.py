"""Exit statuses of the runner; `src/status.h` has the same numbers."""

from enum import IntEnum


class Status(IntEnum):
    """What a run of the runner ended with."""

    DONE = 0  # everything in the plan was measured
    BAD_PLAN = 2  # the plan cannot be read, or asks for what cannot be
    NO_LIBRARY = 3  # the runtime's library cannot be loaded, or lacks functions
    WRONG_RUNTIME = 4  # of another version than planned, or with its data laid out differently
    NO_MODEL = 5  # a model cannot be loaded or run
    NO_AFFINITY = 6  # the processors asked for are refused, or a run strayed from them
    NO_OUTPUT = 7  # a line or a file cannot be written
    OUT_OF_TIME = 8  # the plan's time limit has passed; the lines so far are good
