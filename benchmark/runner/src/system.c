#include "system.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"
#include "report.h"

static int64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_ns(void) { return nanoseconds(CLOCK_MONOTONIC); }

int64_t asleep_ns(void) {
    const int64_t asleep = nanoseconds(CLOCK_BOOTTIME) - clock_ns();
    return asleep < 0 ? 0 : asleep;
}

int64_t unix_ms(void) { return nanoseconds(CLOCK_REALTIME) / 1000000; }

void sleep_until(int64_t at_ns) {
    const struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (memory == NULL) fail(STATUS_NO_MODEL, "out of memory");
    return memory;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Reads up to `size` bytes; returns how many, or -1. */
static ssize_t read_up_to(int file, char *to, size_t size) {
    size_t count = 0;
    while (count < size) {
        const ssize_t got = read(file, to + count, size - count);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        count += (size_t)got;
    }
    return (ssize_t)count;
}

char *read_file(const char *path, size_t *size) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(STATUS_BAD_PLAN, "cannot open '%s': %s", path, strerror(errno));
    const off_t end = lseek(file, 0, SEEK_END);
    if (end < 0 || lseek(file, 0, SEEK_SET) != 0)
        fail(STATUS_BAD_PLAN, "cannot read '%s': %s", path, strerror(errno));
    char *content = allocate((size_t)end + 1, 1);
    if (read_up_to(file, content, (size_t)end) != end)
        fail(STATUS_BAD_PLAN, "cannot read '%s': %s", path, strerror(errno));
    close(file);
    *size = (size_t)end;
    return content;
}

void write_file(const char *path, const void *bytes, size_t size, int fresh) {
    const int file =
        open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (fresh ? O_TRUNC : O_APPEND), 0644);
    if (file < 0 || !write_all(file, bytes, size) || close(file) != 0)
        fail(STATUS_NO_OUTPUT, "cannot write '%s': %s", path, strerror(errno));
}

int64_t bytes_of_files(const char *prefix) {
    int64_t sum = 0;
    DIR *listed = opendir(".");
    struct dirent *entry;
    while (listed != NULL && (entry = readdir(listed)) != NULL) {
        const int file = strncmp(entry->d_name, prefix, strlen(prefix)) == 0
                             ? open(entry->d_name, O_RDONLY | O_CLOEXEC)
                             : -1;
        if (file < 0) continue;
        const off_t end = lseek(file, 0, SEEK_END);
        if (end > 0) sum += end;
        close(file);
    }
    if (listed != NULL) closedir(listed);
    return sum;
}

int read_small(const char *path, char *to, size_t size) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const ssize_t count = read_up_to(file, to, size - 1);
    close(file);
    if (count <= 0) return 0;
    to[count] = 0;
    return 1;
}

double process_age_ms(void) {
    /* proc_pid_stat(5): field 22 is in hundredths of a second since the computer started; the name
     * in parentheses may contain anything. */
    enum { AFTER_NAME = 20, NS_PER_TICK = 10000000 };
    char stat[2048], *at;
    if (!read_small("/proc/self/stat", stat, sizeof stat)) return NAN;
    at = strrchr(stat, ')');
    for (int field = 0; at != NULL && field < AFTER_NAME; field++) at = strchr(at + 1, ' ');
    const long long ticks = at == NULL ? 0 : strtoll(at, NULL, 10);
    const int64_t age_ns = nanoseconds(CLOCK_BOOTTIME) - ticks * NS_PER_TICK;
    return ticks <= 0 || age_ns < 0 ? NAN : (double)age_ns / 1e6;
}

int read_line(const char *path, char *to, size_t size) {
    if (!read_small(path, to, size)) return 0;
    to[strcspn(to, "\n")] = 0;
    return 1;
}

/* ---- Processors ------------------------------------------------------------------------------ */

static cpu_set_t planned_cpus;
static int is_bound;

static cpu_set_t cpus_of(pid_t thread) {
    cpu_set_t mask = {{0}};
    if (sched_getaffinity(thread, sizeof mask, &mask) != 0) memset(&mask, 0, sizeof mask);
    return mask;
}

void bind_to_cpus(const plan *planned) {
    if (planned->cpu_count == 0) return;
    for (int i = 0; i < planned->cpu_count; i++) CPU_SET(planned->cpus[i], &planned_cpus);
    if (sched_setaffinity(0, sizeof planned_cpus, &planned_cpus) != 0)
        fail(STATUS_NO_AFFINITY, "the requested processors are refused: %s", strerror(errno));
    /* The system silently ignores unavailable processors in a mask. */
    const cpu_set_t granted = cpus_of(0);
    for (int i = 0; i < planned->cpu_count; i++)
        if (!CPU_ISSET(planned->cpus[i], &granted))
            fail(STATUS_NO_AFFINITY, "processor %d is refused: it is offline or does not exist",
                 planned->cpus[i]);
    is_bound = 1;
}

void require_bound_threads(void) {
    DIR *threads = is_bound ? opendir("/proc/self/task") : NULL;
    struct dirent *entry;
    if (threads == NULL) return;
    while ((entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        const cpu_set_t mask = cpus_of(atoi(entry->d_name));
        for (int cpu = 0; cpu < MAX_CPUS; cpu++)
            if (CPU_ISSET(cpu, &mask) && !CPU_ISSET(cpu, &planned_cpus))
                fail(STATUS_NO_AFFINITY, "thread %s of the runtime may run on processor %d",
                     entry->d_name, cpu);
    }
    closedir(threads);
}

int current_cpu(void) {
    const int cpu = sched_getcpu();
    if (is_bound && (cpu < 0 || cpu >= MAX_CPUS || !CPU_ISSET(cpu, &planned_cpus)))
        fail(STATUS_NO_AFFINITY, "a run ended on processor %d, which was not requested", cpu);
    return cpu < 0 ? 0 : cpu;
}

size_t allowed_cpus(int64_t cpus[MAX_CPUS]) {
    const cpu_set_t mask = cpus_of(0);
    size_t count = 0;
    for (int cpu = 0; cpu < MAX_CPUS; cpu++)
        if (CPU_ISSET(cpu, &mask)) cpus[count++] = cpu;
    return count;
}

/* ---- Sensors --------------------------------------------------------------------------------- */

enum { MAX_ZONES = 64, PATH_SIZE = 1200 };

static const char *sysfs_folder = "/sys";
static int zones[MAX_ZONES];
static char *zone_names[MAX_ZONES];
static size_t zone_count;

static int read_zone(int zone, double *celsius) {
    char path[PATH_SIZE], value[64], *end;
    snprintf(path, sizeof path, "%s/class/thermal/thermal_zone%d/temp", sysfs_folder, zone);
    if (!read_line(path, value, sizeof value)) return 0;
    const double number = strtod(value, &end);
    if (end == value) return 0;
    /* Thousandths, according to the kernel's documentation; some vendors give whole degrees. */
    *celsius = fabs(number) >= 1000 ? number / 1000 : number;
    /* Sensors that are off report values far from any temperature. */
    return *celsius > -40 && *celsius < 200;
}

void find_sensors(const char *sysfs) {
    static const char *const of_processors[] = {"cpu", "soc", "x86_pkg_temp"};
    char path[PATH_SIZE], type[64];
    double celsius;
    sysfs_folder = sysfs;
    for (int zone = 0; zone < 256 && zone_count < MAX_ZONES; zone++) {
        snprintf(path, sizeof path, "%s/class/thermal/thermal_zone%d/type", sysfs, zone);
        if (!read_line(path, type, sizeof type) || !read_zone(zone, &celsius)) continue;
        for (size_t i = 0; i < sizeof of_processors / sizeof of_processors[0]; i++)
            if (strstr(type, of_processors[i]) != NULL) {
                zone_names[zone_count] = strdup(type);
                zones[zone_count++] = zone;
                break;
            }
    }
}

size_t thermal_zones(char ***names) {
    *names = zone_names;
    return zone_count;
}

double temperature_c(void) {
    double hottest = NAN, celsius;
    for (size_t i = 0; i < zone_count; i++)
        if (read_zone(zones[i], &celsius) && !(celsius <= hottest)) hottest = celsius;
    return hottest;
}

int64_t frequency_khz(int cpu) {
    char path[PATH_SIZE], value[64], *end;
    snprintf(path, sizeof path, "%s/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq",
             sysfs_folder, cpu);
    if (!read_line(path, value, sizeof value)) return -1;
    const long long number = strtoll(value, &end, 10);
    return end == value || number <= 0 ? -1 : number;
}

disturbances count_disturbances(void) {
    struct rusage usage;
    memset(&usage, 0, sizeof usage);
    getrusage(RUSAGE_SELF, &usage);
    return (disturbances){usage.ru_minflt + usage.ru_majflt, usage.ru_nvcsw + usage.ru_nivcsw};
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static int64_t peak_before = -1; /* a peak that could not be reset */

/* Returns the bytes of an entry of /proc/self/status; negative if the system does not report it. */
static int64_t memory_bytes(const char *name) {
    char status[8192];
    if (!read_small("/proc/self/status", status, sizeof status)) return -1;
    const char *line = strstr(status, name);
    return line == NULL ? -1 : strtoll(line + strlen(name) + 1, NULL, 10) * 1024;
}

int64_t resident_bytes(void) { return memory_bytes("VmRSS"); }

void restart_peak(void) {
    const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    const int is_reset = file >= 0 && write_all(file, "5", 1); /* proc(5): since Linux 4.0 */
    if (file >= 0) close(file);
    peak_before = is_reset ? -1 : memory_bytes("VmHWM");
}

int64_t peak_bytes(void) {
    const int64_t peak = memory_bytes("VmHWM");
    return peak > peak_before ? peak : -1;
}
