/* A shell that answers questions about services of Android, in a process of its own: only system
 * services know some states, and their commands take tens of milliseconds. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    int questions, answers, is_started, is_asked;
    pid_t shell;
    int64_t asked_ns;
    char text[1 << 14];
    size_t length;
} service;

/* Starts the shell. It runs `commands`, which print an answer, for every question, and ends with
 * the runner. Does nothing on systems other than Android. */
void service_start(service *of, const char *commands);

/* Asks about once a second; returns an answer once it is complete, else NULL. */
const char *service_answer(service *of);

/* Waits for the first answer, at most `limit_ns`; returns NULL if none comes. */
const char *service_first_answer(service *of, int64_t limit_ns);

/* Returns the whole number after `key` at the beginning of a line of an answer, leading blanks
 * aside; 0 if there is none. */
int service_number(const char *answer, const char *key, int64_t *number);

void service_end(service *of);
