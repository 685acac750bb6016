#include "load.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera_load.h"
#include "platform.h"
#include "report.h"
#include "system.h"

enum { READS = 0, WRITES = 1 };
enum { RESUME = 'r', PAUSE = 'p', READY = 'y' };

/* Memory that both processes share. */
typedef struct {
    int64_t count;
    unsigned char ran_on[MAX_CPUS];
} progress;

static progress *done;
static int orders = -1, answers = -1; /* of the runner */
static pid_t process;

static int read_byte(int from, char *to) {
    ssize_t got;
    do got = read(from, to, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

/* ---- The process of the load ----------------------------------------------------------------- */

static int is_ordered(int from) {
    struct pollfd waiting = {.fd = from, .events = POLLIN};
    return poll(&waiting, 1, 0) > 0; /* also if the runner has ended */
}

static void load_model(const plan *planned, const runtime *with, model *to) {
    size_t size;
    with->open(planned);
    now("loading the model of the load", STATUS_NO_MODEL, "it is damaged");
    with->load(planned->load.file, 0, to);
    char *input = read_file(planned->load.input, &size);
    if (size != to->input.bytes)
        fail(STATUS_BAD_PLAN, "the input '%s' has %zu bytes, the load takes %zu",
             planned->load.input, size, to->input.bytes);
    with->set_input(to, input);
    free(input);
    with->run(to);
}

/* Runs until the next order; `begin_ns` is when the camera was switched on. */
static void repeat(const planned_load *how, const runtime *with, model *loaded, int from,
                   int64_t begin_ns) {
    const int64_t period_ns = how->period_ns;
    while (!is_ordered(from)) {
        if (period_ns > 0) {
            /* The next frame: those that arrived while one was processed are dropped. */
            const int64_t passed_ns = clock_ns() - begin_ns;
            sleep_until(begin_ns + (passed_ns / period_ns + 1) * period_ns);
            camera_load_run();
        } else with->run(loaded);
        __atomic_store_n(&done->ran_on[current_cpu()], 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&done->count, 1, __ATOMIC_RELAXED);
    }
}

__attribute__((noreturn)) static void serve(plan *planned, const runtime *with, int from, int to) {
    const planned_load *how = &planned->load;
    model loaded;
    char order;
    report_to(to);
    planned->threads = how->threads;
    planned->cpu_count = how->cpu_count;
    memcpy(planned->cpus, how->cpus, sizeof planned->cpus);
    bind_to_cpus(planned);
    if (how->period_ns > 0) camera_load_prepare(how);
    else load_model(planned, with, &loaded);
    require_bound_threads();
    const int64_t begin_ns = clock_ns();
    const char ready = READY;
    write_all(to, &ready, 1);
    while (read_byte(from, &order)) {
        write_all(to, &order, 1);
        if (order == RESUME) repeat(how, with, &loaded, from, begin_ns);
    }
    _exit(STATUS_DONE);
}

/* ---- The runner ------------------------------------------------------------------------------ */

/* Waits for an answer. A process that fails writes an error line instead, as `fail` does. */
static void expect(char answer) {
    static const char key[] = "\"message\": \"";
    char got = 0, line[2400];
    size_t length = 0;
    if (read_byte(answers, &got) && got == answer) return;
    while (length < sizeof line - 1 && read_byte(answers, &line[length])) length++;
    line[length] = 0;
    const char *message = strstr(line, key);
    char *end = strstr(line, "\"}");
    if (end != NULL) *end = 0;
    fail(STATUS_NO_LOAD, "the load beside the models ended: %s",
         message == NULL ? "it was killed" : message + sizeof key - 1);
}

static void order(char what) {
    write_all(orders, &what, 1);
    expect(what);
}

void load_start(plan *planned, const runtime *(*find_runtime)(const char *name)) {
    const runtime *with = find_runtime(planned->backend);
    int to[2], from[2];
    if (planned->load.cpu_count == 0) return;
    done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (done == MAP_FAILED || pipe(to) != 0 || pipe(from) != 0)
        fail(STATUS_NO_LOAD, "the load cannot be started: %s", strerror(errno));
    const pid_t runner = getpid();
    process = fork();
    if (process < 0) fail(STATUS_NO_LOAD, "the load cannot be started: %s", strerror(errno));
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != runner) _exit(STATUS_NO_LOAD); /* it was killed before the call */
        close(to[WRITES]);
        close(from[READS]);
        serve(planned, with, to[READS], from[WRITES]);
    }
    close(to[READS]);
    close(from[WRITES]);
    orders = to[WRITES];
    answers = from[READS];
    now("preparing the load", STATUS_NO_LOAD, "of an unknown reason");
    expect(READY);
}

void load_describe(const plan *planned) {
    int64_t cpus[MAX_CPUS];
    if (process == 0) return;
    for (int i = 0; i < planned->load.cpu_count; i++) cpus[i] = planned->load.cpus[i];
    line_begin("load");
    line_integer("pid", process);
    line_integer("threads", planned->load.threads);
    line_integers("cpus", cpus, (size_t)planned->load.cpu_count);
    line_end();
}

void load_resume(void) { order(RESUME); }

void load_pause(void) { order(PAUSE); }

void load_count_anew(void) {
    if (done == NULL) return;
    for (int cpu = 0; cpu < MAX_CPUS; cpu++)
        __atomic_store_n(&done->ran_on[cpu], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&done->count, 0, __ATOMIC_RELAXED);
}

int64_t load_count(void) {
    return done == NULL ? -1 : __atomic_load_n(&done->count, __ATOMIC_RELAXED);
}

size_t load_ran_on(int64_t cpus[MAX_CPUS]) {
    size_t count = 0;
    for (int cpu = 0; done != NULL && cpu < MAX_CPUS; cpu++)
        if (__atomic_load_n(&done->ran_on[cpu], __ATOMIC_RELAXED)) cpus[count++] = cpu;
    return count;
}

void load_end(void) {
    if (process == 0) return;
    close(orders);
    waitpid(process, NULL, 0);
}
