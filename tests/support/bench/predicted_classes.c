/* The arg-max over the predicted classes only, the upsampling of PP-MobileSeg, for benches.
 *
 * A class is predicted if it is the largest at a position of the logits. Bilinear upsampling with
 * half-pixel centers, in float32, by the expression of argmax.c. Rows are resized once per row of
 * the logits, so that compilers vectorize the loop over pixels.
 */
#include <stdint.h>
#include <string.h>

/* logits [classes, h, w]; mask [H, W]; source, weight: per column; row, row_weight: per row;
 * rows: 2 * classes * W floats; best: W floats; winner: W ints; predicted: classes ints.
 * Returns the number of predicted classes. */
int predicted_classes(const float *logits, int classes, int h, int w, int H, int W,
                      const int32_t *row, const float *row_weight, const int32_t *source,
                      const float *weight, float *rows, float *best, int32_t *winner,
                      int32_t *predicted, uint8_t *mask)
{
    int count = 0;
    memset(predicted, 0, sizeof(int32_t) * classes);
    for (int y = 0; y < h; y++) {
        const float *line = logits + (size_t)y * w;
        for (int x = 0; x < w; x++) { best[x] = line[x]; winner[x] = 0; }
        for (int k = 1; k < classes; k++) {
            const float *plane = line + (size_t)k * h * w;
            for (int x = 0; x < w; x++) {
                const int larger = plane[x] > best[x];
                best[x] = larger ? plane[x] : best[x];
                winner[x] = larger ? k : winner[x];
            }
        }
        for (int x = 0; x < w; x++) predicted[winner[x]] = 1;
    }
    for (int k = 0; k < classes; k++)
        if (predicted[k]) predicted[count++] = k;

    int resized[2] = {-1, -1};
    for (int Y = 0; Y < H; Y++) {
        float *pair[2];
        for (int below = 0; below < 2; below++) {
            const int y = row[Y] + below < 0 ? 0 : row[Y] + below >= h ? h - 1 : row[Y] + below;
            float *buffer = rows + (size_t)(y % 2) * classes * W;
            pair[below] = buffer;
            if (resized[y % 2] == y) continue;
            resized[y % 2] = y;
            for (int n = 0; n < count; n++) {
                const float *line = logits + ((size_t)predicted[n] * h + y) * w;
                for (int X = 0; X < W; X++) {
                    const int left = source[X] < 0 ? 0 : source[X];
                    const int right = source[X] + 1 >= w ? w - 1 : source[X] + 1;
                    buffer[(size_t)n * W + X] =
                        (1 - weight[X]) * line[left] + weight[X] * line[right];
                }
            }
        }
        const float v = row_weight[Y];
        for (int n = 0; n < count; n++) {
            const float *above = pair[0] + (size_t)n * W, *under = pair[1] + (size_t)n * W;
            const int32_t k = predicted[n];
            for (int X = 0; X < W; X++) {
                const float value = (1 - v) * above[X] + v * under[X];
                const int larger = n == 0 || value > best[X];
                best[X] = larger ? value : best[X];
                winner[X] = larger ? k : winner[X];
            }
        }
        for (int X = 0; X < W; X++) mask[(size_t)Y * W + X] = (uint8_t)winner[X];
    }
    return count;
}
