/* A load on other processors: a child process that repeats a model or the work of a camera.
 *
 * It is created before the runtime is loaded, paused, and runs between `load_resume` and
 * `load_pause`. It ends with the runner, even if the runner is killed. */
#pragma once

#include "plan.h"
#include "runtime.h"

/* Creates the process, and waits until it is ready; does nothing if no load is planned. It changes
 * the plan in the new process. */
void load_start(plan *planned, const runtime *(*find_runtime)(const char *name));

/* Writes the line about the process. */
void load_describe(const plan *planned);

/* Both wait until the process acknowledges the order; they fail if it has ended. */
void load_resume(void);
void load_pause(void);

/* Resets the count of what the load completes. */
void load_count_anew(void);

/* Inferences or frames that it has completed since then; negative without a load. */
int64_t load_count(void);

/* Gets the processors on which it completed them; returns their number. */
size_t load_ran_on(int64_t cpus[MAX_CPUS]);

/* Ends the process, and waits for its end. */
void load_end(void);
