package seaformer.core

import kotlin.math.abs

private const val MAX_LOGIT = 1.7014118e38f // 2^127, half the largest float

/** Whether a logit is finite and small enough to compute masks with. */
fun isComputable(logit: Float): Boolean = abs(logit) <= MAX_LOGIT // false for NaN

/** A logit that is NaN, infinite or too large to compute with. */
class NotFiniteException(
    value: Float,
) : Exception("the model returns $value; its weights are damaged, or its precision is too low for them")

/**
 * The arg-max over classes of bilinearly upsampled logits, without upsampling the logits.
 *
 * The mask is the same as if every class were evaluated at every pixel: the lowest class index that
 * maximizes
 *
 *     (1 - v) * ((1 - w) * a + w * b) + v * ((1 - w) * c + w * d)
 *
 * in float, rounded after every operation, where a, b, c and d are the logits at the corners of the
 * cell between neighboring logits. Within a cell, the values of a class lie between its smallest and
 * largest corner. Let m be the largest of the classes' smallest corners: a class whose corners are all
 * below m, by a margin for rounding, cannot win anywhere in the cell. The proof is in
 * seaformer/imaging/upsampling/argmax.py; the C code beside it does the same in tiles.
 *
 * An instance reuses its buffers, and must not be used by two threads at once.
 */
class ArgmaxUpsampling(
    private val classes: Int,
    private val height: Int,
    private val width: Int,
    private val channelsFirst: Boolean,
    override val maskHeight: Int,
    override val maskWidth: Int,
) : Upsampling {
    private val rows = Axis(height, maskHeight)
    private val columns = Axis(width, maskWidth)

    // The logits of the rows above and below a row of cells, [width][classes].
    private var above = FloatArray(width * classes)
    private var below = FloatArray(width * classes)
    private val low = FloatArray(width * classes)
    private val high = FloatArray(width * classes)
    private val contenders = IntArray(classes)
    private val top = FloatArray(columns.longest)
    private val bottom = FloatArray(columns.longest)
    private val best = FloatArray(columns.longest * rows.longest)

    override fun run(logits: TensorData): ClassMask {
        require(logits.size == classes * height * width) {
            "${logits.size} values are not logits of $classes x $height x $width"
        }
        val mask = ClassMask(maskWidth, maskHeight)
        var loaded = -1
        for (cell in rows.length.indices) {
            if (rows.length[cell] == 0) continue
            if (loaded == cell) {
                above = below.also { below = above }
            } else {
                load(logits, rows.source[cell], above)
            }
            load(logits, rows.source[cell + 1], below)
            loaded = cell + 1
            for (i in low.indices) {
                low[i] = minOf(above[i], below[i])
                high[i] = maxOf(above[i], below[i])
            }
            for (column in columns.length.indices) {
                if (columns.length[column] > 0) settle(cell, column, mask)
            }
        }
        return mask
    }

    private fun load(
        logits: TensorData,
        row: Int,
        to: FloatArray,
    ) {
        if (channelsFirst) {
            for (k in 0 until classes) {
                val begin = (k * height + row) * width
                for (x in 0 until width) to[x * classes + k] = logits[begin + x]
            }
        } else {
            val begin = row * width * classes
            for (i in to.indices) to[i] = logits[begin + i]
        }
        if (logits is TensorData.Floats) {
            for (value in to) if (!isComputable(value)) throw NotFiniteException(value)
        }
    }

    private fun settle(
        row: Int,
        column: Int,
        mask: ClassMask,
    ) {
        val left = columns.source[column] * classes
        val right = columns.source[column + 1] * classes
        val count = listContenders(left, right)
        fill(row, column, contenders[0], mask)
        if (count == 1) return
        best.fill(Float.NEGATIVE_INFINITY)
        for (i in 0 until count) contend(contenders[i], row, column, left, right, mask)
    }

    /** Lists the classes that can win in the cell between two columns, and returns how many. */
    private fun listContenders(
        left: Int,
        right: Int,
    ): Int {
        var largest = Float.NEGATIVE_INFINITY
        for (k in 0 until classes) largest = maxOf(largest, minOf(low[left + k], low[right + k]))
        val threshold = largest - abs(largest) * MARGIN - UNDERFLOW
        var count = 0
        for (k in 0 until classes) {
            if (high[left + k] >= threshold || high[right + k] >= threshold) contenders[count++] = k
        }
        return count
    }

    private fun fill(
        row: Int,
        column: Int,
        id: Int,
        mask: ClassMask,
    ) {
        for (y in rows.begin[row] until rows.begin[row] + rows.length[row]) {
            val at = y * maskWidth + columns.begin[column]
            for (x in 0 until columns.length[column]) mask[at + x] = id
        }
    }

    /** Evaluates a class in a cell, and writes it to the mask where it exceeds the earlier classes. */
    private fun contend(
        id: Int,
        row: Int,
        column: Int,
        left: Int,
        right: Int,
        mask: ClassMask,
    ) {
        val length = columns.length[column]
        for (x in 0 until length) {
            val w = columns.weight[columns.begin[column] + x]
            top[x] = (1 - w) * above[left + id] + w * above[right + id]
            bottom[x] = (1 - w) * below[left + id] + w * below[right + id]
        }
        for (y in 0 until rows.length[row]) {
            val v = rows.weight[rows.begin[row] + y]
            val at = (rows.begin[row] + y) * maskWidth + columns.begin[column]
            for (x in 0 until length) {
                val value = (1 - v) * top[x] + v * bottom[x]
                if (value > best[y * length + x]) {
                    best[y * length + x] = value
                    mask[at + x] = id
                }
            }
        }
    }

    /**
     * Maps the outputs along an axis to the cells between the points that are interpolated.
     *
     * Cell i lies between points i and i + 1. The first source is duplicated if there are outputs
     * before its center, the last one if there are outputs after its center.
     */
    private class Axis(
        sources: Int,
        outputs: Int,
    ) {
        /** Per point: the index of its source. */
        val source: IntArray

        /** Per cell: the index of its first output, and the number of its outputs. */
        val begin: IntArray
        val length: IntArray

        /** Per output: the weight of the following point. */
        val weight = FloatArray(outputs)

        init {
            val scale = sources.toFloat() / outputs.toFloat()
            val last = sources - 1
            val before =
                IntArray(outputs) { output ->
                    val position = scale * (output + 0.5f) - 0.5f
                    val place = if (position < 0) -1 else minOf(position.toInt(), last)
                    weight[output] = if (place < 0) 0f else minOf(position - place, 1f)
                    place
                }
            val points = before.flatMap { listOf(it, it + 1) }.distinct().sorted()
            source = IntArray(points.size) { points[it].coerceIn(0, last) }
            begin = IntArray(points.size - 1)
            length = IntArray(points.size - 1)
            val cellOf = points.withIndex().associate { (cell, point) -> point to cell }
            for (output in outputs - 1 downTo 0) {
                val cell = cellOf.getValue(before[output])
                begin[cell] = output
                length[cell]++
            }
        }

        val longest: Int get() = length.max()
    }

    private companion object {
        const val MARGIN = 1f / (1 shl 20)
        const val UNDERFLOW = 1e-30f
    }
}
