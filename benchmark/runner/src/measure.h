/* The round that a plan describes. */
#ifndef RUNNER_MEASURE_H
#define RUNNER_MEASURE_H

#include "plan.h"
#include "runtime.h"

/* Loads the models, measures them, writes the lines; or fails. */
void measure(const plan *planned, const runtime *with);

#endif
