/* Running one model for a planned time, while the sensors of the device are read regularly. */
#pragma once

#include "plan.h"
#include "runtime.h"

/* Runs the planned cycles with a loaded model, and writes a line for every span of time. */
void run_activity(const plan *planned, const planned_model *of, model *loaded,
                  const runtime *with);
