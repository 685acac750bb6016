package seaformer.core

import java.nio.ByteBuffer

/** One plane of a camera frame, with its strides. */
class YuvPlane(
    val samples: ByteBuffer,
    val rowStride: Int,
    val pixelStride: Int,
) {
    internal fun at(
        x: Int,
        y: Int,
    ): Int = samples.get(y * rowStride + x * pixelStride).toInt() and 0xFF
}

/**
 * A camera frame in YUV 4:2:0: luma at full resolution, chroma at half the width and height.
 *
 * Phone cameras use BT.601 with the full range 0..255, as JPEG files do.
 */
class YuvFrame(
    val width: Int,
    val height: Int,
    private val luma: YuvPlane,
    private val blueDifference: YuvPlane,
    private val redDifference: YuvPlane,
) {
    /** Converts to RGB; every channel is within 1 of the exact value. */
    fun toImage(): RgbImage {
        val pixels = IntArray(width * height)
        for (y in 0 until height) {
            for (x in 0 until width) {
                val brightness = (luma.at(x, y) shl BITS) + HALF
                val u = blueDifference.at(x / 2, y / 2) - 128
                val v = redDifference.at(x / 2, y / 2) - 128
                pixels[y * width + x] =
                    rgb(
                        clamp(brightness + RED_OF_V * v),
                        clamp(brightness - GREEN_OF_U * u - GREEN_OF_V * v),
                        clamp(brightness + BLUE_OF_U * u),
                    )
            }
        }
        return RgbImage(width, height, pixels)
    }

    private fun clamp(value: Int): Int = (value shr BITS).coerceIn(0, 255)

    private companion object {
        const val BITS = 16
        const val HALF = 1 shl BITS - 1
        const val RED_OF_V = 91881 // 1.402
        const val GREEN_OF_U = 22554 // 0.344136
        const val GREEN_OF_V = 46802 // 0.714136
        const val BLUE_OF_U = 116130 // 1.772
    }
}
