package seaformer.core

import java.math.BigDecimal
import java.math.RoundingMode
import kotlin.math.ceil

/** The part of an image that a model sees: the size of the whole scaled image, and the crop offset. */
data class Placement(
    val scaledWidth: Int,
    val scaledHeight: Int,
    val left: Int,
    val top: Int,
)

/**
 * Converts images to the input of one model, as its JSON describes it.
 *
 * The values equal the output of seaformer.imaging.preprocessing in Python. The returned array is reused for
 * the next image.
 */
class Preprocessor(
    private val input: InputTensor,
) {
    private val resampler = Resampler(input.filter)
    private val width = input.width
    private val height = input.height

    // The values of a resized image are integers 0..255, so a lookup table per channel does all later steps.
    private val channels = input.channels
    private val floats = List(channels) { channel -> FloatArray(256) { level -> real(level, channel) } }
    private val bytes = if (input.type == DataType.FLOAT32) emptyList() else floats.map(::quantized)
    private val data: TensorData =
        when (input.type) {
            DataType.FLOAT32 -> TensorData.Floats(FloatArray(channels * width * height))
            DataType.INT8 -> TensorData.Int8(ByteArray(channels * width * height))
            DataType.UINT8 -> TensorData.Uint8(ByteArray(channels * width * height))
            else -> throw MetadataException("an input of type ${input.type.name.lowercase()} is not supported")
        }

    /** Resizes an image, orders its channels and normalizes it. */
    fun prepare(image: RgbImage): TensorData {
        val place = placement(image.width, image.height)
        val source = if (channels == 1) image.gray() else image
        val seen =
            resampler.resize(source, place.scaledWidth, place.scaledHeight, place.left, place.top, width, height)
        when (data) {
            is TensorData.Floats -> fill(seen) { index, channel, level -> data.values[index] = floats[channel][level] }
            is TensorData.Int8 -> fill(seen) { index, channel, level -> data.values[index] = bytes[channel][level] }
            is TensorData.Uint8 -> fill(seen) { index, channel, level -> data.values[index] = bytes[channel][level] }
            else -> error("unsupported input type")
        }
        return data
    }

    /** The part of an image that the model sees, at the image's own resolution. */
    fun seenPart(image: RgbImage): RgbImage {
        val place = placement(image.width, image.height)
        // Math.rint rounds halves to even like Python's round.
        val rows = maxOf(1, Math.rint(height.toDouble() * image.height / place.scaledHeight).toInt())
        val columns = maxOf(1, Math.rint(width.toDouble() * image.width / place.scaledWidth).toInt())
        return image.crop((image.width - columns) / 2, (image.height - rows) / 2, columns, rows)
    }

    private fun placement(
        imageWidth: Int,
        imageHeight: Int,
    ): Placement {
        val fraction = input.cropFraction ?: return Placement(width, height, 0, 0)
        val scale = maxOf(height.toDouble() / imageHeight, width.toDouble() / imageWidth) / fraction
        val scaledWidth = roundUp(imageWidth * scale)
        val scaledHeight = roundUp(imageHeight * scale)
        return Placement(scaledWidth, scaledHeight, (scaledWidth - width) / 2, (scaledHeight - height) / 2)
    }

    /** Rounds up after removing the error of a division: 250.00000000000003 becomes 250. */
    private fun roundUp(side: Double): Int =
        ceil(BigDecimal(side).setScale(6, RoundingMode.HALF_EVEN).toDouble()).toInt()

    private fun real(
        level: Int,
        channel: Int,
    ): Float = if (input.normalizes) (level - input.mean[channel]) / input.std[channel] else level.toFloat()

    private fun quantized(values: FloatArray): ByteArray {
        val (scale, zeroPoint) = input.quantization ?: Quantization(1f, 0)
        val range = if (input.type == DataType.INT8) -128.0..127.0 else 0.0..255.0
        return ByteArray(256) { level ->
            (Math.rint((values[level] / scale).toDouble()) + zeroPoint).coerceIn(range).toInt().toByte()
        }
    }

    private inline fun fill(
        seen: RgbImage,
        put: (index: Int, channel: Int, level: Int) -> Unit,
    ) {
        if (channels == 1) {
            for (i in seen.pixels.indices) put(i, 0, red(seen.pixels[i]))
            return
        }
        val pixelStep = if (input.channelsFirst) 1 else 3
        val channelStep = if (input.channelsFirst) width * height else 1
        val redChannel = if (input.bgr) 2 else 0
        val blueChannel = 2 - redChannel
        for (i in seen.pixels.indices) {
            val pixel = seen.pixels[i]
            val index = i * pixelStep
            put(index + redChannel * channelStep, redChannel, red(pixel))
            put(index + channelStep, 1, green(pixel))
            put(index + blueChannel * channelStep, blueChannel, blue(pixel))
        }
    }
}
