package seaformer.core

/** A packed opaque color, in the format of Android's Bitmap. */
fun rgb(
    red: Int,
    green: Int,
    blue: Int,
): Int = 0xFF shl 24 or (red shl 16) or (green shl 8) or blue

fun red(color: Int): Int = color shr 16 and 0xFF

fun green(color: Int): Int = color shr 8 and 0xFF

fun blue(color: Int): Int = color and 0xFF

/** An 8-bit color image; [pixels] are packed 0xFFRRGGBB, row by row. */
class RgbImage(
    val width: Int,
    val height: Int,
    val pixels: IntArray,
) {
    init {
        require(width > 0 && height > 0 && pixels.size == width * height) {
            "${pixels.size} pixels do not form an image of $width x $height"
        }
    }

    /** The BT.601 luminance in all three channels, rounded like Pillow's mode "L". */
    fun gray(): RgbImage {
        val grays =
            IntArray(pixels.size) { i ->
                val (red, green, blue) = Triple(red(pixels[i]), green(pixels[i]), blue(pixels[i]))
                val level = (19595 * red + 38470 * green + 7471 * blue + 0x8000) shr 16
                rgb(level, level, level)
            }
        return RgbImage(width, height, grays)
    }

    /** Crops a region that lies inside the image. */
    fun crop(
        left: Int,
        top: Int,
        width: Int,
        height: Int,
    ): RgbImage {
        if (width == this.width && height == this.height) return this
        val cropped = IntArray(width * height)
        for (y in 0 until height) {
            pixels.copyInto(cropped, y * width, (top + y) * this.width + left, (top + y) * this.width + left + width)
        }
        return RgbImage(width, height, cropped)
    }

    /** Keeps only the pixels whose row and column are multiples of [reduction]. */
    fun reduced(reduction: Int): RgbImage {
        if (reduction == 1) return this
        val newWidth = (width - 1) / reduction + 1
        val newHeight = (height - 1) / reduction + 1
        val sampled =
            IntArray(newWidth * newHeight) { pixels[it / newWidth * reduction * width + it % newWidth * reduction] }
        return RgbImage(newWidth, newHeight, sampled)
    }

    /** Rotates and mirrors the stored image to its upright orientation. */
    fun oriented(orientation: Orientation): RgbImage {
        if (orientation == Orientation.UPRIGHT) return this
        val rotated = IntArray(pixels.size)
        val newWidth = if (orientation.swapsSides) height else width
        val newHeight = if (orientation.swapsSides) width else height
        for (y in 0 until newHeight) {
            for (x in 0 until newWidth) {
                // The source of the pixel: swap the axes, then mirror.
                val u = if (orientation.swapsSides) y else x
                val v = if (orientation.swapsSides) x else y
                val column = if (orientation.fromRight) width - 1 - u else u
                val row = if (orientation.fromBottom) height - 1 - v else v
                rotated[y * newWidth + x] = pixels[row * width + column]
            }
        }
        return RgbImage(newWidth, newHeight, rotated)
    }
}

/**
 * The orientation of a stored image: the eight values of EXIF, [exif] 1 to 8.
 *
 * @property swapsSides whether rows become columns.
 * @property fromRight whether stored columns are read from the right; [fromBottom] whether stored rows
 *     are read from the bottom.
 */
enum class Orientation(
    val exif: Int,
    val swapsSides: Boolean,
    val fromRight: Boolean,
    val fromBottom: Boolean,
) {
    UPRIGHT(1, false, false, false),
    MIRRORED(2, false, true, false),
    UPSIDE_DOWN(3, false, true, true),
    FLIPPED(4, false, false, true),
    TRANSPOSED(5, true, false, false),
    ROTATED_RIGHT(6, true, false, true),
    TRANSVERSED(7, true, true, true),
    ROTATED_LEFT(8, true, true, false),
    ;

    companion object {
        /** UPRIGHT for unknown values, which cameras without an orientation sensor write. */
        fun ofExif(value: Int): Orientation = entries.firstOrNull { it.exif == value } ?: UPRIGHT

        /** The orientation of images that have to be rotated clockwise by [degrees]. */
        fun ofRotation(degrees: Int): Orientation =
            when (Math.floorMod(degrees, 360)) {
                0 -> UPRIGHT
                90 -> ROTATED_RIGHT
                180 -> UPSIDE_DOWN
                270 -> ROTATED_LEFT
                else -> throw IllegalArgumentException("the rotation is $degrees degrees, not a multiple of 90")
            }
    }
}
