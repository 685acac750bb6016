#include "post_processing.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "system.h"

static int is_of_16_bits(const char *name) {
    return strcmp(name, "int16") == 0 || strcmp(name, "uint16") == 0;
}

static int logit_type(const char *name) {
    if (strcmp(name, "float32") == 0 || is_of_16_bits(name)) return SEAFORMER_FLOAT32;
    if (strcmp(name, "int8") == 0) return SEAFORMER_INT8;
    return strcmp(name, "uint8") == 0 ? SEAFORMER_UINT8 : -1;
}

void post_processing_prepare(post_processing *to, const tensor *output, int channels_first,
                             int32_t mask_height, int32_t mask_width, const char *file) {
    const int64_t *shape = output->shape;
    const int type = logit_type(output->type.name);
    const int64_t classes = channels_first ? shape[1] : shape[3];
    const int64_t height = channels_first ? shape[2] : shape[1];
    const int64_t width = channels_first ? shape[3] : shape[2];
    if (output->rank != 4 || shape[0] != 1 || type < 0 || classes > SEAFORMER_MAX_CLASSES ||
        height > SEAFORMER_MAX_SIDE || width > SEAFORMER_MAX_SIDE)
        fail(STATUS_BAD_PLAN,
             "a mask is planned for %s, whose output is not logits: [1, h, w, C] for LiteRT or "
             "[1, C, h, w] for ONNX Runtime, of float32, int8, uint8, int16 or uint16",
             file);
    to->job = (seaformer_upsampling){.classes = (int32_t)classes,
                                     .height = (int32_t)height,
                                     .width = (int32_t)width,
                                     .mask_height = mask_height,
                                     .mask_width = mask_width,
                                     .type = type,
                                     .layout = channels_first ? SEAFORMER_CHW : SEAFORMER_HWC};
    to->count = (size_t)classes * (size_t)height * (size_t)width;
    to->is_signed = output->type.name[0] == 'i';
    if (is_of_16_bits(output->type.name)) to->scores = allocate(to->count, sizeof *to->scores);
    const size_t per_class = classes <= 256 ? 1 : 2;
    to->classes_bytes = (size_t)height * (size_t)width * per_class;
    to->mask_bytes = (size_t)mask_height * (size_t)mask_width * per_class;
    to->classes = allocate(to->classes_bytes, 1);
    to->mask = allocate(to->mask_bytes, 1);
    to->workspace = allocate(seaformer_upsample_argmax_workspace(&to->job), 1);
}

/* The arg-max at the size of the logits, for each type of logit and each type of class. */
#define DEFINE_ARGMAX(name, logit, class_type)                                              \
    static void name(const seaformer_upsampling *job, const logit *logits, class_type *to) { \
        const size_t count = (size_t)job->height * (size_t)job->width;                       \
        const size_t classes = (size_t)job->classes;                                         \
        const size_t step = job->layout == SEAFORMER_CHW ? count : 1;                        \
        const size_t pitch = job->layout == SEAFORMER_CHW ? 1 : classes;                     \
        for (size_t i = 0; i < count; i++) {                                                 \
            const logit *at = logits + i * pitch;                                            \
            logit best = at[0];                                                              \
            size_t winner = 0;                                                               \
            for (size_t k = 1; k < classes; k++)                                             \
                if (at[k * step] > best) {                                                   \
                    best = at[k * step];                                                     \
                    winner = k;                                                              \
                }                                                                            \
            to[i] = (class_type)winner;                                                      \
        }                                                                                    \
    }

DEFINE_ARGMAX(argmax_float_narrow, float, uint8_t)
DEFINE_ARGMAX(argmax_int8_narrow, int8_t, uint8_t)
DEFINE_ARGMAX(argmax_uint8_narrow, uint8_t, uint8_t)
DEFINE_ARGMAX(argmax_float_wide, float, uint16_t)
DEFINE_ARGMAX(argmax_int8_wide, int8_t, uint16_t)
DEFINE_ARGMAX(argmax_uint8_wide, uint8_t, uint16_t)

/* Returns the input of the arg-max; integers are not dequantized, as in argmax.h. */
static const void *scores_of(const post_processing *of, const void *logits) {
    if (of->scores == NULL) return logits;
    if (of->is_signed)
        for (size_t i = 0; i < of->count; i++) of->scores[i] = ((const int16_t *)logits)[i];
    else
        for (size_t i = 0; i < of->count; i++) of->scores[i] = ((const uint16_t *)logits)[i];
    return of->scores;
}

void post_processing_classes(const post_processing *of, const void *logits) {
    const seaformer_upsampling *job = &of->job;
    logits = scores_of(of, logits);
    const int is_narrow = job->classes <= 256;
    if (job->type == SEAFORMER_FLOAT32 && is_narrow) argmax_float_narrow(job, logits, of->classes);
    else if (job->type == SEAFORMER_FLOAT32) argmax_float_wide(job, logits, of->classes);
    else if (job->type == SEAFORMER_INT8 && is_narrow) argmax_int8_narrow(job, logits, of->classes);
    else if (job->type == SEAFORMER_INT8) argmax_int8_wide(job, logits, of->classes);
    else if (is_narrow) argmax_uint8_narrow(job, logits, of->classes);
    else argmax_uint8_wide(job, logits, of->classes);
}

void post_processing_mask(const post_processing *of, const void *logits) {
    const int status =
        seaformer_upsample_argmax(&of->job, scores_of(of, logits), of->mask, of->workspace);
    if (status == SEAFORMER_NOT_FINITE)
        fail(STATUS_NO_MODEL, "some logits are not finite");
    if (status != SEAFORMER_OK) fail(STATUS_BAD_PLAN, "the planned mask cannot be computed");
}

void post_processing_release(post_processing *of) {
    free(of->classes);
    free(of->mask);
    free(of->workspace);
    free(of->scores);
}

void id_resizing_prepare(id_resizing *to, const tensor *output, int32_t mask_height,
                         int32_t mask_width, const char *file) {
    int64_t sides[2] = {1, 1};
    int count = 0;
    for (int i = 1; i < output->rank; i++)
        if (output->shape[i] > 1 || output->rank == 3) {
            if (count < 2) sides[count] = output->shape[i];
            count++;
        }
    if (output->rank < 3 || output->shape[0] != 1 || count > 2 || output->type.name[0] == 'f' ||
        sides[0] > SEAFORMER_MAX_SIDE || sides[1] > SEAFORMER_MAX_SIDE)
        fail(STATUS_BAD_PLAN, "a mask of ids is planned for %s, whose output is not [1, h, w] ids",
             file);
    *to = (id_resizing){.height = (int32_t)sides[0],
                        .width = (int32_t)sides[1],
                        .mask_height = mask_height,
                        .mask_width = mask_width,
                        .id_size = output->type.size};
    to->columns = allocate((size_t)mask_width, sizeof *to->columns);
    for (int32_t x = 0; x < mask_width; x++)
        to->columns[x] = (int32_t)((x + 0.5) * to->width / mask_width);
    to->mask_bytes = (size_t)mask_height * (size_t)mask_width * sizeof *to->mask;
    to->mask = allocate(to->mask_bytes, 1);
}

/* Ids are below 65536, and all targets are little-endian: the first bytes hold them. */
#define DEFINE_RESIZE(name, type)                                                              \
    static void name(const id_resizing *of, const type *ids) {                                 \
        const size_t step = of->id_size / sizeof *ids;                                         \
        uint16_t *to = of->mask;                                                               \
        for (int32_t y = 0; y < of->mask_height; y++) {                                        \
            const int32_t row = (int32_t)((y + 0.5) * of->height / of->mask_height);           \
            const type *at = ids + (size_t)row * (size_t)of->width * step;                     \
            for (int32_t x = 0; x < of->mask_width; x++)                                       \
                *to++ = at[(size_t)of->columns[x] * step];                                     \
        }                                                                                      \
    }

DEFINE_RESIZE(resize_bytes, uint8_t)
DEFINE_RESIZE(resize_words, uint16_t)

void id_resizing_mask(const id_resizing *of, const void *ids) {
    if (of->id_size == 1) resize_bytes(of, ids);
    else resize_words(of, ids);
}

void id_resizing_release(id_resizing *of) {
    free(of->columns);
    free(of->mask);
}
