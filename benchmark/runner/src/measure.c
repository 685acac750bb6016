#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "load.h"
#include "post_processing.h"
#include "preparation.h"
#include "report.h"
#include "system.h"

typedef struct {
    const planned_model *planned;
    model loaded;
    post_processing after; /* if a mask is planned */
    preparation before;    /* from here on for frames, if they are planned */
    post_processing frame_after;
    id_resizing frame_ids;
} subject;

static const char damaged[] = "a model is damaged, or the runtime has a fault";

/* ---- Order ----------------------------------------------------------------------------------- */

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t random_number(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void shuffle(int *order, int count, uint64_t *state) {
    for (int i = count - 1; i > 0; i--) {
        const int k = (int)(random_number(state) % (uint64_t)(i + 1));
        const int other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
}

/* ---- Models ---------------------------------------------------------------------------------- */

static void write_tensor(const char *key, const tensor *of) {
    line_open(key, '{');
    line_text("name", of->name);
    line_text("dtype", of->type.name);
    line_integers("shape", of->shape, (size_t)of->rank);
    line_integer("bytes", (int64_t)of->bytes);
    if (of->is_quantized) {
        line_real("scale", of->scale, -1);
        line_integer("zero_point", of->zero_point);
    } else {
        line_null("scale");
        line_null("zero_point");
    }
    line_close('}');
}

static int64_t timed_run(subject *s, const runtime *with) {
    const int64_t start = clock_ns();
    with->run(&s->loaded);
    return clock_ns() - start;
}

/* Returns the content of the file of inputs. */
static char *read_inputs(const subject *s) {
    size_t size;
    char *bytes = read_file(s->planned->input, &size);
    if (size != (size_t)s->planned->inputs * s->loaded.input.bytes)
        fail(STATUS_BAD_PLAN, "the input '%s' has %zu bytes, but model %s expects %zu",
             s->planned->input, size, s->planned->id,
             (size_t)s->planned->inputs * s->loaded.input.bytes);
    return bytes;
}

static void set_input(subject *s, const runtime *with) {
    char *bytes = read_inputs(s);
    with->set_input(&s->loaded, bytes);
    free(bytes);
}

static void load(subject *s, const plan *planned, const runtime *with) {
    int64_t *warmup = allocate((size_t)planned->warmup_runs, sizeof *warmup);
    char cache[200];
    now("loading a model", STATUS_NO_MODEL, damaged);
    const int64_t start = clock_ns();
    with->load(s->planned->file, 0, &s->loaded);
    const int64_t loaded = clock_ns();
    const int64_t compiled_bytes = resident_bytes();
    set_input(s, with);
    now("warming a model up", STATUS_NO_MODEL, damaged);
    for (int64_t i = 0; i < planned->warmup_runs; i++) warmup[i] = timed_run(s, with);
    require_bound_threads();
    line_begin("model");
    line_text("id", s->planned->id);
    line_real("load_ms", (double)(loaded - start) / 1e6, 6);
    if (s->loaded.parsed_ns > 0)
        line_real("compile_ms", (double)(loaded - s->loaded.parsed_ns) / 1e6, 6);
    else line_null("compile_ms");
    line_real("first_inference_ms", (double)warmup[0] / 1e6, 6);
    line_integers("warmup_ns", warmup, (size_t)planned->warmup_runs);
    write_tensor("input", &s->loaded.input);
    line_open("outputs", '[');
    for (int i = 0; i < s->loaded.output_count; i++) write_tensor(NULL, &s->loaded.outputs[i]);
    line_close(']');
    line_flag("fully_delegated", s->loaded.is_fully_delegated);
    line_count("resident_bytes", resident_bytes());
    line_count("compiled_bytes", compiled_bytes);
    line_count("operators_on_cpu", s->loaded.on_cpu);
    cache_name(cache, sizeof cache, s->planned->file);
    line_count("cache_bytes", planned->cache == NO_CACHE ? -1 : bytes_of_files(cache));
    line_end();
    free(warmup);
    if (s->planned->mask_height > 0)
        post_processing_prepare(&s->after, &s->loaded.outputs[0], with == &onnxruntime,
                                s->planned->mask_height, s->planned->mask_width, s->planned->id);
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static uint8_t *read_frame(const plan *planned) {
    size_t size;
    if (planned->frame == NULL) return NULL;
    uint8_t *frame = (uint8_t *)read_file(planned->frame, &size);
    if (size != (size_t)planned->frame_height * (size_t)planned->frame_width * 3)
        fail(STATUS_BAD_PLAN, "the frame '%s' has %zu bytes, but %d x %d x 3 are expected",
             planned->frame, size, planned->frame_height, planned->frame_width);
    return frame;
}

static void prepare_frames(subject *s, const plan *planned, const runtime *with,
                           const uint8_t *frame) {
    const planned_model *of = s->planned;
    const tensor *output = &s->loaded.outputs[0];
    const int32_t height = of->frame_mask_height, width = of->frame_mask_width;
    if (of->levels == NULL) return;
    preparation_prepare(&s->before, of, frame, planned->frame_height, planned->frame_width,
                        &s->loaded.input);
    if (height > 0 && of->has_ids)
        id_resizing_prepare(&s->frame_ids, output, height, width, of->id);
    else if (height > 0)
        post_processing_prepare(&s->frame_after, output, with == &onnxruntime, height, width,
                                of->id);
}

/* The stages of a frame, in the order in which they happen. */
enum { PREPARATION, INFERENCE, POST_PROCESSING, STAGES };

/* Processes one frame through all stages, as the application does; writes the time of each. */
static void run_frame(subject *s, const runtime *with, int64_t *stages_ns) {
    int64_t at[STAGES + 1];
    at[PREPARATION] = clock_ns();
    preparation_run(&s->before);
    at[INFERENCE] = clock_ns();
    with->set_input(&s->loaded, s->before.input);
    with->run(&s->loaded);
    /* Borrowing the output waits for it, and copies it from the accelerator. */
    const void *output = with->borrow_output(&s->loaded, 0);
    at[POST_PROCESSING] = clock_ns();
    if (s->frame_ids.mask != NULL) id_resizing_mask(&s->frame_ids, output);
    else if (s->frame_after.mask != NULL) post_processing_mask(&s->frame_after, output);
    at[STAGES] = clock_ns();
    with->return_output(&s->loaded, 0);
    for (int i = 0; i < STAGES; i++) stages_ns[i] = at[i + 1] - at[i];
}

/* Writes the input and the mask computed from the frame, for comparison. */
static void write_frame(subject *s, const runtime *with) {
    const id_resizing *ids = &s->frame_ids;
    const post_processing *after = &s->frame_after;
    int64_t stages_ns[STAGES];
    char beside[200];
    if (s->planned->levels == NULL || s->planned->output == NULL) return;
    run_frame(s, with, stages_ns);
    snprintf(beside, sizeof beside, "%s.prepared", s->planned->output);
    write_file(beside, s->before.input, s->loaded.input.bytes, 1);
    snprintf(beside, sizeof beside, "%s.frame-mask", s->planned->output);
    if (ids->mask != NULL) write_file(beside, ids->mask, ids->mask_bytes, 1);
    else if (after->mask != NULL) write_file(beside, after->mask, after->mask_bytes, 1);
}

static void release_frames(subject *s) {
    preparation_release(&s->before);
    post_processing_release(&s->frame_after);
    id_resizing_release(&s->frame_ids);
}

/* ---- Outputs --------------------------------------------------------------------------------- */

static void write_output(subject *s, const runtime *with, int is_first) {
    for (int i = 0; i < s->loaded.output_count; i++) {
        write_file(s->planned->output, with->borrow_output(&s->loaded, i),
                   s->loaded.outputs[i].bytes, is_first && i == 0);
        with->return_output(&s->loaded, i);
    }
}

/* The warm-up has computed the first input. */
static void write_outputs(subject *s, const runtime *with) {
    const char *name = s->planned->output;
    char beside[200];
    write_output(s, with, 1);
    if (s->planned->inputs > 1) {
        char *inputs = read_inputs(s);
        for (int64_t i = 1; i < s->planned->inputs; i++) {
            with->set_input(&s->loaded, inputs + (size_t)i * s->loaded.input.bytes);
            with->run(&s->loaded);
            write_output(s, with, 0);
        }
        free(inputs);
    }
    if (s->planned->mask_height == 0) return;
    const void *logits = with->borrow_output(&s->loaded, 0);
    post_processing_classes(&s->after, logits);
    post_processing_mask(&s->after, logits);
    with->return_output(&s->loaded, 0);
    snprintf(beside, sizeof beside, "%s.classes", name);
    write_file(beside, s->after.classes, s->after.classes_bytes, 1);
    snprintf(beside, sizeof beside, "%s.mask", name);
    write_file(beside, s->after.mask, s->after.mask_bytes, 1);
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Storage for the runs of a block, and its position in the measurement. */
typedef struct {
    int64_t index, round, runs;
    int is_beside; /* the load runs */
    int64_t *durations, *cpus, *stages[STAGES];
} block;

static void measure_block(subject *s, const runtime *with, block *b, int64_t settling_ns) {
    const int first_cpu = current_cpu();
    const int64_t frequency_before = frequency_khz(first_cpu);
    const double temperature_before = temperature_c();
    const disturbances before = count_disturbances();
    load_count_anew();
    const int64_t start = clock_ns();
    for (int64_t i = 0; i < b->runs; i++) {
        b->durations[i] = timed_run(s, with);
        b->cpus[i] = current_cpu();
    }
    int64_t load_cpus[MAX_CPUS];
    const int64_t completed = load_count();
    const size_t load_cpu_count = load_ran_on(load_cpus);
    const disturbances after = count_disturbances();
    const int64_t frequency_after = frequency_khz((int)b->cpus[b->runs - 1]);
    line_begin("block");
    line_text("model", s->planned->id);
    line_integer("index", b->index);
    line_integer("round", b->round);
    line_count("settling_ns", settling_ns);
    line_integers("durations_ns", b->durations, (size_t)b->runs);
    line_integers("cpus", b->cpus, (size_t)b->runs);
    line_count("frequency_khz_before", frequency_before);
    line_count("frequency_khz_after", frequency_after);
    line_real("temperature_c_before", temperature_before, 3);
    line_real("temperature_c_after", temperature_c(), 3);
    line_integer("started_ns", start);
    line_integer("page_faults", after.page_faults - before.page_faults);
    line_integer("context_switches", after.context_switches - before.context_switches);
    line_flag("is_beside", b->is_beside);
    line_count("load_count", completed);
    line_integers("load_cpus", load_cpus, load_cpu_count);
    line_end();
}

static void measure_post_processing(subject *s, const runtime *with, block *b, const char *kind,
                                    void (*make)(const post_processing *, const void *)) {
    const void *logits = with->borrow_output(&s->loaded, 0);
    for (int64_t i = 0; i < b->runs; i++) {
        const int64_t start = clock_ns();
        make(&s->after, logits);
        b->durations[i] = clock_ns() - start;
    }
    with->return_output(&s->loaded, 0);
    line_begin("post-processing");
    line_text("model", s->planned->id);
    line_integer("block", b->index);
    line_text("kind", kind);
    line_integers("durations_ns", b->durations, (size_t)b->runs);
    line_end();
}

static void measure_frames(subject *s, const runtime *with, block *b) {
    static const char *const names[] = {"preparation_ns", "inference_ns", "post_processing_ns"};
    const int has_mask = s->planned->frame_mask_height > 0;
    int64_t stages_ns[STAGES];
    run_frame(s, with, stages_ns); /* not counted: in a camera stream, frames follow each other */
    for (int64_t i = 0; i < b->runs; i++) {
        run_frame(s, with, stages_ns);
        current_cpu();
        for (int k = 0; k < STAGES; k++) b->stages[k][i] = stages_ns[k];
    }
    line_begin("frames");
    line_text("model", s->planned->id);
    line_integer("block", b->index);
    for (int k = 0; k < STAGES; k++)
        if (k == POST_PROCESSING && !has_mask) line_null(names[k]);
        else line_integers(names[k], b->stages[k], (size_t)b->runs);
    line_end();
    set_input(s, with);
}

static void measure_blocks(subject *subjects, const plan *planned, const runtime *with) {
    const size_t runs = (size_t)planned->runs_per_block;
    const int count = planned->model_count;
    block b = {.runs = planned->runs_per_block};
    int *order = allocate((size_t)count, sizeof *order);
    uint64_t state = planned->seed;
    const subject *previous = NULL;
    b.durations = allocate(runs, sizeof *b.durations);
    b.cpus = allocate(runs, sizeof *b.cpus);
    for (int k = 0; k < STAGES; k++) b.stages[k] = allocate(runs, sizeof *b.stages[k]);
    for (int i = 0; i < count; i++) order[i] = i;
    const int halves = planned->load.cpu_count > 0 ? 2 : 1;
    for (int64_t half = 0; half < halves * planned->blocks; half++) {
        b.round = half / halves;
        if (halves == 2) {
            /* Alone and beside the load, in random order. */
            b.is_beside = half % 2 == 0 ? (int)(random_number(&state) & 1) : !b.is_beside;
            if (b.is_beside) load_resume();
            else load_pause();
            previous = NULL; /* after the switch, a run is not timed */
        }
        shuffle(order, count, &state);
        for (int i = 0; i < count; i++, b.index++) {
            subject *s = &subjects[order[i]];
            const int64_t settling_ns = s == previous ? -1 : timed_run(s, with);
            measure_block(s, with, &b, settling_ns);
            previous = s;
            if (b.is_beside) continue;
            if (s->planned->mask_height > 0) {
                measure_post_processing(s, with, &b, "classes", post_processing_classes);
                measure_post_processing(s, with, &b, "mask", post_processing_mask);
            }
            if (s->planned->levels != NULL) measure_frames(s, with, &b);
        }
    }
    if (halves == 2) load_pause();
    free(b.durations);
    free(b.cpus);
    for (int k = 0; k < STAGES; k++) free(b.stages[k]);
    free(order);
}

/* ---- The round ------------------------------------------------------------------------------- */

static void profile(subject *s, const plan *planned, const runtime *with) {
    with->load(s->planned->file, 1, &s->loaded);
    set_input(s, with);
    with->profile(&s->loaded, s->planned->id, planned->warmup_runs, planned->profile_runs);
    with->unload(&s->loaded);
}

void measure(const plan *planned, const runtime *with) {
    const int count = planned->model_count;
    subject *subjects = allocate((size_t)count, sizeof *subjects);
    /* The library is loaded and has run a model: memory from here on belongs to the models. */
    uint8_t *frame = read_frame(planned);
    const int64_t library_bytes = resident_bytes();
    restart_peak();
    for (int i = 0; i < count; i++) {
        subjects[i].planned = &planned->models[i];
        load(&subjects[i], planned, with);
        prepare_frames(&subjects[i], planned, with, frame);
    }
    now("writing outputs", STATUS_NO_MODEL, damaged);
    for (int i = 0; i < count; i++)
        if (subjects[i].planned->output != NULL) write_outputs(&subjects[i], with);
    now("measuring", STATUS_NO_MODEL, damaged);
    measure_blocks(subjects, planned, with);
    if (planned->activity.cycles > 0)
        run_activity(planned, subjects[0].planned, &subjects[0].loaded, with);
    line_begin("memory");
    line_count("library_bytes", library_bytes);
    line_count("peak_bytes", peak_bytes());
    line_end();
    for (int i = 0; i < count; i++) write_frame(&subjects[i], with);
    now("releasing models", STATUS_NO_MODEL, damaged);
    for (int i = 0; i < count; i++) {
        release_frames(&subjects[i]);
        with->unload(&subjects[i].loaded);
        post_processing_release(&subjects[i].after);
    }
    now("profiling", STATUS_NO_MODEL, damaged);
    if (planned->profile_runs > 0)
        for (int i = 0; i < count; i++) profile(&subjects[i], planned, with);
    free(frame);
    free(subjects);
}
