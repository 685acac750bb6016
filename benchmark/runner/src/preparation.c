#include "preparation.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "system.h"

enum { BITS = 22, HALF = 1 << (BITS - 1), LEVELS = 256 };

/* ---- Resizing, as Pillow 13 does ------------------------------------------------------------- */

static double magnitude(double x) { return x < 0 ? -x : x; }

static double bilinear(double distance) {
    const double x = magnitude(distance);
    return x < 1 ? 1 - x : 0;
}

static double bicubic(double distance) {
    const double a = -0.5, x = magnitude(distance);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* Weights for an axis scaled from `sources` to `scaled` values and cropped to `size` of them. */
static resampling make_resampling(int is_bicubic, int32_t sources, int32_t scaled, int32_t size) {
    const double scale = (double)sources / scaled, widening = scale > 1 ? scale : 1;
    const double support = (is_bicubic ? 2 : 1) * widening;
    const int32_t begin = (scaled - size) / 2, whole = (int32_t)support;
    const int32_t stride = 2 * (whole + (whole < support)) + 1;
    const resampling out = {.size = size,
                            .stride = stride,
                            .first = allocate((size_t)size, sizeof *out.first),
                            .count = allocate((size_t)size, sizeof *out.count),
                            .weights = allocate((size_t)size * (size_t)stride,
                                                sizeof *out.weights)};
    double *weights = allocate((size_t)stride, sizeof *weights);
    for (int32_t i = 0; i < size; i++) {
        const double center = (begin + i + 0.5) * scale;
        const int32_t low = (int32_t)(center - support + 0.5);
        const int32_t high = (int32_t)(center + support + 0.5);
        const int32_t first = low > 0 ? low : 0, count = (high < sources ? high : sources) - first;
        double sum = 0;
        for (int32_t k = 0; k < count; k++) {
            const double distance = (k + first - center + 0.5) * (1 / widening);
            weights[k] = is_bicubic ? bicubic(distance) : bilinear(distance);
            sum += weights[k];
        }
        out.first[i] = first;
        out.count[i] = count;
        for (int32_t k = 0; k < count; k++) {
            const double share = sum != 0 ? weights[k] / sum : weights[k];
            out.weights[i * stride + k] =
                (int32_t)((share < 0 ? -0.5 : 0.5) + share * (1 << BITS));
        }
    }
    free(weights);
    return out;
}

static void release_resampling(resampling *of) {
    free(of->first);
    free(of->count);
    free(of->weights);
}

/* The range of inputs that outputs need: from `*first` to the returned index (exclusive). */
static int32_t reach(const resampling *of, int32_t *first) {
    int32_t end = 0;
    *first = of->first[0];
    for (int32_t i = 0; i < of->size; i++)
        if (of->first[i] + of->count[i] > end) end = of->first[i] + of->count[i];
    return end;
}

static uint8_t clamped(int32_t sum) {
    const int32_t value = sum >> BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Resizes `rows` rows, of `width` pixels each. */
static void resize_columns(const resampling *to, const uint8_t *from, int32_t rows, int32_t width,
                           int32_t channels, uint8_t *out) {
    for (int32_t y = 0; y < rows; y++, from += (size_t)width * (size_t)channels)
        for (int32_t x = 0; x < to->size; x++, out += channels) {
            const uint8_t *at = from + (size_t)to->first[x] * (size_t)channels;
            const int32_t *weights = to->weights + (size_t)x * (size_t)to->stride;
            int32_t sums[3] = {HALF, HALF, HALF};
            if (channels == 3)
                for (int32_t k = 0; k < to->count[x]; k++, at += 3) {
                    sums[0] += at[0] * weights[k];
                    sums[1] += at[1] * weights[k];
                    sums[2] += at[2] * weights[k];
                }
            else
                for (int32_t k = 0; k < to->count[x]; k++) sums[0] += at[k] * weights[k];
            for (int32_t c = 0; c < channels; c++) out[c] = clamped(sums[c]);
        }
}

/* Resizes rows of `length` values; `from` begins with row `first_row` of the image. */
static void resize_rows(const resampling *to, const uint8_t *from, int32_t first_row,
                        size_t length, int32_t *sums, uint8_t *out) {
    for (int32_t y = 0; y < to->size; y++, out += length) {
        const uint8_t *at = from + (size_t)(to->first[y] - first_row) * length;
        for (size_t x = 0; x < length; x++) sums[x] = HALF;
        for (int32_t k = 0; k < to->count[y]; k++, at += length) {
            const int32_t weight = to->weights[(size_t)y * (size_t)to->stride + (size_t)k];
            for (size_t x = 0; x < length; x++) sums[x] += at[x] * weight;
        }
        for (size_t x = 0; x < length; x++) out[x] = clamped(sums[x]);
    }
}

/* Resizes one axis after the other; the order affects the rounding, see is_rows_first. */
static void resize(const preparation *of, const uint8_t *from) {
    const int32_t channels = of->channels;
    const size_t pixel = (size_t)channels, row = (size_t)of->frame_width * pixel;
    if (of->is_rows_first) {
        resize_rows(&of->rows, from, 0, row, of->sums, of->between);
        resize_columns(&of->columns, of->between, of->height, of->frame_width, channels, of->seen);
        return;
    }
    int32_t first;
    const int32_t end = reach(&of->rows, &first);
    resize_columns(&of->columns, from + (size_t)first * row, end - first, of->frame_width, channels,
                   of->between);
    resize_rows(&of->rows, of->between, first, (size_t)of->width * pixel, of->sums, of->seen);
}

/* ---- Levels ---------------------------------------------------------------------------------- */

/* Writes the value of each level to its position in the input, for each size of a value. */
#define DEFINE_FILL(name, type)                                                                  \
    static void name(const preparation *of) {                                                    \
        const size_t count = (size_t)of->height * (size_t)of->width;                             \
        const type *levels = (const type *)(const void *)of->levels;                             \
        const size_t red = of->is_reversed ? 2 : 0, blue = 2 - red, step = of->channel_step;     \
        const uint8_t *seen = of->seen;                                                          \
        type *to = of->input;                                                                    \
        if (of->channels == 1)                                                                   \
            for (size_t i = 0; i < count; i++) to[i] = levels[seen[i]];                          \
        else                                                                                     \
            for (size_t i = 0; i < count; i++, to += of->pixel_step, seen += 3) {                \
                to[red * step] = levels[red * LEVELS + seen[0]];                                 \
                to[step] = levels[LEVELS + seen[1]];                                             \
                to[blue * step] = levels[blue * LEVELS + seen[2]];                               \
            }                                                                                    \
    }

DEFINE_FILL(fill_1, uint8_t)
DEFINE_FILL(fill_2, uint16_t)
DEFINE_FILL(fill_4, uint32_t)

/* The luminance of ITU-R BT.601, as Pillow's mode "L" rounds it. */
static void make_gray(const preparation *of) {
    const size_t count = (size_t)of->frame_height * (size_t)of->frame_width;
    const uint8_t *at = of->frame;
    for (size_t i = 0; i < count; i++, at += 3)
        of->gray[i] = (uint8_t)((19595u * at[0] + 38470u * at[1] + 7471u * at[2] + 0x8000u) >> 16);
}

/* ---- All steps ------------------------------------------------------------------------------- */

void preparation_prepare(preparation *to, const planned_model *planned, const uint8_t *frame,
                         int32_t frame_height, int32_t frame_width, const tensor *input) {
    const int is_first = planned->is_channels_first, channels = planned->is_gray ? 1 : 3;
    const int64_t *shape = input->shape;
    const int64_t height = shape[is_first ? 2 : 1], width = shape[is_first ? 3 : 2];
    size_t size;
    if (input->rank != 4 || shape[0] != 1 || shape[is_first ? 1 : 3] != channels ||
        height > planned->scaled_height || width > planned->scaled_width)
        fail(STATUS_BAD_PLAN, "the input of model %s does not match the planned image",
             planned->id);
    *to = (preparation){.frame = frame,
                        .frame_height = frame_height,
                        .frame_width = frame_width,
                        .height = (int32_t)height,
                        .width = (int32_t)width,
                        .channels = channels,
                        .element_size = input->type.size,
                        .is_reversed = planned->is_reversed};
    to->levels = read_file(planned->levels, &size);
    if (to->element_size > 4 || size != (size_t)channels * LEVELS * to->element_size)
        fail(STATUS_BAD_PLAN, "'%s' has %zu bytes, not %d values of %zu for each of %d channels",
             planned->levels, size, LEVELS, to->element_size, channels);
    const size_t sides = (size_t)height * (size_t)width;
    to->pixel_step = is_first ? 1 : (size_t)channels;
    to->channel_step = is_first ? sides : 1;
    const int32_t fewer_rows = frame_height - planned->scaled_height;
    to->is_rows_first =
        fewer_rows > 0 && fewer_rows > 2 * (int64_t)(frame_width - planned->scaled_width);
    to->rows = make_resampling(planned->is_bicubic, frame_height, planned->scaled_height,
                               to->height);
    to->columns = make_resampling(planned->is_bicubic, frame_width, planned->scaled_width,
                                  to->width);
    const size_t frame_sides = (size_t)frame_height * (size_t)frame_width;
    if (planned->is_gray) to->gray = allocate(frame_sides, 1);
    const size_t longer = (size_t)(frame_width > width ? frame_width : width) * (size_t)channels;
    const size_t higher = (size_t)(frame_height > height ? frame_height : height);
    to->between = allocate(longer * higher, 1);
    to->sums = allocate(longer, sizeof *to->sums);
    to->seen = allocate(sides, (size_t)channels);
    to->input = allocate(sides * (size_t)channels, to->element_size);
}

void preparation_run(const preparation *of) {
    if (of->gray != NULL) make_gray(of);
    resize(of, of->gray != NULL ? of->gray : of->frame);
    if (of->element_size == 1) fill_1(of);
    else if (of->element_size == 2) fill_2(of);
    else fill_4(of);
}

void preparation_release(preparation *of) {
    release_resampling(&of->rows);
    release_resampling(&of->columns);
    free(of->gray);
    free(of->between);
    free(of->sums);
    free(of->seen);
    free(of->levels);
    free(of->input);
}
