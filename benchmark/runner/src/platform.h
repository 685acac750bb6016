/* What differs between the C libraries.
 *
 * Without an NDK, the Android runner is compiled with the headers of musl and linked with bionic
 * (see build.py). Used is only what both lay out alike; this is the one exception. */
#pragma once

#include <errno.h>

#ifdef BIONIC_WITHOUT_NDK
extern int *__errno(void);
#undef errno
#define errno (*__errno())
#endif
