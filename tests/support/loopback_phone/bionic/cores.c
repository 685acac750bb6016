/* Emulates the phone's eight cores on a computer that may have fewer: affinity is only recorded.
 *
 * It is preloaded into every program of the phone (/etc/ld.so.preload). A mask is accepted if one
 * of its cores is online (/sys/devices/system/cpu/online of the phone), stored for the whole
 * process, and inherited by its child processes; the computer's own affinity is never changed. */

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static const char handed_on[] = "LOOPBACK_PHONE_CORES";
static uint64_t chosen; /* 0: not yet known */

static uint64_t online(void) {
  uint64_t mask = 0;
  FILE *file = fopen("/sys/devices/system/cpu/online", "re");
  if (!file) return 1;
  for (unsigned first, last; fscanf(file, "%u", &first) == 1;) {
    last = first;
    int between = fgetc(file);
    if (between == '-' && fscanf(file, "%u", &last) == 1) between = fgetc(file);
    for (unsigned core = first; core <= last && core < 64; core++) mask |= (uint64_t)1 << core;
    if (between != ',') break;
  }
  fclose(file);
  return mask;
}

static uint64_t mask_now(void) {
  if (!chosen) {
    const char *text = getenv(handed_on);
    chosen = text ? strtoull(text, NULL, 16) : online();
  }
  return chosen;
}

static int choose(size_t size, const void *mask) {
  uint64_t wanted = 0;
  memcpy(&wanted, mask, size < sizeof wanted ? size : sizeof wanted);
  wanted &= online();
  if (!wanted) {
    errno = EINVAL;
    return -1;
  }
  chosen = wanted;
  char text[17];
  snprintf(text, sizeof text, "%llx", (unsigned long long)wanted);
  return setenv(handed_on, text, 1);
}

static int report(size_t size, void *mask) {
  uint64_t now = mask_now();
  if (size < sizeof now) {
    errno = EINVAL;
    return -1;
  }
  memset(mask, 0, size);
  memcpy(mask, &now, sizeof now);
  return sizeof now;
}

int sched_getcpu(void) { return __builtin_ctzll(mask_now()); }

int sched_setaffinity(pid_t process, size_t size, const cpu_set_t *mask) {
  (void)process;
  return choose(size, mask);
}

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *mask) {
  (void)process;
  return report(size, mask) < 0 ? -1 : 0;
}

static long system_call(long number, const long *a) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a[0];
  register long x1 __asm__("x1") = a[1];
  register long x2 __asm__("x2") = a[2];
  register long x3 __asm__("x3") = a[3];
  register long x4 __asm__("x4") = a[4];
  register long x5 __asm__("x5") = a[5];
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  if (x0 < 0 && x0 > -4096) {
    errno = (int)-x0;
    return -1;
  }
  return x0;
}

/* toybox's taskset, and programs for old Androids, do not call the functions above. */
long syscall(long number, ...) {
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  switch (number) {
    case SYS_sched_setaffinity: return choose((size_t)a[1], (const void *)a[2]);
    case SYS_sched_getaffinity: return report((size_t)a[1], (void *)a[2]);
    case SYS_getcpu:
      if (a[0]) *(unsigned *)a[0] = (unsigned)sched_getcpu();
      if (a[1]) *(unsigned *)a[1] = 0;
      return 0;
  }
  return system_call(number, a);
}
