/* From a model's output to a mask: what the application has to do after the inference. */
#pragma once

#include "runtime.h"
#include "upsampling/argmax.h"

typedef struct {
    seaformer_upsampling job;
    void *classes, *mask, *workspace;
    size_t classes_bytes, mask_bytes;
} post_processing;

/* Makes room for what follows an output, or fails. The output is [1, h, w, C], or [1, C, h, w] if
 * `channels_first`. */
void post_processing_prepare(post_processing *to, const tensor *output, int channels_first,
                             int32_t mask_height, int32_t mask_width, const char *file);

/* Write the class of every logit, or of every pixel of the mask; or fail. */
void post_processing_classes(const post_processing *of, const void *logits);
void post_processing_mask(const post_processing *of, const void *logits);

void post_processing_release(post_processing *of);
