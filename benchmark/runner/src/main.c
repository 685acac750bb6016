/* The runner: reads a plan, measures models on the device it runs on, writes lines of JSON.
 *
 *     runner FOLDER/PLAN      files named in the plan are in FOLDER
 *     runner --version
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "measure.h"
#include "platform.h"
#include "plan.h"
#include "power.h"
#include "report.h"
#include "runtime.h"
#include "system.h"
#include "thermal_status.h"

/* VERSION and TARGET are strings that build.py defines. */
#define NAME_AND_VERSION "seaformer-runner " VERSION " " TARGET "\n"

static const runtime *find_runtime(const char *name) {
    static const runtime *const known[] = {&litert, &onnxruntime};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i]->name, name) == 0) return known[i];
    fail(STATUS_BAD_PLAN, "plan: the backend '%.50s' is unknown", name);
}

/* Changes to the folder of a path; returns the name in it. */
static const char *enter_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (slash == NULL) return path;
    *slash = 0;
    if (chdir(slash == path ? "/" : path) != 0)
        fail(STATUS_BAD_PLAN, "cannot enter the folder '%s': %s", path, strerror(errno));
    return slash + 1;
}

static void write_header(const plan *planned, const char *runtime_version, int64_t library_ns,
                         double process_start_ms) {
    int64_t cpus[MAX_CPUS];
    char **zones;
    const size_t cpu_count = allowed_cpus(cpus), zone_count = thermal_zones(&zones);
    line_begin("header");
    line_integer("format", 2);
    line_text("runner", VERSION);
    line_text("target", TARGET);
    line_integer("pid", getpid());
    line_text("backend", planned->backend);
    line_text("runtime_version", runtime_version);
    line_real("library_load_ms", (double)library_ns / 1e6, 6);
    line_integer("threads", planned->threads);
    line_integers("cpus", cpus, cpu_count);
    line_integer("seed", (int64_t)planned->seed);
    line_integer("started_unix_ms", unix_ms());
    line_texts("thermal_zones", zones, zone_count);
    line_text("accelerator", planned->accelerator);
    line_real("process_start_ms", process_start_ms, 1);
    line_end();
}

int main(int argc, char **argv) {
    static plan planned;
    const double process_start_ms = process_age_ms();
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return write(STDOUT_FILENO, NAME_AND_VERSION, sizeof NAME_AND_VERSION - 1) < 0
                   ? STATUS_NO_OUTPUT
                   : STATUS_DONE;
    report_open();
    if (argc != 2) fail(STATUS_BAD_PLAN, "usage: runner FOLDER/PLAN");
    plan_read(enter_folder(argv[1]), &planned);
    const runtime *with = find_runtime(planned.backend);
    guard(planned.time_limit_ms);
    if (planned.activity.cycles > 0) {
        watch_thermal_status();
        power_start(planned.sysfs, planned.activity.idle_ns > 0);
    }
    load_start(&planned, find_runtime);
    bind_to_cpus(&planned);
    find_sensors(planned.sysfs);
    const int64_t start = clock_ns();
    const char *version = with->open(&planned);
    write_header(&planned, version, clock_ns() - start, process_start_ms);
    load_describe(&planned);
    measure(&planned, with);
    load_end();
    stop_watching();
    power_end();
    report_end();
    /* Not exit(): the runtimes do not need to clean up. */
    _exit(STATUS_DONE);
}
