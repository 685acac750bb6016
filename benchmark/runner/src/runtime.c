#include "runtime.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

void *load_library(const char *path) {
    char here[1200];
    snprintf(here, sizeof here, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
    void *library = dlopen(here, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fail(STATUS_NO_LIBRARY, "the runtime cannot be loaded: %s", dlerror());
    return library;
}

void *find_function(void *library, const char *name) {
    void *function = dlsym(library, name);
    if (function == NULL)
        fail(STATUS_NO_LIBRARY, "the runtime has no function %s: it has another version", name);
    return function;
}

void cache_name(char *to, size_t size, const char *file) { snprintf(to, size, "%s.cache", file); }

void refuse_accelerator(const plan *planned) {
    fail(STATUS_BAD_PLAN, "plan: %s does not compute on the accelerator '%.50s'", planned->backend,
         planned->accelerator);
}

void check_counts(size_t inputs, size_t outputs, const char *file) {
    if (inputs != 1 || outputs < 1 || outputs > MAX_OUTPUTS)
        fail(STATUS_NO_MODEL, "%s has %zu inputs and %zu outputs; allowed are 1 and 1 to %d", file,
             inputs, outputs, MAX_OUTPUTS);
}

void measure_tensor(tensor *of, const char *what, const char *file) {
    uint64_t elements = 1;
    if (of->type.name == NULL)
        fail(STATUS_NO_MODEL, "%s has an %s of a type that is not supported", file, what);
    for (int i = 0; i < of->rank; i++) {
        if (of->shape[i] < 1)
            fail(STATUS_NO_MODEL, "%s has an %s without a fixed size: export it with one", file,
                 what);
        if (elements > (uint64_t)1 << 40 || of->shape[i] > (int64_t)1 << 31)
            fail(STATUS_NO_MODEL, "%s has an %s that is too large", file, what);
        elements *= (uint64_t)of->shape[i];
    }
    of->bytes = (size_t)elements * of->type.size;
}
