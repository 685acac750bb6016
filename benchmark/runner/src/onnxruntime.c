/* ONNX Runtime through its C API, with the CPU provider or, on Qualcomm's NPU, the QNN provider.
 *
 * The API is a table of functions to which new ones are only appended, so the functions of version
 * 20 (ONNX Runtime 1.20) keep their index. The functions used are declared by index, and `probe`
 * checks the declarations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform.h"
#include "probe.h"
#include "report.h"
#include "runtime.h"
#include "system.h"

/* ---- The API --------------------------------------------------------------------------------- */

typedef void *handle; /* of any of its objects */

typedef void (*log_function)(void *, int severity, const char *category, const char *id,
                             const char *place, const char *message);

enum { API_VERSION = 20, ERRORS_ONLY = 3, ARENA = 1, DEFAULT_MEMORY = 0 };
enum { NO_OPTIMIZATIONS = 0, ALL_OPTIMIZATIONS = 99 };

typedef struct {
    void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} api_base;

#define FUNCTIONS(X)                                                                           \
    X(4, CreateEnvWithCustomLogger, (log_function, void *, int, const char *, handle *))       \
    X(6, DisableTelemetryEvents, (handle))                                                     \
    X(7, CreateSession, (handle, const char *, handle, handle *))                              \
    X(8, CreateSessionFromArray, (handle, const void *, size_t, handle, handle *))             \
    X(9, Run,                                                                                  \
      (handle, handle, const char *const *, const handle *, size_t, const char *const *, size_t, \
       handle *))                                                                              \
    X(10, CreateSessionOptions, (handle *))                                                    \
    X(11, SetOptimizedModelFilePath, (handle, const char *))                                   \
    X(14, EnableProfiling, (handle, const char *))                                             \
    X(23, SetSessionGraphOptimizationLevel, (handle, int))                                     \
    X(24, SetIntraOpNumThreads, (handle, int))                                                 \
    X(25, SetInterOpNumThreads, (handle, int))                                                 \
    X(30, SessionGetInputCount, (handle, size_t *))                                            \
    X(31, SessionGetOutputCount, (handle, size_t *))                                           \
    X(33, SessionGetInputTypeInfo, (handle, size_t, handle *))                                 \
    X(34, SessionGetOutputTypeInfo, (handle, size_t, handle *))                                \
    X(36, SessionGetInputName, (handle, size_t, handle, char **))                              \
    X(37, SessionGetOutputName, (handle, size_t, handle, char **))                             \
    X(49, CreateTensorWithDataAsOrtValue,                                                      \
      (handle, void *, size_t, const int64_t *, size_t, int, handle *))                        \
    X(51, GetTensorMutableData, (handle, void **))                                             \
    X(55, CastTypeInfoToTensorInfo, (handle, handle *))                                        \
    X(60, GetTensorElementType, (handle, int *))                                               \
    X(61, GetDimensionsCount, (handle, size_t *))                                              \
    X(62, GetDimensions, (handle, int64_t *, size_t))                                          \
    X(69, CreateCpuMemoryInfo, (int, int, handle *))                                           \
    X(78, GetAllocatorWithDefaultOptions, (handle *))                                          \
    X(110, SessionEndProfiling, (handle, handle, char **))                                     \
    X(130, AddSessionConfigEntry, (handle, const char *, const char *))                        \
    X(216, SessionOptionsAppendExecutionProvider,                                              \
      (handle, const char *, const char *const *, const char *const *, size_t))

/* Since version 22: execution providers in separate libraries. */
enum { PLUGINS = 22 };
#define PLUGIN_FUNCTIONS(X)                                                                    \
    X(301, RegisterExecutionProviderLibrary, (handle, const char *, const char *))             \
    X(303, GetEpDevices, (handle, const handle **, size_t *))                                  \
    X(304, SessionOptionsAppendExecutionProvider_V2,                                           \
      (handle, handle, const handle *, size_t, const char *const *, const char *const *, size_t))

/* Since version 24: which provider computes which node. */
enum { ASSIGNMENTS = 24 };
#define ASSIGNMENT_FUNCTIONS(X)                                                                \
    X(407, Session_GetEpGraphAssignmentInfo, (handle, const handle **, size_t *))              \
    X(408, EpAssignedSubgraph_GetEpName, (handle, const char **))                              \
    X(409, EpAssignedSubgraph_GetNodes, (handle, const handle **, size_t *))

#define RELEASES(X) \
    X(93, ReleaseStatus) X(95, ReleaseSession) X(96, ReleaseValue) X(98, ReleaseTypeInfo) \
    X(100, ReleaseSessionOptions)

#define DECLARE_FUNCTION(place, name, parameters) static handle(*name) parameters;
FUNCTIONS(DECLARE_FUNCTION)
PLUGIN_FUNCTIONS(DECLARE_FUNCTION)
ASSIGNMENT_FUNCTIONS(DECLARE_FUNCTION)
#define DECLARE_RELEASE(place, name) static void (*name)(handle);
RELEASES(DECLARE_RELEASE)
static const char *(*GetErrorMessage)(handle), *(*EpDevice_EpName)(handle);

static void find_functions(void *const *table) {
#define FIND_FUNCTION(place, name, parameters) *(void **)&name = table[place];
    FUNCTIONS(FIND_FUNCTION)
#define FIND_RELEASE(place, name) *(void **)&name = table[place];
    RELEASES(FIND_RELEASE)
    *(void **)&GetErrorMessage = table[2];
}

static void find_plugin_functions(void *const *table) {
    PLUGIN_FUNCTIONS(FIND_FUNCTION)
    *(void **)&EpDevice_EpName = table[312];
}

static void find_assignment_functions(void *const *table) {
    ASSIGNMENT_FUNCTIONS(FIND_FUNCTION)
}

static void check(handle status, const char *what) {
    if (status != NULL)
        fail(STATUS_NO_MODEL, "ONNX Runtime refuses %s: %s", what, GetErrorMessage(status));
}

/* ---- Models ---------------------------------------------------------------------------------- */

static handle environment, allocator, memory_info;
static int thread_count;
static int cache_use_planned;
static const plan *on_npu; /* NULL on the CPU */

typedef struct {
    const char *file; /* its name, for messages */
    handle session, options, input, outputs[MAX_OUTPUTS];
    void *input_memory;
    const char *input_name, *output_names[MAX_OUTPUTS];
} loaded;

static element_type type_of(int code) {
    static const element_type types[] = {
        {NULL, 0},     {"float32", 4}, {"uint8", 1},   {"int8", 1},    {"uint16", 2},
        {"int16", 2},  {"int32", 4},   {"int64", 8},   {NULL, 0},      {"bool", 1},
        {"float16", 2}, {"float64", 8}, {"uint32", 4}, {"uint64", 8}};
    if (code < 0 || (size_t)code >= sizeof types / sizeof types[0]) return types[0];
    return types[code];
}

static void describe(const loaded *m, handle info, const char *what, const char *name,
                     tensor *to) {
    handle type = NULL;
    int code = 0;
    size_t rank = 0;
    *to = (tensor){.name = name};
    check(CastTypeInfoToTensorInfo(info, &type), m->file);
    if (type == NULL) fail(STATUS_NO_MODEL, "%s has an %s that is not a tensor", m->file, what);
    check(GetTensorElementType(type, &code), m->file);
    check(GetDimensionsCount(type, &rank), m->file);
    if (rank > MAX_RANK) fail(STATUS_NO_MODEL, "%s has an %s of %zu axes", m->file, what, rank);
    check(GetDimensions(type, to->shape, rank), m->file);
    to->type = type_of(code);
    to->rank = (int)rank;
    measure_tensor(to, what, m->file);
    ReleaseTypeInfo(info);
}

/* ---- Qualcomm's NPU -------------------------------------------------------------------------- */

static const char PROVIDER[] = "QNNExecutionProvider", BUILT_IN[] = "QNN";

static int has_assignments;
static char first_error[400]; /* the cause; later errors are consequences */

/* Without a custom logger, ONNX Runtime writes to Android's log. */
static void log_error(void *ours, int severity, const char *category, const char *id,
                      const char *place, const char *message) {
    (void)ours, (void)category, (void)id, (void)place;
    if (severity < ERRORS_ONLY) return;
    if (first_error[0] == 0) snprintf(first_error, sizeof first_error, "%s", message);
    write_all(STDERR_FILENO, message, strlen(message));
    write_all(STDERR_FILENO, "\n", 1);
}

static handle npu_device(void) {
    const handle *devices = NULL;
    size_t count = 0;
    if (GetEpDevices(environment, &devices, &count) == NULL)
        for (size_t i = 0; i < count; i++)
            if (strcmp(EpDevice_EpName(devices[i]), PROVIDER) == 0) return devices[i];
    fail(STATUS_NO_ACCELERATOR, "the QNN provider finds no NPU: %s",
         first_error[0] != 0 ? first_error : "no reason given");
}

/* Adds the provider to the options of a session; its profile goes to a file, unless that is NULL. */
static void add_provider(handle options, const char *profile) {
    const char *keys[MAX_OPTIONS + 2], *values[MAX_OPTIONS + 2];
    size_t count = 0;
    for (; count < (size_t)on_npu->option_count; count++) {
        keys[count] = on_npu->options[count].key;
        values[count] = on_npu->options[count].value;
    }
    if (profile != NULL) {
        keys[count] = "profiling_level";
        values[count++] = "detailed";
        keys[count] = "profiling_file_path";
        values[count++] = profile;
    }
    handle status;
    if (on_npu->plugin == NULL)
        status = SessionOptionsAppendExecutionProvider(options, BUILT_IN, keys, values, count);
    else {
        const handle device = npu_device();
        status = SessionOptionsAppendExecutionProvider_V2(options, environment, &device, 1, keys,
                                                          values, count);
    }
    if (status != NULL)
        fail(STATUS_NO_ACCELERATOR, "the QNN provider cannot be used: %s",
             GetErrorMessage(status));
}

/* Assigns supported operators of a model to the NPU. The profile is a file next to the model. */
static void add_npu(const loaded *m, handle options, int with_profiler) {
    char profile[300];
    snprintf(profile, sizeof profile, "%s.csv", m->file);
    if (with_profiler) unlink(profile);
    add_provider(options, with_profiler ? profile : NULL);
    if (has_assignments)
        check(AddSessionConfigEntry(options, "session.record_ep_graph_assignment_info", "1"),
              m->file);
    /* Versions that do not report the assignment of operators must not fall back to the CPU. */
    if (on_npu->full_acceleration || !has_assignments)
        check(AddSessionConfigEntry(options, "session.disable_cpu_ep_fallback", "1"), m->file);
}

/* Fails with the cause of ONNX Runtime's error. */
__attribute__((noreturn)) static void refuse_npu(const loaded *m, const char *said) {
    const char *const cause = first_error[0] != 0 ? first_error : said;
    if (strstr(cause, "explicitly disabled") != NULL)
        fail(STATUS_NO_MODEL, "the NPU does not run every operator of %s", m->file);
    fail(STATUS_NO_MODEL, "the NPU does not support %s: %s", m->file, cause);
}

/* Counts the nodes that the CPU computes; fails if the NPU computes none. */
static int64_t count_on_cpu(const loaded *m) {
    const handle *parts = NULL, *nodes = NULL;
    const char *provider = NULL;
    size_t count = 0, size = 0, on_cpu = 0, elsewhere = 0;
    if (!has_assignments) return 0;
    check(Session_GetEpGraphAssignmentInfo(m->session, &parts, &count), m->file);
    for (size_t i = 0; i < count; i++) {
        check(EpAssignedSubgraph_GetEpName(parts[i], &provider), m->file);
        check(EpAssignedSubgraph_GetNodes(parts[i], &nodes, &size), m->file);
        *(strcmp(provider, PROVIDER) == 0 ? &elsewhere : &on_cpu) += size;
    }
    if (elsewhere == 0)
        fail(STATUS_NO_ACCELERATOR, "the NPU runs no operator of %s: %s", m->file,
             first_error[0] != 0 ? first_error : "no reason given by QNN");
    return (int64_t)on_cpu;
}

static void open_npu(const plan *planned, const api_base *base) {
    void *const *table = base->get_api(ASSIGNMENTS);
    if (table != NULL) find_assignment_functions(table);
    has_assignments = table != NULL;
    if (planned->plugin != NULL) {
        table = base->get_api(PLUGINS);
        if (table == NULL)
            fail(STATUS_WRONG_RUNTIME, "ONNX Runtime %.50s cannot load %s, which needs 1.22",
                 base->get_version(), planned->plugin);
        find_plugin_functions(table);
        now("loading the QNN provider", STATUS_NO_ACCELERATOR, "it does not fit the runtime");
        const handle status =
            RegisterExecutionProviderLibrary(environment, PROVIDER, planned->plugin);
        if (status != NULL)
            fail(STATUS_NO_ACCELERATOR, "the QNN provider cannot be loaded: %s",
                 GetErrorMessage(status));
    }
    on_npu = planned;
    handle options = NULL;
    require(CreateSessionOptions(&options) == NULL, "its options");
    add_provider(options, NULL);
    ReleaseSessionOptions(options);
}

/* ---- Loading and running --------------------------------------------------------------------- */

/* Adds the file to which the compiled model is written. */
static void add_cache(const loaded *m, handle options, const char *cache) {
    if (on_npu == NULL) {
        check(SetOptimizedModelFilePath(options, cache), m->file);
        return;
    }
    check(AddSessionConfigEntry(options, "ep.context_enable", "1"), m->file);
    check(AddSessionConfigEntry(options, "ep.context_embed_mode", "1"), m->file);
    check(AddSessionConfigEntry(options, "ep.context_file_path", cache), m->file);
}

static handle make_options(const loaded *m, const char *profile_prefix) {
    const int is_optimized = on_npu == NULL && cache_use_planned == USE_CACHE;
    handle options = NULL;
    check(CreateSessionOptions(&options), m->file);
    check(SetIntraOpNumThreads(options, thread_count), m->file);
    check(SetInterOpNumThreads(options, 1), m->file);
    check(SetSessionGraphOptimizationLevel(options,
                                           is_optimized ? NO_OPTIMIZATIONS : ALL_OPTIMIZATIONS),
          m->file);
    if (on_npu != NULL) add_npu(m, options, profile_prefix != NULL);
    else if (profile_prefix != NULL) check(EnableProfiling(options, profile_prefix), m->file);
    return options;
}

/* Describes input and outputs of a session, and creates the input. The first run creates the
 * outputs, which later runs reuse. */
static void prepare(loaded *m, model *to) {
    size_t inputs = 0, outputs = 0;
    handle info = NULL;
    char *name = NULL;
    check(SessionGetInputCount(m->session, &inputs), m->file);
    check(SessionGetOutputCount(m->session, &outputs), m->file);
    check_counts(inputs, outputs, m->file);
    *to = (model){.state = m, .output_count = (int)outputs, .is_fully_delegated = -1, .on_cpu = -1};
    check(SessionGetInputName(m->session, 0, allocator, &name), m->file);
    m->input_name = name;
    check(SessionGetInputTypeInfo(m->session, 0, &info), m->file);
    describe(m, info, "input", name, &to->input);
    for (size_t i = 0; i < outputs; i++) {
        check(SessionGetOutputName(m->session, i, allocator, &name), m->file);
        m->output_names[i] = name;
        check(SessionGetOutputTypeInfo(m->session, i, &info), m->file);
        describe(m, info, "output", name, &to->outputs[i]);
    }
    if (posix_memalign(&m->input_memory, 64, to->input.bytes) != 0)
        fail(STATUS_NO_MODEL, "out of memory");
    memset(m->input_memory, 0, to->input.bytes);
    int code = 0;
    while (strcmp(to->input.type.name, type_of(code).name ? type_of(code).name : "") != 0) code++;
    check(CreateTensorWithDataAsOrtValue(memory_info, m->input_memory, to->input.bytes,
                                         to->input.shape, (size_t)to->input.rank, code, &m->input),
          m->file);
}

static void load(const char *file, int with_profiler, model *to) {
    loaded *m = allocate(1, sizeof *m);
    m->file = file;
    char cache[200];
    cache_name(cache, sizeof cache, file);
    m->options = make_options(m, with_profiler ? file : NULL);
    if (cache_use_planned == FILL_CACHE) add_cache(m, m->options, cache);
    const char *const from = cache_use_planned == USE_CACHE ? cache : file;
    const handle status = CreateSession(environment, from, m->options, &m->session);
    if (on_npu != NULL && status != NULL) refuse_npu(m, GetErrorMessage(status));
    check(status, file);
    prepare(m, to);
    if (on_npu == NULL) return;
    to->on_cpu = count_on_cpu(m);
    to->is_fully_delegated = to->on_cpu == 0;
}

static void unload(model *of) {
    loaded *m = of->state;
    ReleaseValue(m->input);
    for (int i = 0; i < of->output_count; i++)
        if (m->outputs[i] != NULL) ReleaseValue(m->outputs[i]);
    ReleaseSession(m->session);
    ReleaseSessionOptions(m->options);
    free(m->input_memory);
    free(m);
}

static void set_input(model *of, const void *bytes) {
    const loaded *m = of->state;
    memcpy(m->input_memory, bytes, of->input.bytes);
}

static void run(model *of) {
    loaded *m = of->state;
    check(Run(m->session, NULL, &m->input_name, &m->input, 1, m->output_names,
              (size_t)of->output_count, m->outputs),
          m->file);
}

static const void *borrow_output(model *of, int index) {
    const loaded *m = of->state;
    void *memory = NULL;
    check(GetTensorMutableData(m->outputs[index], &memory), m->file);
    return memory;
}

static void return_output(model *of, int index) {
    (void)of;
    (void)index;
}

/* ---- The profiler ---------------------------------------------------------------------------- */

/* The profile is a file with an array of objects, one per line:
 *
 *     {"cat" : "Node","pid" :1,"tid" :1,"dur" :12,"ts" :3,"ph" : "X","name" :"conv_kernel_time",
 *      "args" : {"op_name" : "Conv","node_index" : "3", ...}},
 *
 * There is one of category "Node" for each node and run. The name "model_run" marks the end of a
 * run. */

/* Returns the start of the value of a key in a line, or NULL. */
static char *value_of(char *line, const char *key) {
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    char *at = strstr(line, quoted);
    if (at == NULL) return NULL;
    at += strlen(quoted);
    return at + strspn(at, " :\"");
}

/* Copies a text value, which may have escaped characters; returns 0 if there is none. */
static int copy_text(char *line, const char *key, char *to, size_t size) {
    const char *at = value_of(line, key);
    size_t length = 0;
    if (at == NULL) return 0;
    for (; *at != 0 && *at != '"' && length + 1 < size; at++) {
        if (*at == '\\' && at[1] != 0) at++;
        to[length++] = *at;
    }
    to[length] = 0;
    return 1;
}

static int64_t number_of(char *line, const char *key) {
    char *at = value_of(line, key), *end = at;
    const long long number = at == NULL ? -1 : strtoll(at, &end, 10);
    return end == at ? -1 : number;
}

typedef struct {
    const char *id;
    int64_t skipped, run, index;
} progress;

static void write_event(char *line, progress *at) {
    static const char suffix[] = "_kernel_time";
    char name[4096], category[40], op[200];
    if (!copy_text(line, "cat", category, sizeof category)) return;
    if (!copy_text(line, "name", name, sizeof name)) return;
    if (strcmp(category, "Session") == 0 && strcmp(name, "model_run") == 0) {
        if (at->skipped > 0) at->skipped--;
        else at->run++;
        at->index = 0;
        return;
    }
    const int64_t start = number_of(line, "ts"), elapsed = number_of(line, "dur");
    if (strcmp(category, "Node") != 0 || at->skipped > 0 || start < 0 || elapsed < 0) return;
    const int has_op = copy_text(line, "op_name", op, sizeof op);
    const size_t length = strlen(name), extra = sizeof suffix - 1;
    const int is_kernel = length > extra && strcmp(name + length - extra, suffix) == 0;
    if (is_kernel) name[length - extra] = 0;
    line_begin("event");
    line_text("model", at->id);
    line_integer("run", at->run);
    line_integer("index", at->index++);
    line_text("tag", name);
    line_text("kind", is_kernel ? "operator" : "other");
    line_integer("start_us", start);
    line_integer("elapsed_us", elapsed);
    line_count("node", number_of(line, "node_index"));
    line_null("subgraph");
    if (has_op) line_text("op", op);
    else line_null("op");
    line_end();
}

static void profile(model *of, const char *id, int64_t warmup_runs, int64_t runs) {
    const loaded *m = of->state;
    char *path = NULL;
    size_t size;
    progress at = {.id = id, .skipped = warmup_runs};
    for (int64_t i = 0; i < warmup_runs + runs; i++) run(of);
    if (on_npu != NULL) return; /* The profile is a file that the provider writes. */
    check(SessionEndProfiling(m->session, allocator, &path), m->file);
    char *text = read_file(path, &size), *line = text;
    unlink(path);
    while (line < text + size) {
        char *end = line + strcspn(line, "\n");
        *end = 0;
        write_event(line, &at);
        line = end + 1;
    }
    if (at.run != runs) fail(STATUS_WRONG_RUNTIME, "the profile of %s is incomplete", m->file);
    free(text);
}

/* ---- The library ----------------------------------------------------------------------------- */

/* As in litert.c. */
static void probe(void) {
    loaded *m = allocate(1, sizeof *m);
    float x[PROBE_ELEMENTS];
    model known;
    m->file = "a known model";
    m->options = make_options(m, NULL);
    require(CreateSessionFromArray(environment, probe_onnx, (size_t)(probe_onnx_end - probe_onnx),
                                   m->options, &m->session) == NULL,
            "reading it");
    prepare(m, &known);
    probe_signature(&known, "y", "float32");
    probe_input(x);
    set_input(&known, x);
    for (int i = 0; i < 2; i++) run(&known);
    const float *y = borrow_output(&known, 0);
    for (int i = 0; i < PROBE_ELEMENTS; i++) require(y[i] == x[i] + 1.5f, "its output");
    unload(&known);
}

static const char *open_library(const plan *planned) {
    const api_base *(*get_base)(void);
    const char *const version = planned->runtime_version;
    thread_count = planned->threads;
    cache_use_planned = planned->cache;
    const int is_on_npu = strcmp(planned->accelerator, "npu") == 0;
    if (!is_on_npu && strcmp(planned->accelerator, "cpu") != 0) refuse_accelerator(planned);
    if (planned->in_half) fail(STATUS_BAD_PLAN, "plan: in-half is for litert");
    now("loading the runtime", STATUS_NO_LIBRARY, "its file is damaged or incomplete");
    /* Otherwise it would store a device id in the user's cache and connect to the vendor's server.
     * It reads this variable when loaded; DisableTelemetryEvents alone prevents neither. */
    if (setenv("ORT_DISABLE_TELEMETRY", "1", 1) != 0)
        fail(STATUS_NO_LIBRARY, "its telemetry cannot be switched off: %s", strerror(errno));
    *(void **)&get_base = find_function(load_library(planned->library), "OrtGetApiBase");
    now("checking the runtime with a known model", STATUS_WRONG_RUNTIME,
        "this runner does not support its version");
    const api_base *base = get_base();
    const char *found = base->get_version();
    if (strcmp(version, "any") != 0 && strcmp(version, found) != 0)
        fail(STATUS_WRONG_RUNTIME, "the library is ONNX Runtime %.50s, but the plan needs %s",
             found, version);
    void *const *table = base->get_api(API_VERSION);
    if (table == NULL)
        fail(STATUS_WRONG_RUNTIME, "ONNX Runtime %.50s does not have the API of version %d",
             found, API_VERSION);
    find_functions(table);
    require(CreateEnvWithCustomLogger(log_error, NULL, ERRORS_ONLY, "seaformer", &environment) ==
                NULL,
            "the environment");
    require(DisableTelemetryEvents(environment) == NULL, "its telemetry");
    require(GetAllocatorWithDefaultOptions(&allocator) == NULL, "the allocator");
    require(CreateCpuMemoryInfo(ARENA, DEFAULT_MEMORY, &memory_info) == NULL, "the memory");
    probe();
    if (is_on_npu) open_npu(planned, base);
    return found;
}

const runtime onnxruntime = {"onnxruntime",  open_library, load,    set_input, run, borrow_output,
                             return_output, profile,      unload};
