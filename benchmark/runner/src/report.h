/* The JSON lines that the runner writes; record.py documents them.
 *
 *     line_begin("post-processing");
 *     line_text("model", id);
 *     line_integers("durations_ns", durations, count);
 *     line_end();
 *
 * A line is written when complete, by one write(), without further buffering. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Exit statuses; record.py documents them. */
enum {
    STATUS_DONE = 0,
    STATUS_BAD_PLAN = 2,
    STATUS_NO_LIBRARY = 3,
    STATUS_WRONG_RUNTIME = 4,
    STATUS_NO_MODEL = 5,
    STATUS_NO_AFFINITY = 6,
    STATUS_NO_OUTPUT = 7,
    STATUS_OUT_OF_TIME = 8,
    STATUS_NO_ACCELERATOR = 9,
    STATUS_NO_LOAD = 10
};

/* Writes all bytes, even if interrupted by signals; returns 0 on failure. */
int write_all(int file, const char *bytes, size_t count);

/* Reserves standard output for the lines; output of libraries is redirected to standard error. */
void report_open(void);

/* Sends lines, which are then only those of a failure, to another file. */
void report_to(int file);

void line_begin(const char *type);
void line_end(void);

/* Unknown numbers are written as null: NaN, and negative integers except by line_integer. */
void line_text(const char *key, const char *value);
void line_count(const char *key, int64_t value);
void line_integer(const char *key, int64_t value); /* may be negative */
void line_real(const char *key, double value, int decimals);
void line_flag(const char *key, int value); /* 0, 1, or negative: unknown */
void line_null(const char *key);
void line_integers(const char *key, const int64_t *values, size_t count);
void line_texts(const char *key, char *const *values, size_t count);
void line_open(const char *key, char bracket);  /* '{' or '['; key is NULL in an array */
void line_close(char bracket);                  /* '}' or ']' */

/* The last line of a complete run: the checksum of all lines before it. */
void report_end(void);

/* Exits with a status, and reports the reason on standard error and as the last line. */
__attribute__((noreturn, format(printf, 2, 3)))
void fail(int status, const char *format, ...);

/* Sets the current activity, for the message at the time limit, and the status and likely reason to
 * report after a crash. The strings must remain valid. */
void now(const char *what, int status_of_a_crash, const char *reason_of_a_crash);

/* Installs handlers: crashes and the time limit then end the process as `fail` does. */
void guard(int64_t time_limit_ms);
