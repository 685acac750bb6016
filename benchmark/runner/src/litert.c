/* LiteRT through its C API, on the CPU (its kernels and XNNPACK) or on an accelerator.
 *
 * Only the functions used are declared, as in LiteRT 2.3. The API does not report a version and is
 * not stable: `probe` checks that it matches the declarations. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "report.h"
#include "runtime.h"
#include "system.h"

/* ---- The API --------------------------------------------------------------------------------- */

typedef void *handle; /* of any of its objects */

enum { OK = 0, ON_CPU = 1, ON_GPU = 2, ON_NPU = 4, TO_READ = 0, TO_WRITE = 1, PER_TENSOR = 1 };
enum { HALF_PRECISION = 1, SINGLE_PRECISION = 2 }; /* of the GPU */
enum { DISPATCH_LIBRARY_FOLDER = 1, RUNTIME_LIBRARY_FOLDER = 22, TEXT = 8 };    /* an option of an environment, and its type */

typedef struct {
    unsigned rank : 7, has_strides : 1;
    int32_t dimensions[8];
    uint32_t strides[8];
} layout;

typedef struct {
    int element_type;
    layout layout;
} ranked_type;

typedef struct {
    float scale;
    int64_t zero_point;
} per_tensor_quantization;

typedef struct {
    int option;
    struct {
        int type;
        const char *text;
    } value;
} environment_option;

typedef struct {
    int64_t footprint_kb;
    size_t allocated, in_use;
} memory_usage;

typedef struct {
    const char *tag;
    int type;
    uint64_t start_us, elapsed_us;
    memory_usage memory_at_begin, memory_at_end;
    uint64_t node, subgraph;
    int source;
} event;

enum { OPERATOR = 2, DELEGATE_OPERATOR = 4, DELEGATE_PROFILED_OPERATOR = 8 };
enum { FIRST_TELEMETRY = 32, LAST_TELEMETRY = 256 }; /* settings rather than times */

#define FUNCTIONS(X)                                                                       \
    X(CreateEnvironment, (int, const void *, handle *))                                    \
    X(CreateModelFromFile, (handle, const char *, handle *))                               \
    X(CreateModelFromBuffer, (handle, const void *, size_t, handle *))                     \
    X(CreateOptions, (handle *))                                                           \
    X(SetOptionsHardwareAccelerators, (handle, int))                                       \
    X(CreateOpaqueOptions, (const char *, void *, void (*)(void *), handle *))             \
    X(AddOpaqueOptions, (handle, handle))                                                  \
    X(CreateCompiledModel, (handle, handle, handle, handle *))                             \
    X(CompiledModelIsFullyAccelerated, (handle, _Bool *))                                  \
    X(CompiledModelIsNonCpuFullyAccelerated, (handle, _Bool *))                            \
    X(GetNumModelSignatures, (handle, size_t *))                                           \
    X(GetModelSignature, (handle, size_t, handle *))                                       \
    X(GetNumSignatureInputs, (handle, size_t *))                                           \
    X(GetNumSignatureOutputs, (handle, size_t *))                                          \
    X(GetSignatureInputTensorByIndex, (handle, size_t, handle *))                          \
    X(GetSignatureOutputTensorByIndex, (handle, size_t, handle *))                         \
    X(GetTensorName, (handle, const char **))                                              \
    X(GetRankedTensorType, (handle, ranked_type *))                                        \
    X(GetQuantizationTypeId, (handle, int *))                                              \
    X(GetPerTensorQuantization, (handle, per_tensor_quantization *))                       \
    X(GetCompiledModelInputBufferRequirements, (handle, size_t, size_t, handle *))         \
    X(GetCompiledModelOutputBufferRequirements, (handle, size_t, size_t, handle *))        \
    X(CreateManagedTensorBufferFromRequirements, (handle, const ranked_type *, handle, handle *)) \
    X(GetTensorBufferPackedSize, (handle, size_t *))                                       \
    X(LockTensorBuffer, (handle, void **, int))                                            \
    X(UnlockTensorBuffer, (handle))                                                        \
    X(RunCompiledModel, (handle, size_t, size_t, handle *, size_t, handle *))              \
    X(CompiledModelGetProfiler, (handle, handle *))                                        \
    X(ResetProfiler, (handle))                                                             \
    X(StartProfiler, (handle))                                                             \
    X(StopProfiler, (handle))                                                              \
    X(GetNumProfilerEvents, (handle, int *))                                               \
    X(GetProfilerEvents, (handle, int, event *))

#define RELEASES(X) \
    X(DestroyTensorBuffer) X(DestroyCompiledModel) X(DestroyOptions) X(DestroyModel)

#define DECLARE_FUNCTION(name, parameters) static int(*name) parameters;
FUNCTIONS(DECLARE_FUNCTION)
#define DECLARE_RELEASE(name) static void (*name)(handle);
RELEASES(DECLARE_RELEASE)

static void find_functions(void *library) {
/* ISO C has no conversion from void * to a function's address, POSIX has. */
#define FIND_FUNCTION(name, parameters) *(void **)&name = find_function(library, "LiteRt" #name);
    FUNCTIONS(FIND_FUNCTION)
#define FIND_RELEASE(name) *(void **)&name = find_function(library, "LiteRt" #name);
    RELEASES(FIND_RELEASE)
}

static void check(int status, const char *function, const char *what) {
    if (status != OK)
        fail(STATUS_NO_MODEL, "LiteRT refuses %s: %s gives status %d", what, function, status);
}

#define CHECK(what, function, ...) check(function(__VA_ARGS__), "LiteRt" #function, what)

/* ---- Models ---------------------------------------------------------------------------------- */

static handle environment;
static int thread_count;
/* QS8, QU8, FORCE_FP16 and DYNAMIC_FULLY_CONNECTED, see
   tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h; 0 for XNNPACK's own default, which includes
   the integers. */
static int xnnpack_flags;
enum { IN_HALF_FLAGS = 1 | 2 | 4 | 8 };
static char npu_options[400];
static const char *processor = "GPU"; /* in messages */
static int accelerator = ON_CPU, gpu_precision, needs_full_acceleration;
static int cache_use_planned;

typedef struct {
    const char *file; /* its name, for messages */
    handle model, options, compiled, input, outputs[MAX_OUTPUTS];
    int off_cpu; /* on an accelerator, wholly or in part */
    char cache[200]; /* name of the compilation cache; empty without one */
} loaded;

static element_type type_of(int code) {
    static const struct {
        int code;
        element_type type;
    } types[] = {{1, {"float32", 4}},  {2, {"int32", 4}},   {3, {"uint8", 1}},
                 {4, {"int64", 8}},    {6, {"bool", 1}},    {7, {"int16", 2}},
                 {9, {"int8", 1}},     {10, {"float16", 2}}, {11, {"float64", 8}},
                 {13, {"uint64", 8}},  {16, {"uint32", 4}}, {17, {"uint16", 2}}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == code) return types[i].type;
    return (element_type){NULL, 0};
}

static void describe(const loaded *m, handle of, const char *what, const ranked_type *type,
                     tensor *to) {
    per_tensor_quantization quantization;
    int kind = 0;
    *to = (tensor){.type = type_of(type->element_type), .rank = (int)type->layout.rank};
    CHECK(m->file, GetTensorName, of, &to->name);
    if (to->rank > MAX_RANK) fail(STATUS_WRONG_RUNTIME, "%s has %d axes", m->file, to->rank);
    for (int i = 0; i < to->rank; i++) to->shape[i] = type->layout.dimensions[i];
    measure_tensor(to, what, m->file);
    CHECK(m->file, GetQuantizationTypeId, of, &kind);
    if (kind != PER_TENSOR) return;
    CHECK(m->file, GetPerTensorQuantization, of, &quantization);
    to->is_quantized = 1;
    to->scale = quantization.scale;
    to->zero_point = quantization.zero_point;
}

/* Creates the buffer of an input or output, of the type preferred by the compiled model. */
static handle make_buffer(const loaded *m, const ranked_type *type, handle requirements,
                          const tensor *described) {
    handle buffer = NULL;
    size_t size = 0;
    CHECK(m->file, CreateManagedTensorBufferFromRequirements, environment, type, requirements,
          &buffer);
    CHECK(m->file, GetTensorBufferPackedSize, buffer, &size);
    if (size != described->bytes)
        fail(STATUS_WRONG_RUNTIME, "%s: a buffer of %zu bytes was created for %zu", m->file, size,
             described->bytes);
    return buffer;
}

/* Adds a part of the options, which are lines of TOML. */
static void add_options(const loaded *m, handle to, const char *part_of, const char *lines) {
    handle part = NULL;
    CHECK(m->file, CreateOpaqueOptions, part_of, strdup(lines), free, &part);
    CHECK(m->file, AddOpaqueOptions, to, part);
}

static handle make_options(const loaded *m, int accelerators, int with_profiler) {
    handle options = NULL;
    char lines[600];
    CHECK(m->file, CreateOptions, &options);
    CHECK(m->file, SetOptionsHardwareAccelerators, options, accelerators);
    int length = snprintf(lines, sizeof lines, "num_threads = %d\n", thread_count);
    /* Flags replace the default ones: 0 would leave integers to LiteRT's own, slower kernels. */
    if (xnnpack_flags)
        length += snprintf(lines + length, sizeof lines - (size_t)length, "flags = %d\n",
                           xnnpack_flags);
    if (m->cache[0] != 0)
        snprintf(lines + length, sizeof lines - (size_t)length,
                 "weight_cache_file_path = \"%s\"\n", m->cache);
    add_options(m, options, "xnnpack", lines);
    if (accelerators & ON_GPU) {
        length = snprintf(lines, sizeof lines, "precision = %d\n", gpu_precision);
        if (m->cache[0] != 0)
            snprintf(lines + length, sizeof lines - (size_t)length,
                     "serialization_dir = \".\"\nmodel_cache_key = \"%s\"\n"
                     "serialize_program_cache = true\n",
                     m->cache);
        add_options(m, options, "gpu_options", lines);
    }
    if (accelerators & ON_NPU) add_options(m, options, "qualcomm", npu_options);
    if (with_profiler)
        add_options(m, options, "runtime_options_string", "enable_profiling = true\n");
    return options;
}

/* Compiles for these accelerators, or returns LiteRT's error status. */
static int create(loaded *m, int accelerators, int with_profiler) {
    m->options = make_options(m, accelerators, with_profiler);
    const int status = CreateCompiledModel(environment, m->model, m->options, &m->compiled);
    if (status != OK) DestroyOptions(m->options);
    return status;
}

/* Describes the compiled model, and creates its buffers. */
static void prepare(loaded *m, int off_cpu, model *to) {
    handle signature = NULL, of = NULL, requirements = NULL;
    size_t inputs = 0, outputs = 0;
    ranked_type type;
    _Bool fully = 0;
    if (off_cpu) CHECK(m->file, CompiledModelIsNonCpuFullyAccelerated, m->compiled, &fully);
    else CHECK(m->file, CompiledModelIsFullyAccelerated, m->compiled, &fully);
    m->off_cpu = off_cpu;
    CHECK(m->file, GetModelSignature, m->model, 0, &signature);
    CHECK(m->file, GetNumSignatureInputs, signature, &inputs);
    CHECK(m->file, GetNumSignatureOutputs, signature, &outputs);
    check_counts(inputs, outputs, m->file);
    *to = (model){.state = m, .output_count = (int)outputs, .is_fully_delegated = fully, .on_cpu = -1};
    memset(&type, 0, sizeof type);
    CHECK(m->file, GetSignatureInputTensorByIndex, signature, 0, &of);
    CHECK(m->file, GetRankedTensorType, of, &type);
    describe(m, of, "input", &type, &to->input);
    CHECK(m->file, GetCompiledModelInputBufferRequirements, m->compiled, 0, 0, &requirements);
    m->input = make_buffer(m, &type, requirements, &to->input);
    for (size_t i = 0; i < outputs; i++) {
        memset(&type, 0, sizeof type);
        CHECK(m->file, GetSignatureOutputTensorByIndex, signature, i, &of);
        CHECK(m->file, GetRankedTensorType, of, &type);
        describe(m, of, "output", &type, &to->outputs[i]);
        CHECK(m->file, GetCompiledModelOutputBufferRequirements, m->compiled, 0, i, &requirements);
        m->outputs[i] = make_buffer(m, &type, requirements, &to->outputs[i]);
    }
}

static void load(const char *file, int with_profiler, model *to) {
    loaded *m = allocate(1, sizeof *m);
    m->file = file;
    if (cache_use_planned != NO_CACHE && !with_profiler)
        cache_name(m->cache, sizeof m->cache, file);
    CHECK(file, CreateModelFromFile, environment, file, &m->model);
    const int64_t parsed_ns = clock_ns();
    /* First without the CPU: with it, LiteRT does not report that an accelerator refuses a file. */
    int status = create(m, accelerator, with_profiler);
    if (status != OK && accelerator != ON_CPU) {
        if (needs_full_acceleration)
            fail(STATUS_NO_MODEL, "the %s does not run every operator of %s: LiteRT returns status "
                 "%d", processor, file, status);
        status = create(m, accelerator | ON_CPU, with_profiler);
    }
    check(status, "LiteRtCreateCompiledModel", file);
    prepare(m, accelerator != ON_CPU, to);
    to->parsed_ns = parsed_ns;
    if (needs_full_acceleration && !to->is_fully_delegated)
        fail(STATUS_NO_MODEL, "the %s does not run every operator of %s", processor, file);
}

static void unload(model *of) {
    loaded *m = of->state;
    DestroyTensorBuffer(m->input);
    for (int i = 0; i < of->output_count; i++) DestroyTensorBuffer(m->outputs[i]);
    DestroyCompiledModel(m->compiled);
    DestroyOptions(m->options);
    DestroyModel(m->model);
    free(m);
}

static void set_input(model *of, const void *bytes) {
    loaded *m = of->state;
    void *memory = NULL;
    CHECK(m->file, LockTensorBuffer, m->input, &memory, TO_WRITE);
    memcpy(memory, bytes, of->input.bytes);
    CHECK(m->file, UnlockTensorBuffer, m->input);
}

static const void *borrow_output(model *of, int index) {
    loaded *m = of->state;
    void *memory = NULL;
    CHECK(m->file, LockTensorBuffer, m->outputs[index], &memory, TO_READ);
    return memory;
}

static void return_output(model *of, int index) {
    loaded *m = of->state;
    CHECK(m->file, UnlockTensorBuffer, m->outputs[index]);
}

static void run(model *of) {
    loaded *m = of->state;
    CHECK(m->file, RunCompiledModel, m->compiled, 0, 1, &m->input, (size_t)of->output_count,
          m->outputs);
    if (!m->off_cpu) return;
    /* An accelerator may still be running: a run ends when the CPU can read the outputs. */
    for (int i = 0; i < of->output_count; i++) {
        borrow_output(of, i);
        return_output(of, i);
    }
}

/* ---- The profiler ---------------------------------------------------------------------------- */

/* Runs once with the profiler; returns the events, which the next run makes invalid. */
static event *profiled_run(model *of, handle profiler, int *count) {
    loaded *m = of->state;
    CHECK(m->file, ResetProfiler, profiler);
    CHECK(m->file, StartProfiler, profiler);
    run(of);
    CHECK(m->file, StopProfiler, profiler);
    CHECK(m->file, GetNumProfilerEvents, profiler, count);
    if (*count < 0) fail(STATUS_WRONG_RUNTIME, "the profiler has %d events", *count);
    event *events = allocate((size_t)*count, sizeof *events);
    CHECK(m->file, GetProfilerEvents, profiler, *count, events);
    return events;
}

static handle profiler_of(model *of) {
    loaded *m = of->state;
    handle profiler = NULL;
    CHECK(m->file, CompiledModelGetProfiler, m->compiled, &profiler);
    return profiler;
}

static const char *kind_of(const event *e) {
    if (e->type == OPERATOR) return "operator";
    return e->type == DELEGATE_OPERATOR || e->type == DELEGATE_PROFILED_OPERATOR ? "delegate"
                                                                                 : "other";
}

static void profile(model *of, const char *id, int64_t warmup_runs, int64_t runs) {
    const handle profiler = profiler_of(of);
    for (int64_t i = 0; i < warmup_runs; i++) run(of);
    for (int64_t i = 0; i < runs; i++) {
        int count = 0;
        event *events = profiled_run(of, profiler, &count);
        int64_t index = 0;
        for (int k = 0; k < count; k++) {
            if (events[k].type >= FIRST_TELEMETRY) continue;
            line_begin("event");
            line_text("model", id);
            line_integer("run", i);
            line_integer("index", index++);
            line_text("tag", events[k].tag ? events[k].tag : "");
            line_text("kind", kind_of(&events[k]));
            line_integer("start_us", (int64_t)events[k].start_us);
            line_integer("elapsed_us", (int64_t)events[k].elapsed_us);
            line_count("node", (int64_t)events[k].node);
            line_count("subgraph", (int64_t)events[k].subgraph);
            line_null("op");
            line_end();
        }
        free(events);
    }
}

/* ---- The library ----------------------------------------------------------------------------- */

static void probe_events(model *of) {
    int count = 0, operators = 0;
    event *events = profiled_run(of, profiler_of(of), &count);
    for (int i = 0; i < count; i++) {
        const event *e = &events[i];
        const int is_type = e->type > 0 && e->type <= LAST_TELEMETRY && !(e->type & (e->type - 1));
        const int is_time = e->type >= FIRST_TELEMETRY || e->elapsed_us < 60000000;
        require(is_type && is_time && e->tag != NULL && memchr(e->tag, 0, 1000) != NULL &&
                    e->source >= 0 && e->source < 3,
                "an event of the profiler");
        operators += e->type == OPERATOR || kind_of(e)[0] == 'd';
    }
    require(operators > 0, "the number of the profiler's events");
    free(events);
}

static loaded *open_known(void) {
    loaded *m = allocate(1, sizeof *m);
    m->file = "a known model";
    require(CreateModelFromBuffer(environment, probe_tflite,
                                  (size_t)(probe_tflite_end - probe_tflite), &m->model) == OK,
            "reading it");
    return m;
}

/* Returns whether the compiled known model returns its expected output. */
static int answers(model *known) {
    float x[PROBE_ELEMENTS];
    int is_right = 1;
    probe_input(x);
    set_input(known, x);
    run(known);
    const int8_t *q = borrow_output(known, 0);
    for (int i = 0; i < PROBE_ELEMENTS; i++) is_right &= q[i] == i - 3;
    return_output(known, 0);
    return is_right;
}

/* Checks the declarations above with the known model. Any consequence of a wrong declaration, even
 * a crash, is reported as a wrong runtime. */
static void probe(void) {
    loaded *m = open_known();
    model known;
    size_t signatures = 0;
    require(GetNumModelSignatures(m->model, &signatures) == OK && signatures == 1,
            "its signature");
    check(create(m, ON_CPU, 1), "LiteRtCreateCompiledModel", m->file);
    prepare(m, 0, &known);
    probe_signature(&known, "q", "int8");
    require(!known.input.is_quantized && known.outputs[0].is_quantized &&
                known.outputs[0].scale == 0.25f && known.outputs[0].zero_point == -3,
            "its quantization");
    require(answers(&known), "its output");
    probe_events(&known);
    unload(&known);
}

/* Checks that the GPU works, with the known model, which it supports. */
static void probe_gpu(void) {
    loaded *m = open_known();
    model known;
    const char *const driver = strncmp(TARGET, "android", 7) == 0 ? "libOpenCL.so" : "libvulkan.so.1";
    const int status = create(m, ON_GPU, 0);
    if (status != OK && dlopen(driver, RTLD_NOW | RTLD_LOCAL) == NULL)
        fail(STATUS_NO_ACCELERATOR, "the GPU accelerator finds no driver: %s", dlerror());
    if (status != OK)
        fail(STATUS_NO_ACCELERATOR, "the GPU accelerator cannot be used: LiteRT returns status %d",
             status);
    prepare(m, 1, &known);
    if (!known.is_fully_delegated || !answers(&known))
        fail(STATUS_NO_ACCELERATOR, "the GPU computes a known model incorrectly: its driver has a "
             "fault");
    unload(&known);
}

/* The options are lines of TOML; the plan has texts and numbers that need no quotes. */
static void open_npu(const plan *planned) {
    size_t length = 0;
    for (int i = 0; i < planned->option_count; i++) {
        const accelerator_option *one = &planned->options[i];
        length += (size_t)snprintf(npu_options + length, sizeof npu_options - length, "%s = %s\n",
                                   one->key, one->value);
        if (length >= sizeof npu_options) fail(STATUS_BAD_PLAN, "plan: the options are too long");
    }
    processor = "NPU";
    accelerator = ON_NPU;
}

static const char *open_library(const plan *planned) {
    /* Accelerators are searched in this folder, unless they are built into the library. */
    const int is_on_npu = strcmp(planned->accelerator, "npu") == 0;
    const environment_option folder = {is_on_npu ? DISPATCH_LIBRARY_FOLDER : RUNTIME_LIBRARY_FOLDER,
                                       {TEXT, "."}};
    const char *const version = planned->runtime_version;
    const int on_gpu = strcmp(planned->accelerator, "gpu") == 0;
    if (!on_gpu && !is_on_npu && strcmp(planned->accelerator, "cpu") != 0)
        refuse_accelerator(planned);
    thread_count = planned->threads;
    xnnpack_flags = planned->in_half ? IN_HALF_FLAGS : 0;
    gpu_precision = planned->in_half ? HALF_PRECISION : SINGLE_PRECISION;
    needs_full_acceleration = (int)planned->full_acceleration;
    cache_use_planned = planned->cache;
    now("loading the runtime", STATUS_NO_LIBRARY, "its file is damaged or incomplete");
    find_functions(load_library(planned->library));
    now("checking the runtime with a known model", STATUS_WRONG_RUNTIME,
        "this runner does not support its version");
    require(CreateEnvironment(on_gpu || is_on_npu, &folder, &environment) == OK, "the environment");
    probe();
    if (on_gpu) {
        now("checking the GPU with a known model", STATUS_NO_ACCELERATOR,
            "its driver or LiteRT's accelerator has a fault");
        probe_gpu();
        accelerator = ON_GPU;
    }
    if (is_on_npu) open_npu(planned);
    return strcmp(version, "any") == 0 ? "unknown" : version;
}

const runtime litert = {"litert",      open_library, load,          set_input, run,
                        borrow_output, return_output, profile, unload};
