/* From a model's output to a mask: what the application has to do after the inference. */
#pragma once

#include "runtime.h"
#include "upsampling/argmax.h"

typedef struct {
    seaformer_upsampling job;
    void *classes, *mask, *workspace;
    size_t classes_bytes, mask_bytes;
} tail;

/* Prepares a tail for an output, or fails. The output is [1, h, w, C], or [1, C, h, w] if
 * `channels_first`. */
void tail_prepare(tail *to, const tensor *output, int channels_first, int32_t mask_height,
                  int32_t mask_width, const char *file);

/* Write the class of every logit, or of every pixel of the mask; or fail. */
void tail_classes(const tail *of, const void *logits);
void tail_mask(const tail *of, const void *logits);

void tail_release(tail *of);
