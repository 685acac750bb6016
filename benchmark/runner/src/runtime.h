/* What the runner needs of a runtime; litert.c and onnxruntime.c give it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

enum { MAX_RANK = 8, MAX_OUTPUTS = 16 };

/* The name NumPy has for a type, and the bytes of an element. */
typedef struct {
    const char *name;
    size_t size;
} element_type;

typedef struct {
    const char *name;
    element_type type;
    int rank;
    int64_t shape[MAX_RANK];
    size_t bytes;
    int is_quantized; /* as a whole */
    float scale;
    int64_t zero_point;
} tensor;

typedef struct {
    tensor input;
    int output_count;
    tensor outputs[MAX_OUTPUTS];
    int is_fully_delegated; /* negative if the runtime does not say */
    int64_t on_cpu;         /* operators that the accelerator left to the CPU; negative likewise */
    void *state;            /* of the runtime */
} model;

typedef struct {
    const char *name;

    /* Loads the library and the planned accelerator, checks version and layouts with a model whose
     * answers are known, or fails. Returns the version. */
    const char *(*open)(const plan *planned);

    /* Loads a model from a file, ready to run, or fails. */
    void (*load)(const char *file, int with_profiler, model *to);

    /* Copies `bytes` of the input in. */
    void (*set_input)(model *of, const void *bytes);

    /* Runs once. This is what is timed. */
    void (*run)(model *of);

    /* Lends the content of an output until it is given back. */
    const void *(*borrow_output)(model *of, int index);
    void (*return_output)(model *of, int index);

    /* Of a model loaded with the profiler: warms it up, runs `runs` times, and writes the lines of
     * the events of these. */
    void (*profile)(model *of, const char *id, int64_t warmup_runs, int64_t runs);

    void (*unload)(model *of);
} runtime;

extern const runtime litert, onnxruntime;

/* Loads a library, or fails; a name without a slash is one in the current folder. */
void *load_library(const char *path);

/* Finds a function, or fails. */
void *find_function(void *library, const char *name);

/* Fails, as the runtime does not compute on the planned accelerator. */
__attribute__((noreturn)) void refuse_accelerator(const plan *planned);

/* Fails unless a model has one input and 1 to MAX_OUTPUTS outputs. */
void check_counts(size_t inputs, size_t outputs, const char *file);

/* Sets the bytes of a tensor whose type and shape are known, or fails. */
void measure_tensor(tensor *of, const char *what, const char *file);
