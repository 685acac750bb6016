package seaformer.core

import kotlin.math.roundToInt

/** Measures text in the font of the labels, in pixels of the screen. */
interface TextSize {
    /** Height of a line. */
    val height: Float

    fun widthOf(text: String): Float
}

/**
 * A detection to draw, in pixels of the screen.
 *
 * @property color packed, of the outline and of the background of the text.
 * @property plate the background of the text, in which it is centered vertically; [textLeft] is where it starts.
 * @property textColor packed; readable on [color].
 */
data class DrawnDetection(
    val outline: Box,
    val color: Int,
    val plate: Box,
    val text: String,
    val textLeft: Float,
    val textColor: Int,
)

/**
 * Positions boxes and their labels on the screen.
 *
 * A label is above its box, or inside if there is no space above, and never beyond the edges of the
 * view.
 *
 * @param view size of the view: its left and top are 0.
 * @param image where the image is shown in the view.
 * @param padding space to the left and right of a text.
 */
class DetectionLayout(
    private val view: Box,
    private val image: Box,
    private val padding: Float,
    private val size: TextSize,
) {
    /**
     * Returns what to draw, in this order: boxes with high scores over those with low ones.
     *
     * @param detections highest score first, with boxes in pixels of an image of [width] x [height].
     */
    fun of(
        detections: List<Detection>,
        width: Int,
        height: Int,
        colors: ClassColors,
    ): List<DrawnDetection> =
        detections.asReversed().map {
            val scaled = it.box.scaled(image.width / width, image.height / height)
            drawn(it, scaled.moved(image.left, image.top), colors[it.id])
        }

    private fun drawn(
        detection: Detection,
        outline: Box,
        color: Int,
    ): DrawnDetection {
        val text = "${detection.label} ${(100 * detection.score).roundToInt()} %"
        val width = size.widthOf(text) + 2 * padding
        val left = maxOf(0f, minOf(outline.left, view.right - width))
        val isAbove = outline.top >= size.height
        val top = if (isAbove) outline.top - size.height else minOf(outline.top, view.bottom - size.height)
        val plate = Box(left, top, left + width, top + size.height)
        return DrawnDetection(outline, color, plate, text, left + padding, textColorOn(color))
    }
}
