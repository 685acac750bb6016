/* Adapts glibc to the ABI of Android's C library (bionic, 64-bit Arm): names, sizes, numbers.
 *
 * Sources: bionic's headers (pthread.h, pthread_types.h, bits/sysconf.h, signal.h, stdio.h). This
 * file has only those functions that the runner and the runtimes import and whose ABI differs. For
 * all others, glibc has the same binary interface. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "loader.h"
#include "pace.h"

/* ---- start ---- */

_Noreturn static void libc_init(void *stack, void (*on_exit)(void),
                                int (*program)(int, char **, char **), const void *structors) {
  (void)on_exit, (void)structors;
  long count = *(long *)stack;
  char **arguments = (char **)stack + 1;
  exit(program((int)count, arguments, arguments + count + 1));
}

/* ---- stdio: old binaries refer to the streams as elements of an array of opaque structs ---- */

static char streams[3][152];

static FILE *stream(void *file) {
  FILE *const real[3] = {stdin, stdout, stderr};
  for (int i = 0; i < 3; i++)
    if (file == streams[i]) return real[i];
  return file;
}

static int bionic_vfprintf(void *file, const char *format, va_list arguments) {
  return vfprintf(stream(file), format, arguments);
}
static int bionic_fprintf(void *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = vfprintf(stream(file), format, arguments);
  va_end(arguments);
  return written;
}
static int bionic_fputs(const char *text, void *file) { return fputs(text, stream(file)); }
static int bionic_fputc(int character, void *file) { return fputc(character, stream(file)); }
static int bionic_fflush(void *file) { return fflush(file ? stream(file) : NULL); }
static size_t bionic_fwrite(const void *data, size_t size, size_t count, void *file) {
  return fwrite(data, size, count, stream(file));
}

/* ---- Android's log is discarded, and there are no properties ---- */

static int log_nothing(void) { return 1; }
static void set_abort_message(const char *text) { fprintf(stderr, "abort: %s\n", text ? text : ""); }

static int no_property(const char *name, char *value) {
  (void)name;
  *value = 0;
  return 0;
}
static const void *find_no_property(const char *name) {
  (void)name;
  return NULL;
}

/* ---- checked variants, which have other names in glibc ---- */

static size_t strlen_chk(const char *text, size_t room) { return (void)room, strlen(text); }
static char *strchr_chk(const char *text, int character, size_t room) {
  return (void)room, strchr(text, character);
}
static char *strncpy_chk2(char *to, const char *from, size_t size, size_t to_room, size_t room) {
  return (void)to_room, (void)room, strncpy(to, from, size);
}
static ssize_t write_chk(int file, const void *data, size_t size, size_t room) {
  return (void)room, write(file, data, size);
}
static void fd_set_chk(int file, fd_set *set, size_t room) { (void)room, FD_SET(file, set); }
static int fd_isset_chk(int file, const fd_set *set, size_t room) {
  return (void)room, FD_ISSET(file, set);
}
extern int __xpg_strerror_r(int number, char *text, size_t room);

/* ---- threads ---- */

/* bionic's has 40 bytes and glibc's 48; glibc uses only the first 40, but clears all. */
static int mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  pthread_mutex_t whole;
  int failed = pthread_mutex_init(&whole, attributes);
  if (!failed) memcpy(mutex, &whole, 40);
  return failed;
}

/* bionic's objects are smaller than glibc's, so each holds the address of a glibc object. */
#define HELD(type, object) (*(type **)(object))
static int attr_init(void *held) {
  HELD(pthread_attr_t, held) = malloc(sizeof(pthread_attr_t));
  return HELD(pthread_attr_t, held) ? pthread_attr_init(HELD(pthread_attr_t, held)) : ENOMEM;
}
static int attr_destroy(void *held) {
  pthread_attr_destroy(HELD(pthread_attr_t, held));
  free(HELD(pthread_attr_t, held));
  return 0;
}
#define ATTRIBUTE(name, type)                                       \
  static int attr_##name(void *held, type value) {                  \
    return pthread_attr_##name(HELD(pthread_attr_t, held), value);  \
  }
ATTRIBUTE(setstacksize, size_t)
ATTRIBUTE(setguardsize, size_t)
ATTRIBUTE(getguardsize, size_t *)
ATTRIBUTE(setdetachstate, int)
ATTRIBUTE(setschedpolicy, int)
ATTRIBUTE(setschedparam, const struct sched_param *)
ATTRIBUTE(getschedparam, struct sched_param *)
ATTRIBUTE(setscope, int)
static int create_thread(pthread_t *thread, void *held, void *(*run)(void *), void *data) {
  return pthread_create(thread, held ? HELD(pthread_attr_t, held) : NULL, run, data);
}

static int semaphore_init(void *held, int is_shared, unsigned value) {
  HELD(sem_t, held) = malloc(sizeof(sem_t));
  return sem_init(HELD(sem_t, held), is_shared, value);
}
static int semaphore_destroy(void *held) {
  free(HELD(sem_t, held));
  return 0;
}
static int semaphore_post(void *held) { return sem_post(HELD(sem_t, held)); }
static int semaphore_wait(void *held) { return sem_wait(HELD(sem_t, held)); }
static int semaphore_timedwait(void *held, const struct timespec *until) {
  return sem_timedwait(HELD(sem_t, held), until);
}
static void no_cleanup(void) {}
static int register_atfork(void) { return 0; }

/* ---- signals: bionic's sets have 64 bits, glibc's 1024 ---- */

typedef uint64_t signal_set;
struct signal_action {
  int flags;
  void (*handler)(int);
  signal_set mask;
  void (*restorer)(void);
};

static sigset_t *widened(const signal_set *set, sigset_t *wide) {
  if (!set) return NULL;
  sigemptyset(wide);
  for (int number = 1; number <= 64; number++)
    if (*set >> (number - 1) & 1) sigaddset(wide, number);
  return wide;
}
static void narrowed(const sigset_t *wide, signal_set *set) {
  if (!set) return;
  *set = 0;
  for (int number = 1; number <= 64; number++)
    if (sigismember(wide, number) == 1) *set |= (signal_set)1 << (number - 1);
}
static int set_empty(signal_set *set) { return *set = 0, 0; }
static int set_fill(signal_set *set) { return *set = ~(signal_set)0, 0; }
static int set_add(signal_set *set, int number) {
  return *set |= (signal_set)1 << (number - 1), 0;
}
static int set_remove(signal_set *set, int number) {
  return *set &= ~((signal_set)1 << (number - 1)), 0;
}
static int set_holds(const signal_set *set, int number) { return *set >> (number - 1) & 1; }
static int change_mask(int how, const signal_set *set, signal_set *before) {
  sigset_t wide, wide_before;
  int failed = pthread_sigmask(how, widened(set, &wide), &wide_before);
  if (!failed) narrowed(&wide_before, before);
  return failed;
}
static int change_action(int number, const struct signal_action *action,
                         struct signal_action *before) {
  struct sigaction wide, wide_before;
  if (action) {
    wide = (struct sigaction){.sa_flags = action->flags, .sa_handler = action->handler};
    widened(&action->mask, &wide.sa_mask);
  }
  if (sigaction(number, action ? &wide : NULL, &wide_before)) return -1;
  if (before) {
    *before = (struct signal_action){.flags = wide_before.sa_flags,
                                     .handler = wide_before.sa_handler};
    narrowed(&wide_before.sa_mask, &before->mask);
  }
  return 0;
}

/* ---- numbers ---- */

static long system_configuration(int name) {
  static const struct { int bionic, glibc; } names[] = {
      {0x06, _SC_CLK_TCK},          {0x27, _SC_PAGE_SIZE},        {0x28, _SC_PAGESIZE},
      {0x60, _SC_NPROCESSORS_CONF}, {0x61, _SC_NPROCESSORS_ONLN}, {0x62, _SC_PHYS_PAGES},
      {0x63, _SC_AVPHYS_PAGES},
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].bionic == name) return sysconf(names[i].glibc);
  errno = EINVAL;
  return -1;
}

/* ---- dlopen ---- */

static void *bionic_dlopen(const char *path, int flags) {
  (void)flags;
  if (!path) return RTLD_DEFAULT;
  return load(path); /* names without a folder are searched there too; no phone's driver is found */
}
static void *bionic_dlsym(void *handle, const char *name) {
  void *found = is_image(handle) ? image_symbol(handle, name) : library_function(name);
  if (!found) snprintf(loader_error, sizeof loader_error, "undefined symbol: %s", name);
  return paced(name, found);
}
static char *bionic_dlerror(void) {
  static char text[sizeof loader_error];
  if (!loader_error[0]) return NULL;
  strcpy(text, loader_error);
  loader_error[0] = 0;
  return text;
}
static int bionic_dlclose(void *handle) { return (void)handle, 0; }

static const struct { const char *name; void *address; } differing[] = {
    {"__libc_init", libc_init},
    {"__sF", streams},
    {"__errno", __errno_location},
    {"fprintf", bionic_fprintf},
    {"vfprintf", bionic_vfprintf},
    {"fputs", bionic_fputs},
    {"fputc", bionic_fputc},
    {"fflush", bionic_fflush},
    {"fwrite", bionic_fwrite},
    {"__android_log_print", log_nothing},
    {"__android_log_vprint", log_nothing},
    {"__android_log_write", log_nothing},
    {"android_set_abort_message", set_abort_message},
    {"__system_property_get", no_property},
    {"__system_property_find", find_no_property},
    {"__strlen_chk", strlen_chk},
    {"__strchr_chk", strchr_chk},
    {"__strncpy_chk2", strncpy_chk2},
    {"__write_chk", write_chk},
    {"__FD_SET_chk", fd_set_chk},
    {"__FD_ISSET_chk", fd_isset_chk},
    {"strerror_r", __xpg_strerror_r},
    {"__gnu_strerror_r", strerror_r},
    {"pthread_mutex_init", mutex_init},
    {"pthread_attr_init", attr_init},
    {"pthread_attr_destroy", attr_destroy},
    {"pthread_attr_setstacksize", attr_setstacksize},
    {"pthread_attr_setguardsize", attr_setguardsize},
    {"pthread_attr_getguardsize", attr_getguardsize},
    {"pthread_attr_setdetachstate", attr_setdetachstate},
    {"pthread_attr_setschedpolicy", attr_setschedpolicy},
    {"pthread_attr_setschedparam", attr_setschedparam},
    {"pthread_attr_getschedparam", attr_getschedparam},
    {"pthread_attr_setscope", attr_setscope},
    {"pthread_create", create_thread},
    {"__pthread_cleanup_push", no_cleanup},
    {"__pthread_cleanup_pop", no_cleanup},
    {"__register_atfork", register_atfork},
    {"sem_init", semaphore_init},
    {"sem_destroy", semaphore_destroy},
    {"sem_post", semaphore_post},
    {"sem_wait", semaphore_wait},
    {"sem_timedwait", semaphore_timedwait},
    {"sigemptyset", set_empty},
    {"sigfillset", set_fill},
    {"sigaddset", set_add},
    {"sigdelset", set_remove},
    {"sigismember", set_holds},
    {"sigprocmask", change_mask},
    {"pthread_sigmask", change_mask},
    {"sigaction", change_action},
    {"sysconf", system_configuration},
    {"clock_gettime", phone_clock},
    {"clock_nanosleep", phone_sleep},
    {"dlopen", bionic_dlopen},
    {"dlsym", bionic_dlsym},
    {"dlerror", bionic_dlerror},
    {"dlclose", bionic_dlclose},
    {"dl_iterate_phdr", for_each_image},
};

void *library_function(const char *name) {
  for (size_t i = 0; i < sizeof differing / sizeof differing[0]; i++)
    if (!strcmp(differing[i].name, name)) return differing[i].address;
  /* Loaded here, as zig does not link a library that the program itself does not use. */
  if (!dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL)) return NULL;
  return dlsym(RTLD_DEFAULT, name);
}
