/* The speed of the emulated processor. */
#ifndef LOOPBACK_PHONE_PACE_H
#define LOOPBACK_PHONE_PACE_H

#include <time.h>

/* clock_gettime and clock_nanosleep by the phone's clock. */
int phone_clock(clockid_t clock, struct timespec *to);
int phone_sleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left);

/* Returns the function to call instead of a runtime's function of that name. */
void *paced(const char *name, void *function);

#endif
