/* /system/bin/linker64 of the loopback phone: runs an Android executable with the loader.
 *
 * Linux maps the executable and this file, and starts here. A glibc program cannot be used as the
 * interpreter, so this one has no C library; it restarts the executable under the loader. */

#define AT_EXECFN 31
#define SYS_execve 221
#define SYS_exit_group 94
#define MOST_ARGUMENTS 1024

static const char loader[] = "/system/bin/loader";
static const char *arguments[MOST_ARGUMENTS + 2];

static long system_call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

/* stack: argc, argv..., NULL, environment..., NULL, auxiliary vector (pairs) */
__attribute__((used, noreturn)) static void start(long *stack) {
  long count = stack[0];
  const char **argv = (const char **)stack + 1, **environment = argv + count + 1;
  const char **end = environment;
  while (*end) end++;
  const char *executable = argv[0];
  for (const unsigned long *entry = (const unsigned long *)(end + 1); entry[0]; entry += 2)
    if (entry[0] == AT_EXECFN) executable = (const char *)entry[1];

  arguments[0] = loader;
  arguments[1] = executable;
  for (long i = 0; i < count && i < MOST_ARGUMENTS - 1; i++) arguments[2 + i] = argv[i];
  system_call(SYS_execve, (long)loader, (long)arguments, (long)environment);
  system_call(SYS_exit_group, 126, 0, 0);
  __builtin_unreachable();
}

__asm__(".globl _start\n_start:\n  mov x0, sp\n  b start\n");
