/* Differences between C libraries.
 *
 * Without an NDK, the Android runner is compiled with the headers of musl and linked with bionic
 * (see build.py). Only what has the same layout in both is used; this is the single exception. */
#pragma once

#include <errno.h>

#ifdef BIONIC_WITHOUT_NDK
extern int *__errno(void);
#undef errno
#define errno (*__errno())
#endif
