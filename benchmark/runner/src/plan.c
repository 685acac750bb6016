#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "system.h"

static int64_t integer(const char *key, const char *value, int64_t low, int64_t high) {
    char *end;
    const long long number = strtoll(value, &end, 10);
    if (end == value || *end != 0 || number < low || number > high)
        fail(STATUS_BAD_PLAN, "plan: %s is '%.50s', allowed are %lld to %lld", key, value,
             (long long)low, (long long)high);
    return number;
}

/* Splits the next word off a line; returns NULL after the last. */
static char *word(char **line) {
    char *start = *line + strspn(*line, " ");
    if (*start == 0) return NULL;
    char *end = start + strcspn(start, " ");
    *line = *end == 0 ? end : end + 1;
    *end = 0;
    return start;
}

static const char *name(const char *key, const char *value) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (*value == 0 || value[strspn(value, allowed)] != 0 || strcmp(value, "..") == 0)
        fail(STATUS_BAD_PLAN, "plan: %s is '%.50s', which is not a plain name", key, value);
    return value;
}

/* Reads the numbers of processors; returns how many. */
static int read_cpus(int cpus[MAX_CPUS], char *value) {
    char *cpu;
    int count = 0;
    while ((cpu = word(&value)) != NULL) {
        if (count == MAX_CPUS) fail(STATUS_BAD_PLAN, "plan: too many cpus");
        cpus[count++] = (int)integer("cpus", cpu, 0, MAX_CPUS - 1);
    }
    if (count == 0) fail(STATUS_BAD_PLAN, "plan: cpus lists no processor");
    return count;
}

/* Reads the height and the width that a line ends with. */
static void read_sides(const char *key, char *value, int32_t most, int32_t *height,
                       int32_t *width) {
    const char *first = word(&value), *second = word(&value);
    if (first == NULL || second == NULL || word(&value) != NULL)
        fail(STATUS_BAD_PLAN, "plan: %s needs a height and a width", key);
    *height = (int32_t)integer(key, first, 1, most);
    *width = (int32_t)integer(key, second, 1, most);
}

/* Reads the next word, one of `count` known ones; returns its number. */
static int choice(const char *key, char **value, const char *const *known, int count) {
    const char *found = word(value);
    for (int i = 0; found != NULL && i < count; i++)
        if (strcmp(found, known[i]) == 0) return i;
    fail(STATUS_BAD_PLAN, "plan: %s is '%.50s', which is unknown", key, found ? found : "");
}

static void read_frame(plan *to, char *value) {
    const char *file = word(&value);
    to->frame = name("frame", file ? file : "");
    read_sides("frame", value, MAX_FRAME_SIDE, &to->frame_height, &to->frame_width);
}

static void read_preparation(planned_model *model, char *value) {
    static const char key[] = "preparation";
    const char *levels = word(&value);
    model->levels = name(key, levels ? levels : "");
    model->is_channels_first = choice(key, &value, (const char *[]){"NHWC", "NCHW"}, 2);
    const int order = choice(key, &value, (const char *[]){"RGB", "BGR", "GRAY"}, 3);
    model->is_reversed = order == 1;
    model->is_gray = order == 2;
    model->is_bicubic = choice(key, &value, (const char *[]){"bilinear", "bicubic"}, 2);
    read_sides(key, value, MAX_SIDE, &model->scaled_height, &model->scaled_width);
}

static void read_frame_mask(planned_model *model, char *value) {
    static const char key[] = "frame-mask";
    model->has_ids = choice(key, &value, (const char *[]){"logits", "ids"}, 2);
    read_sides(key, value, MAX_SIDE, &model->frame_mask_height, &model->frame_mask_width);
}

static void read_activity(planned_activity *to, char *value) {
    const struct {
        int64_t *to, low;
    } numbers[] = {
        {&to->cycles, 1}, {&to->idle_ns, 0}, {&to->active_ns, 1}, {&to->sample_ns, 1}, {&to->frame_ns, 0}};
    const char *number;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        number = word(&value);
        *numbers[i].to = integer("activity", number ? number : "", numbers[i].low, 1000000000000000);
    }
    if (word(&value) != NULL) fail(STATUS_BAD_PLAN, "plan: activity has too many numbers");
}

static void read_load_model(planned_load *to, char *value) {
    static const char key[] = "load-model";
    const char *file = word(&value), *input = word(&value);
    to->file = name(key, file ? file : "");
    to->input = name(key, input ? input : "");
}

/* Its numbers: size of a frame, size after resizing, period in nanoseconds. */
static void read_load_camera(planned_load *to, char *value) {
    static const char key[] = "load-camera";
    int32_t *const sides[] = {&to->frame_height, &to->frame_width, &to->height, &to->width};
    const char *number;
    for (int i = 0; i < 4; i++) {
        number = word(&value);
        *sides[i] = (int32_t)integer(key, number ? number : "", 2, MAX_FRAME_SIDE);
    }
    number = word(&value);
    to->period_ns = integer(key, number ? number : "", 1, 1000000000000);
    if (to->frame_height % 2 || to->frame_width % 2)
        fail(STATUS_BAD_PLAN, "plan: %s needs even sides of the frame", key);
}

static void read_option(plan *to, char *value) {
    const char *key = word(&value);
    if (to->option_count == MAX_OPTIONS) fail(STATUS_BAD_PLAN, "plan: too many options");
    if (key == NULL || *value == 0) fail(STATUS_BAD_PLAN, "plan: option needs a key and a value");
    to->options[to->option_count++] = (accelerator_option){key, value};
}

static int read_of_model(plan *to, const char *key, char *value) {
    if (strcmp(key, "model") == 0) {
        if (to->model_count == MAX_MODELS) fail(STATUS_BAD_PLAN, "plan: too many models");
        to->models[to->model_count++] = (planned_model){.id = name(key, value), .inputs = 1};
        return 1;
    }
    if (to->model_count == 0) return 0;
    planned_model *model = &to->models[to->model_count - 1];
    if (strcmp(key, "file") == 0) model->file = name(key, value);
    else if (strcmp(key, "input") == 0) model->input = name(key, value);
    else if (strcmp(key, "inputs") == 0) model->inputs = integer(key, value, 1, MAX_INPUTS);
    else if (strcmp(key, "output") == 0) model->output = name(key, value);
    else if (strcmp(key, "mask") == 0)
        read_sides(key, value, MAX_SIDE, &model->mask_height, &model->mask_width);
    else if (strcmp(key, "preparation") == 0) read_preparation(model, value);
    else if (strcmp(key, "frame-mask") == 0) read_frame_mask(model, value);
    else return 0;
    return 1;
}

static int read_of_run(plan *to, const char *key, char *value) {
    const struct {
        const char *key;
        int64_t *to, low, high;
    } integers[] = {
        {"warmup-runs", &to->warmup_runs, 1, 100000},
        {"blocks", &to->blocks, 0, 1000000},
        {"runs-per-block", &to->runs_per_block, 1, 100000},
        {"profile-runs", &to->profile_runs, 0, 10000},
        {"in-half", &to->in_half, 0, 1},
        {"full-acceleration", &to->full_acceleration, 0, 1},
        {"time-limit-ms", &to->time_limit_ms, 1, 1000000000},
    };
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
        if (strcmp(key, integers[i].key) == 0) {
            *integers[i].to = integer(key, value, integers[i].low, integers[i].high);
            return 1;
        }
    if (strcmp(key, "backend") == 0) to->backend = value;
    else if (strcmp(key, "accelerator") == 0) to->accelerator = value;
    else if (strcmp(key, "library") == 0) to->library = value;
    else if (strcmp(key, "runtime-version") == 0) to->runtime_version = name(key, value);
    else if (strcmp(key, "sysfs") == 0) to->sysfs = value;
    else if (strcmp(key, "threads") == 0) to->threads = (int)integer(key, value, 1, 256);
    else if (strcmp(key, "seed") == 0) to->seed = (uint64_t)integer(key, value, 0, INT64_MAX);
    else if (strcmp(key, "cache") == 0)
        to->cache = choice(key, &value, (const char *[]){"none", "fill", "use"}, 3);
    else if (strcmp(key, "cpus") == 0)
        to->cpu_count = strcmp(value, "any") == 0 ? 0 : read_cpus(to->cpus, value);
    else if (strcmp(key, "load-cpus") == 0) to->load.cpu_count = read_cpus(to->load.cpus, value);
    else if (strcmp(key, "load-threads") == 0)
        to->load.threads = (int)integer(key, value, 1, 256);
    else if (strcmp(key, "load-model") == 0) read_load_model(&to->load, value);
    else if (strcmp(key, "load-camera") == 0) read_load_camera(&to->load, value);
    else if (strcmp(key, "plugin") == 0) to->plugin = value;
    else if (strcmp(key, "option") == 0) read_option(to, value);
    else if (strcmp(key, "frame") == 0) read_frame(to, value);
    else if (strcmp(key, "activity") == 0) read_activity(&to->activity, value);
    else return 0;
    return 1;
}

static void check(const plan *read) {
    if (!read->backend || !read->accelerator || !read->library || !read->runtime_version || !read->sysfs ||
        !read->threads || !read->warmup_runs || !read->runs_per_block || !read->time_limit_ms ||
        !read->model_count)
        fail(STATUS_BAD_PLAN, "plan: something is missing");
    if (read->activity.cycles > 0 && read->model_count > 1)
        fail(STATUS_BAD_PLAN, "plan: an activity needs exactly one model");
    if ((read->load.cpu_count > 0) != (read->load.threads > 0) ||
        (read->load.cpu_count > 0) != (read->load.file != NULL || read->load.period_ns > 0))
        fail(STATUS_BAD_PLAN, "plan: the load is not complete");
    for (int i = 0; i < read->model_count; i++)
        if (!read->models[i].file || !read->models[i].input)
            fail(STATUS_BAD_PLAN, "plan: model %s has no file or no input", read->models[i].id);
        else if (read->models[i].levels && !read->frame)
            fail(STATUS_BAD_PLAN, "plan: there is no frame for model %s", read->models[i].id);
}

void plan_read(const char *path, plan *to) {
    size_t size;
    char *at = read_file(path, &size), *const end = at + size;
    int ended = 0;
    *to = (plan){.threads = 0};
    for (int number = 0; at < end; number++) {
        char *line = at, *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL || ended) fail(STATUS_BAD_PLAN, "plan: it does not end with 'end'");
        *newline = 0;
        at = newline + 1;
        const char *key = word(&line);
        if (number == 0) {
            if (key == NULL || strcmp(key, "seaformer-plan") != 0 || strcmp(line, "2") != 0)
                fail(STATUS_BAD_PLAN, "plan: '%.100s' is not a plan of version 2", path);
        } else if (key == NULL) fail(STATUS_BAD_PLAN, "plan: line %d is empty", number + 1);
        else if (strcmp(key, "end") == 0) ended = 1;
        else if (!read_of_run(to, key, line) && !read_of_model(to, key, line))
            fail(STATUS_BAD_PLAN, "plan: line %d has the unknown key '%.50s'", number + 1,
                 key);
    }
    if (!ended) fail(STATUS_BAD_PLAN, "plan: it does not end with 'end'");
    check(to);
}
