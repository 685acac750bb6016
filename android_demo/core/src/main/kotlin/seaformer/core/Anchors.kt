package seaformer.core

import kotlin.math.sqrt

/** The anchors of a level; they equal those of seaformer.detection.anchors in Python. */
internal class Anchors(
    private val level: AnchorLevel,
) {
    /** The anchors of one position, relative to it, by aspect ratio, then by size. */
    private val centered =
        level.aspectRatios.flatMap { ratio ->
            val root = sqrt(ratio)
            level.sizes.map { size -> around(1 / root * size, root * size) }
        }

    val count: Int = level.count.toInt()

    /** The anchor of an index within the level, in pixels of the input. */
    operator fun get(index: Int): Box {
        val cell = index / centered.size
        val x = (cell % level.columns * level.columnStride).toFloat()
        val y = (cell / level.columns * level.rowStride).toFloat()
        return centered[index % centered.size].moved(x, y)
    }

    /** An anchor around position 0, 0. */
    private fun around(
        width: Float,
        height: Float,
    ): Box {
        val (x, y) = listOf(width, height).map { Math.rint(it / 2.0).toFloat() }
        return Box(-x, -y, x, y)
    }
}
