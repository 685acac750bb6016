#include "post_processing.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "system.h"

static int logit_type(const char *name) {
    if (strcmp(name, "float32") == 0) return SEAFORMER_FLOAT32;
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
             "[1, C, h, w] for ONNX Runtime, of float32, int8 or uint8",
             file);
    to->job = (seaformer_upsampling){.classes = (int32_t)classes,
                                     .height = (int32_t)height,
                                     .width = (int32_t)width,
                                     .mask_height = mask_height,
                                     .mask_width = mask_width,
                                     .type = type,
                                     .layout = channels_first ? SEAFORMER_CHW : SEAFORMER_HWC};
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

void post_processing_classes(const post_processing *of, const void *logits) {
    const seaformer_upsampling *job = &of->job;
    const int is_narrow = job->classes <= 256;
    if (job->type == SEAFORMER_FLOAT32 && is_narrow) argmax_float_narrow(job, logits, of->classes);
    else if (job->type == SEAFORMER_FLOAT32) argmax_float_wide(job, logits, of->classes);
    else if (job->type == SEAFORMER_INT8 && is_narrow) argmax_int8_narrow(job, logits, of->classes);
    else if (job->type == SEAFORMER_INT8) argmax_int8_wide(job, logits, of->classes);
    else if (is_narrow) argmax_uint8_narrow(job, logits, of->classes);
    else argmax_uint8_wide(job, logits, of->classes);
}

void post_processing_mask(const post_processing *of, const void *logits) {
    const int status = seaformer_upsample_argmax(&of->job, logits, of->mask, of->workspace);
    if (status == SEAFORMER_NOT_FINITE)
        fail(STATUS_NO_MODEL, "there are logits that are not finite");
    if (status != SEAFORMER_OK) fail(STATUS_BAD_PLAN, "the mask planned cannot be made");
}

void post_processing_release(post_processing *of) {
    free(of->classes);
    free(of->mask);
    free(of->workspace);
}
