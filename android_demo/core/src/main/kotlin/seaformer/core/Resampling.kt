package seaformer.core

import kotlin.math.abs
import kotlin.math.ceil

/** Resize filters, named as in the model's JSON; [support] is in source pixels. */
enum class ResampleFilter(
    internal val support: Double,
) {
    BILINEAR(1.0) {
        override fun weight(distance: Double): Double = if (abs(distance) < 1) 1 - abs(distance) else 0.0
    },
    BICUBIC(2.0) {
        override fun weight(distance: Double): Double {
            val x = abs(distance)
            return when {
                x < 1 -> ((A + 2) * x - (A + 3)) * x * x + 1
                x < 2 -> (((x - 5) * x + 8) * x - 4) * A
                else -> 0.0
            }
        }
    }, ;

    internal abstract fun weight(distance: Double): Double

    private companion object {
        const val A = -0.5
    }
}

/**
 * Resizes exactly like Pillow 13, on whose output exports are verified.
 *
 * When an image is reduced, the filter widens with the scale, so that every pixel contributes. The axes
 * are resized one after the other, with weights of 22 fractional bits and results rounded to 8 bits:
 * the width first, but the height first if it shrinks by more than twice as many pixels as the width.
 */
class Resampler(
    private val filter: ResampleFilter,
) {
    /**
     * Scales the image to [scaledWidth] x [scaledHeight], and returns its region of [width] x [height] at
     * ([left], [top]).
     */
    fun resize(
        image: RgbImage,
        scaledWidth: Int,
        scaledHeight: Int,
        left: Int = 0,
        top: Int = 0,
        width: Int = scaledWidth,
        height: Int = scaledHeight,
    ): RgbImage {
        val columns = Weights(filter, image.width, scaledWidth, left, width)
        val rows = Weights(filter, image.height, scaledHeight, top, height)
        val fewerRows = image.height - scaledHeight
        if (fewerRows > 0 && fewerRows > 2 * (image.width - scaledWidth)) {
            return resizeColumns(resizeRows(image, rows, 0), columns, 0 until height)
        }
        // The first pass computes only the rows that the second pass reads.
        val read = rows.reach
        return resizeRows(resizeColumns(image, columns, read), rows, read.first)
    }

    private fun resizeColumns(
        image: RgbImage,
        columns: Weights,
        rows: IntRange,
    ): RgbImage {
        val width = columns.size
        val pixels = IntArray(width * rows.count())
        for (y in rows) {
            val to = (y - rows.first) * width
            for (x in 0 until width) pixels[to + x] = columns.mix(x, image.pixels, y * image.width, 1)
        }
        return RgbImage(width, rows.count(), pixels)
    }

    /** Resizes the rows of [image], whose first row is row [firstRow] of the image that [rows] refers to. */
    private fun resizeRows(
        image: RgbImage,
        rows: Weights,
        firstRow: Int,
    ): RgbImage {
        val width = image.width
        val pixels = IntArray(width * rows.size)
        for (y in 0 until rows.size) {
            for (x in 0 until width) pixels[y * width + x] = rows.mix(y, image.pixels, x - firstRow * width, width)
        }
        return RgbImage(width, rows.size, pixels)
    }

    /** For each output along an axis: the inputs that it mixes, and their weights. */
    private class Weights(
        filter: ResampleFilter,
        sources: Int,
        scaled: Int,
        begin: Int,
        val size: Int,
    ) {
        private val first = IntArray(size)
        private val count = IntArray(size)
        private val stride: Int
        private val fixed: IntArray

        init {
            val scale = sources.toDouble() / scaled
            val widening = maxOf(scale, 1.0)
            val support = filter.support * widening
            stride = ceil(support).toInt() * 2 + 1
            fixed = IntArray(size * stride)
            val weights = DoubleArray(stride)
            for (output in 0 until size) {
                val center = (begin + output + 0.5) * scale
                first[output] = maxOf((center - support + 0.5).toInt(), 0)
                count[output] = minOf((center + support + 0.5).toInt(), sources) - first[output]
                var sum = 0.0
                for (i in 0 until count[output]) {
                    weights[i] = filter.weight((i + first[output] - center + 0.5) * (1 / widening))
                    sum += weights[i]
                }
                for (i in 0 until count[output]) {
                    val share = if (sum != 0.0) weights[i] / sum else weights[i]
                    val rounding = if (share < 0) -0.5 else 0.5
                    fixed[output * stride + i] = (rounding + share * (1 shl BITS)).toInt()
                }
            }
        }

        /** The range of sources that the outputs need. */
        val reach: IntRange get() = first[0] until (0 until size).maxOf { first[it] + count[it] }

        /** Mixes the sources of an output; source i is at [origin] + i * [step] of [pixels]. */
        fun mix(
            output: Int,
            pixels: IntArray,
            origin: Int,
            step: Int,
        ): Int {
            var red = HALF
            var green = HALF
            var blue = HALF
            var at = origin + first[output] * step
            val weightsBegin = output * stride
            for (i in weightsBegin until weightsBegin + count[output]) {
                val weight = fixed[i]
                val pixel = pixels[at]
                red += red(pixel) * weight
                green += green(pixel) * weight
                blue += blue(pixel) * weight
                at += step
            }
            return rgb(clamp(red), clamp(green), clamp(blue))
        }

        private fun clamp(value: Int): Int = (value shr BITS).coerceIn(0, 255)
    }

    private companion object {
        const val BITS = 22
        const val HALF = 1 shl BITS - 1
    }
}
