/* The arg-max over classes of bilinearly upsampled logits, without upsampling the logits.
 *
 * C99, no dependencies, no allocation, no global state: calls with separate workspaces may run in
 * parallel. See argmax.c for how it works and why it is exact.
 */
#ifndef SEAFORMER_UPSAMPLING_ARGMAX_H
#define SEAFORMER_UPSAMPLING_ARGMAX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The type of one logit. For a quantized tensor, the integers themselves are the logits: its scale
 * (positive) and zero point are shared by all classes and do not change which class is largest. */
enum { SEAFORMER_FLOAT32 = 0, SEAFORMER_INT8 = 1, SEAFORMER_UINT8 = 2 };

/* The order of the axes in memory, the last one contiguous. */
enum { SEAFORMER_CHW = 0, SEAFORMER_HWC = 1 };

/* Results of seaformer_upsample_argmax. */
enum {
    SEAFORMER_OK = 0,
    SEAFORMER_BAD_SHAPE = 1, /* a size below 1 or above its limit */
    SEAFORMER_BAD_TYPE = 2,  /* an unknown type or layout */
    SEAFORMER_NOT_FINITE = 3 /* a logit that is NaN or larger in magnitude than the limit below */
};

/* Limits: a class has to fit the mask's uint16, and the center of a pixel (d + 0.5) a float32. */
enum { SEAFORMER_MAX_CLASSES = 65536, SEAFORMER_MAX_SIDE = 1048576 };
#define SEAFORMER_MAX_LOGIT 0x1p127f /* half the largest float */

typedef struct {
    int32_t classes;     /* C: 1 to SEAFORMER_MAX_CLASSES */
    int32_t height;      /* h of the logits; like all sides, 1 to SEAFORMER_MAX_SIDE */
    int32_t width;       /* w of the logits */
    int32_t mask_height; /* H of the mask; larger than, equal to or smaller than h */
    int32_t mask_width;  /* W of the mask */
    int32_t type;        /* SEAFORMER_FLOAT32, SEAFORMER_INT8 or SEAFORMER_UINT8 */
    int32_t layout;      /* SEAFORMER_CHW, or SEAFORMER_HWC, which saves a transposition */
} seaformer_upsampling;

/* Returns the number of bytes of workspace that `job` needs, or 0 if `job` is invalid. */
size_t seaformer_upsample_argmax_workspace(const seaformer_upsampling *job);

/* Writes the class of every pixel; among classes with equal values, the lowest.
 *
 * job        shapes, type and layout
 * logits     classes * height * width values of `type`, dense, in the order of `layout`
 * mask       mask_height rows of mask_width values: uint8_t for up to 256 classes, else uint16_t
 * workspace  seaformer_upsample_argmax_workspace(job) bytes, aligned like malloc's result; its
 *            content is irrelevant before and after the call
 *
 * Returns SEAFORMER_OK or an error. After SEAFORMER_NOT_FINITE, part of the mask is written.
 * (Rows of logits that no pixel depends on, which occur only when shrinking, are not checked.)
 */
int seaformer_upsample_argmax(const seaformer_upsampling *job, const void *logits, void *mask,
                              void *workspace);

#ifdef __cplusplus
}
#endif

#endif
