/* The plan of a run; plan.py documents the fields and writes the file. */
#pragma once

#include <stdint.h>

enum {
    MAX_CPUS = 1024,
    MAX_MODELS = 1024,
    MAX_SIDE = 1 << 20,
    MAX_INPUTS = 1 << 20,
    MAX_OPTIONS = 16,
    MAX_FRAME_SIDE = 8192
};

typedef struct {
    const char *id, *file, *input, *output; /* output is NULL if not requested */
    int64_t inputs;                         /* number of inputs in the input file */
    int32_t mask_height, mask_width;        /* 0 if no mask is requested */
    const char *levels;                     /* NULL if no frames are requested */
    int is_channels_first, is_gray, is_reversed, is_bicubic, has_ids;
    int32_t scaled_height, scaled_width;
    int32_t frame_mask_height, frame_mask_width; /* 0 if frames end with the inference */
} planned_model;

typedef struct {
    const char *key, *value;
} accelerator_option;

typedef struct {
    int64_t cycles, idle_ns, active_ns, sample_ns, frame_ns; /* cycles is 0 without an activity */
} planned_activity;

typedef struct {
    int threads, cpu_count; /* 0 processors: no load */
    int cpus[MAX_CPUS];
    const char *file, *input; /* a model, or */
    int64_t period_ns;        /* a camera, if it is above 0 */
    int32_t frame_height, frame_width, height, width;
} planned_load;

/* Of the compilation cache of the runtime. */
typedef enum { NO_CACHE, FILL_CACHE, USE_CACHE } cache_use;

typedef struct {
    const char *backend, *accelerator, *library, *runtime_version, *sysfs;
    const char *frame; /* may be NULL */
    int32_t frame_height, frame_width;
    int threads;
    int cpu_count; /* 0: any */
    int cpus[MAX_CPUS];
    uint64_t seed;
    int64_t warmup_runs, blocks, runs_per_block, profile_runs, in_half, full_acceleration,
        time_limit_ms;
    int cache; /* a `cache_use` */
    const char *plugin; /* library of the accelerator; NULL if built into the runtime */
    planned_activity activity;
    planned_load load;
    int option_count;
    accelerator_option options[MAX_OPTIONS];
    int model_count;
    planned_model models[MAX_MODELS];
} plan;

/* Reads a plan, or fails. */
void plan_read(const char *path, plan *to);
