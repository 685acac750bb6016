package seaformer.core

/** The default of the lowest score of detections to show; the same as in seaformer-predict. */
const val SHOWN_SCORE = 0.3f

/**
 * An object in an image.
 *
 * @property id class index.
 * @property score 0..1.
 * @property box in pixels of the image.
 */
data class Detection(
    val id: Int,
    val label: String,
    val score: Float,
    val box: Box,
)

/** The detections whose score is at least [score]. */
fun List<Detection>.above(score: Float): List<Detection> = filter { it.score >= score }
