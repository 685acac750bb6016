package seaformer.core

/** A rectangle; [left] is at most [right], and [top] at most [bottom]. */
data class Box(
    val left: Float,
    val top: Float,
    val right: Float,
    val bottom: Float,
) {
    val width: Float get() = right - left
    val height: Float get() = bottom - top

    /** The intersection over union with another box, 0..1; NaN if both are empty. */
    fun intersectionOverUnion(other: Box): Float {
        val commonWidth = minOf(right, other.right) - maxOf(left, other.left)
        val commonHeight = minOf(bottom, other.bottom) - maxOf(top, other.top)
        val intersection = maxOf(commonWidth, 0f) * maxOf(commonHeight, 0f)
        return intersection / (width * height + other.width * other.height - intersection)
    }

    /** Multiplies horizontal coordinates by [x] and vertical ones by [y]. */
    fun scaled(
        x: Float,
        y: Float,
    ): Box = Box(left * x, top * y, right * x, bottom * y)

    /** Moves the rectangle to the right and down. */
    fun moved(
        x: Float,
        y: Float,
    ): Box = Box(left + x, top + y, right + x, bottom + y)
}
