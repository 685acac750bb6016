package seaformer.core

/** The class of every pixel, row by row; up to 65,536 classes. */
class ClassMask(
    val width: Int,
    val height: Int,
    private val ids: ShortArray = ShortArray(width * height),
) {
    val size: Int get() = ids.size

    operator fun get(index: Int): Int = ids[index].toInt() and 0xFFFF

    operator fun set(
        index: Int,
        id: Int,
    ) {
        ids[index] = id.toShort()
    }

    /** The class at a pixel. */
    fun at(
        x: Int,
        y: Int,
    ): Int = get(y * width + x)

    /** Resizes the mask by nearest neighbor: an interpolated id would be an unrelated class. */
    fun resized(
        width: Int,
        height: Int,
    ): ClassMask {
        if (width == this.width && height == this.height) return this
        val columns = IntArray(width) { x -> ((x + 0.5) * this.width / width).toInt() }
        val resized = ClassMask(width, height)
        for (y in 0 until height) {
            val row = ((y + 0.5) * this.height / height).toInt()
            for (x in 0 until width) resized[y * width + x] = at(columns[x], row)
        }
        return resized
    }
}
