/* The round of a plan. */
#pragma once

#include "plan.h"
#include "runtime.h"

/* Loads the models, measures them, writes the lines; or fails. */
void measure(const plan *planned, const runtime *with);
