#include "report.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "platform.h"

static int lines_to = STDOUT_FILENO;
static uint32_t checksum;      /* CRC-32 of all lines so far */
static volatile long line_number; /* number of the current line */

static char *text; /* text of that line */
static size_t length, capacity;
static int needs_comma;

static const char *volatile doing = "starting", *volatile crash_reason = "unknown reason";
static volatile int crash_status = STATUS_BAD_PLAN;
static volatile sig_atomic_t is_writing, is_late;

static void out_of_time(int number);

/* ---- Bytes ----------------------------------------------------------------------------------- */

static uint32_t crc32_of(uint32_t crc, const char *bytes, size_t count) {
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

int write_all(int file, const char *bytes, size_t count) {
    while (count > 0) {
        const ssize_t written = write(file, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return 0;
        bytes += written;
        count -= (size_t)written;
    }
    return 1;
}

static void put(const char *bytes, size_t count) {
    if (length + count > capacity) {
        capacity = 2 * (length + count) + 256;
        text = realloc(text, capacity);
        if (text == NULL) _exit(STATUS_NO_OUTPUT);
    }
    memcpy(text + length, bytes, count);
    length += count;
}

static void put_text(const char *words) { put(words, strlen(words)); }

/* Returns the length of the UTF-8 character at `at`, or 0 if there is none. */
static size_t character(const unsigned char *at) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint32_t first = at[0];
    const size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t code = first & (0x7Fu >> (size > 1 ? size : 0));
    if ((first >= 0x80 && first < 0xC0) || first >= 0xF8) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    return code < least[size] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : size;
}

static void put_string(const char *words) {
    const unsigned char *at = (const unsigned char *)words;
    put("\"", 1);
    while (*at) {
        const size_t size = character(at);
        char code[8];
        if (size == 0) put_text("\\ufffd");
        else if (*at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7F)
            put(code, (size_t)snprintf(code, sizeof code, "\\u%04x", *at));
        else put((const char *)at, size);
        at += size == 0 ? 1 : size;
    }
    put("\"", 1);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

void report_open(void) {
    lines_to = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (lines_to < 0) _exit(STATUS_NO_OUTPUT);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN);
}

void report_to(int file) { lines_to = file; }

static void put_key(const char *key) {
    if (needs_comma) put(", ", 2);
    needs_comma = 1;
    if (key == NULL) return;
    put_string(key);
    put(": ", 2);
}

void line_begin(const char *type) {
    length = 0;
    needs_comma = 0;
    put("{", 1);
    line_integer("line", line_number);
    line_text("type", type);
}

void line_end(void) {
    put("}\n", 2);
    checksum = crc32_of(checksum, text, length);
    is_writing = 1;
    const int is_written = write_all(lines_to, text, length);
    line_number += is_written;
    is_writing = 0;
    if (is_late) out_of_time(SIGALRM);
    if (!is_written) _exit(STATUS_NO_OUTPUT);
}

void line_text(const char *key, const char *value) {
    put_key(key);
    put_string(value);
}

/* Writes a key and its value, or null if the value is unknown. */
__attribute__((format(printf, 3, 4)))
static void put_member(const char *key, int is_known, const char *format, ...) {
    char value[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    put_key(key);
    put_text(is_known ? value : "null");
}

void line_integer(const char *key, int64_t value) {
    put_member(key, 1, "%lld", (long long)value);
}

void line_null(const char *key) { put_member(key, 1, "null"); }

void line_count(const char *key, int64_t value) {
    put_member(key, value >= 0, "%lld", (long long)value);
}

void line_real(const char *key, double value, int decimals) {
    const int is_known = !isnan(value) && !isinf(value);
    if (decimals < 0) put_member(key, is_known, "%.9g", value);
    else put_member(key, is_known, "%.*f", decimals, value);
}

void line_flag(const char *key, int value) {
    put_member(key, value >= 0, "%s", value ? "true" : "false");
}

void line_integers(const char *key, const int64_t *values, size_t count) {
    line_open(key, '[');
    for (size_t i = 0; i < count; i++) line_integer(NULL, values[i]);
    line_close(']');
}

void line_texts(const char *key, char *const *values, size_t count) {
    line_open(key, '[');
    for (size_t i = 0; i < count; i++) line_text(NULL, values[i]);
    line_close(']');
}

void line_open(const char *key, char bracket) {
    put_key(key);
    put(&bracket, 1);
    needs_comma = 0;
}

void line_close(char bracket) {
    put(&bracket, 1);
    needs_comma = 1;
}

void report_end(void) {
    char digits[9];
    snprintf(digits, sizeof digits, "%08x", (unsigned)checksum);
    line_begin("end");
    line_text("crc32", digits);
    line_end();
}

/* ---- Failures, crashes and the time limit ---------------------------------------------------- */

void fail(int status, const char *format, ...) {
    char message[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    write_all(STDERR_FILENO, "error: ", 7);
    write_all(STDERR_FILENO, message, strlen(message));
    write_all(STDERR_FILENO, "\n", 1);
    line_begin("error");
    line_integer("status", status);
    line_text("message", message);
    line_end();
    _exit(status);
}

void now(const char *what, int status_of_a_crash, const char *reason_of_a_crash) {
    crash_status = status_of_a_crash;
    crash_reason = reason_of_a_crash;
    doing = what;
}

/* The code below runs in signal handlers: it must not allocate memory or block. */

static char *append(char *end, const char *words) {
    const size_t count = strlen(words);
    memcpy(end, words, count);
    return end + count;
}

static char *append_number(char *end, long number) {
    char digits[24], *digit = digits + sizeof digits;
    *--digit = 0;
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return append(end, digit);
}

/* Ends the process with a line as `fail` writes it. `signal` and `reason` describe a crash. */
static void leave(int status, const char *what, int signal_number, const char *reason) {
    char line[600], *end = line;
    end = append(end, "{\"line\": ");
    end = append_number(end, line_number);
    end = append(end, ", \"type\": \"error\", \"status\": ");
    end = append_number(end, status);
    end = append(end, ", \"message\": \"");
    end = append(end, what);
    if (signal_number > 0) end = append_number(end, signal_number);
    end = append(end, " while ");
    end = append(end, doing);
    if (signal_number > 0) end = append(append(end, ": "), reason);
    end = append(end, "\"}\n");
    /* The reader may have stopped, and a full pipe would then block forever. */
    fcntl(lines_to, F_SETFL, O_NONBLOCK);
    fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    write_all(lines_to, line, (size_t)(end - line));
    write_all(STDERR_FILENO, line, (size_t)(end - line));
    _exit(status);
}

static void crashed(int number) {
    leave(crash_status, "crashed with signal ", number, crash_reason);
}

static void out_of_time(int number) {
    (void)number;
    if (is_writing) {
        /* Lines must not mix: line_end calls this again, without waiting for a reader. */
        is_late = 1;
        fcntl(lines_to, F_SETFL, O_NONBLOCK);
        return;
    }
    leave(STATUS_OUT_OF_TIME, "the time limit was reached", 0, NULL);
}

void guard(int64_t time_limit_ms) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    const struct itimerval once = {{0, 0}, {time_limit_ms / 1000, time_limit_ms % 1000 * 1000}};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) signal(crashes[i], crashed);
    signal(SIGALRM, out_of_time);
    setitimer(ITIMER_REAL, &once, NULL);
}
