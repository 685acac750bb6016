package seaformer.core

import org.json.JSONObject
import java.math.BigDecimal

/**
 * The anchors of one level of the feature pyramid, at every position of a grid.
 *
 * The anchors at row r and column c are centered at (c * [columnStride], r * [rowStride]). Their height
 * is size * sqrt(aspect ratio), and their width is size / sqrt(aspect ratio); halves of both are rounded
 * to whole pixels, half to even.
 *
 * @property rowStride pixels of the input between rows; [columnStride] between columns.
 * @property sizes square root of the area of each anchor, in pixels of the input.
 * @property aspectRatios height / width of each anchor.
 */
data class AnchorLevel(
    val rows: Int,
    val columns: Int,
    val rowStride: Int,
    val columnStride: Int,
    val sizes: List<Float>,
    val aspectRatios: List<Float>,
) {
    /** Number of anchors. */
    val count: Long get() = rows.toLong() * columns * sizes.size * aspectRatios.size
}

/**
 * How boxes are decoded from the output of a detection model, [1, anchors, classes + 4]: for every
 * anchor the logits of the classes, then the offsets of its box.
 *
 * The offsets are (x - xa) / wa, (y - ya) / ha, log(w / wa) and log(h / ha), each multiplied by its
 * weight. (x, y) is the center of the box; xa, ya, wa and ha belong to the anchor. Anchors are ordered
 * by level, row, column, aspect ratio and size.
 *
 * @property levels levels of the feature pyramid, finest first.
 * @property boxWeights weights of the four offsets.
 * @property maxLogScale upper limit of log(w / wa) and log(h / ha).
 * @property scoreThreshold only boxes with a higher score, the sigmoid of a logit, are candidates.
 * @property candidatesPerLevel maximum number of candidates of each level; the best are kept.
 * @property iouThreshold if two boxes of a class have a higher intersection over union, only the box
 *     with the higher score is kept.
 * @property maxDetections maximum number of detections in an image; the best are kept.
 */
data class DetectionOutput(
    val levels: List<AnchorLevel>,
    val boxWeights: List<Float>,
    val maxLogScale: Float,
    val scoreThreshold: Double,
    val candidatesPerLevel: Int,
    val iouThreshold: Float,
    val maxDetections: Int,
) {
    /** Number of anchors of all levels. */
    val anchors: Long get() = levels.sumOf { it.count }
}

/** Reads the member "detection" of a model's JSON. */
internal fun detectionOutput(json: JSONObject): DetectionOutput {
    val levels = json.getJSONArray("levels").objects()
    ensure(levels.size in 1..MAX_LEVELS) { "levels has ${levels.size} entries; it must have 1 to $MAX_LEVELS" }
    val output =
        DetectionOutput(
            levels = levels.map(::anchorLevel),
            boxWeights = json.numbers("box_weights", 4..4, WEIGHT).map(Double::toFloat),
            maxLogScale = json.number("max_log_scale", LOG_SCALE).toFloat(),
            scoreThreshold = json.number("score_threshold", SHARE),
            candidatesPerLevel = json.whole("candidates_per_level", CANDIDATES),
            iouThreshold = json.number("iou_threshold", SHARE).toFloat(),
            maxDetections = json.whole("max_detections", DETECTIONS),
        )
    ensure(output.anchors <= MAX_ANCHORS) { "there are ${output.anchors} anchors; at most $MAX_ANCHORS are allowed" }
    return output
}

private fun anchorLevel(json: JSONObject): AnchorLevel {
    val (rows, columns) = json.wholes("grid", 2..2, SIDE)
    val (rowStride, columnStride) = json.wholes("stride", 2..2, SIDE)
    return AnchorLevel(
        rows = rows,
        columns = columns,
        rowStride = rowStride,
        columnStride = columnStride,
        sizes = json.numbers("sizes", 1..MAX_SHAPES, SIZE).map(Double::toFloat),
        aspectRatios = json.numbers("aspect_ratios", 1..MAX_SHAPES, ASPECT_RATIO).map(Double::toFloat),
    )
}

/** The allowed values of a number: [least] to [most], except [least] itself if [isAbove]. */
private class Limits(
    private val least: Double,
    private val most: Double,
    private val isAbove: Boolean = false,
) {
    operator fun contains(value: Double): Boolean = value <= most && (if (isAbove) value > least else value >= least)

    override fun toString(): String {
        val (from, to) = listOf(least, most).map { BigDecimal(it).toPlainString() }
        return if (isAbove) "above $from and at most $to" else "$from to $to"
    }
}

// Same as in seaformer.artifact.detection_output.
private const val MAX_ANCHORS = 1L shl 22
private const val MAX_LEVELS = 16
private const val MAX_SHAPES = 64
private val SIDE = Limits(1.0, 4096.0)
private val SIZE = Limits(0.0, 65536.0, isAbove = true)
private val ASPECT_RATIO = Limits(1 / 64.0, 64.0)
private val WEIGHT = Limits(0.0, 1000.0, isAbove = true)
private val LOG_SCALE = Limits(0.0, 16.0, isAbove = true)
private val SHARE = Limits(0.0, 1.0)
private val CANDIDATES = Limits(1.0, 10_000.0)
private val DETECTIONS = Limits(1.0, 1000.0)

private fun JSONObject.number(
    key: String,
    limits: Limits,
): Double = checked(key, getDouble(key), limits)

private fun JSONObject.whole(
    key: String,
    limits: Limits,
): Int = wholeOf(key, number(key, limits))

private fun JSONObject.numbers(
    key: String,
    counts: IntRange,
    limits: Limits,
): List<Double> {
    val numbers = getJSONArray(key)
    ensure(numbers.length() in counts) {
        val allowed = if (counts.first == counts.last) "${counts.first}" else "${counts.first} to ${counts.last}"
        "$key has ${numbers.length()} numbers; it must have $allowed"
    }
    return (0 until numbers.length()).map { checked(key, numbers.getDouble(it), limits) }
}

private fun JSONObject.wholes(
    key: String,
    counts: IntRange,
    limits: Limits,
): List<Int> = numbers(key, counts, limits).map { wholeOf(key, it) }

private fun checked(
    key: String,
    value: Double,
    limits: Limits,
): Double {
    ensure(value in limits) { "$key is $value; it must be $limits" }
    return value
}

private fun wholeOf(
    key: String,
    value: Double,
): Int {
    ensure(value == Math.rint(value)) { "$key is $value; it must be a whole number" }
    return value.toInt()
}
