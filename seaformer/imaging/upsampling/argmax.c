/* The arg-max over classes of bilinearly upsampled logits, without upsampling the logits.
 *
 * The value of a class at a pixel, between the logits a b (above) and c d (below), is
 *
 *     (1 - v) * ((1 - w) * a + w * b) + v * ((1 - w) * c + w * d)
 *
 * in float, rounded at every operation. In a region between points of the logits, the values of a
 * class lie between its minimum and its maximum over these points. With m the largest minimum, a
 * class whose maximum is below m (with a margin for rounding) wins nowhere in the region. argmax.py
 * proves that this rule changes no pixel, not even at ties, and bounds the effect of rounding.
 *
 * The rule is applied twice: to tiles (up to 3 x 3 cells between neighboring logits) with all
 * classes, then to blocks (up to 8 x 8 pixels) with the classes left in their tile. Most of the
 * remaining work is reading all logits once. Extremes are computed vertically first, because
 * horizontal neighbors share them. From the classes left in a block, those that are below a single
 * other class at all points of the block are dropped. The rest is evaluated; for logits that are
 * noise, that is a third of all classes.
 *
 * Logits are read as float HWC, so that loops over classes are vector loops. Other layouts and
 * types are converted row by row, into a ring of as many rows as a tile needs. Loops are written
 * for the auto-vectorization of compilers: flat, without branches, of constant length if needed.
 *
 * Compile with -std=c99 -O3 -ffp-contract=off, and never with -ffast-math. (With fused
 * multiply-adds, the rule stays valid, but near ties may be decided differently from argmax.py.)
 */
#include "argmax.h"

#include <float.h>
#include <math.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* unknown to GCC, which fuses nothing with -std=c99 */
#endif

#if FLT_EVAL_METHOD != 0
#error "float has to be evaluated as float; on 32-bit x86, use -msse2 -mfpmath=sse"
#endif

#if defined __GNUC__ && !defined __clang__
#define NOINLINE __attribute__((noinline)) /* GCC vectorizes these functions only if not inlined */
#else
#define NOINLINE
#endif

enum {
    LANES = 8,          /* maximum number of outputs of a block along an axis */
    CELLS = 3,          /* maximum number of cells of a tile along an axis */
    POINTS = CELLS + 1, /* maximum number of points of a tile along an axis */
    PLANES = 4,         /* number of planes (CHW) that are interleaved at a time */
    MANY = 8,           /* number of classes in a block above which a second pass pays off */
    BYTE_CLASSES = 256, /* maximum number of classes in a mask of bytes */
    ALIGNMENT = 16      /* alignment of buffers in the workspace, relative to its start */
};

/* Points are the rows, or columns, of logits that outputs depend on, in order. The first row counts
 * twice if there are outputs above its center, the last one if there are outputs below its center.
 * A cell is the interval between a point and the next one. */
typedef struct {
    size_t begin, length; /* the outputs */
    size_t point, points; /* the points they depend on, at least 2 */
} span;

typedef struct {
    int32_t *source;       /* per point: its row or column of logits */
    int32_t *point;        /* per output: the point before it; the one after it is the next */
    float *before, *after; /* per output: the weights of these two */
    span *blocks;          /* up to LANES outputs and CELLS cells each */
    size_t block_count;
} axis;

/* Adjacent blocks and their total span, up to CELLS cells. One group per axis forms a tile. */
typedef struct {
    span all;
    const span *first, *end;
} group;

/* Logits at the points of a tile or block, of the classes left in the tile, by point. */
typedef struct {
    const float *values;
    size_t down, right; /* steps to the next points */
} lattice;

typedef struct {
    float *low, *high;
} extremes;

typedef struct {
    const seaformer_upsampling *job;
    const void *logits;
    unsigned char *mask;
    size_t classes, height, width;
    axis rows, columns;
    float *weights;        /* weights of points in column blocks: [blocks][POINTS][LANES] */
    float *ring;           /* the last loaded rows: [POINTS][width][pitch]; NULL: used in place */
    float *widened;        /* rows of integer planes as float: [PLANES][width] */
    size_t pitch;          /* step from a pixel of a row to the next */
    size_t loaded;         /* number of loaded points of `rows` */
    extremes band;         /* over the rows of a tile: [width][pitch] */
    extremes region;       /* over a tile or block: [classes] */
    extremes strip;        /* over the rows of a block: [points][classes in the tile] */
    float *sums;           /* sums over the points of a block, for the classes left: [classes] */
    int32_t *in_tile;      /* the classes left in a tile, ascending */
    int32_t *in_block;     /* the classes left in a block, ascending, as indices into in_tile */
    float *values;         /* the logits of the classes left in a tile: a lattice */
} plan;

static inline size_t least(size_t a, size_t b) { return b < a ? b : a; }
static inline float lesser(float a, float b) { return b < a ? b : a; }
static inline float greater(float a, float b) { return b > a ? b : a; }

/* ---- Positions of the outputs ---------------------------------------------------------------- */

/* Finds the points, and the position of each output among them. Outputs before the center of the
 * first source lie after source -1, between two points that are both source 0. */
static void place_outputs(axis *a, int32_t sources, int32_t outputs) {
    const float scale = (float)sources / (float)outputs;
    const int32_t last = sources - 1;
    int32_t points = 0, previous = 0;
    for (int32_t d = 0; d < outputs; d++) {
        const float position = scale * ((float)d + 0.5f) - 0.5f;
        int32_t source = position < 0 ? -1 : (int32_t)position;
        if (source > last) source = last;
        if (d == 0 || source > previous + 1) a->source[points++] = source < 0 ? 0 : source;
        if (d == 0 || source > previous) a->source[points++] = source < last ? source + 1 : last;
        previous = source;
        a->point[d] = points - 2;
        a->after[d] = source < 0 ? 0 : lesser(position - (float)source, 1);
        a->before[d] = 1 - a->after[d];
    }
}

/* Splits the outputs into blocks; a cell is split only if it has more than LANES outputs. */
static void split_blocks(axis *a, size_t outputs) {
    const int32_t *point = a->point;
    a->block_count = 0;
    for (size_t begin = 0, end; begin < outputs; begin = end) {
        end = least(begin + LANES, outputs);
        while (point[end - 1] - point[begin] >= CELLS) end--;
        if (end < outputs && point[end] > point[begin])
            while (point[end - 1] == point[end]) end--;
        const size_t points = (size_t)(point[end - 1] - point[begin]) + 2;
        a->blocks[a->block_count++] = (span){begin, end - begin, (size_t)point[begin], points};
    }
}

/* Returns the blocks of a tile, starting with `first`. */
static group group_from(const axis *a, const span *first) {
    group g = {*first, first, first + 1};
    for (; g.end < a->blocks + a->block_count; g.end++) {
        const size_t points = g.end->point + g.end->points - g.all.point;
        if (points > POINTS) break;
        g.all.points = points;
        g.all.length += g.end->length;
    }
    return g;
}

/* The weight of a point is 1 at the point and falls to 0 at its neighbors. Summing over all points
 * of a block, of which at most two have a weight other than 0 at an output, needs no indices and
 * gives the same value, because 0 * x adds nothing. */
static void build_interpolation_weights(float *weights, const axis *columns) {
    for (size_t i = 0; i < columns->block_count; i++, weights += POINTS * LANES) {
        const span block = columns->blocks[i];
        for (size_t k = 0; k < POINTS * LANES; k++) weights[k] = 0;
        for (size_t x = 0; x < block.length; x++) {
            const size_t point = (size_t)columns->point[block.begin + x] - block.point;
            weights[point * LANES + x] = columns->before[block.begin + x];
            weights[(point + 1) * LANES + x] = columns->after[block.begin + x];
        }
    }
}

/* ---- Reading logits -------------------------------------------------------------------------- */

static void widen(const plan *p, size_t offset, size_t count, float *restrict to) {
    if (p->job->type == SEAFORMER_INT8) {
        const int8_t *from = (const int8_t *)p->logits + offset;
        for (size_t i = 0; i < count; i++) to[i] = (float)from[i];
    } else {
        const uint8_t *from = (const uint8_t *)p->logits + offset;
        for (size_t i = 0; i < count; i++) to[i] = (float)from[i];
    }
}

/* Returns logits as float: in place if they are float, else converted into `buffer`. */
static const float *as_float(const plan *p, size_t offset, size_t count, float *buffer) {
    if (p->job->type == SEAFORMER_FLOAT32) return (const float *)p->logits + offset;
    widen(p, offset, count, buffer);
    return buffer;
}

static void interleave(const float *const planes[PLANES], size_t count, float *restrict to,
                       size_t pitch) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < PLANES; k++) to[i * pitch + k] = planes[k][i];
}

/* Large logits are refused so that no value overflows, and NaNs because they compare as false. */
static int all_finite(const float *values, size_t count) {
    int32_t bad = 0;
    for (size_t i = 0; i < count; i++) bad |= -(int32_t)!(fabsf(values[i]) <= SEAFORMER_MAX_LOGIT);
    return bad == 0;
}

/* The ring has a slot for each of the last POINTS points. */
static float *ring_row(const plan *p, size_t point) {
    return p->ring + point % POINTS * p->width * p->pitch;
}

/* Returns the row of logits at a point, as float HWC. */
static const float *row_at(const plan *p, size_t point) {
    if (p->ring != NULL) return ring_row(p, point);
    return (const float *)p->logits + (size_t)p->rows.source[point] * p->width * p->pitch;
}

/* Loads PLANES planes, starting with class c, of the row of a point. The last plane is repeated. */
static void load_planes(const plan *p, size_t c, size_t point) {
    const float *planes[PLANES];
    for (size_t k = 0; k < PLANES; k++) {
        const size_t plane = least(c + k, p->classes - 1);
        const size_t offset = (plane * p->height + (size_t)p->rows.source[point]) * p->width;
        planes[k] = as_float(p, offset, p->width, p->widened + k * p->width);
    }
    interleave(planes, p->width, ring_row(p, point) + c, p->pitch);
}

/* Loads the rows of the points before `end`. Returns whether they are finite. */
static int load_rows(plan *p, size_t end) {
    const size_t begin = p->loaded, length = p->width * p->pitch;
    p->loaded = end;
    if (p->job->layout == SEAFORMER_CHW)
        for (size_t c = 0; c < p->classes; c += PLANES)
            for (size_t point = begin; point < end; point++) load_planes(p, c, point);
    else if (p->ring != NULL)
        for (size_t point = begin; point < end; point++)
            widen(p, (size_t)p->rows.source[point] * length, length, ring_row(p, point));
    if (p->job->type == SEAFORMER_FLOAT32)
        for (size_t point = begin; point < end; point++)
            if (!all_finite(row_at(p, point), length)) return 0;
    return 1;
}

/* ---- Which classes can win ------------------------------------------------------------------- */

static inline void fold_known(const float *const *low, const float *const *high, size_t points,
                              size_t count, float *restrict lowest, float *restrict highest) {
    for (size_t i = 0; i < count; i++) {
        float l = low[0][i], h = high[0][i];
        for (size_t k = 1; k < points; k++) {
            l = lesser(l, low[k][i]);
            h = greater(h, high[k][i]);
        }
        lowest[i] = l;
        highest[i] = h;
    }
}

/* Computes the elementwise extremes of the arrays at several points. This is a vector loop only for
 * a constant number of points: either 2, the most frequent case, or POINTS, with the last point
 * repeated if there are fewer. */
static void fold(const float *const *low, const float *const *high, size_t points, size_t count,
                 extremes to) {
    if (points == 2) {
        fold_known(low, high, 2, count, to.low, to.high);
        return;
    }
    const float *lows[POINTS], *highs[POINTS];
    for (size_t k = 0; k < POINTS; k++) {
        lows[k] = low[least(k, points - 1)];
        highs[k] = high[least(k, points - 1)];
    }
    fold_known(lows, highs, POINTS, count, to.low, to.high);
}

static float largest(const float *values, size_t count) {
    float lane[4] = {values[0], values[0], values[0], values[0]};
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t k = 0; k < 4; k++) lane[k] = greater(lane[k], values[i + k]);
    for (; i < count; i++) lane[0] = greater(lane[0], values[i]);
    return greater(greater(lane[0], lane[1]), greater(lane[2], lane[3]));
}

/* Returns a bound below which values are smaller than `value` despite rounding; see argmax.py. */
static inline float lowered(float value) {
    return value - (value < 0 ? -value : value) * 0x1p-20f - 1e-30f;
}

/* Lists the classes that can win in a region, given their extremes; returns their number. */
static size_t list_contenders(extremes region, size_t classes, int32_t *contenders) {
    const float threshold = lowered(largest(region.low, classes));
    size_t count = 0;
    for (size_t i = 0; i < classes; i++) {
        contenders[count] = (int32_t)i;
        count += region.high[i] >= threshold;
    }
    return count;
}

/* Lists the classes left in a tile, given the extremes of its band, in in_tile. */
static size_t list_tile_contenders(const plan *p, const span *columns) {
    const float *low[POINTS], *high[POINTS];
    for (size_t x = 0; x < columns->points; x++) {
        const size_t at = (size_t)p->columns.source[columns->point + x] * p->pitch;
        low[x] = p->band.low + at;
        high[x] = p->band.high + at;
    }
    fold(low, high, columns->points, p->classes, p->region);
    return list_contenders(p->region, p->classes, p->in_tile);
}

/* Lists the classes left in a block in in_block, given the extremes of its strip: from the first
 * `classes` classes of in_tile, over `points` points starting at `left`. */
static size_t list_block_contenders(const plan *p, size_t left, size_t points, size_t classes) {
    const float *low[POINTS], *high[POINTS];
    for (size_t x = 0; x < points; x++) {
        low[x] = p->strip.low + (left + x) * classes;
        high[x] = p->strip.high + (left + x) * classes;
    }
    fold(low, high, points, classes, p->region);
    return list_contenders(p->region, classes, p->in_block);
}

/* Drops from the first `count` classes of in_block those that are below another class at all points
 * of the block. They are compared with the class of the largest sum, then with the next one, while
 * many classes are left and many are dropped. Returns the number of classes left. */
static inline size_t drop_dominated_known(const plan *p, size_t rows, size_t columns,
                                          lattice logits, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float *values = logits.values + p->in_block[i];
        float sum = 0;
        for (size_t y = 0; y < rows; y++)
            for (size_t x = 0; x < columns; x++) sum += values[y * logits.down + x * logits.right];
        p->sums[i] = sum;
    }
    size_t before;
    do {
        float thresholds[POINTS * POINTS];
        size_t leader = 0;
        before = count;
        count = 0;
        for (size_t i = 1; i < before; i++) leader = p->sums[i] > p->sums[leader] ? i : leader;
        p->sums[leader] = -FLT_MAX;
        const float *values = logits.values + p->in_block[leader];
        for (size_t y = 0; y < rows; y++)
            for (size_t x = 0; x < columns; x++)
                thresholds[y * columns + x] = lowered(values[y * logits.down + x * logits.right]);
        for (size_t i = 0; i < before; i++) {
            int reaches = 0;
            values = logits.values + p->in_block[i];
            for (size_t y = 0; y < rows; y++)
                for (size_t x = 0; x < columns; x++)
                    reaches |=
                        values[y * logits.down + x * logits.right] >= thresholds[y * columns + x];
            p->in_block[count] = p->in_block[i];
            p->sums[count] = p->sums[i];
            count += (size_t)reaches;
        }
    } while (count > MANY && before - count > count / MANY);
    return count;
}

/* Most blocks lie in one cell; with a constant 2 x 2 points, they take half the time. */
static size_t drop_dominated(const plan *p, size_t rows, size_t columns, lattice logits,
                             size_t count) {
    if (rows == 2 && columns == 2) return drop_dominated_known(p, 2, 2, logits, count);
    return drop_dominated_known(p, rows, columns, logits, count);
}

/* ---- Writing the mask ------------------------------------------------------------------------ */

/* With the constant size of most rows of blocks, memset and memcpy are a single store. */
static inline void set_bytes(unsigned char *to, int byte, size_t size) {
    if (size == LANES) memset(to, byte, LANES);
    else memset(to, byte, size);
}

static inline void copy_bytes(unsigned char *to, const unsigned char *from, size_t size) {
    if (size == LANES) memcpy(to, from, LANES);
    else memcpy(to, from, size);
}

static void fill(const plan *p, const span *rows, const span *columns, int32_t label) {
    const size_t pitch = (size_t)p->job->mask_width;
    for (size_t y = rows->begin; y < rows->begin + rows->length; y++) {
        const size_t at = y * pitch + columns->begin;
        if (p->classes <= BYTE_CLASSES) {
            set_bytes(p->mask + at, label, columns->length);
        } else {
            uint16_t *row = (uint16_t *)p->mask + at;
            for (size_t x = 0; x < columns->length; x++) row[x] = (uint16_t)label;
        }
    }
}

static void copy_block(const plan *p, const span *rows, const span *columns, const void *labels,
                       size_t size) {
    const size_t pitch = (size_t)p->job->mask_width * size;
    unsigned char *to = p->mask + rows->begin * pitch + columns->begin * size;
    const unsigned char *from = labels;
    for (size_t y = 0; y < rows->length; y++, to += pitch, from += LANES * size)
        copy_bytes(to, from, columns->length * size);
}

static void write_block(const plan *p, const span *rows, const span *columns,
                        const int32_t winner[LANES * LANES]) {
    const size_t count = rows->length * LANES;
    uint8_t bytes[LANES * LANES];
    uint16_t words[LANES * LANES];
    if (p->classes <= BYTE_CLASSES) {
        for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)winner[i];
        copy_block(p, rows, columns, bytes, sizeof bytes[0]);
    } else {
        for (size_t i = 0; i < count; i++) words[i] = (uint16_t)winner[i];
        copy_block(p, rows, columns, words, sizeof words[0]);
    }
}

/* ---- Evaluating ------------------------------------------------------------------------------ */

static inline void scale(const float *weights, float value, float *restrict to) {
    for (size_t x = 0; x < LANES; x++) to[x] = weights[x] * value;
}

static inline void add_scaled(const float *weights, float value, float *restrict to) {
    for (size_t x = 0; x < LANES; x++) to[x] += weights[x] * value;
}

/* Interpolates a class horizontally in a block: its values at each output of each row of points. */
static void interpolate(const float *weights, size_t rows, size_t columns, lattice logits,
                        float *restrict strips) {
    for (size_t y = 0; y < rows; y++) {
        const float *values = logits.values + y * logits.down;
        scale(weights, values[0], strips + y * LANES);
        for (size_t x = 1; x < columns; x++)
            add_scaled(weights + x * LANES, values[x * logits.right], strips + y * LANES);
    }
}

/* Interpolates a class vertically, between the strips above and below each row. It is the winner
 * where it is larger than all previous classes, or if it is the first one. */
static inline void contend_known(int is_first, int32_t label, const float *strips, const span *rows,
                                 const axis *a, float *restrict best, int32_t *restrict winner) {
    for (size_t y = 0; y < rows->length; y++, best += LANES, winner += LANES) {
        const size_t output = rows->begin + y;
        const float before = a->before[output], after = a->after[output];
        const float *above = strips + ((size_t)a->point[output] - rows->point) * LANES;
        for (size_t x = 0; x < LANES; x++) {
            const float value = before * above[x] + after * above[LANES + x];
            const int32_t stays = is_first ? 0 : -(int32_t)(value <= best[x]);
            winner[x] = is_first ? label : (winner[x] & stays) | (label & ~stays);
            best[x] = is_first ? value : greater(best[x], value);
        }
    }
}

static NOINLINE void contend_first(int32_t label, const float *strips, const span *rows,
                                   const axis *a, float *restrict best, int32_t *restrict winner) {
    contend_known(1, label, strips, rows, a, best, winner);
}

static NOINLINE void contend(int32_t label, const float *strips, const span *rows, const axis *a,
                             float *restrict best, int32_t *restrict winner) {
    contend_known(0, label, strips, rows, a, best, winner);
}

/* Evaluates the first `count` classes of in_block, and writes the winners. */
static void settle_block(const plan *p, const span *rows, const span *columns, lattice logits,
                         size_t count) {
    const float *weights = p->weights + (size_t)(columns - p->columns.blocks) * POINTS * LANES;
    float strips[POINTS * LANES], best[LANES * LANES];
    int32_t winner[LANES * LANES];
    for (size_t i = 0; i < count; i++) {
        const int32_t k = p->in_block[i];
        const lattice of_class = {logits.values + k, logits.down, logits.right};
        interpolate(weights, rows->points, columns->points, of_class, strips);
        if (i == 0) contend_first(p->in_tile[k], strips, rows, &p->rows, best, winner);
        else contend(p->in_tile[k], strips, rows, &p->rows, best, winner);
    }
    write_block(p, rows, columns, winner);
}

/* Settles a row of blocks of a tile. */
static void settle_blocks(const plan *p, const span *rows, const group *columns, lattice logits) {
    const size_t classes = logits.right;
    const float *lines[POINTS];
    for (size_t y = 0; y < rows->points; y++) lines[y] = logits.values + y * logits.down;
    fold(lines, lines, rows->points, logits.down, p->strip);
    for (const span *block = columns->first; block < columns->end; block++) {
        const size_t left = block->point - columns->all.point;
        const lattice corner = {logits.values + left * classes, logits.down, logits.right};
        size_t count = list_block_contenders(p, left, block->points, classes);
        if (count > 1) count = drop_dominated(p, rows->points, block->points, corner, count);
        if (count == 1) fill(p, rows, block, p->in_tile[p->in_block[0]]);
        else settle_block(p, rows, block, corner, count);
    }
}

/* Copies the logits of the first `classes` classes of in_tile at the points of a tile. */
static lattice gather(const plan *p, const span *rows, const span *columns, size_t classes) {
    float *to = p->values;
    for (size_t y = 0; y < rows->points; y++) {
        const float *row = row_at(p, rows->point + y);
        for (size_t x = 0; x < columns->points; x++) {
            const float *from = row + (size_t)p->columns.source[columns->point + x] * p->pitch;
            for (size_t k = 0; k < classes; k++) *to++ = from[p->in_tile[k]];
        }
    }
    return (lattice){p->values, columns->points * classes, classes};
}

static void settle_tile(const plan *p, const group *rows, const group *columns) {
    const size_t classes = list_tile_contenders(p, &columns->all);
    if (classes == 1) {
        fill(p, &rows->all, &columns->all, p->in_tile[0]);
        return;
    }
    const lattice all = gather(p, &rows->all, &columns->all, classes);
    for (const span *block = rows->first; block < rows->end; block++) {
        const size_t top = block->point - rows->all.point;
        const lattice corner = {all.values + top * all.down, all.down, all.right};
        settle_blocks(p, block, columns, corner);
    }
}

/* Settles a row of tiles. Returns whether all logits that it depends on are finite. */
static int settle_tiles(plan *p, const group *rows) {
    const float *lines[POINTS];
    if (!load_rows(p, rows->all.point + rows->all.points)) return 0;
    for (size_t y = 0; y < rows->all.points; y++) lines[y] = row_at(p, rows->all.point + y);
    fold(lines, lines, rows->all.points, p->width * p->pitch, p->band);
    const span *end = p->columns.blocks + p->columns.block_count;
    for (const span *block = p->columns.blocks; block < end;) {
        const group columns = group_from(&p->columns, block);
        settle_tile(p, rows, &columns);
        block = columns.end;
    }
    return 1;
}

/* ---- Entry points ---------------------------------------------------------------------------- */

static int check(const seaformer_upsampling *job) {
    const int32_t sides[] = {job->height, job->width, job->mask_height, job->mask_width};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        if (sides[i] < 1 || sides[i] > SEAFORMER_MAX_SIDE) return SEAFORMER_BAD_SHAPE;
    if (job->classes < 1 || job->classes > SEAFORMER_MAX_CLASSES) return SEAFORMER_BAD_SHAPE;
    if (job->type < SEAFORMER_FLOAT32 || job->type > SEAFORMER_UINT8) return SEAFORMER_BAD_TYPE;
    if (job->layout < SEAFORMER_CHW || job->layout > SEAFORMER_HWC) return SEAFORMER_BAD_TYPE;
    return SEAFORMER_OK;
}

/* Allocates the next buffer of the workspace; with a NULL workspace, only counts its bytes. */
static void *take(void *workspace, uint64_t *used, uint64_t count, size_t size) {
    const uint64_t begin = *used;
    *used += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return workspace == NULL ? NULL : (unsigned char *)workspace + begin;
}

static void take_axis(axis *a, void *workspace, uint64_t *used, uint64_t sources,
                      uint64_t outputs) {
    a->source = take(workspace, used, sources + 2, sizeof *a->source);
    a->point = take(workspace, used, outputs, sizeof *a->point);
    a->before = take(workspace, used, outputs, sizeof *a->before);
    a->after = take(workspace, used, outputs, sizeof *a->after);
    a->blocks = take(workspace, used, outputs, sizeof *a->blocks);
}

static extremes take_extremes(void *workspace, uint64_t *used, uint64_t count) {
    float *low = take(workspace, used, count, sizeof *low);
    float *high = take(workspace, used, count, sizeof *high);
    return (extremes){low, high};
}

/* Sets up the plan except for logits and mask. The workspace may be NULL. Returns its size. */
static uint64_t lay_out(plan *p, const seaformer_upsampling *job, void *workspace) {
    const int chw = job->layout == SEAFORMER_CHW, wide = job->type == SEAFORMER_FLOAT32;
    const uint64_t classes = (uint64_t)job->classes, width = (uint64_t)job->width;
    const uint64_t pitch = chw ? (classes + PLANES - 1) / PLANES * PLANES : classes;
    const uint64_t mask_height = (uint64_t)job->mask_height;
    const uint64_t mask_width = (uint64_t)job->mask_width;
    uint64_t used = 0;
    *p = (plan){.job = job};
    p->classes = (size_t)classes;
    p->height = (size_t)job->height;
    p->width = (size_t)width;
    p->pitch = (size_t)pitch;
    take_axis(&p->rows, workspace, &used, (uint64_t)job->height, mask_height);
    take_axis(&p->columns, workspace, &used, width, mask_width);
    p->weights = take(workspace, &used, mask_width * POINTS * LANES, sizeof *p->weights);
    if (chw || !wide) p->ring = take(workspace, &used, POINTS * width * pitch, sizeof *p->ring);
    if (chw && !wide) p->widened = take(workspace, &used, PLANES * width, sizeof *p->widened);
    p->band = take_extremes(workspace, &used, width * pitch);
    p->strip = take_extremes(workspace, &used, POINTS * classes);
    p->sums = take(workspace, &used, classes, sizeof *p->sums);
    p->region = take_extremes(workspace, &used, classes);
    p->in_tile = take(workspace, &used, classes, sizeof *p->in_tile);
    p->in_block = take(workspace, &used, classes, sizeof *p->in_block);
    p->values = take(workspace, &used, POINTS * POINTS * classes, sizeof *p->values);
    return used;
}

size_t seaformer_upsample_argmax_workspace(const seaformer_upsampling *job) {
    plan p;
    if (check(job) != SEAFORMER_OK) return 0;
    const uint64_t size = lay_out(&p, job, NULL);
    return (size_t)size == size ? (size_t)size : 0;
}

int seaformer_upsample_argmax(const seaformer_upsampling *job, const void *logits, void *mask,
                              void *workspace) {
    plan p;
    const int status = check(job);
    if (status != SEAFORMER_OK) return status;
    lay_out(&p, job, workspace);
    p.logits = logits;
    p.mask = mask;
    place_outputs(&p.rows, job->height, job->mask_height);
    place_outputs(&p.columns, job->width, job->mask_width);
    split_blocks(&p.rows, (size_t)job->mask_height);
    split_blocks(&p.columns, (size_t)job->mask_width);
    build_interpolation_weights(p.weights, &p.columns);
    const span *end = p.rows.blocks + p.rows.block_count;
    for (const span *block = p.rows.blocks; block < end;) {
        const group rows = group_from(&p.rows, block);
        if (!settle_tiles(&p, &rows)) return SEAFORMER_NOT_FINITE;
        block = rows.end;
    }
    return SEAFORMER_OK;
}
