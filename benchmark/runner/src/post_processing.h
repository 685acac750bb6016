/* From a model's output to a mask: post-processing as in the application. */
#pragma once

#include "runtime.h"
#include "upsampling/argmax.h"

typedef struct {
    seaformer_upsampling job;
    void *classes, *mask, *workspace;
    size_t classes_bytes, mask_bytes;
    float *scores; /* 16-bit logits converted for the arg-max; NULL for other types */
    size_t count;  /* number of logits */
    int is_signed; /* whether 16-bit logits are signed */
} post_processing;

/* From class ids to a mask of another size. */
typedef struct {
    int32_t height, width, mask_height, mask_width;
    size_t id_size, mask_bytes;
    int32_t *columns; /* of the ids, for each column of the mask */
    uint16_t *mask;
} id_resizing;

/* Allocates buffers for an output, or fails. The output is [1, h, w, C], or [1, C, h, w] if
 * `channels_first`. */
void post_processing_prepare(post_processing *to, const tensor *output, int channels_first,
                             int32_t mask_height, int32_t mask_width, const char *file);

/* Write the class of every logit, or of every pixel of the mask; or fail. */
void post_processing_classes(const post_processing *of, const void *logits);
void post_processing_mask(const post_processing *of, const void *logits);

void post_processing_release(post_processing *of);

/* Prepares resizing of ids, [1, h, w] or with an axis of 1, to a mask, or fails. */
void id_resizing_prepare(id_resizing *to, const tensor *output, int32_t mask_height,
                         int32_t mask_width, const char *file);

/* Writes the nearest id for every pixel, because interpolated ids would be other classes. */
void id_resizing_mask(const id_resizing *of, const void *ids);

void id_resizing_release(id_resizing *of);
