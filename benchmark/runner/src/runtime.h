/* Interface to a runtime, implemented by litert.c and onnxruntime.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

enum { MAX_RANK = 8, MAX_OUTPUTS = 16 };

/* NumPy's name of a type, and the size of an element in bytes. */
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
    int is_quantized; /* per tensor */
    float scale;
    int64_t zero_point;
} tensor;

typedef struct {
    tensor input;
    int output_count;
    tensor outputs[MAX_OUTPUTS];
    int is_fully_delegated; /* negative if unknown */
    int64_t parsed_ns;      /* when compiling began, after parsing; 0 if one call does both */
    int64_t on_cpu;         /* operators that run on the CPU; negative if unknown */
    void *state;            /* of the runtime */
} model;

typedef struct {
    const char *name;

    /* Loads the library and the planned accelerator, and checks version and layouts with a known
     * model, or fails. Returns the version. */
    const char *(*open)(const plan *planned);

    /* Loads and prepares a model from a file, or fails. */
    void (*load)(const char *file, int with_profiler, model *to);

    /* Copies `bytes` to the input. */
    void (*set_input)(model *of, const void *bytes);

    /* Runs once; this call is timed. */
    void (*run)(model *of);

    /* Returns the content of an output, valid until `return_output`. */
    const void *(*borrow_output)(model *of, int index);
    void (*return_output)(model *of, int index);

    /* For a model loaded with the profiler: warms it up, runs it `runs` times, and writes the lines
     * of the events of these runs. */
    void (*profile)(model *of, const char *id, int64_t warmup_runs, int64_t runs);

    void (*unload)(model *of);
} runtime;

extern const runtime litert, onnxruntime;

/* Writes the name of the compilation cache of a model: a file, or the beginning of several. */
void cache_name(char *to, size_t size, const char *file);

/* Loads a library, or fails; a name without a slash refers to the current folder. */
void *load_library(const char *path);

/* Finds a function, or fails. */
void *find_function(void *library, const char *name);

/* Fails, because the runtime does not support the planned accelerator. */
__attribute__((noreturn)) void refuse_accelerator(const plan *planned);

/* Fails unless a model has one input and 1 to MAX_OUTPUTS outputs. */
void check_counts(size_t inputs, size_t outputs, const char *file);

/* Sets the size of a tensor from its type and shape, or fails. */
void measure_tensor(tensor *of, const char *what, const char *file);
