/* Exit statuses; record.py says what each means. */
#pragma once

enum {
    STATUS_DONE = 0,
    STATUS_BAD_PLAN = 2,
    STATUS_NO_LIBRARY = 3,
    STATUS_WRONG_RUNTIME = 4,
    STATUS_NO_MODEL = 5,
    STATUS_NO_AFFINITY = 6,
    STATUS_NO_OUTPUT = 7,
    STATUS_OUT_OF_TIME = 8
};
