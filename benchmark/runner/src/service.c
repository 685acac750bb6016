#include "service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform.h"
#include "report.h"
#include "system.h"

enum { READS = 0, WRITES = 1 };

static const int64_t ask_again_ns = 900000000, poll_ns = 20000000;
static const char end[] = "\nend of answer\n";
static char shell[] = "/system/bin/sh";
static const char services[] = "/system/bin/dumpsys";

static int exists(const char *path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) close(file);
    return file >= 0;
}

void service_start(service *of, const char *commands) {
    static char command[] = "-c";
    char script[1000];
    char *const arguments[] = {shell, command, script, NULL};
    int to[2], from[2];
    snprintf(script, sizeof script,
             "while read -r _; do %s; echo; echo 'end of answer'; done 2>/dev/null", commands);
    if (!exists(services) || !exists(shell) || pipe(to) != 0 || pipe(from) != 0) return;
    of->shell = fork();
    if (of->shell == 0) {
        dup2(to[READS], STDIN_FILENO);
        dup2(from[WRITES], STDOUT_FILENO);
        for (int i = 0; i < 2; i++) {
            close(to[i]);
            close(from[i]);
        }
        execv(shell, arguments);
        _exit(127);
    }
    close(to[READS]);
    close(from[WRITES]);
    if (of->shell < 0) return;
    of->questions = to[WRITES];
    of->answers = from[READS];
    of->is_started = 1;
    fcntl(of->questions, F_SETFD, FD_CLOEXEC);
    fcntl(of->answers, F_SETFD, FD_CLOEXEC);
    fcntl(of->answers, F_SETFL, O_NONBLOCK);
}

/* Reads what has arrived; returns whether it completes an answer. */
static int read_answer(service *of) {
    ssize_t got;
    while ((got = read(of->answers, of->text + of->length, sizeof of->text - 1 - of->length)) > 0) {
        of->length += (size_t)got;
        of->text[of->length] = 0;
        char *found = strstr(of->text, end);
        /* An answer that is too long is dropped. */
        if (found == NULL && of->length == sizeof of->text - 1) of->length = 0;
        if (found == NULL) continue;
        *found = 0;
        of->length = 0;
        return 1;
    }
    return 0;
}

const char *service_answer(service *of) {
    if (!of->is_started) return NULL;
    const int is_complete = of->is_asked && read_answer(of);
    if (is_complete) of->is_asked = 0;
    const int64_t now_ns = clock_ns();
    if (!of->is_asked && now_ns - of->asked_ns >= ask_again_ns) {
        of->is_asked = write_all(of->questions, "\n", 1);
        of->asked_ns = now_ns;
    }
    return is_complete ? of->text : NULL;
}

const char *service_first_answer(service *of, int64_t limit_ns) {
    const int64_t until_ns = clock_ns() + limit_ns;
    while (of->is_started && clock_ns() < until_ns) {
        const char *answer = service_answer(of);
        if (answer != NULL) return answer;
        sleep_until(clock_ns() + poll_ns);
    }
    return NULL;
}

int service_number(const char *answer, const char *key, int64_t *number) {
    const size_t length = strlen(key);
    for (const char *line = answer; *line != 0;) {
        const char *at = line + strspn(line, " ");
        if (strncmp(at, key, length) == 0) {
            char *after;
            *number = strtoll(at + length, &after, 10);
            if (after != at + length) return 1;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return 0;
}

void service_end(service *of) {
    if (!of->is_started) return;
    close(of->questions);
    of->is_started = 0;
    waitpid(of->shell, NULL, 0);
}
