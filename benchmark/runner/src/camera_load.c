#include "camera_load.h"

#include <stdint.h>

#include "system.h"

enum { FRACTION = 8, ONE = 1 << FRACTION };

/* Along an axis: the first of two neighboring pixels, and the weight of the second. */
typedef struct {
    int32_t *first, *weight;
} axis;

static int32_t frame_height, frame_width, height, width;
static uint8_t *yuv, *rgb, *resized;
static axis rows, columns;

/* Pixel centers are aligned, as in OpenCV and Pillow without antialiasing. */
static axis make_axis(int32_t from, int32_t to) {
    axis made = {allocate((size_t)to, sizeof(int32_t)), allocate((size_t)to, sizeof(int32_t))};
    for (int32_t i = 0; i < to; i++) {
        const int64_t center = ((2 * (int64_t)i + 1) * from * ONE / to - ONE) / 2;
        const int64_t last = ((int64_t)from - 1) * ONE;
        const int64_t at = center < 0 ? 0 : center > last ? last : center;
        made.first[i] = (int32_t)(at >> FRACTION);
        if (made.first[i] > from - 2 && from > 1) made.first[i] = from - 2;
        made.weight[i] = (int32_t)(at - (int64_t)made.first[i] * ONE);
    }
    return made;
}

void camera_load_prepare(const planned_load *how) {
    frame_height = how->frame_height, frame_width = how->frame_width;
    height = how->height, width = how->width;
    const size_t pixels = (size_t)frame_height * (size_t)frame_width;
    yuv = allocate(pixels * 3 / 2, 1);
    rgb = allocate(pixels, 3);
    resized = allocate((size_t)height * (size_t)width, 3);
    rows = make_axis(frame_height, height);
    columns = make_axis(frame_width, width);
    uint32_t noise = 1; /* xorshift: Marsaglia, "Xorshift RNGs", 2003 */
    for (size_t i = 0; i < pixels * 3 / 2; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        yuv[i] = (uint8_t)(noise >> 24);
    }
}

static uint8_t clamped(int32_t value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* ITU-T T.871 (JFIF), full range; coefficients with 16 fractional bits. */
static void convert(void) {
    enum { V_TO_R = 91881, U_TO_G = 22554, V_TO_G = 46802, U_TO_B = 116130, HALF = 1 << 15 };
    const uint8_t *luma = yuv;
    const uint8_t *chroma = yuv + (size_t)frame_height * (size_t)frame_width;
    uint8_t *to = rgb;
    for (int32_t y = 0; y < frame_height; y++) {
        const uint8_t *pairs = chroma + (size_t)(y / 2) * (size_t)frame_width;
        for (int32_t x = 0; x < frame_width; x++, to += 3) {
            const int32_t v = pairs[x & ~1] - 128, u = pairs[x | 1] - 128;
            const int32_t level = *luma++;
            to[0] = clamped(level + ((V_TO_R * v + HALF) >> 16));
            to[1] = clamped(level - ((U_TO_G * u + V_TO_G * v + HALF) >> 16));
            to[2] = clamped(level + ((U_TO_B * u + HALF) >> 16));
        }
    }
}

static void resize(void) {
    const size_t stride = (size_t)frame_width * 3;
    uint8_t *to = resized;
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *above = rgb + (size_t)rows.first[y] * stride, *below = above + stride;
        const int32_t down = rows.weight[y];
        for (int32_t x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) {
                const size_t left = (size_t)columns.first[x] * 3 + (size_t)c, right = left + 3;
                const int32_t across = columns.weight[x];
                const int32_t upper = above[left] * (ONE - across) + above[right] * across;
                const int32_t lower = below[left] * (ONE - across) + below[right] * across;
                *to++ = (uint8_t)((upper * (ONE - down) + lower * down) >> 2 * FRACTION);
            }
    }
}

void camera_load_run(void) {
    convert();
    resize();
    /* The result is used by nobody: without this, a compiler may leave the work out. */
    __asm__ volatile("" : : "r"(resized) : "memory");
}
