"""Exit statuses of the runner; `src/status.h` has the same numbers."""

from enum import IntEnum


class Status(IntEnum):
    """What a run of the runner ended with.

    Attributes:
        DONE: everything in the plan was measured.
        BAD_PLAN: the plan cannot be read, or asks for what cannot be.
        NO_LIBRARY: the runtime's library cannot be loaded, or lacks functions.
        WRONG_RUNTIME: the runtime is of another version than planned, or lays out its data
            differently than the runner was written for.
        NO_MODEL: a model cannot be loaded or run.
        NO_AFFINITY: the processors asked for are refused, or a run strayed from them.
        NO_OUTPUT: a line or a file cannot be written.
        OUT_OF_TIME: the plan's time limit has passed; the lines so far are good.
    """

    DONE = 0
    BAD_PLAN = 2
    NO_LIBRARY = 3
    WRONG_RUNTIME = 4
    NO_MODEL = 5
    NO_AFFINITY = 6
    NO_OUTPUT = 7
    OUT_OF_TIME = 8
