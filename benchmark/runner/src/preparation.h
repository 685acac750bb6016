/* From a camera frame to a model's input: preprocessing as in the application.
 *
 * The values match seaformer/imaging/preprocessing.py bit for bit. Pillow rounds a resized
 * image to integers of 0 to 255, so all later steps (normalization, quantization to the type of the
 * input) are a lookup table for each channel, which Python computes. */
#pragma once

#include "plan.h"
#include "runtime.h"

/* For each output along an axis: its first input, the number of inputs, and their weights, with 22
 * fractional bits. */
typedef struct {
    int32_t size, stride;
    int32_t *first, *count, *weights;
} resampling;

typedef struct {
    const uint8_t *frame; /* RGB, row by row */
    int32_t frame_height, frame_width, height, width, channels;
    resampling rows, columns;
    int is_rows_first; /* if far more rows than columns are removed, as in Pillow 13 */
    uint8_t *gray, *between, *seen; /* the frame in gray or NULL; after each pass of the resize */
    int32_t *sums;
    char *levels; /* for each channel of the input, its value for each of 0 to 255 */
    size_t element_size, pixel_step, channel_step;
    int is_reversed;
    void *input; /* the result */
} preparation;

/* Prepares for frames of the planned size, or fails. */
void preparation_prepare(preparation *to, const planned_model *planned, const uint8_t *frame,
                         int32_t frame_height, int32_t frame_width, const tensor *input);

/* Computes the input for the frame. */
void preparation_run(const preparation *of);

void preparation_release(preparation *of);
