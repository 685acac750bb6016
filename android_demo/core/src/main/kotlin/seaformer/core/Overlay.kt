package seaformer.core

/**
 * Blends every pixel of a photo with the color of its class, in integers with rounding to nearest.
 *
 * @param opacity 0 shows only the photo, 1 only the colors.
 * @param only the one class to color; null for all.
 */
fun blend(
    photograph: RgbImage,
    mask: ClassMask,
    colors: ClassColors,
    opacity: Double,
    only: Int? = null,
): RgbImage {
    require(mask.width == photograph.width && mask.height == photograph.height) {
        "a mask of ${mask.width} x ${mask.height} does not fit ${photograph.width} x ${photograph.height} pixels"
    }
    require(opacity in 0.0..1.0) { "the opacity is $opacity; it has to be 0 to 1" }
    val weight = Math.rint(256 * opacity).toInt()
    val cache = HashMap<Int, Int>()
    val pixels =
        IntArray(mask.size) { index ->
            val id = mask[index]
            val pixel = photograph.pixels[index]
            if (only != null && id != only) pixel else mix(pixel, cache.getOrPut(id) { colors[id] }, weight)
        }
    return RgbImage(mask.width, mask.height, pixels)
}

private fun mix(
    pixel: Int,
    color: Int,
    weight: Int,
): Int =
    rgb(
        mix8(red(pixel), red(color), weight),
        mix8(green(pixel), green(color), weight),
        mix8(blue(pixel), blue(color), weight),
    )

private fun mix8(
    below: Int,
    above: Int,
    weight: Int,
): Int = below * (256 - weight) + above * weight + 128 shr 8
