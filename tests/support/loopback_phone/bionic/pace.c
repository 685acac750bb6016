/* The speed of the emulated processor, if a test sets it: LiteRT's inferences take a fixed number
 * of clock cycles of the core that they run on, regardless of how long qemu takes.
 *
 * /state/work has 64-bit integers, which the test maps too: nanoseconds that an inference takes at
 * the highest clock, that clock in kHz, the current clock in kHz, nanoseconds that the processor has
 * worked, by how many millionths the cycles of an inference differ from their median at most, by how
 * many millionths it takes longer while another core works too, for how long the phone has slept, how
 * far its wall clock has jumped, and when each core worked last. The third is written by the model of
 * the phone's heat, the fourth and the last ones here.
 *
 * A busy computer resumes a sleeping process late. The phone's monotonic clock omits this time, so
 * that the times of inferences do not depend on the computer's load. */

#define _GNU_SOURCE
#include "pace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { CORES = 8, JUST_NOW_NS = 15000000 };

struct work {
  volatile int64_t inference_ns, highest_khz, khz, busy_ns, spread_ppm, contention_ppm,
      asleep_ns, wall_jump_ns;
  volatile int64_t worked_ns[CORES]; /* by the computer's monotonic clock */
};

static struct work *work;
static int (*run)(void *, uint64_t, uint64_t, void *, uint64_t, void *);

static int64_t late_ns; /* omitted from the phone's clock */

static int64_t nanoseconds(const struct timespec *t) {
  return t->tv_sec * 1000000000ll + t->tv_nsec;
}

static struct timespec time_of(int64_t ns) {
  return (struct timespec){ns / 1000000000, ns % 1000000000};
}

int phone_clock(clockid_t clock, struct timespec *to) {
  const int failed = clock_gettime(clock, to);
  if (failed) return failed;
  if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME) *to = time_of(nanoseconds(to) - late_ns);
  if (work && clock == CLOCK_BOOTTIME) *to = time_of(nanoseconds(to) + work->asleep_ns);
  if (work && clock == CLOCK_REALTIME) *to = time_of(nanoseconds(to) + work->wall_jump_ns);
  return failed;
}

int phone_sleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
  if (clock != CLOCK_MONOTONIC || flags != TIMER_ABSTIME) return ENOTSUP;
  const struct timespec shifted = time_of(nanoseconds(until) + late_ns);
  return clock_nanosleep(clock, flags, &shifted, left);
}

static int64_t now_ns(void) {
  struct timespec t;
  phone_clock(CLOCK_MONOTONIC, &t);
  return nanoseconds(&t);
}

/* Uniform from -1 to 1. Knuth, The Art of Computer Programming 2, 3.3.4: the MMIX generator. */
static double random_share(void) {
  static uint64_t state = 7;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (double)(state >> 11) / (double)(1ull << 52) - 1;
}

/* Whether another core works; a core notes its own work at every step of an inference. */
static int is_contended(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  const int64_t now = nanoseconds(&t);
  const int core = sched_getcpu() % CORES;
  int found = 0;
  work->worked_ns[core] = now;
  for (int other = 0; other < CORES; other++)
    found |= other != core && now - work->worked_ns[other] < JUST_NOW_NS;
  return found;
}

static int paced_run(void *model, uint64_t signature, uint64_t inputs, void *in, uint64_t outputs,
                     void *out) {
  enum { STEP_NS = 1000000 };
  int64_t before = now_ns();
  const int result = run(model, signature, inputs, in, outputs, out);
  const double spread = 1e-6 * (double)work->spread_ppm * random_share();
  double left_ns = (double)work->inference_ns * (1 + spread); /* at the highest clock */
  while (1) {
    const int64_t now = now_ns();
    const double slowdown = is_contended() ? 1 + 1e-6 * (double)work->contention_ppm : 1;
    const double speed = (double)work->khz / (double)work->highest_khz / slowdown;
    left_ns -= (double)(now - before) * speed;
    work->busy_ns += now - before;
    before = now;
    const double rest_ns = left_ns / speed;
    if (rest_ns <= 0) {
      late_ns -= (int64_t)rest_ns;
      work->busy_ns += (int64_t)rest_ns;
      return result;
    }
    nanosleep(&(struct timespec){0, (long)(rest_ns < STEP_NS ? rest_ns : STEP_NS)}, NULL);
  }
}

void *paced(const char *name, void *function) {
  if (strcmp(name, "LiteRtRunCompiledModel") || !function) return function;
  const int file = open("/state/work", O_RDWR | O_CLOEXEC);
  if (file < 0) return function;
  void *shared = mmap(NULL, sizeof *work, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (shared == MAP_FAILED) return function;
  work = shared;
  memcpy(&run, &function, sizeof run);
  return (void *)paced_run;
}
