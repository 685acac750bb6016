/* Where an Android program begins, as in the crtbegin_dynamic.o of the NDK: hands the stack the
 * kernel left to bionic, which calls main. There is nothing to run before or after it. */
typedef void (*function)(void);

typedef struct {
    function *before_init, *init, *fini;
} functions;

extern int main(int, char **, char **);
extern void __libc_init(void *stack, void (*unused)(void), int (*main)(int, char **, char **),
                        const functions *) __attribute__((noreturn));

/* Lists begin with -1 and end with 0. */
static function none[2] = {(function)-1, 0};

__attribute__((used, visibility("hidden"))) void begin(void *stack) {
    const functions nothing = {none, none, none};
    __libc_init(stack, 0, main, &nothing);
}

__asm__(".text\n.globl _start\n.type _start, %function\n"
        "_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n b begin\n");
