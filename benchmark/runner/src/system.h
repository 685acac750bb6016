/* Interface to the operating system: time, processors, temperature, memory, files. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

/* Nanoseconds on the monotonic clock. */
int64_t clock_ns(void);

/* How long the device has slept since it started: the monotonic clock stands still then. */
int64_t asleep_ns(void);

/* Milliseconds since 1970. */
int64_t unix_ms(void);

/* Milliseconds since this process was created, in steps of 10; NaN if unknown. */
double process_age_ms(void);

/* Sleeps until a moment of the monotonic clock. */
void sleep_until(int64_t at_ns);

/* Allocates memory, or fails. */
void *allocate(size_t count, size_t size);

/* Reads a file and appends a 0, or fails. */
char *read_file(const char *path, size_t *size);

/* Reads the beginning of a system file; returns 0 on failure, with the reason in errno. */
int read_small(const char *path, char *to, size_t size);

/* Reads its first line; returns 0 on failure, with the reason in errno. */
int read_line(const char *path, char *to, size_t size);

/* Appends to a file, or overwrites it if `fresh`; fails if it cannot be written. */
void write_file(const char *path, const void *bytes, size_t size, int fresh);

/* Sum of the sizes of the files in this folder whose names begin with `prefix`. */
int64_t bytes_of_files(const char *prefix);

/* ---- Processors ---- */

/* Binds the process to the planned processors, or fails. Must be called before threads start. */
void bind_to_cpus(const plan *planned);

/* Fails if a thread may run elsewhere. */
void require_bound_threads(void);

/* The processor this thread runs on; fails if it is not a planned one. */
int current_cpu(void);

/* Gets the processors that the process may use; returns their number. */
size_t allowed_cpus(int64_t cpus[MAX_CPUS]);

/* ---- State of the device ---- */

/* Finds sensors in a folder like /sys. */
void find_sensors(const char *sysfs);

/* Names of the thermal sensors that are read. */
size_t thermal_zones(char ***names);

/* Temperature of the hottest sensor in degrees Celsius; NaN without sensors. */
double temperature_c(void);

/* Clock frequency of a processor; negative if unknown. */
int64_t frequency_khz(int cpu);

typedef struct {
    int64_t page_faults, context_switches;
} disturbances;

/* Counted for the process since its start. */
disturbances count_disturbances(void);

/* Resident memory of the process in bytes; negative if unknown. */
int64_t resident_bytes(void);

/* Resets the peak of resident memory, if the kernel allows it. */
void restart_peak(void);

/* The peak since `restart_peak`; negative if unknown, or if an earlier, higher peak could not be
   reset. */
int64_t peak_bytes(void);
