/* What the operating system is asked: time, processors, heat, memory, files. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

/* Nanoseconds on the clock that is never set. */
int64_t clock_ns(void);

/* Milliseconds since 1970. */
int64_t unix_ms(void);

/* Memory, or fails. */
void *allocate(size_t count, size_t size);

/* The content of a file, with a 0 after it, or fails. */
char *read_file(const char *path, size_t *size);

/* Appends to a file, which is emptied first if `fresh`; or fails. */
void write_file(const char *path, const void *bytes, size_t size, int fresh);

/* ---- Processors ---- */

/* Binds the process to the planned processors, or fails. To be called before there are threads. */
void bind_to_cpus(const plan *planned);

/* Fails if a thread may run elsewhere. */
void require_bound_threads(void);

/* The processor this thread runs on; fails if it is not a planned one. */
int current_cpu(void);

/* Those the process may use; returns how many there are. */
size_t allowed_cpus(int64_t cpus[MAX_CPUS]);

/* ---- What can be read of the state of the device ---- */

/* Looks for sensors in a folder like /sys. */
void find_sensors(const char *sysfs);

/* Names of the thermal sensors that are read. */
size_t thermal_zones(char ***names);

/* Of the hottest sensor, degrees Celsius; NaN if there is none. */
double temperature_c(void);

/* Clock of a processor; negative if the system does not say. */
int64_t frequency_khz(int cpu);

typedef struct {
    int64_t page_faults, context_switches;
} disturbances;

/* Counted for the process since its start. */
disturbances count_disturbances(void);

/* Resident memory of the process, in bytes; negative if the system does not say. */
int64_t resident_bytes(void);

/* Has the peak of resident memory begin anew from here, where the kernel allows it. */
void restart_peak(void);

/* The peak since `restart_peak`; negative if the system does not say, or cannot tell it from a
   higher one before. */
int64_t peak_bytes(void);
