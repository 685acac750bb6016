package seaformer.core

/**
 * A row of the legend: a class of a mask, a class of a ranking, or an object.
 *
 * @property key identifies the row among all rows of an image; a class of a mask or a ranking has the
 *     same key in all images.
 * @property id class index.
 * @property share of the mask; for a ranking the probability, for an object the score; 0..1.
 */
data class LegendRow(
    val key: Long,
    val id: Int,
    val label: String,
    val color: Int,
    val share: Double,
)

private const val RANKED_CLASSES = 5

/**
 * The rows of an image, largest share first: the classes of its mask, its most probable classes, or the
 * objects with a score of at least [leastScore].
 */
fun legendOf(
    analysis: Analysis,
    metadata: ModelMetadata,
    leastScore: Float = SHOWN_SCORE,
): List<LegendRow> {
    val colors = ClassColors(metadata.palette)
    analysis.mask?.let { mask ->
        return classShares(mask, metadata.labels, colors).map {
            LegendRow(it.id.toLong(), it.id, it.label, it.color, it.share)
        }
    }
    analysis.detections?.let { return objectRows(it.above(leastScore), metadata.labels.size, colors) }
    return analysis.ranking.orEmpty().take(RANKED_CLASSES).map {
        LegendRow(it.id.toLong(), it.id, it.label, colors[it.id], it.probability)
    }
}

private fun objectRows(
    detections: List<Detection>,
    classes: Int,
    colors: ClassColors,
): List<LegendRow> {
    val counts = IntArray(classes)
    return detections.map {
        val key = it.id + classes.toLong() * counts[it.id]++
        LegendRow(key, it.id, it.label, colors[it.id], it.score.toDouble())
    }
}

/** The labels of the rows for a screen reader, with counts: "person (3), dog". */
fun spokenLabels(rows: List<LegendRow>): String =
    rows
        .groupBy { it.id }
        .values
        .joinToString { if (it.size == 1) it[0].label else "${it[0].label} (${it.size})" }
