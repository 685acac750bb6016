package seaformer.core

import kotlin.math.floor

/** Colors of classes: the data set's colors, and generated ones for classes without a color. */
class ClassColors(
    private val palette: List<Int>?,
) {
    /** The packed color of a class; generated colors of consecutive classes differ clearly. */
    operator fun get(id: Int): Int = palette?.getOrNull(id) ?: generated(id)

    private fun generated(id: Int): Int {
        // Steps of the golden angle keep consecutive classes far apart on the color circle.
        val hue = id * 0.618034 % 1
        val value = 0.95 - 0.25 * (id % 2)
        val sector = floor(hue * 6).toInt()
        val fraction = hue * 6 - sector
        val p = value * (1 - SATURATION)
        val q = value * (1 - SATURATION * fraction)
        val t = value * (1 - SATURATION * (1 - fraction))
        return when (sector % 6) {
            0 -> packed(value, t, p)
            1 -> packed(q, value, p)
            2 -> packed(p, value, t)
            3 -> packed(p, q, value)
            4 -> packed(t, p, value)
            else -> packed(value, p, q)
        }
    }

    private fun packed(
        red: Double,
        green: Double,
        blue: Double,
    ): Int = rgb(byte(red), byte(green), byte(blue))

    private fun byte(part: Double): Int = Math.rint(255 * part).toInt()

    private companion object {
        const val SATURATION = 0.7
    }
}
